package webhook_test

import (
	"context"
	"crypto/hmac"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/webhook"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// receiver is a webhook as a careful partner writes it: it checks the signature
// and the sign-in, and takes each key once.
type receiver struct {
	url      string
	key      string
	stranger *httptest.Server

	mu       sync.Mutex
	password string // what it takes
	vault    string // what the vault holds
	faults   []backofficetest.Fault
	taken    map[string]bool
	records  []backofficetest.Record
	headers  []http.Header
	strange  int
	leaked   bool
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{password: "p@ss;1+", vault: "p@ss;1+", key: "signing-key", taken: map[string]bool{}}
	r.stranger = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.strange++
		r.leaked = r.leaked || q.Header.Get("Authorization") != ""
	}))
	srv := httptest.NewServer(r)
	r.url = srv.URL + "/hook?code=query-key"
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close(); r.stranger.Close() })
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	fault := backofficetest.Fault("")
	if len(r.faults) > 0 && (q.Method == http.MethodPost || r.faults[0] == backofficetest.Denied) {
		fault, r.faults = r.faults[0], r.faults[1:]
	}
	_, password, _ := q.BasicAuth()
	allowed := password == r.password && fault != backofficetest.Denied
	r.mu.Unlock()
	switch {
	case !allowed:
		w.WriteHeader(http.StatusUnauthorized)
		return
	case q.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	switch fault {
	case backofficetest.RateLimited, backofficetest.Unavailable:
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(map[backofficetest.Fault]int{backofficetest.RateLimited: 429, backofficetest.Unavailable: 503}[fault])
		return
	case backofficetest.ServerError:
		w.WriteHeader(500)
		return
	case backofficetest.LostRequest:
		cut(w)
		return
	case backofficetest.Redirect:
		http.Redirect(w, q, r.stranger.URL, http.StatusTemporaryRedirect)
		return
	case backofficetest.HTML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><p>sign in"))
		return
	}
	r.store(q, body)
	switch fault {
	case backofficetest.LostReply:
		cut(w)
	case backofficetest.Slow:
		select {
		case <-q.Context().Done():
		case <-time.After(20 * time.Second):
		}
	case backofficetest.Garbage:
		_, _ = w.Write([]byte("\x00\xff{"))
	case backofficetest.Endless:
		for q.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

func cut(w http.ResponseWriter) {
	conn, _, _ := w.(http.Hijacker).Hijack()
	conn.Close()
}

func (r *receiver) store(q *http.Request, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	want := webhook.Signature(r.key, q.Header.Get(webhook.HeaderTimestamp), body)
	if !hmac.Equal([]byte(want), []byte(q.Header.Get(webhook.HeaderSignature))) {
		return
	}
	key := q.Header.Get(webhook.HeaderKey)
	if r.taken[key] {
		return
	}
	r.taken[key] = true
	record, err := backofficetest.ParseGraph(backoffice.Operation(q.Header.Get(webhook.HeaderAction)), body)
	if err != nil {
		return
	}
	r.records = append(r.records, record)
	r.headers = append(r.headers, q.Header.Clone())
}

func (r *receiver) open(t *testing.T, change func(*backoffice.Config)) backoffice.Connector {
	t.Helper()
	c := backoffice.Config{
		ID: "hook", Type: backoffice.Webhook, API: backoffice.REST, Auth: backoffice.Basic, Login: "dime", Secret: "s", Signing: "k", URI: r.url,
		SourceApp: "BCPROD", Send: true, Operations: []backoffice.Operation{"I", "U", "D"}, Shards: 1, AllowHTTP: true, Timeout: time.Second,
		Headers: map[string]string{"X-Site": "north"},
	}
	if change != nil {
		change(&c)
	}
	if problems := c.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	d := backoffice.Deps{
		Secret: func(context.Context) (secret.Secret, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return secret.New(r.vault), nil
		},
		Signing:  func(context.Context) (secret.Secret, error) { return secret.New(r.key), nil },
		Rejected: func() {}, Now: time.Now,
	}
	connector, err := webhook.Kind(oauth.New()).Open(t.Context(), d, c)
	if err != nil {
		t.Fatal(err)
	}
	return connector
}

func TestConformance(t *testing.T) {
	backofficetest.Run(t, func(t *testing.T) backofficetest.Harness {
		r := newReceiver(t)
		return backofficetest.Harness{
			Connector: r.open(t, nil),
			Received: func() []backofficetest.Record {
				r.mu.Lock()
				defer r.mu.Unlock()
				return append([]backofficetest.Record(nil), r.records...)
			},
			Fail: func(f backofficetest.Fault, n int) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.faults = nil
				for range n {
					r.faults = append(r.faults, f)
				}
			},
			Rotate: func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.password, r.vault = "second", "second"
			},
			Secrets:    []string{"p@ss;1+", "second", "signing-key", "query-key"},
			Stranger:   func() (int, bool) { r.mu.Lock(); defer r.mu.Unlock(); return r.strange, r.leaked },
			StatusOnly: true,
		}
	})
}

func TestHeaders(t *testing.T) {
	r := newReceiver(t)
	connector := r.open(t, nil)
	defer connector.Close()
	for i, op := range []backoffice.Operation{backoffice.Insert, backoffice.Update, backoffice.Delete} {
		s := backofficetest.Sample(1)
		s.Operation = op
		if _, err := connector.Deliver(t.Context(), backofficetest.Delivery(s, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"Create I", "Update U", "Delete D"} {
		h := r.headers[i]
		if got := h.Get("X-Dime-Operation") + " " + h.Get("X-Dime-Action"); got != want || h.Get("X-Site") != "north" || h.Get("Traceparent") == "" ||
			!strings.HasPrefix(h.Get("Content-Type"), "application/json") || h.Get("X-Dime-Version") == "" || h.Get("X-Dime-Attempt") != "1" {
			t.Errorf("headers of %s: %v", want, h)
		}
	}
}

// What a receiver says about one appointment stops neither the others nor the connector.
func TestRefusals(t *testing.T) {
	for status, want := range map[int]struct {
		kind  fault.Kind
		whole bool
	}{
		400: {fault.Permanent, false}, 404: {fault.Transient, false}, 405: {fault.Transient, false}, 410: {fault.Transient, false},
		422: {fault.Permanent, false}, 403: {fault.Transient, true}, 409: {fault.Transient, false},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		r := newReceiver(t)
		r.url = srv.URL
		connector := r.open(t, nil)
		_, err := connector.Deliver(t.Context(), backofficetest.Delivery(backofficetest.Sample(1), 1))
		if f := fault.Of(err); err == nil || f.Kind != want.kind || f.WholeTarget != want.whole || f.Code == "" {
			t.Errorf("status %d: %v, whole %v", status, err, f.WholeTarget)
		}
		connector.Close()
		srv.Close()
	}
}

// The example of docs/backoffice.md: a receiver can compute it with any tool.
func TestSignatureIsAsDocumented(t *testing.T) {
	// printf '1700000000.{"id":1}' | openssl dgst -sha256 -hmac key
	const want = "sha256=1d542af0cd7355fefa5c19021ad89d3e2afd77ebff5448db280f180e013d2651"
	if got := webhook.Signature("key", "1700000000", []byte(`{"id":1}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
