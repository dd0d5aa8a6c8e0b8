package graphhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

// verifier believes "ok:<mailbox>".
type verifier struct{}

func (verifier) Verify(state string) (string, bool) { return strings.CutPrefix(state, "ok:") }

// wake takes the kind that the event names.
func wake(event string) bus.Nudge {
	switch event {
	case "gone":
		return bus.Nudge{Kind: bus.Subscribe, Missing: true}
	case "renew":
		return bus.Nudge{Kind: bus.Subscribe}
	}
	return bus.Nudge{Kind: bus.Read}
}

func hook(b Nudger, log io.Writer) Hook {
	return Hook{
		Reason:   "test",
		Verifier: func(context.Context) (Verifier, error) { return verifier{}, nil },
		Bus:      b, Wake: wake, Log: funchost.NewLogger(log, log, slog.LevelDebug),
	}
}

func post(h http.Handler, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
	return w
}

func TestHandshake(t *testing.T) {
	for _, tc := range []struct {
		name, query string
		status      int
		token       string
	}{
		{"as Graph sends it", "validationToken=a%20b%2Bc%3A1", 200, "a b+c:1"},
		{"plus for a blank", "validationToken=a+b", 200, "a b"},
		{"beside a parameter of ours", "x=1&validationToken=opaque", 200, "opaque"},
		{"markup", "validationToken=" + url.QueryEscape("<script>x</script>"), 200, "<script>x</script>"},
		{"the longest", "validationToken=" + strings.Repeat("t", maxToken), 200, strings.Repeat("t", maxToken)},
		{"too long", "validationToken=" + strings.Repeat("t", maxToken+1), 400, ""},
		{"empty", "validationToken=", 400, ""},
		{"badly escaped", "validationToken=%zz", 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			b := &bus.Mem{}
			w := post(hook(b, &log), "/?"+tc.query, "")
			if w.Code != tc.status || tc.status == 200 && w.Body.String() != tc.token {
				t.Fatalf("%d %q", w.Code, w.Body)
			}
			header := w.Header()
			if header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
				t.Errorf("header %v", header)
			}
			if len(b.Nudges()) > 0 {
				t.Error("a handshake woke somebody")
			}
			if tc.token != "" && strings.Contains(log.String(), tc.token) {
				t.Errorf("the token is in the log: %s", log.String())
			}
		})
	}
}

func TestNotifications(t *testing.T) {
	read := func(mailbox string) bus.Nudge { return bus.Nudge{Kind: bus.Read, Target: mailbox} }
	for _, tc := range []struct {
		name, body string
		status     int
		want       []bus.Nudge
	}{
		{"one", `{"value":[{"clientState":"ok:m1","changeType":"updated","resourceData":{"id":"secret-id"}}]}`, 202, []bus.Nudge{read("m1")}},
		{"many of one mailbox", `{"value":[{"clientState":"ok:m1"},{"clientState":"ok:m1"},{"clientState":"ok:m1"}]}`, 202, []bus.Nudge{read("m1")}},
		{"mixed subscriptions", `{"value":[{"clientState":"ok:m2"},{"clientState":"ok:m1"},{"clientState":"ok:m2"}]}`, 202, []bus.Nudge{read("m2"), read("m1")}},
		{"bad ones among them", `{"value":[7,null,{"clientState":5},{"clientState":"forged"},{},[],{"clientState":"ok:m1","lifecycleEvent":{}},{"clientState":"ok:m3"}]}`, 202, []bus.Nudge{read("m3")}},
		{"all forged", `{"value":[{"clientState":"forged"}]}`, 202, nil},
		{"none", `{"value":[]}`, 202, nil},
		{"keys in another case", `{"Value":[{"ClientState":"ok:m1"}]}`, 202, []bus.Nudge{read("m1")}},
		{"most counts", `{"value":[{"clientState":"ok:m1"},{"clientState":"ok:m1","lifecycleEvent":"gone"},{"clientState":"ok:m1","lifecycleEvent":"renew"},{"clientState":"ok:m1"}]}`, 202,
			[]bus.Nudge{{Kind: bus.Subscribe, Target: "m1", Missing: true}}},
		{"not JSON", `{"value":[{"clientState":"ok:m1"}`, 400, nil},
		{"more than JSON", `{"value":[{"clientState":"ok:m1"}]} x`, 400, nil},
		{"no value", `{}`, 400, nil},
		{"value is null", `{"value":null}`, 400, nil},
		{"value is no list", `{"value":{"clientState":"ok:m1"}}`, 400, nil},
		{"a list", `[]`, 400, nil},
		{"empty", ``, 400, nil},
		{"huge", `{"value":[{"clientState":"ok:m1"}],"x":"` + strings.Repeat("x", maxBody) + `"}`, 413, nil},
		{"deep", strings.Repeat(`{"value":[`, 20000), 400, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				b := &bus.Mem{}
				if w := post(hook(b, &log), "/", tc.body); w.Code != tc.status {
					t.Errorf("status %d, want %d", w.Code, tc.status)
				}
				var got []bus.Nudge
				for _, n := range b.Nudges() {
					got = append(got, n.Nudge)
				}
				for i := range tc.want {
					tc.want[i].Reason, tc.want[i].At = "test", time.Now().UTC()
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("want (-), got (+):\n%s", diff)
				}
				if b.Sends() > 1 {
					t.Errorf("%d sends", b.Sends())
				}
				for _, private := range []string{"forged", "ok:", "m1", "secret-id"} {
					if strings.Contains(log.String(), private) {
						t.Errorf("%q is in the log: %s", private, log.String())
					}
				}
			})
		})
	}
}

// What was not passed on must be sent again.
func TestFailures(t *testing.T) {
	const one = `{"value":[{"clientState":"ok:m1"}]}`
	down := errors.New("down")
	b := &bus.Mem{Fail: func(string) error { return down }}
	if w := post(hook(b, io.Discard), "/", one); w.Code != 503 {
		t.Errorf("broker down: %d", w.Code)
	}
	h := hook(&bus.Mem{}, io.Discard)
	h.Verifier = func(context.Context) (Verifier, error) { return nil, down }
	if w := post(h, "/", one); w.Code != 503 {
		t.Errorf("vault down: %d", w.Code)
	}
	if w := post(h, "/", `{"value":[]}`); w.Code != 202 {
		t.Errorf("nothing to verify: %d", w.Code)
	}
}

type slowBus struct{}

func (slowBus) Nudge(ctx context.Context, _ ...bus.Nudge) error { <-ctx.Done(); return ctx.Err() }

func TestAnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := post(hook(slowBus{}, io.Discard), "/", `{"value":[{"clientState":"ok:m1"}]}`)
		if took := time.Since(began); w.Code != 503 || took >= 3*time.Second {
			t.Errorf("%d after %v", w.Code, took)
		}
	})
}

func TestTraceIsPassedOn(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b := &bus.Mem{}
	a := funchost.New(funchost.Options{})
	a.HTTP("hook", "POST", "hook", hook(b, io.Discard))
	r := httptest.NewRequest("POST", "/api/hook", strings.NewReader(`{"value":[{"clientState":"ok:m1"}]}`))
	r.Header.Set("traceparent", trace)
	a.ServeHTTP(httptest.NewRecorder(), r)
	if n := b.Nudges(); len(n) != 1 || n[0].Traceparent != trace {
		t.Errorf("%+v", n)
	}
}

func FuzzNotifications(f *testing.F) {
	f.Add(`{"value":[{"clientState":"ok:m1"},7]}`)
	f.Add(`{"value":[null,{"clientState":"ok:m1","lifecycleEvent":"gone"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		b := &bus.Mem{}
		w := post(hook(b, io.Discard), "/", body)
		if w.Code != 202 && w.Code != 400 && w.Code != 413 {
			t.Errorf("status %d", w.Code)
		}
		seen := map[string]bool{}
		for _, n := range b.Nudges() {
			if seen[n.Target] || w.Code != 202 {
				t.Errorf("%d nudges with status %d", len(b.Nudges()), w.Code)
			}
			seen[n.Target] = true
		}
	})
}
