package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// wire stands between the SDK and the service: it counts the HTTP calls and
// can answer in the service's place, or lose the service's answer.
type wire struct {
	mu    sync.Mutex
	calls []string
	// refuse, if set, may answer instead of the service.
	refuse func(*http.Request) *http.Response
	// lose, if set, says whether the service's answer gets lost on the way.
	lose func(*http.Request) bool
	// meanwhile, if set, runs after an answer was lost, before the SDK repeats.
	meanwhile func()
}

func (w *wire) Do(req *policy.Request) (*http.Response, error) {
	w.mu.Lock()
	raw := req.Raw()
	w.calls = append(w.calls, raw.Method+" "+raw.URL.Path)
	var answer *http.Response
	if w.refuse != nil {
		answer = w.refuse(raw)
	}
	lost := w.lose != nil && w.lose(raw)
	w.mu.Unlock()
	if answer != nil {
		answer.Request = raw
		_, err := runtime.Payload(answer) // as the SDK's innermost policy does
		return answer, err
	}
	response, err := req.Next()
	if err == nil && lost {
		runtime.Drain(response)
		if w.meanwhile != nil {
			w.meanwhile()
		}
		return nil, errors.New("connection reset")
	}
	return response, err
}

func (w *wire) set(refuse func(*http.Request) *http.Response, lose func(*http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.refuse, w.lose = nil, refuse, lose
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

func answer(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {contentType}},
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

// once returns a func that is true for the first write.
func once() func(*http.Request) bool {
	done := false
	return func(r *http.Request) bool {
		if done || r.Method == http.MethodGet {
			return false
		}
		done = true
		return true
	}
}

const box = "7d1f6f1e-3f0c-4f0e-9d46-0f8a7c7a3c11"

var at = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// TestLostAnswers: a write that took effect while its answer got lost is
// neither a conflict nor done twice.
func TestLostAnswers(t *testing.T) {
	ctx, w := t.Context(), &wire{}
	s := open(t, service(t, w), prefix())
	count := func(l *store.Link) error { l.Attempts++; return nil }
	claim := func(l *store.Link) error {
		l.Attempts++
		l.DueAt, l.OutlookSeen.EventID = at, "event "+l.Appointment
		return nil
	}
	for round, change := range []func(*store.Link) error{count, count, claim, count} {
		w.set(nil, once())
		if l, err := s.UpdateLink(ctx, box, "one", change); err != nil || l.Attempts != round+1 {
			t.Fatalf("round %d: %+v, %v", round, l, err)
		}
		w.set(nil, once())
		links, errs := s.UpdateLinks(ctx, box, []string{"two", "three"}, change)
		for i := range links {
			if errs[i] != nil || links[i].Attempts != round+1 {
				t.Fatalf("round %d: %+v, %v", round, links[i], errs[i])
			}
		}
	}
	w.set(nil, once())
	moves := 0
	if l, err := s.RenameLink(ctx, box, "one", "two", func(moved, there *store.Link) error { moves++; return nil }); err != nil || l.Appointment != "two" || moves != 1 {
		t.Errorf("RenameLink: %+v, %v, absorbed %d times", l, err, moves)
	}

	h, target := &store.Head{Appointment: "one"}, &store.Target{Kind: store.Mailbox, ID: box}
	etag := ""
	for range 2 {
		w.set(nil, once())
		if err := s.SwapHead(ctx, h); err != nil {
			t.Errorf("SwapHead: %v", err)
		}
		w.set(nil, once())
		if err := s.SwapTarget(ctx, target); err != nil {
			t.Errorf("SwapTarget: %v", err)
		}
		w.set(nil, once())
		var err error
		if etag, err = s.SwapValue(ctx, "name", "text", etag); err != nil {
			t.Errorf("SwapValue: %v", err)
		}
	}
	w.set(nil, once())
	if err := s.Record(ctx, store.Transaction{Family: "f", Appointment: "one"}, store.Transaction{Family: "f"}); err != nil {
		t.Error(err)
	}
	if got, err := s.Transactions(ctx, "f", 10); err != nil || len(got) != 2 {
		t.Errorf("%d transactions, %v; want 2", len(got), err)
	}
	w.set(nil, once())
	if err := s.Park(ctx, &store.Parked{ID: "p"}); err != nil {
		t.Error(err)
	}
}

// TestRule_R1LoweredDueIsSeen: a due time that is lowered after a worker's swap
// took effect, and before the swap is repeated because its answer got lost,
// is not taken for the worker's own: its next swap fails.
func TestRule_R1LoweredDueIsSeen(t *testing.T) {
	ctx, w, p := t.Context(), &wire{}, prefix()
	s, other := open(t, service(t, w), p), open(t, service(t), p)
	target := &store.Target{Kind: store.Mailbox, ID: box, Due: at.Add(time.Hour)}
	if err := s.SwapTarget(ctx, target); err != nil {
		t.Fatal(err)
	}
	w.set(nil, once())
	w.meanwhile = func() {
		if err := other.LowerDue(ctx, store.Mailbox, box, at); err != nil {
			t.Error(err)
		}
	}
	if err := s.SwapTarget(ctx, target); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the swap is %v, want a conflict", err)
	}
	read, err := s.Target(ctx, store.Mailbox, box)
	if err != nil || !read.Due.Equal(at) {
		t.Errorf("due is %v, %v", read, err)
	}
}

// TestStoreFailuresAreRetried: what the service refuses for a while is
// repeated inside the call, within a transaction's answer too.
func TestStoreFailuresAreRetried(t *testing.T) {
	w := &wire{}
	s := open(t, service(t, w), prefix())
	busy := func(times int) func(*http.Request) *http.Response {
		return func(r *http.Request) *http.Response {
			if times--; times < 0 {
				return nil
			}
			if strings.HasSuffix(r.URL.Path, "$batch") && times%2 == 0 {
				return answer(202, "multipart/mixed; boundary=b", innerAnswer(503, "ServerBusy"))
			}
			return answer([]int{429, 500, 503}[times%3], "application/json", `{"odata.error":{"code":"ServerBusy"}}`)
		}
	}
	for i, change := range []func(*store.Link) error{
		func(l *store.Link) error { l.Attempts++; return nil },
		func(l *store.Link) error { l.Attempts++; l.DueAt = at.Add(time.Duration(l.Attempts)); return nil },
	} {
		w.set(busy(4), nil)
		if l, err := s.UpdateLink(t.Context(), box, "one", change); err != nil || l.Attempts != i+1 {
			t.Errorf("%+v, %v", l, err)
		}
	}
	// Only in the transaction, again and again.
	left := 5
	w.set(func(r *http.Request) *http.Response {
		if !strings.HasSuffix(r.URL.Path, "$batch") || left == 0 {
			return nil
		}
		left--
		return answer(202, "multipart/mixed; boundary=b", innerAnswer(500, "OperationTimedOut"))
	}, nil)
	if l, err := s.UpdateLink(t.Context(), box, "two", func(l *store.Link) error { l.DueAt = at; return nil }); err != nil || l.ETag == "" {
		t.Errorf("%+v, %v", l, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	w.set(busy(1<<30), nil)
	_, err := s.UpdateLink(ctx, box, "one", func(l *store.Link) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) || !fault.Is(err, fault.Timeout) {
		t.Errorf("at the deadline: %v", err)
	}
}

func innerAnswer(status int, code string) string {
	return strings.ReplaceAll(fmt.Sprintf(`--b
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 %d %s
Content-Type: application/json

{"odata.error":{"code":"%s","message":{"lang":"en-US","value":"0:refused"}}}
--c--
--b--
`, status, http.StatusText(status), code), "\n", "\r\n")
}

// TestErrorsAreClassified: by kind and reason, and without what the answer or
// the address held.
func TestErrorsAreClassified(t *testing.T) {
	w := &wire{}
	s := open(t, service(t, w), prefix())
	for _, c := range []struct {
		status int
		code   string
		kind   fault.Kind
		reason fault.Reason
	}{
		{401, "InvalidAuthenticationInfo", fault.Transient, fault.Auth},
		{403, "AuthorizationPermissionMismatch", fault.Transient, fault.Auth},
		{404, "TableNotFound", fault.Transient, fault.Other},
		{413, "RequestBodyTooLarge", fault.Permanent, fault.Invalid},
		{400, "EntityTooLarge", fault.Permanent, fault.Invalid},
		{400, "InvalidInput", fault.Transient, fault.Other},
	} {
		for _, batch := range []bool{false, true} {
			w.set(func(r *http.Request) *http.Response {
				if r.Method == http.MethodGet {
					return nil
				}
				if batch {
					return answer(202, "multipart/mixed; boundary=b", innerAnswer(c.status, c.code))
				}
				return answer(c.status, "application/json", `{"odata.error":{"code":"`+c.code+`","message":{"value":"secret"}}}`)
			}, nil)
			_, err := s.UpdateLink(t.Context(), "secret", "secret", func(l *store.Link) error {
				l.FailureText = "secret"
				if batch {
					l.DueAt = at
				}
				return nil
			})
			f := fault.Of(err)
			if f.Kind != c.kind || f.Reason != c.reason || strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("%d %s, batch %t: %v", c.status, c.code, batch, err)
			}
		}
	}
	w.set(func(*http.Request) *http.Response {
		r := answer(429, "application/json", "{}")
		r.Header.Set("Retry-After", "17")
		return r
	}, nil)
	err := s.Ping(t.Context())
	if f := fault.Of(err); f.Reason != fault.RateLimit || f.RetryAfter != 17*time.Second {
		t.Errorf("%v, retry after %s", err, f.RetryAfter)
	}

	// More than a row can hold is refused for good, before it is sent.
	w.set(nil, nil)
	_, err = s.UpdateLink(t.Context(), box, "huge", func(l *store.Link) error {
		l.Wanted.Content = appointment.Content{appointment.Body: noise(3 << 20)}
		return nil
	})
	if f := fault.Of(err); f.Kind != fault.Permanent || f.Reason != fault.Invalid {
		t.Errorf("3 MiB in a row: %v", err)
	}
}

// TestTablesCallBudget holds what each operation costs in HTTP calls.
func TestTablesCallBudget(t *testing.T) {
	ctx, w := t.Context(), &wire{}
	s := open(t, service(t, w), prefix())
	keys := make([]string, 20)
	for i := range keys {
		keys[i] = fmt.Sprintf("key %d", i)
	}
	touch := func(l *store.Link) error { l.Attempts++; return nil }
	for _, c := range []struct {
		name  string
		calls int
		do    func() error
	}{
		{"UpdateLink, new", 2, func() error { _, err := s.UpdateLink(ctx, box, "one", touch); return err }},
		{"UpdateLink", 2, func() error { _, err := s.UpdateLink(ctx, box, "one", touch); return err }},
		{"UpdateLink, with indexes", 2, func() error {
			_, err := s.UpdateLink(ctx, box, "one", func(l *store.Link) error {
				l.OutlookSeen.EventID, l.DueAt = "event", at
				return nil
			})
			return err
		}},
		{"UpdateLink, done", 2, func() error {
			_, err := s.UpdateLink(ctx, box, "one", func(l *store.Link) error { l.DueAt = time.Time{}; return nil })
			return err
		}},
		{"UpdateLink, event given up", 3, func() error {
			_, err := s.UpdateLink(ctx, box, "one", func(l *store.Link) error { l.OutlookSeen.EventID = ""; return nil })
			return err
		}},
		{"UpdateLink, unchanged", 1, func() error {
			_, err := s.UpdateLink(ctx, box, "one", func(*store.Link) error { return nil })
			return err
		}},
		{"UpdateLinks of 20", 21, func() error {
			_, errs := s.UpdateLinks(ctx, box, keys, func(l *store.Link) error { l.DueAt = at; return touch(l) })
			return errors.Join(errs...)
		}},
		{"DueLinks of 20", 21, func() error {
			due, _, err := s.DueLinks(ctx, box, at, 100)
			if len(due) != 20 {
				t.Errorf("%d due", len(due))
			}
			return err
		}},
		{"DueLinks of none", 1, func() error { _, _, err := s.DueLinks(ctx, box, at.Add(-time.Hour), 100); return err }},
		{"LowerDue", 2, func() error { return s.LowerDue(ctx, store.Mailbox, box, at) }},
		{"LowerDue, low already", 1, func() error { return s.LowerDue(ctx, store.Mailbox, box, at) }},
		{"SwapHead", 1, func() error { return s.SwapHead(ctx, &store.Head{Appointment: "one"}) }},
		{"Record", 2, func() error { return s.Record(ctx, store.Transaction{Family: "f", Appointment: "one"}) }},
		{"RenameLink", 3, func() error {
			_, err := s.RenameLink(ctx, box, "key 0", "key zero", func(moved, there *store.Link) error { return nil })
			return err
		}},
	} {
		w.set(nil, nil)
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if n := w.count(); n != c.calls {
			t.Errorf("%s: %d calls, want %d: %v", c.name, n, c.calls, w.calls)
		}
	}
}
