package funchost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/fault"
)

const envelopeX = `{"Data":{"msg":"eA==","timer":{}},"Metadata":{"MessageId":"m1","SequenceNumber":"5","DeliveryCount":"3","EnqueuedTimeUtc":"2026-11-23T05:14:21"}}`

func post(h http.Handler, path, body string) *httptest.ResponseRecorder {
	return do(h, http.MethodPost, path, body)
}

func do(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// logged returns a logger and what it has written, line by line.
func logged() (*slog.Logger, func() []map[string]any) {
	var out bytes.Buffer
	return NewLogger(&out, &out, slog.LevelDebug), func() []map[string]any {
		var lines []map[string]any
		for d := json.NewDecoder(bytes.NewReader(out.Bytes())); ; {
			var line map[string]any
			if d.Decode(&line) != nil {
				return lines
			}
			lines = append(lines, line)
		}
	}
}

// closingLine returns the last line; it must be that of an invocation.
func closingLine(t *testing.T, lines []map[string]any) map[string]any {
	t.Helper()
	if len(lines) == 0 || lines[len(lines)-1]["msg"] != "invocation" {
		t.Fatalf("no closing line in %v", lines)
	}
	return lines[len(lines)-1]
}

func TestQueueErrors(t *testing.T) {
	permanent := &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "erp"}
	transient := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "store"}
	poison := fault.Poisoned("decode", "no id")
	for _, tc := range []struct {
		name            string
		err, parkErr    error
		status, parked  int
		outcome, reason string
	}{
		{"nil", nil, nil, 200, 0, "ok", ""},
		{"permanent", permanent, nil, 200, 1, "parked", "invalid"},
		{"wrapped permanent", fmt.Errorf("push: %w", permanent), nil, 200, 1, "parked", "invalid"},
		{"transient", transient, nil, 500, 0, "failed", "unavailable"},
		{"unclassified", errors.New("huh"), nil, 500, 0, "failed", "other"},
		{"out of time", context.DeadlineExceeded, nil, 500, 0, "failed", "timeout"},
		{"poison", poison, nil, 200, 1, "parked", "invalid"},
		{"poison that can not be parked", poison, errors.New("store down"), 500, 1, "unparked", "invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var parked int
			log, lines := logged()
			a := New(Options{Log: log, Park: func(_ context.Context, function string, m Message, reason error) error {
				parked++
				if function != "push" || m.MessageID != "m1" || !errors.Is(reason, tc.err) {
					t.Errorf("parked %s %q because of %v", function, m.MessageID, reason)
				}
				return tc.parkErr
			}})
			a.Queue("push", "msg", func(context.Context, Message) error { return tc.err })
			w := post(a, "/push", envelopeX)
			if w.Code != tc.status || parked != tc.parked {
				t.Errorf("status %d, parked %d times; want %d, %d", w.Code, parked, tc.status, tc.parked)
			}
			if tc.parkErr == nil && Settle(tc.err) != tc.status {
				t.Errorf("Settle says %d", Settle(tc.err))
			}
			line := closingLine(t, lines())
			reason, _ := line["reason"].(string)
			if line["outcome"] != tc.outcome || reason != tc.reason || line["delivery"] != 3.0 || line["function"] != "push" || line["ms"] == nil {
				t.Errorf("closing line %v", line)
			}
		})
	}
}

// What the host takes for success is a JSON object with its content type.
func TestSuccessIsAnObject(t *testing.T) {
	a := New(Options{})
	a.Queue("push", "msg", func(context.Context, Message) error { return nil })
	a.Timer("tick", "timer", func(context.Context, Timer) error { return nil })
	for _, path := range []string{"/push", "/tick"} {
		w := post(a, path, envelopeX)
		var object map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &object); err != nil || len(object) != 3 || w.Code != 200 {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
			t.Errorf("%s: content type %q", path, got)
		}
	}
}

func TestPoisonWithoutPark(t *testing.T) {
	a := New(Options{})
	a.Queue("push", "msg", func(context.Context, Message) error { return fault.Poisoned("x", "y") })
	if w := post(a, "/push", envelopeX); w.Code != 500 {
		t.Errorf("status %d: the message is lost", w.Code)
	}
}

func TestTimerErrors(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Transient, fault.Permanent, fault.Poison} {
		a := New(Options{})
		a.Timer("tick", "timer", func(context.Context, Timer) error { return &fault.Error{Kind: kind} })
		if w := post(a, "/tick", envelopeX); w.Code != 500 {
			t.Errorf("%v: status %d: the run does not show as failed", kind, w.Code)
		}
	}
}

func TestUndecodableEnvelopes(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{"empty", "", "not a JSON object"},
		{"no JSON", `{"Data"`, "not a JSON object"},
		{"more than JSON", `{"Data":{"msg":""}} x`, "not a JSON object: it breaks at byte 21"},
		{"an array", "[]", "not a JSON object"},
		{"no data", "{}", "no Data"},
		{"data is text", `{"Data":"x"}`, "Data is not an object"},
		{"metadata is text", `{"Data":{},"Metadata":"x"}`, "Metadata is not an object"},
		{"another binding", `{"Data":{"message":""}}`, `no "msg"`},
		{"a batch", `{"Data":{"msg":"[]"},"Metadata":{"MessageIdArray":"[]"}}`, "cardinality one"},
		{"too large", `{"Data":{"msg":"` + strings.Repeat("A", maxEnvelope) + `"}}`, "larger than 4 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, lines := logged()
			a := New(Options{Log: log})
			a.Queue("push", "msg", func(context.Context, Message) error {
				t.Error("the function ran")
				return nil
			})
			if w := post(a, "/push", tc.body); w.Code != 500 {
				t.Errorf("status %d", w.Code)
			}
			line := closingLine(t, lines())
			if text, _ := line["error"].(string); !strings.Contains(text, tc.want) || line["outcome"] != "undecodable" || line["level"] != "ERROR" {
				t.Errorf("closing line %v; want %q", line, tc.want)
			}
		})
	}
}

func TestPanics(t *testing.T) {
	log, lines := logged()
	a := New(Options{Log: log})
	a.Queue("push", "msg", func(context.Context, Message) error { panic("at the queue") })
	a.HTTP("page", "GET", "page", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("at the page") }))
	for _, w := range []*httptest.ResponseRecorder{post(a, "/push", envelopeX), do(a, "GET", "/api/page", "")} {
		if w.Code != 500 || strings.Contains(w.Body.String(), "panic") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		line := closingLine(t, lines())
		if stack, _ := line["stack"].(string); line["outcome"] != "panic" || line["level"] != "ERROR" || !strings.Contains(stack, "app_test.go") {
			t.Errorf("closing line %v", line)
		}
	}
	a.Queue("park", "msg", func(context.Context, Message) error { return fault.Poisoned("x", "y") })
	a.options.Park = func(context.Context, string, Message, error) error { panic("while parking") }
	if w := post(a, "/park", envelopeX); w.Code != 500 {
		t.Errorf("a panic while parking: status %d", w.Code)
	}
}

func TestClosingLineOfARequest(t *testing.T) {
	log, lines := logged()
	a := New(Options{Log: log})
	var status int
	a.HTTP("page", "GET", "page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
		}
	}))
	for _, tc := range []struct {
		answered, logged int
		outcome, level   string
	}{
		{0, 200, "ok", "INFO"},
		{202, 202, "ok", "INFO"},
		{404, 404, "refused", "INFO"},
		{503, 503, "failed", "WARN"},
	} {
		status = tc.answered
		do(a, "GET", "/api/page", "")
		if line := closingLine(t, lines()); line["status"] != float64(tc.logged) || line["outcome"] != tc.outcome || line["level"] != tc.level {
			t.Errorf("%d: closing line %v", tc.answered, line)
		}
	}
}

// Half an answer, and an answer that was called off, end the connection.
func TestAbortedAnswers(t *testing.T) {
	a := New(Options{})
	a.HTTP("half", "GET", "half", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("now")
	}))
	a.HTTP("off", "GET", "off", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	a.Queue("push", "msg", func(context.Context, Message) error { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(a)
	defer server.Close()
	for _, path := range []string{"GET /api/half", "GET /api/off", "POST /push"} {
		method, path, _ := strings.Cut(path, " ")
		req, _ := http.NewRequest(method, server.URL+path, strings.NewReader(envelopeX))
		res, err := server.Client().Do(req)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: a whole answer", path)
		}
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		until := func(ctx context.Context) time.Duration {
			<-ctx.Done()
			return time.Since(began)
		}
		a := New(Options{})
		a.Queue("push", "msg", func(ctx context.Context, _ Message) error {
			if got := until(ctx); got != 4*time.Minute {
				t.Errorf("a message has %v", got)
			}
			return ctx.Err()
		})
		a.HTTP("page", "GET", "page", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := until(r.Context()); got != 30*time.Second {
				t.Errorf("a request has %v", got)
			}
			w.WriteHeader(503)
		}))
		if w := post(a, "/push", envelopeX); w.Code != 500 {
			t.Errorf("status %d", w.Code)
		}
		began = time.Now()
		do(a, "GET", "/api/page", "")
	})
}

// A function that does not heed its context is left behind before the host
// would kill the process; poison is parked even if no time is left.
func TestStuckFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parked, release, began := 0, make(chan struct{}), time.Now()
		log, lines := logged()
		a := New(Options{Log: log, Park: func(ctx context.Context, _ string, _ Message, _ error) error {
			parked++
			return ctx.Err()
		}})
		a.Queue("push", "msg", func(context.Context, Message) error { <-release; return nil })
		a.Queue("late", "msg", func(ctx context.Context, _ Message) error {
			<-ctx.Done()
			return fault.Poisoned("x", "y")
		})
		if w := post(a, "/push", envelopeX); w.Code != 500 || time.Since(began) >= 5*time.Minute {
			t.Errorf("status %d after %v", w.Code, time.Since(began))
		}
		if line := closingLine(t, lines()); line["reason"] != "timeout" {
			t.Errorf("closing line %v", line)
		}
		close(release)
		if w := post(a, "/late", envelopeX); w.Code != 200 || parked != 1 {
			t.Errorf("late poison: status %d, parked %d times", w.Code, parked)
		}
	})
}

func TestTraceOfAMessage(t *testing.T) {
	const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	envelope := func(property string) string {
		return strings.Replace(envelopeX, `"Metadata":{`, `"Metadata":{"ApplicationProperties":{"traceparent":"`+property+`"},`, 1)
	}
	for _, tc := range []struct{ name, property, want string }{
		{"passed on", given, given},
		{"a later version", "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", given},
		{"absent", "", ""},
		{"nonsense", "00-xyz", ""},
		{"all zeros", "00-00000000000000000000000000000000-b7ad6b7169203331-01", ""},
		{"no version", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""},
		{"too long for its version", given + "-more", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, lines := logged()
			a := New(Options{Log: log})
			var got Invocation
			a.Queue("push", "msg", func(ctx context.Context, _ Message) error { got = InvocationOf(ctx); return nil })
			post(a, "/push", envelope(tc.property))
			if tc.want != "" && got.Traceparent != tc.want {
				t.Errorf("traceparent %q, want %q", got.Traceparent, tc.want)
			}
			if tc.want == "" && (!traceparentPattern.MatchString(got.Traceparent) || got.Traceparent[3:35] == given[3:35]) {
				t.Errorf("traceparent %q is not a new one", got.Traceparent)
			}
			if line := closingLine(t, lines()); line["trace_id"] != got.TraceID() {
				t.Errorf("closing line %v", line)
			}
		})
	}
}

func TestSplitLog(t *testing.T) {
	var stdout, stderr bytes.Buffer
	log := NewLogger(&stdout, &stderr, slog.LevelInfo).With("a", 1).WithGroup("g").With("b", 2)
	ctx := WithInvocation(t.Context(), Invocation{ID: "i", Function: "f", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	log.DebugContext(ctx, "debug")
	log.InfoContext(ctx, "info", "c", 3)
	log.Warn("warn")
	log.Error("error")

	lines := func(b *bytes.Buffer) (out []map[string]any) {
		for line := range strings.Lines(b.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			delete(m, "time")
			out = append(out, m)
		}
		return out
	}
	if diff := cmp.Diff([]map[string]any{{
		"level": "INFO", "msg": "info", "a": 1.0, "g": map[string]any{"b": 2.0, "c": 3.0},
		"invocation_id": "i", "function": "f", "trace_id": "0af7651916cd43dd8448eb211c80319c",
	}}, lines(&stdout)); diff != "" {
		t.Errorf("stdout: want (-), got (+):\n%s", diff)
	}
	group := map[string]any{"b": 2.0}
	if diff := cmp.Diff([]map[string]any{
		{"level": "WARN", "msg": "warn", "a": 1.0, "g": group},
		{"level": "ERROR", "msg": "error", "a": 1.0, "g": group},
	}, lines(&stderr)); diff != "" {
		t.Errorf("stderr: want (-), got (+):\n%s", diff)
	}
}
