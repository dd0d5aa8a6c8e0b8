package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// token is a credential that hands out token-1, token-2, ... as it is forgotten.
type token struct {
	n   atomic.Int32
	err error
}

func (k *token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: fmt.Sprintf("token-%d", k.n.Load()+1), ExpiresOn: time.Now().Add(time.Hour)}, k.err
}

func (k *token) Forget() { k.n.Add(1) }

// serve starts a Graph of one handler and a client for it. o may be altered.
func serve(t *testing.T, h http.HandlerFunc, alter ...func(*Options)) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	o := Options{BaseURL: srv.URL + "/v1.0", Credential: &token{}, Timeout: 20 * time.Second}
	for _, f := range alter {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// never is a transport that gets no answer.
type never struct{}

func (never) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestRequestsAreAsWanted(t *testing.T) {
	var mu sync.Mutex
	var seen []*http.Request
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r)
		page := len(seen)
		mu.Unlock()
		base := "http://" + r.Host + "/v1.0/users/m/calendarView/delta"
		switch page {
		case 1:
			answer(w, 200, `{"value": [{"id": "1"}], "@odata.nextLink": "`+base+`?$skiptoken=a%2Bb"}`)
		case 2:
			answer(w, 200, `{"value": [], "@odata.nextLink": "`+base+`?$skiptoken=c"}`)
		case 3:
			answer(w, 200, `{"value": [{"id": "1"}, {"id": "2", "@removed": {}}], "@odata.deltaLink": "`+base+`?$deltatoken=d"}`)
		default:
			answer(w, 200, `{"value": [], "@odata.deltaLink": "`+base+`?$deltatoken=e"}`)
		}
	}, func(o *Options) { o.PageSize, o.Version = 7, "1.2.3" })
	w := calendar.Window{Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), End: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	round, err := c.Delta(t.Context(), "m", "", w)
	if err != nil || !round.Full || len(round.Items) != 3 || !round.Items[2].Removed {
		t.Fatalf("%+v, %v", round, err)
	}
	next, err := c.Delta(t.Context(), "m", round.DeltaLink, calendar.Window{})
	if err != nil || next.Full || len(next.Items) != 0 || next.DeltaLink == round.DeltaLink {
		t.Fatalf("%+v, %v", next, err)
	}
	if len(seen) != 4 {
		t.Fatalf("%d requests", len(seen))
	}
	if got := seen[0].URL.Query(); got.Get("startDateTime") != "2026-10-31T23:00:00Z" || got.Get("endDateTime") != "2026-12-01T00:00:00Z" {
		t.Errorf("window %v", got)
	}
	if got := seen[1].URL.Query().Get("$skiptoken"); got != "a+b" {
		t.Errorf("the link is not followed as it is: %q", got)
	}
	for i, r := range seen {
		prefer := strings.Join(r.Header.Values("Prefer"), ", ")
		for _, want := range []string{`IdType="ImmutableId"`, `outlook.timezone="UTC"`, `outlook.body-content-type="text"`, "odata.maxpagesize=7"} {
			if !strings.Contains(prefer, want) {
				t.Errorf("request %d lacks %s: %q", i, want, prefer)
			}
		}
		if got := r.Header.Get("Authorization"); got != "Bearer token-1" {
			t.Errorf("request %d: authorization %q", i, got)
		}
		if got := r.Header.Get("User-Agent"); got != "dime-scheduler-connectors/1.2.3" {
			t.Errorf("user agent %q", got)
		}
	}
}

// A page that is missing, or is no page, is an error and never an empty calendar.
func TestRule_R17_APartialListIsAnError(t *testing.T) {
	for name, body := range map[string]string{
		"empty":             ``,
		"not JSON":          `<html>sign in to the proxy</html>`,
		"no value":          `{"@odata.deltaLink": "BASE/x"}`,
		"null value":        `{"value": null, "@odata.deltaLink": "BASE/x"}`,
		"no link":           `{"value": []}`,
		"both links":        `{"value": [], "@odata.nextLink": "BASE/y", "@odata.deltaLink": "BASE/x"}`,
		"foreign next link": `{"value": [], "@odata.nextLink": "https://evil.example/x"}`,
		"foreign delta":     `{"value": [], "@odata.deltaLink": "https://evil.example/x"}`,
		"endless":           `{"value": [], "@odata.nextLink": "BASE/again"}`,
		"event without id":  `{"value": [{"subject": "x"}], "@odata.deltaLink": "BASE/x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				answer(w, 200, strings.ReplaceAll(body, "BASE", "http://"+r.Host+"/v1.0"))
			})
			round, err := c.Delta(t.Context(), "m", "", calendar.Window{})
			if f := fault.Of(err); err == nil || f.Kind != fault.Transient || f.Reason != fault.Other || f.Op != "graph: delta" || errors.Is(err, calendar.ErrResync) {
				t.Errorf("%+v, %v", round, err)
			}
		})
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("page2") {
			answer(w, 500, `{}`)
			return
		}
		answer(w, 200, `{"value": [{"id": "1"}], "@odata.nextLink": "http://`+r.Host+`/v1.0/x?page2"}`)
	})
	if events, err := c.View(t.Context(), "m", calendar.Window{}); err == nil || events != nil {
		t.Errorf("view: %v, %v", events, err)
	}
	for name, body := range map[string]string{"no value": `{}`, "null value": `{"value": null}`, "nothing": ``} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 200, body) })
		if list, err := c.Subscriptions(t.Context()); err == nil {
			t.Errorf("subscriptions, %s: %v", name, list)
		}
	}
}

func TestForeignDeltaLinkIsALostState(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") })
	if _, err := c.Delta(t.Context(), "m", "https://elsewhere.example/v1.0/delta?x", calendar.Window{}); !errors.Is(err, calendar.ErrResync) {
		t.Error(err)
	}
}

// One call is one request, whatever goes wrong; of a 401 it is two.
func TestNothingIsRetriedButAToken(t *testing.T) {
	for _, status := range []int{302, 429, 500, 502, 503, 504} {
		var n atomic.Int32
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "1")
			answer(w, status, `{}`)
		})
		if _, err := c.Event(t.Context(), "m", "1"); err == nil || n.Load() != 1 {
			t.Errorf("%d: %v after %d requests", status, err, n.Load())
		}
	}
	var tokens []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("Authorization"))
		if len(tokens) == 1 {
			w.Header().Set("WWW-Authenticate", `Bearer claims`) // the SDK's own handling of it panics
			answer(w, 401, `{"error": {"code": "InvalidAuthenticationToken"}}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"id":"0"`) {
			t.Errorf("the second request has another body: %s", body)
		}
		answer(w, 200, `{"responses": [{"id": "0", "status": 204}]}`)
	})
	results, err := c.Apply(t.Context(), "m", []calendar.Write{{Op: calendar.Delete, ID: "1", ETag: "e"}})
	if err != nil || results[0].Err != nil || strings.Join(tokens, " ") != "Bearer token-1 Bearer token-2" {
		t.Errorf("%v, %v, %q", results, err, tokens)
	}
	c = serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 401, `{}`) })
	if _, err := c.Event(t.Context(), "m", "1"); !fault.Is(err, fault.Auth) || !fault.Of(err).WholeTarget {
		t.Error(err)
	}
}

func TestLostConnections(t *testing.T) {
	write := []calendar.Write{{Op: calendar.Delete, ID: "1", ETag: "e"}}
	t.Run("cut after the request", func(t *testing.T) {
		c := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		_, err := c.Apply(t.Context(), "m", write)
		if f := fault.Of(err); f.Reason != fault.Unavailable || !f.Ambiguous || f.Op != "graph: batch" {
			t.Errorf("%+v", f)
		}
		_, err = c.Event(t.Context(), "m", "1")
		if f := fault.Of(err); f.Ambiguous || f.Kind != fault.Transient {
			t.Errorf("a read is never ambiguous: %+v", f)
		}
	})
	t.Run("body cut short", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"responses": [`)
		})
		if _, err := c.Apply(t.Context(), "m", write); !fault.Of(err).Ambiguous {
			t.Error(err)
		}
	})
	t.Run("no connection", func(t *testing.T) {
		srv := httptest.NewServer(http.NotFoundHandler())
		srv.Close()
		c, err := New(Options{BaseURL: srv.URL, Credential: &token{}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Apply(t.Context(), "m", write)
		if f := fault.Of(err); f.Reason != fault.Unavailable || f.Ambiguous {
			t.Errorf("%+v", f)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		c := serve(t, nil, func(o *Options) {
			o.Timeout = time.Millisecond
			o.Transport = never{}
		})
		_, err := c.Apply(t.Context(), "m", write)
		if f := fault.Of(err); f.Reason != fault.Timeout || !f.Ambiguous {
			t.Errorf("%+v", f)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		c := serve(t, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
		defer close(release)
		_, err := c.Apply(ctx, "m", write)
		if f := fault.Of(err); f.Reason != fault.Canceled || !f.Ambiguous {
			t.Errorf("%+v", f)
		}
	})
	t.Run("no token", func(t *testing.T) {
		c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("sent without a token") },
			func(o *Options) { o.Credential = &token{err: errors.New("AADSTS7000222: the secret of jan expired")} })
		_, err := c.Apply(t.Context(), "m", write)
		f := fault.Of(err)
		if f.Reason != fault.Auth || !f.WholeTarget || f.Ambiguous || f.Code != "AADSTS7000222" || strings.Contains(err.Error(), "jan") {
			t.Errorf("%+v", f)
		}
	})
}

// Each item is judged alone, found by its id, in whatever order they come.
func TestRule_R15_BatchItemsAreJudgedAlone(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1.0/$batch" || r.Header.Get("Content-Encoding") != "" || r.ContentLength <= 0 {
			t.Errorf("%s, %q, %d bytes", r.URL.Path, r.Header.Get("Content-Encoding"), r.ContentLength)
		}
		var in struct{ Requests []batchItem }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Requests) != 9 {
			t.Errorf("%v: %+v", err, in)
		}
		answer(w, 200, `{"responses": [
			{"id": "8", "status": 404, "body": {"error": {"code": "ErrorItemNotFound"}}},
			{"id": "7", "status": 404, "body": {"error": {"code": "MailboxNotEnabledForRESTAPI"}}},
			{"id": "6", "status": 502, "headers": {"Content-Type": "text/html"}, "body": "<html>"},
			{"id": "5", "status": 424},
			{"id": "3", "status": 429, "headers": {"retry-after": "2.5", "X": null}, "body": {"error": {"code": "ApplicationThrottled"}}},
			{"id": "2", "status": 412, "body": {"error": {"code": "ErrorIrresolvableConflict"}}},
			{"id": "1", "status": 201, "headers": {"Location": "x"}, "body": {"nonsense": 1}},
			{"id": "0", "status": 201, "body": {"id": "new", "@odata.etag": "W/\"1\"", "subject": "s", "attendees": [{"n": 1.5}]}}, null]}`)
	})
	writes := []calendar.Write{{Op: calendar.Create}, {Op: calendar.Create}}
	for range 5 {
		writes = append(writes, calendar.Write{Op: calendar.Patch, ID: "1", ETag: "e"})
	}
	writes = append(writes, calendar.Write{Op: calendar.Delete, ID: "1", ETag: "e"}, calendar.Write{Op: calendar.Delete, ID: "2", ETag: "e"},
		calendar.Write{Op: calendar.Patch, ID: "no etag"})
	results, err := c.Apply(t.Context(), "m", writes)
	if err != nil || len(results) != len(writes) {
		t.Fatalf("%d results, %v", len(results), err)
	}
	if e := results[0].Event; results[0].Err != nil || e.ID != "new" || e.ETag != `W/"1"` || e.Attendees != 1 {
		t.Errorf("%+v", results[0])
	}
	for i, want := range map[int]fault.Error{
		1: {Op: "graph: create event", Reason: fault.Other, Code: "UnreadableResponse", Ambiguous: true},
		2: {Op: "graph: patch event", Reason: fault.Conflict, Code: "ErrorIrresolvableConflict"},
		3: {Op: "graph: patch event", Reason: fault.RateLimit, Code: "ApplicationThrottled", RetryAfter: 2500 * time.Millisecond},
		4: {Op: "graph: patch event", Reason: fault.Other, Code: "NoResponse", Ambiguous: true},
		5: {Op: "graph: patch event", Reason: fault.Other, Code: "http424"},
		6: {Op: "graph: patch event", Reason: fault.Unavailable, Code: "http502", Ambiguous: true},
		7: {Op: "graph: delete event", Reason: fault.Unavailable, Code: "MailboxNotEnabledForRESTAPI", WholeTarget: true},
		9: {Op: "graph: batch", Kind: fault.Permanent, Reason: fault.Invalid, Code: "InvalidWrite"},
	} {
		got := *fault.Of(results[i].Err)
		got.Err = nil
		if got != want {
			t.Errorf("%d: %+v", i, got)
		}
	}
	if results[8].Err != nil {
		t.Errorf("a delete of what is gone: %v", results[8].Err)
	}
	for _, bad := range []string{`{}`, `[]`, `{"responses": null}`, `nothing`, ``} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, bad) })
		if _, err := c.Apply(t.Context(), "m", writes[:2]); err == nil || !fault.Of(err).Ambiguous {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := c.Apply(t.Context(), "m", make([]calendar.Write, 21)); !errors.Is(err, ErrTooLarge) || fault.Of(err).Kind != fault.Permanent {
		t.Error(err)
	}
}

func TestAtMostFourRequestsPerMailbox(t *testing.T) {
	var inside, most, other atomic.Int32
	gate := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/other/") {
			other.Add(1)
			answer(w, 200, `{"id": "1"}`)
			return
		}
		n := inside.Add(1)
		defer inside.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-gate
		answer(w, 200, `{"id": "1"}`)
	})
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if _, err := c.Event(t.Context(), []string{"box", "BOX"}[i%2], "1"); err != nil {
				t.Error(err)
			}
		})
	}
	for inside.Load() < 4 {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Event(t.Context(), "other", "1"); err != nil || other.Load() != 1 {
		t.Errorf("another mailbox waits too: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Event(ctx, "box", "1"); !fault.Is(err, fault.Canceled) || fault.Of(err).Ambiguous {
		t.Error(err)
	}
	close(gate)
	wg.Wait()
	if most.Load() != 4 {
		t.Errorf("%d at once", most.Load())
	}
	if len(c.lanes.m) != 0 {
		t.Errorf("%d lanes are left", len(c.lanes.m))
	}
}

func TestObserve(t *testing.T) {
	type call struct {
		kind   string
		status int
	}
	var seen []call
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			answer(w, 404, `{"error": {"code": "ResourceNotFound"}}`)
			return
		}
		panic(http.ErrAbortHandler)
	}, func(o *Options) {
		o.Observe = func(kind string, status int, _ time.Duration) { seen = append(seen, call{kind, status}) }
	})
	if err := c.DeleteSubscription(t.Context(), "s"); err != nil {
		t.Error(err)
	}
	_, _ = c.RenewSubscription(t.Context(), "s", time.Now())
	if len(seen) != 2 || seen[0] != (call{"unsubscribe", 404}) || seen[1] != (call{"renew", 0}) {
		t.Errorf("%+v", seen)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no credential":        {},
		"http to another host": {Credential: &token{}, BaseURL: "http://graph.example/v1.0"},
		"http to look-alike":   {Credential: &token{}, BaseURL: "http://127.0.0.1.example/v1.0"},
		"no address":           {Credential: &token{}, BaseURL: "graph.microsoft.com"},
		"password in address":  {Credential: &token{}, BaseURL: "https://a:b@graph.microsoft.com/v1.0"},
		"query in address":     {Credential: &token{}, BaseURL: "https://graph.microsoft.com/v1.0?x=y"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, base := range []string{"", "https://graph.microsoft.us/v1.0", "http://localhost:1/v1.0", "http://[::1]:1/v1.0"} {
		if _, err := New(Options{Credential: &token{}, BaseURL: base}); err != nil {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestMailboxOf(t *testing.T) {
	for resource, want := range map[string]string{
		"users/u/events": "u", "/Users/U-1/Events": "U-1", "users/u/calendars/c/events": "", "me/events": "", "users/u/messages": "", "": "",
	} {
		if got := mailboxOf(resource); got != want {
			t.Errorf("%s: %q", resource, got)
		}
	}
}
