package portal

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// view is what a page shows, or where a form leads.
type view struct {
	Template string // name of the file in templates, without .html
	Title    string
	Data     any
	// To is where a form leads to afterwards, below Base, with Done as what has been
	// done; the page is not rendered then.
	To, Done string
	// Status, 0 = 200.
	Status int
}

// problem is an error that says to a person what to do.
type problem struct {
	status int
	text   string
}

func (e *problem) Error() string { return e.text }

func bad(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// refused is the error of a form: what a desk says to people is shown as it says it.
// A desk's own errors are written for people; those of the store, the board and
// other services are classified faults, and stay general.
func refused(err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if f, classified := errors.AsType[*fault.Error](err); classified {
		// The input, or what a desk says of a connector or its secret: words for people.
		if f.Err != nil && (f.Kind == fault.Poison || strings.HasPrefix(f.Op, "connector") || strings.HasPrefix(f.Op, "key vault: set")) {
			return &problem{statusOf(f), sentence(f.Err.Error())}
		}
		return err
	}
	return &problem{http.StatusBadRequest, sentence(err.Error())}
}

func statusOf(f *fault.Error) int {
	switch {
	case f.Reason == fault.NotFound:
		return http.StatusNotFound
	case f.Reason == fault.Conflict:
		return http.StatusConflict
	case f.Kind == fault.Transient:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if end := s[len(s)-1]; end != '.' && end != '!' && end != '?' {
		s += "."
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

//go:embed templates/*.html templates/_*.html
var templateFiles embed.FS

// templates by name, each with the layout around it.
var templates = func() map[string]*template.Template {
	// What begins with _ is a part of several pages.
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html", "templates/_*.html"))
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err)
	}
	out := map[string]*template.Template{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name == "layout" || strings.HasPrefix(name, "_") {
			continue
		}
		out[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+f.Name()))
	}
	return out
}()

// functions of the templates. All times are shown in UTC, and say so.
var functions = template.FuncMap{
	"time": func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.UTC().Format("2006-01-02 15:04:05")
	},
	"minute": func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.UTC().Format("2006-01-02 15:04")
	},
	"ms": func(d time.Duration) string {
		if d <= 0 {
			return "–"
		}
		return fmt.Sprintf("%d ms", d.Milliseconds())
	},
	"class": func(s any) string { return strings.ToLower(strings.ReplaceAll(fmt.Sprint(s), " ", "")) },
	"short": func(s string) string {
		if len(s) > 13 {
			return s[:8] + "…"
		}
		return s
	},
	"words": strings.Fields,
	"dict": func(pairs ...any) (map[string]any, error) {
		out := map[string]any{}
		for i := 0; i+1 < len(pairs); i += 2 {
			key, ok := pairs[i].(string)
			if !ok {
				return nil, errors.New("dict: keys are texts")
			}
			out[key] = pairs[i+1]
		}
		return out, nil
	},
}

// section of the navigation.
type section struct {
	Name  string
	Links []link
}

type link struct{ Path, Name string }

var navigation = []section{
	{"What happened", []link{{"/appointments", "Appointments"}, {"/transactions", "Transactions"}, {"/deltas", "Deltas"}, {"/held", "Deletions held back"}, {"/parked", "Parked messages"}, {"/audit", "Audit"}}},
	{"Exchange", []link{{"/mailboxes", "Resources and mailboxes"}, {"/settings", "Settings"}, {"/rules", "Rules"}, {"/categories", "Categories"}}},
	{"Back offices", []link{{"/connectors", "Connectors"}, {"/actions", "Action URIs"}, {"/board", "Planning board"}}},
	{"Installation", []link{{"/doctor", "Doctor"}}},
}

// show renders a page, or sends the browser on after a form.
func (p *Portal) show(w http.ResponseWriter, r *http.Request, person Principal, v view) {
	asJSON := strings.Contains(r.Header.Get("Accept"), "application/json")
	switch {
	case v.To != "" && asJSON:
		p.json(w, http.StatusOK, map[string]string{"done": v.Done})
		return
	case v.To != "":
		if v.Done != "" {
			// Not in the address: a link from elsewhere must not put words on a page.
			http.SetCookie(w, &http.Cookie{Name: doneCookie, Value: url.QueryEscape(v.Done), Path: Base, MaxAge: 30, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		}
		http.Redirect(w, r, Base+v.To, http.StatusSeeOther)
		return
	case asJSON:
		p.json(w, v.Status, v.Data)
		return
	}
	t := templates[v.Template]
	if t == nil {
		p.Log.ErrorContext(r.Context(), "portal: no such template", "template", v.Template)
		http.Error(w, "this page can not be shown", http.StatusInternalServerError)
		return
	}
	sections := navigation
	if !person.Admin {
		sections = nil
	}
	var body bytes.Buffer // a page that fails halfway must not be half sent
	err := t.ExecuteTemplate(&body, "layout.html", map[string]any{
		"Title": v.Title, "Person": person, "Sections": sections, "Base": Base, "Version": p.Version, "Local": p.Local,
		"Path": r.URL.Path, "Done": done(w, r), "Data": v.Data, "Now": p.Now(),
	})
	if err != nil {
		p.Log.ErrorContext(r.Context(), "portal: a page can not be rendered", "template", v.Template, "error", err)
		http.Error(w, "this page can not be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.Status != 0 {
		w.WriteHeader(v.Status)
	}
	_, _ = w.Write(body.Bytes()) // the browser may be gone
}

// doneCookie carries what a form has done to the page that it leads to.
const doneCookie = "portal-done"

func done(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(doneCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: doneCookie, Path: Base, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	text, _ := url.QueryUnescape(c.Value)
	return text
}

func (p *Portal) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if status != 0 {
		w.WriteHeader(status)
	}
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}

// failed shows an error: what is meant for people as it is, all else in general
// words, with the whole of it in the log.
func (p *Portal) failed(w http.ResponseWriter, r *http.Request, person Principal, err error) {
	var known *problem
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		p.fail(w, r, person, known.status, known.text)
	case errors.As(err, &large):
		p.fail(w, r, person, http.StatusRequestEntityTooLarge, "What was sent is too large.")
	case errors.Is(err, store.ErrNotFound):
		p.fail(w, r, person, http.StatusNotFound, "There is no such thing (any more).")
	default:
		p.Log.ErrorContext(r.Context(), "portal: failed", "path", r.URL.Path, "error", err)
		p.fail(w, r, person, http.StatusInternalServerError, "That did not work, and nobody but the log knows why. Try again; nothing was lost.")
	}
}

func (p *Portal) fail(w http.ResponseWriter, r *http.Request, person Principal, status int, text string) {
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		p.json(w, status, map[string]string{"error": text})
		return
	}
	p.show(w, r, person, view{Template: "problem", Title: http.StatusText(status), Data: text, Status: status})
}
