package funchost

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBothAnswerPublicRequestsAlike(t *testing.T) {
	underBoth(t, hostJSON, []string{"hook", "portal", "any", "ticker"}, nil, func(t *testing.T, w *world) {
		t.Run("targets", func(t *testing.T) { publicTargets(t, w) })
		t.Run("answers", func(t *testing.T) { untouchedAnswers(t, w) })
		t.Run("admin", func(t *testing.T) { adminAnswers(t, w) })
		t.Run("caller", func(t *testing.T) { callerGoesAway(t, w) })
		t.Run("crash", func(t *testing.T) { sentAgain(t, w) })
	})
}

func publicTargets(t *testing.T, w *world) {
	preflight := []string{"Origin", "https://o.example", "Access-Control-Request-Method", "GET"}
	cases := []struct {
		method, target string
		header         []string
		status         int
		arrives        string // the target at the handler; empty if it must not arrive
	}{
		{"GET", "/api/portal/x?do=echo", nil, 200, "/api/portal/x?do=echo"},
		{"GET", "/API/Portal/X?do=echo", nil, 200, "/API/Portal/X?do=echo"},
		{"GET", "/api/portal?do=echo", nil, 200, "/api/portal?do=echo"},
		{"GET", "/api/portal/?do=echo", nil, 200, "/api/portal/?do=echo"},
		{"GET", "/api/portal/x?", nil, 200, "/api/portal/x?"},
		{"GET", "/api/portal//x//y", nil, 404, ""},
		{"GET", "//api//portal/x", nil, 404, ""},
		{"POST", "/api/graph/notifications/?do=echo", nil, 200, "/api/graph/notifications/?do=echo"},
		{"GET", "/api/graph/notifications", nil, 404, ""},
		{"HEAD", "/api/portal/x", nil, 404, ""},
		{"HEAD", "/api/any/x", nil, 200, "/api/any/x"},
		{"PUT", "/api/any/x/y", nil, 200, "/api/any/x/y"},
		{"GET", "/api/any", nil, 404, ""},
		{"GET", "/api/any/a/b/c", nil, 404, ""},
		{"GET", "/api/nope", nil, 404, ""},
		{"GET", "/nope", nil, 404, ""},
		{"POST", "/ticker", nil, 404, ""},
		{"POST", "/api/ticker", nil, 404, ""},
		{"GET", "/runtime/x", nil, 404, ""},
		{"OPTIONS", "/api/portal/x", nil, 404, ""},
		{"OPTIONS", "/api/any/x", nil, 200, "/api/any/x"},
		{"OPTIONS", "/api/any/x", preflight, 204, ""},
		{"OPTIONS", "/api/nope", preflight, 204, ""},
		{"GET", "/", nil, 200, ""},
		{"GET", "/index.html", nil, 404, ""},
		{"GET", "/api/portal/a%2Fb", nil, 200, "/api/portal/a%252Fb"},
		{"GET", "/api/portal/a%2fb", nil, 200, "/api/portal/a%252fb"},
		{"GET", "/api/portal/a%25b", nil, 200, "/api/portal/a%25b"},
		{"GET", "/api/portal/a[b]", nil, 200, "/api/portal/a%5Bb%5D"},
		{"GET", "/api/portal/a+b'c;d=e:f@g!$&()*,", nil, 200, "/api/portal/a+b'c;d=e:f@g!$&()*,"},
		{"GET", "/api/portal/%C3%A9~%7E%3A%21%24a%20b", nil, 200, "/api/portal/%C3%A9~~:!$a%20b"},
		{"GET", "/api/portal/a%5Cb%3Fc%23d%7Ce", nil, 200, "/api/portal/a%5Cb%3Fc%23d%7Ce"},
		{"GET", "/api/portal/\"|<b>^`{}", nil, 200, "/api/portal/%22%7C%3Cb%3E%5E%60%7B%7D"},
		{"GET", "/api/portal/../portal/z", nil, 200, "/api/portal/z"},
		{"GET", "/api/portal/./z", nil, 200, "/api/portal/z"},
		{"GET", "/api/portal/%2e%2e/portal/z", nil, 200, "/api/portal/z"},
		{"GET", "/api/portal/a%00b", nil, 400, ""},
		{"GET", "/api/portal/x?a=%zz&b=%2F+c;d&e=|", nil, 200, "/api/portal/x?a=%25zz&b=%2F+c;d&e=%7C"},
		{"GET", "/api/portal/x?q=[a]&b={c}&d=%41%7e%2f&e='\"<>&f=^`\\", nil, 200, "/api/portal/x?q=[a]&b=%7Bc%7D&d=A~%2f&e='%22%3C%3E&f=%5E%60%5C"},
	}
	for _, c := range cases {
		before := len(w.records(public))
		got := sendRaw(t, w.host.URL(), c.method, c.target, c.header...)
		if got.StatusCode != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.target, got.StatusCode, c.status)
		}
		arrived := w.records(public)[before:]
		switch {
		case c.arrives == "" && len(arrived) > 0:
			t.Errorf("%s %s reached the handler as %s", c.method, c.target, arrived[0].URI)
		case c.arrives != "" && (len(arrived) != 1 || arrived[0].URI != c.arrives || arrived[0].Method != c.method):
			t.Errorf("%s %s reached the handler as %+v, want %s", c.method, c.target, arrived, c.arrives)
		}
	}
}

func public(r recorded) bool { return r.Kind == "request" && r.URI != "/" }

// sendRaw sends a target as it stands, which an http.Client would tidy up, and reads the head of the answer.
func sendRaw(t *testing.T, url, method, target string, header ...string) *http.Response {
	t.Helper()
	c, err := dialURL(url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n", method, target)
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(c, "%s: %s\r\n", header[i], header[i+1])
	}
	fmt.Fprint(c, "\r\n")
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	response.Body.Close()
	return response
}

func untouchedAnswers(t *testing.T, w *world) {
	got := do(t, "POST", w.host.URL()+"/api/portal/x?do=status%20503", "hi")
	if got.Status != 503 || got.Body != "" || got.Header.Get("Retry-After") != "7" || len(got.Header["Set-Cookie"]) != 2 || got.Header.Get("Server") != "recorder" {
		t.Errorf("got %+v", got)
	}
	if got := do(t, "GET", w.host.URL()+"/api/portal/x?do=redirect%20/else", ""); got.Status != 302 || got.Header.Get("Location") != "/else" {
		t.Errorf("a redirect must reach the caller: %+v", got)
	}
	large := strings.Repeat("0123456789abcdef", 1<<16)
	if got := do(t, "POST", w.host.URL()+"/api/portal/large", large); got.Status != 200 {
		t.Errorf("1 MB: %+v", got)
	}
	if r := w.records(calls("/api/portal/large")); len(r) != 1 || r[0].Body != large || r[0].ContentLength != int64(len(large)) {
		t.Error("1 MB did not arrive as it was sent")
	}
	if d, ok := w.host.(*Double); ok {
		for _, v := range d.Invocations() {
			if v.Outcome != Succeeded {
				t.Errorf("a proxied request succeeds whatever its status: %+v", v)
			}
		}
	}
}

func callerGoesAway(t *testing.T, w *world) {
	c, err := dialURL(w.host.URL())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /api/portal/gone?do=hang HTTP/1.1\r\nHost: x\r\n\r\n")
	w.await(1, calls("/api/portal/gone"))
	c.Close()
	w.await(1, func(r recorded) bool { return r.Kind == "canceled" })
}

func adminAnswers(t *testing.T, w *world) {
	json := []string{"Content-Type", "application/json"}
	for _, c := range []struct {
		target, body string
		header       []string
		want         int
	}{
		{"/admin/functions/ticker", "{}", json, 202},
		{"/admin/functions/TICKER", "{}", json, 202},
		{"/admin/functions/nope", "{}", json, 404},
		{"/admin/functions/ticker", "{}", nil, 415},
		{"/admin/functions/ticker", "", json, 400},
		{"/admin/functions/ticker", "{bad", json, 400},
		{"/admin/nope", "{}", json, 404},
	} {
		if got := do(t, "POST", w.host.URL()+c.target, c.body, c.header...); got.Status != c.want || got.Body != "" {
			t.Errorf("POST %s %q: %d %q, want %d", c.target, c.body, got.Status, got.Body, c.want)
		}
	}
	w.await(2, calls("/ticker"))
	if got := do(t, "GET", w.host.URL()+"/admin/host/status", ""); !strings.Contains(got.Body, `"state":"Running"`) {
		t.Errorf("status: %s", got.Body)
	}
	if err := w.host.Trigger(t.Context(), "ticker"); err != nil {
		t.Error(err)
	}
	w.await(3, calls("/ticker"))
	if err := w.host.Trigger(t.Context(), "nope"); err == nil {
		t.Error("Trigger of an unknown function must fail")
	}
}

// sentAgain: a crash is bridged for a request without body, and costs the others 2 s and an empty 500.
func sentAgain(t *testing.T, w *world) {
	once := t.TempDir() + "/once"
	if got := do(t, "GET", w.host.URL()+"/api/portal/again?do=once%20"+once+"%20exit%201", ""); got.Status != 200 {
		t.Errorf("a request without body must succeed on the next process: %+v", got)
	}
	if n := len(w.records(calls("/api/portal/again"))); n != 2 {
		t.Errorf("sent %d times, want 2", n)
	}
	if got := do(t, "POST", w.host.URL()+"/api/portal/spent?do=exit%201", "body"); got.Status != 500 || got.Body != "" {
		t.Errorf("a request whose body was read fails with an empty 500: %+v", got)
	}
	if n := len(w.records(calls("/api/portal/spent"))); n != 1 {
		t.Errorf("sent %d times, want 1", n)
	}
}

func TestKeys(t *testing.T) {
	a := newApp(t, hostJSON, "hook", "intake", "ticker")
	o := a.options()
	o.Keys = &Keys{Master: "m", Default: "d", Functions: map[string]string{"intake": "i"}}
	d := a.start(o)
	intake, hook, status := "/api/appointments/create", "/api/graph/notifications", "/admin/host/status"
	cases := []struct {
		method, target, key string
		want                int
	}{
		{"POST", hook, "", 200},
		{"POST", intake, "", 401},
		{"POST", intake, "wrong", 401},
		{"POST", intake, "i", 200},
		{"POST", intake, "d", 200},
		{"POST", intake, "m", 200},
		{"POST", intake + "?code=i", "", 200},
		{"POST", intake + "?code=x", "", 401},
		{"GET", status, "", 401},
		{"GET", status, "d", 401},
		{"GET", status, "m", 200},
		{"POST", "/admin/functions/ticker", "i", 401},
	}
	for _, c := range cases {
		var header []string
		if c.key != "" {
			header = []string{"x-functions-key", c.key}
		}
		got := do(t, c.method, d.URL()+c.target, "", header...)
		if got.Status != c.want {
			t.Errorf("%s %s with key %q: %d, want %d", c.method, c.target, c.key, got.Status, c.want)
		}
		if got.Status == 401 && got.Body != "" {
			t.Errorf("401 has a body: %q", got.Body)
		}
	}
	if err := d.Trigger(t.Context(), "ticker"); err != nil {
		t.Errorf("Trigger must show the master key: %v", err)
	}
}
