package graphsim_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

const property = "String {6b9b3c1e-5a5f-4a5c-9d5e-0d7a4c6f2b11} Name DimeAppointmentId"

// clock is the injected time of a test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a simulator on a real port with one user and a client that holds a token.
type world struct {
	*testing.T
	sim   *graphsim.Server
	http  *httptest.Server
	clock *clock
	user  string
	token string
}

func newWorld(t *testing.T, o graphsim.Options) *world {
	t.Helper()
	w := &world{T: t, clock: newClock()}
	if o.Now == nil {
		o.Now = w.clock.now
	}
	o.AllowHTTPNotifications = true
	if o.DeliveryBackoff == 0 {
		o.DeliveryBackoff = time.Millisecond
	}
	w.sim = graphsim.New(o)
	w.http = httptest.NewServer(w.sim)
	t.Cleanup(func() {
		w.sim.Close()
		w.http.Close()
	})
	w.user = w.sim.AddUser(graphsim.User{UPN: "ada@contoso.test", Mail: "ada.l@contoso.test", DisplayName: "Ada"}).ID
	w.token = w.sim.Token("app")
	return w
}

// answer is a response, read and decoded.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// do sends a request; headers are "Name: value". The path is relative to /v1.0, or a whole link.
func (w *world) do(method, path string, body any, headers ...string) answer {
	w.Helper()
	a, err := w.try(method, path, body, headers...)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (w *world) try(method, path string, body any, headers ...string) (answer, error) {
	if !strings.HasPrefix(path, "http") {
		path = w.http.URL + "/v1.0" + path
	}
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		in = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, path, in)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Prefer", `IdType="ImmutableId"`)
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &a.body)
	}
	return a, err
}

// want fails the test unless the status, and the error code if given, are as expected.
func (a answer) want(t *testing.T, status int, code ...string) answer {
	t.Helper()
	if a.status != status || len(code) > 0 && a.code() != code[0] {
		t.Fatalf("got %d %s %v, want %d %v", a.status, a.code(), a.body, status, code)
	}
	return a
}

func (a answer) code() string {
	e, _ := a.body["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a answer) text(key string) string {
	s, _ := a.body[key].(string)
	return s
}

func (a answer) values() []map[string]any {
	var out []map[string]any
	list, _ := a.body["value"].([]any)
	for _, v := range list {
		out = append(out, v.(map[string]any))
	}
	return out
}

func dt(at string) map[string]string {
	return map[string]string{"dateTime": at, "timeZone": "UTC"}
}

// event is a request body for an event on the test's day.
func event(subject, from, to string, more ...any) map[string]any {
	e := map[string]any{"subject": subject, "start": dt("2026-11-24T" + from), "end": dt("2026-11-24T" + to)}
	for i := 0; i+1 < len(more); i += 2 {
		e[more[i].(string)] = more[i+1]
	}
	return e
}

func (w *world) events() string { return "/users/" + w.user + "/events" }

func (w *world) post(e map[string]any) answer {
	w.Helper()
	return w.do("POST", w.events(), e).want(w.T, 201)
}

const november = "startDateTime=2026-11-20T00:00:00Z&endDateTime=2026-12-20T00:00:00Z"

// round follows a delta round to its end and returns all items and the delta link.
func (w *world) round(link string, headers ...string) ([]map[string]any, string) {
	w.Helper()
	var items []map[string]any
	for range 100 {
		a := w.do("GET", link, nil, headers...).want(w.T, 200)
		items = append(items, a.values()...)
		if next := a.text("@odata.nextLink"); next != "" {
			if a.body["@odata.deltaLink"] != nil {
				w.Fatal("a page has both links")
			}
			link = next
			continue
		}
		return items, a.text("@odata.deltaLink")
	}
	w.Fatal("the round does not end")
	return nil, ""
}

func (w *world) firstRound(headers ...string) ([]map[string]any, string) {
	w.Helper()
	return w.round("/users/"+w.user+"/calendarView/delta()?"+november, headers...)
}

func TestEventLifeCycle(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	made := w.post(event("Pump", "09:00:00.1234567", "10:00:00"))
	id, etag := made.text("id"), made.text("@odata.etag")
	if made.header.Get("ETag") != etag || !strings.Contains(etag, made.text("changeKey")) {
		t.Errorf("etag %q, header %q, change key %q", etag, made.header.Get("ETag"), made.text("changeKey"))
	}
	start := made.body["start"].(map[string]any)
	if start["dateTime"] != "2026-11-24T09:00:00.0000000" || start["timeZone"] != "UTC" {
		t.Errorf("start = %v: want seven digits, seconds cut, UTC", start)
	}
	if made.body["reminderMinutesBeforeStart"] != 15.0 || made.text("showAs") != "busy" || made.text("type") != "singleInstance" {
		t.Errorf("defaults are wrong: %v", made.body)
	}
	w.clock.advance(time.Second)
	changed := w.do("PATCH", w.events()+"/"+id, map[string]any{"subject": "Pump 2"}, "If-Match: "+etag).want(t, 200)
	if changed.text("@odata.etag") == etag || changed.text("subject") != "Pump 2" || changed.text("lastModifiedDateTime") <= made.text("lastModifiedDateTime") {
		t.Errorf("after PATCH: %v", changed.body)
	}
	w.do("PATCH", w.events()+"/"+id, map[string]any{"subject": "x"}, "If-Match: "+etag).want(t, 412, "ErrorIrresolvableConflict")
	w.do("DELETE", w.events()+"/"+id, nil, "If-Match: "+etag).want(t, 412)
	w.do("DELETE", w.events()+"/"+id, nil, "If-Match: "+changed.text("@odata.etag")).want(t, 204)
	w.do("GET", w.events()+"/"+id, nil).want(t, 404, "ErrorItemNotFound")
	w.do("DELETE", w.events()+"/"+id, nil).want(t, 404)
	if len(w.sim.Events(w.user)) != 0 || len(w.sim.DeletedEvents(w.user)) != 1 {
		t.Error("the event is not in Deleted Items")
	}
}

func TestTransactionID(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	body := event("Once", "09:00:00", "10:00:00", "transactionId", "ds-1")
	first, second := w.post(body), w.post(body)
	if first.text("id") != second.text("id") || len(w.sim.Events(w.user)) != 1 {
		t.Fatal("a repeated POST made a second event")
	}
	if second.text("transactionId") != "ds-1" {
		t.Error("the transactionId is not returned")
	}
	w.do("DELETE", w.events()+"/"+first.text("id"), nil).want(t, 204)
	w.sim.Change(func(b *graphsim.Behaviour) { b.TransactionAfterDelete = graphsim.TransactionReturnsDeleted })
	if w.post(body).text("id") != first.text("id") || len(w.sim.Events(w.user)) != 0 {
		t.Error("TransactionReturnsDeleted made an event")
	}
	w.sim.Change(func(b *graphsim.Behaviour) { b.TransactionAfterDelete = graphsim.TransactionConflicts })
	w.do("POST", w.events(), body).want(t, 409)
	w.sim.Change(func(b *graphsim.Behaviour) { b.TransactionAfterDelete = graphsim.TransactionForgotten })
	if w.post(body).text("id") == first.text("id") {
		t.Error("TransactionForgotten returned the deleted event")
	}
}

func TestExtendedProperty(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	tag := []map[string]string{{"id": property, "value": "Guid-1|2|abc"}}
	made := w.post(event("Tagged", "09:00:00", "10:00:00", "singleValueExtendedProperties", tag))
	if made.body["singleValueExtendedProperties"] != nil {
		t.Error("POST echoes the property")
	}
	w.post(event("Other", "09:00:00", "10:00:00"))
	find := func(filter string) int {
		t.Helper()
		return len(w.do("GET", w.events()+"?%24filter="+url.PathEscape(filter), nil).want(t, 200).values())
	}
	const anyTag = "singleValueExtendedProperties/Any(ep: ep/id eq '%' and "
	for _, tc := range []struct {
		clause string
		want   int
	}{
		{"ep/value eq 'guid-1|2|ABC')", 1}, {"ep/value eq 'guid-1')", 0}, {"startswith(ep/value, 'GUID-1|'))", 1},
		{"contains(ep/value,'|2|'))", 1}, {"contains(ep/value,'|3|'))", 0}, {"ep/value ne null)", 1},
	} {
		if got := find(strings.Replace(anyTag, "%", property, 1) + tc.clause); got != tc.want {
			t.Errorf("%s finds %d, want %d", tc.clause, got, tc.want)
		}
		if got := find(strings.Replace(anyTag, "%", strings.Replace(property, "DimeA", "dimeA", 1), 1) + tc.clause); got != 0 {
			t.Errorf("%s finds %d with the name in another letter case, want 0", tc.clause, got)
		}
	}
	got := w.do("GET", w.events()+"/"+made.text("id")+"?$select=subject&$expand="+
		url.PathEscape("singleValueExtendedProperties($filter=id eq '"+property+"')"), nil).want(t, 200)
	list, _ := got.body["singleValueExtendedProperties"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["value"] != "Guid-1|2|abc" || got.body["body"] != nil || got.text("@odata.etag") == "" {
		t.Errorf("expanded: %v", got.body)
	}
	if n := len(w.sim.Tagged(w.user, property, "Guid-1|2|abc")); n != 1 {
		t.Errorf("Tagged finds %d", n)
	}
	twin, err := w.sim.CopyEvent(w.user, made.text("id"))
	if v, _ := twin.Property(property); err != nil || v != "Guid-1|2|abc" || twin.ID == made.text("id") {
		t.Errorf("copy: %v, %v", twin, err)
	}
	w.do("GET", w.events()+"?$filter="+url.PathEscape("transactionId eq 'x'"), nil).want(t, 400, "ErrorInvalidUrlQueryFilter")
}

func TestGzipBody(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := json.NewEncoder(z).Encode(event("Packed", "09:00:00", "10:00:00", "@odata.type", "#microsoft.graph.event")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.do("POST", w.events(), packed.String(), "Content-Encoding: gzip").want(t, 201)
	if a.text("subject") != "Packed" {
		t.Errorf("subject = %q", a.text("subject"))
	}
}
