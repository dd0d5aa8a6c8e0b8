package portal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/actions"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/registration"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

// site is a portal over a store in memory.
type site struct {
	t      *testing.T
	store  *store.Mem
	portal *Portal
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	guid   = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
	annBox = "11111111-1111-1111-1111-111111111111"
)

func newSite(t *testing.T, change func(*Options)) *site {
	t.Helper()
	now := func() time.Time { return noon }
	mem := store.NewMem(now)
	log := slog.New(slog.DiscardHandler)
	board := &fakeBoard{}
	o := Options{
		Actions: &actions.Desk{Store: mem, Board: board, Sender: actions.HTTP{}, Now: now},
		Board:   &registration.Desk{Store: mem, Board: board, PublicURL: "https://connectors.example", Now: now},
		Store:   mem, Exchange: &exchange.Desk{Store: mem, Now: now, Log: log}, Trust: true, Admins: []string{"chief@contoso.example"},
		PublicURL: "https://connectors.example", Version: "test", Now: now, Log: log,
	}
	if change != nil {
		change(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: mem, portal: p}
	for _, r := range []store.Resource{
		{No: "R/1", Name: "Ann", Email: "ann@contoso.example", Exchange: true, Mailbox: annBox},
		{No: "R2", Name: "Bob", Email: "bob@contoso.example", Exchange: true, Mailbox: "22222222-2222-2222-2222-222222222222"},
	} {
		if err := mem.PutResource(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fakeBoard takes everything.
type fakeBoard struct{ hooks []string }

func (b *fakeBoard) CreateHook(_ context.Context, op appointment.Operation, app, _ string, address secret.Secret) (string, error) {
	b.hooks = append(b.hooks, app+" "+address.Reveal())
	return "h" + string(op), nil
}
func (b *fakeBoard) DeleteHook(context.Context, appointment.Operation, string) error { return nil }
func (b *fakeBoard) UpsertConnector(context.Context, dimescheduler.ConnectorEntry) error {
	return nil
}
func (b *fakeBoard) UpsertActionURL(context.Context, dimescheduler.ActionURL) error { return nil }

// post sends a form as a person does and follows to where it leads.
func (s *site) post(path, principal string, status int, pairs ...string) string {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", "http://127.0.0.1:1234"+Base+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set(principalHeader, principal)
	w := httptest.NewRecorder()
	s.portal.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther {
		if w.Code != status {
			s.t.Errorf("POST %s: %d, want %d: %s", path, w.Code, status, w.Body)
		}
		return w.Body.String()
	}
	next := httptest.NewRequest("GET", w.Header().Get("Location"), nil)
	next.Header.Set(principalHeader, principal)
	for _, c := range w.Result().Cookies() {
		next.AddCookie(c)
	}
	w = httptest.NewRecorder()
	s.portal.ServeHTTP(w, next)
	if w.Code != status {
		s.t.Errorf("POST %s leads to %s: %d, want %d", path, next.URL, w.Code, status)
	}
	return w.Body.String()
}

// claims is the platform's header for a person.
func claims(pairs ...string) string {
	type claim struct {
		Type  string `json:"typ"`
		Value string `json:"val"`
	}
	var list []claim
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, claim{pairs[i], pairs[i+1]})
	}
	data, _ := json.Marshal(map[string]any{"auth_typ": "aad", "claims": list, "role_typ": "roles"})
	return base64.StdEncoding.EncodeToString(data)
}

var (
	chief = claims("oid", "99999999-9999-9999-9999-999999999999", "preferred_username", "Chief@contoso.example", "name", "The Chief")
	ann   = claims("http://schemas.microsoft.com/identity/claims/objectidentifier", strings.ToUpper(annBox), "preferred_username", "ann.other@contoso.example", "name", "Ann")
	guest = claims("oid", "33333333-3333-3333-3333-333333333333", "preferred_username", "guest@contoso.example")
)

func (s *site) get(path, principal string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest("GET", "http://127.0.0.1:1234"+path, nil)
	if principal != "" {
		r.Header.Set(principalHeader, principal)
	}
	w := httptest.NewRecorder()
	s.portal.ServeHTTP(w, r)
	return w
}

// read returns the page's text, having checked its status.
func (s *site) read(path, principal string, status int) string {
	s.t.Helper()
	w := s.get(path, principal)
	body, _ := io.ReadAll(w.Body)
	if w.Code != status {
		s.t.Errorf("GET %s: %d, want %d: %s", path, w.Code, status, body)
	}
	return string(body)
}

func (s *site) holds(text string, parts ...string) {
	s.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			s.t.Errorf("the page lacks %q:\n%s", part, text)
		}
	}
}

func (s *site) lacks(text string, parts ...string) {
	s.t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			s.t.Errorf("the page holds %q", part)
		}
	}
}

// adminPages are all pages for administrators.
var adminPages = []string{"/doctor", "/actions", "/board", "/connectors", "/connectors/new", "/mailboxes", "/settings", "/rules", "/categories", "/held", "/preferences?resource=R2", "/appointments", "/appointments/" + guid, "/transactions", "/deltas", "/parked", "/audit"}

func TestWhoMayOpenWhat(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range adminPages {
		if w := s.get(Base+path, ""); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/.auth/login/aad") {
			t.Errorf("%s, not signed in: %d to %s, want to the sign-in", path, w.Code, w.Header().Get("Location"))
		}
		for _, who := range []string{ann, guest} {
			s.read(Base+path, who, http.StatusForbidden)
		}
	}
	s.holds(s.read(Base+"/", chief, 200), "Overview", "The Chief", "administrator")
	s.holds(s.read(Base+"/", ann, 200), "My calendar", "Ann")
	s.lacks(s.read(Base+"/", ann, 200), "Bob", "Overview")
	s.holds(s.read(Base+"/", guest, 200), "no resource of the planning board")
	role := claims("oid", "44444444-4444-4444-4444-444444444444", "roles", RoleAdministrator)
	s.holds(s.read("/API/Portal/Transactions", role, 200), "Transactions") // letter case as the caller likes
}

// Without the platform's sign-in a principal header is whatever the caller wrote.
func TestAForgedPrincipalOpensNothing(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Trust = false })
	for _, path := range append(adminPages, "/") {
		s.holds(s.read(Base+path, chief, http.StatusForbidden), "sign-in is not set up")
	}
	s = newSite(t, nil)
	for _, header := range []string{"x", base64.StdEncoding.EncodeToString([]byte("{}")), claims("preferred_username", "chief@contoso.example")} {
		if w := s.get(Base+"/audit", header); w.Code != http.StatusSeeOther {
			t.Errorf("%q opens the audit: %d", header, w.Code)
		}
	}
	// No local sign-in outside of LOCAL_MODE.
	r := httptest.NewRequest("GET", Base+"/audit", nil)
	r.AddCookie(&http.Cookie{Name: localCookie, Value: "admin"})
	w := httptest.NewRecorder()
	if s.portal.ServeHTTP(w, r); w.Code == 200 {
		t.Error("the local cookie opens the audit")
	}
	if w := s.get(Base+"/signin", chief); w.Code != http.StatusNotFound {
		t.Errorf("the local sign-in answers %d", w.Code)
	}
}

func TestLocalSignIn(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Trust, o.Local = false, true })
	if w := s.get(Base+"/", ""); w.Header().Get("Location") != Base+"/signin" {
		t.Errorf("not signed in: %d to %s", w.Code, w.Header().Get("Location"))
	}
	s.holds(s.read(Base+"/signin", "", 200), "ann@contoso.example", "The administrator")
	r := httptest.NewRequest("POST", Base+"/signin", strings.NewReader("who=ann@contoso.example"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.portal.ServeHTTP(w, r)
	r = httptest.NewRequest("GET", Base+"/", nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	s.portal.ServeHTTP(w, r)
	s.holds(w.Body.String(), "My calendar", "Ann")
}

// A form on another site must not act in the name of who is signed in here.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Trust, o.Local = false, true })
	for name, header := range map[string][2]string{
		"another site, as the browser says": {"Sec-Fetch-Site", "cross-site"},
		"another origin":                    {"Origin", "https://evil.example"},
	} {
		r := httptest.NewRequest("POST", "http://127.0.0.1:1234"+Base+"/signin", strings.NewReader("who=admin"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header[0], header[1])
		w := httptest.NewRecorder()
		if s.portal.ServeHTTP(w, r); w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	r := httptest.NewRequest("POST", "http://127.0.0.1:1234"+Base+"/signin", strings.NewReader("who=admin"))
	r.Header.Set("Origin", "https://connectors.example") // the app's own address, though the host sees the loopback
	w := httptest.NewRecorder()
	if s.portal.ServeHTTP(w, r); w.Code != http.StatusSeeOther {
		t.Errorf("the portal's own form: %d", w.Code)
	}
}

func TestWhatHappened(t *testing.T) {
	s := newSite(t, nil)
	ctx := t.Context()
	graph := `{"appointmentNo":"A-7","Subject":"Heat pump","StartDate":"2026-11-24T09:00:00Z","EndDate":"2026-11-24T10:00:00Z",
		"Task":{"TaskNo":"T1","Job":{"JobNo":"J1","SourceApp":"BC"}},"Assignments":[{"Resource":{"ResourceNo":"R/1","DisplayName":"Ann"}}]}`
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.store.SwapHead(ctx, &store.Head{Appointment: guid, Operation: appointment.Update, Graph: []byte(graph), Targets: map[string]bool{"mailbox/" + annBox: true}}))
	_, err := s.store.UpdateLink(ctx, annBox, guid, func(l *store.Link) error {
		l.State, l.FailureCode, l.FailureText = store.Failed, "DSEX099", "refused"
		l.OutlookSeen.EventID = "AAMk"
		return nil
	})
	must(err)
	must(s.store.Record(ctx,
		store.Transaction{Family: "exchange", Appointment: guid, Target: annBox, Operation: "create", Status: "Failed", Code: "DSEX099", Text: "<b>refused</b>", Source: "service", At: noon, Duration: 1500 * time.Millisecond},
		store.Transaction{Family: "webhook", Appointment: guid, Target: "hook#0", Operation: "update", Status: "Success", Source: "timer", At: noon.Add(time.Minute)}))
	must(s.store.PutDelta(ctx, store.Delta{Mailbox: annBox, Event: "e", Kind: "time", Text: "no usable time", Start: noon, End: noon.Add(time.Hour), At: noon}))
	must(s.store.Park(ctx, &store.Parked{Queue: "appointmentpush", MessageID: "m1", Reason: "the body is not JSON", Body: []byte("secret words"), At: noon}))
	must(s.store.Audit(ctx, store.AuditEntry{Who: "chief@contoso.example", Action: "settings", Object: "exchange", Text: "changed", At: noon}))

	home := s.read(Base+"/", chief, 200)
	s.holds(home, "DSEX099", "&lt;b&gt;refused", "1500 ms", ">Ann<")
	s.lacks(home, "<b>refused")
	list := s.read(Base+"/appointments?find=j1", chief, 200)
	s.holds(list, "A-7", "Heat pump", "J1", "1 failed", "2026-11-24T09:00:00Z")
	s.lacks(s.read(Base+"/appointments?find=nothing", chief, 200), "A-7")
	s.holds(s.read(Base+"/appointments?failed=1", chief, 200), "A-7")
	s.holds(s.read(Base+"/appointments/"+guid, chief, 200), "mailbox: Ann", "failed", "AAMk", "DSEX099", "refused", "Heat pump", "T1")
	s.read(Base+"/appointments/00000000-0000-0000-0000-000000000000", chief, http.StatusNotFound)
	s.holds(s.read(Base+"/transactions?family=webhook", chief, 200), "hook#0", "timer")
	s.lacks(s.read(Base+"/transactions?status=Success", chief, 200), "DSEX099")
	s.holds(s.read(Base+"/deltas", chief, 200), "time: no usable time", "Ann")
	s.lacks(s.read(Base+"/deltas?to=2026-11-22", chief, 200), "no usable time")
	s.holds(s.read(Base+"/parked", chief, 200), "the body is not JSON")
	s.lacks(s.read(Base+"/parked", chief, 200), "secret words")
	s.holds(s.read(Base+"/audit", chief, 200), "chief@contoso.example", "settings")
}

// An administrator sees at once that Graph or the board as a whole is suspended, why,
// and what to do; and nothing of it while both work.
func TestTheOverviewSaysWhatIsSuspendedAsAWhole(t *testing.T) {
	s := newSite(t, nil)
	s.lacks(s.read(Base+"/", chief, 200), "is suspended")
	row := &store.Target{Kind: store.Service, ID: "board", SuspendedSince: noon, SuspendedCode: "DSEX060", Probe: noon.Add(time.Minute)}
	if err := s.store.SwapTarget(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	s.holds(s.read(Base+"/", chief, 200), "Dime.Scheduler is suspended", "rejects the API key", "set it in Key Vault", "DSEX060", "2026-11-23 12:00 UTC")
	s.lacks(s.read(Base+"/", ann, 200), "is suspended")
}

// The words of an event that a person made in Outlook are not for administrators.
func TestNoWordsOfWhatWasBornInOutlook(t *testing.T) {
	s := newSite(t, nil)
	for _, graph := range []string{`{"Subject":"Dentist"}`, `{"Subject":"Dentist","CreatedByExchange":true,"Task":{"TaskNo":"T"}}`} {
		h := &store.Head{Appointment: guid, Graph: []byte(graph)}
		if there, err := s.store.Head(t.Context(), guid); err == nil {
			h.ETag = there.ETag
		}
		if err := s.store.SwapHead(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		s.lacks(s.read(Base+"/appointments/"+guid, chief, 200), "Dentist")
	}
}

func TestPagesAsJSON(t *testing.T) {
	s := newSite(t, nil)
	r := httptest.NewRequest("GET", Base+"/audit", nil)
	r.Header.Set(principalHeader, ann)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	s.portal.ServeHTTP(w, r)
	var answer struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusForbidden || answer.Error == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r.Header.Set(principalHeader, chief)
	w = httptest.NewRecorder()
	if s.portal.ServeHTTP(w, r); w.Code != 200 || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newSite(t, nil)
	w := s.get(Base+"/", chief)
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("CSP %q", csp)
	}
	if w := s.get(Base+"/static/portal.css", ""); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("the style: %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}
