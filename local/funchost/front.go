package funchost

import (
	"crypto/subtle"
	"io"
	"net/http"
	"slices"
	"strings"
)

// ServeHTTP is the public side: preflights, the home page, /admin, and the HTTP functions.
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Kestrel")
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		w.WriteHeader(http.StatusNoContent) // a CORS preflight is the host's, whatever its path
		return
	}
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(raw, "/") {
		raw = r.URL.EscapedPath()
	}
	path, ok := decodePath(raw)
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/":
		d.home(w)
	case strings.EqualFold(segments[0], "admin"):
		d.admin(w, r, segments[1:])
	default:
		f := d.match(r.Method, segments)
		if f == nil {
			w.WriteHeader(http.StatusNotFound)
		} else if !d.allowed(f.HTTP.Level, f.Name, r) {
			w.WriteHeader(http.StatusUnauthorized)
		} else {
			d.forward(w, r, f, path)
		}
	}
}

// match finds the function with the most exact route among those that take the method. Another method is a 404.
func (d *Double) match(method string, path []string) *function {
	var best *function
	for _, f := range d.app.functions {
		if f.HTTP == nil || len(f.HTTP.Methods) > 0 && !slices.Contains(f.HTTP.Methods, method) || !f.HTTP.Route.match(path) {
			continue
		}
		if best == nil || compareRoutes(f.HTTP.Route, best.HTTP.Route) < 0 {
			best = f
		}
	}
	return best
}

// allowed checks the caller's key. Without Keys nothing is checked.
func (d *Double) allowed(level, name string, r *http.Request) bool {
	if d.keys == nil || level == "anonymous" {
		return true
	}
	shown := r.Header.Get("x-functions-key")
	if shown == "" {
		shown = r.URL.Query().Get("code")
	}
	is := func(key string) bool {
		return key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(shown)) == 1
	}
	if level == "function" && (is(d.keys.Default) || is(d.keys.Functions[name])) {
		return true
	}
	return is(d.keys.Master)
}

func (d *Double) home(w http.ResponseWriter) {
	if off, _ := d.settings.lookup("AzureWebJobsDisableHomepage"); strings.EqualFold(off, "true") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<title>Your Azure Function App is up and running.</title>\n<h1>Your Functions 4.0 app is up and running</h1>\n")
}
