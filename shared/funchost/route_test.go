package funchost

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoutes(t *testing.T) {
	log, lines := logged()
	a := New(Options{Log: log})
	a.Queue("push", "msg", func(context.Context, Message) error { return nil })
	page := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(text + " " + r.PathValue("operation") + r.PathValue("path")))
		})
	}
	a.HTTP("portal", "get", "portal/{*path}", page("portal"))
	a.HTTP("portal", "post", "portal/{*path}", page("portal post"))
	a.HTTP("special", "GET", "portal/special", page("special"))
	a.HTTP("intake", "POST", "appointments/{operation}", page("intake"))

	for _, tc := range []struct {
		request string
		status  int
		body    string // "" = not looked at
	}{
		{"GET /", 200, "ok\n"},
		{"HEAD /", 200, ""},
		{"POST /push", 200, success},
		{"GET /push", 405, ""},
		{"POST /Push", 404, ""},
		{"POST /push/", 404, ""},
		{"POST /pus%68", 404, ""},
		{"POST //push", 404, ""},
		{"POST /intake", 404, ""},
		{"POST /api/push", 404, ""},
		{"POST /api/../push", 404, ""},
		{"POST /api/%2E%2E/push", 404, ""},
		{"GET /api", 404, ""},
		{"GET /api/", 404, ""},
		{"POST /api/appointments/Create", 200, "intake Create"},
		{"POST /API/Appointments/create/", 200, "intake create"},
		{"POST /api/appointments", 404, ""},
		{"POST /api/appointments/", 404, ""},
		{"POST /api/appointments/a/b", 404, ""},
		{"POST /api/appointments/a%2Fb", 200, "intake a/b"},
		{"PUT /api/appointments/Create", 405, ""},
		{"GET /api/portal", 200, "portal "},
		{"GET /api/portal/a/b%20c", 200, "portal a/b c"},
		{"POST /api/portal/a", 200, "portal post a"},
		{"GET /Api/Portal/Special", 200, "special "},
	} {
		t.Run(tc.request, func(t *testing.T) {
			method, path, _ := strings.Cut(tc.request, " ")
			w := do(a, method, path, envelopeX)
			if w.Code != tc.status || tc.body != "" && w.Body.String() != tc.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, tc.status, tc.body)
			}
		})
	}
	if w := do(a, "DELETE", "/api/portal/x", ""); w.Header().Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %q", w.Header().Get("Allow"))
	}

	before := len(lines())
	do(a, "GET", "/", "")
	if after := len(lines()); after != before {
		t.Error("the readiness probe is logged")
	}
	want := []Function{
		{Name: "push", Type: "serviceBusTrigger", Binding: "msg"},
		{Name: "portal", Type: "httpTrigger", Binding: "req", Method: "GET", Route: "portal/{*path}"},
		{Name: "portal", Type: "httpTrigger", Binding: "req", Method: "POST", Route: "portal/{*path}"},
		{Name: "special", Type: "httpTrigger", Binding: "req", Method: "GET", Route: "portal/special"},
		{Name: "intake", Type: "httpTrigger", Binding: "req", Method: "POST", Route: "appointments/{operation}"},
	}
	if diff := cmp.Diff(want, a.Functions()); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestRegistrationsThatCanNotWork(t *testing.T) {
	queue := func(context.Context, Message) error { return nil }
	for name, register := range map[string]func(*App){
		"twice":                func(a *App) { a.Queue("push", "msg", queue); a.Queue("push", "msg", queue) },
		"on the public side":   func(a *App) { a.Queue("api", "msg", queue) },
		"a path":               func(a *App) { a.Queue("a/b", "msg", queue) },
		"no name":              func(a *App) { a.Queue("", "msg", queue) },
		"the same route":       func(a *App) { a.HTTP("x", "GET", "a/{b}", nil); a.HTTP("y", "get", "A/{c}", nil) },
		"a rest in the middle": func(a *App) { a.HTTP("x", "GET", "{*a}/b", nil) },
		"no route":             func(a *App) { a.HTTP("x", "GET", "", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("is taken")
				}
			}()
			register(New(Options{}))
		})
	}
}

// A caller that goes away ends the work for it.
func TestCallerGoesAway(t *testing.T) {
	a := New(Options{})
	ended := make(chan error, 1)
	a.HTTP("page", "GET", "page", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- context.Cause(r.Context())
	}))
	ctx, leave := context.WithCancel(t.Context())
	go leave()
	a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/api/page", nil))
	if err := <-ended; err != context.Canceled {
		t.Errorf("ended by %v", err)
	}
}
