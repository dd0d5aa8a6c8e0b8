package graphsim_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

// receiver is a notification endpoint.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	items  []map[string]any
	posts  int
	fail   int // answer 503 that many times
	answer func(token string) (status int, contentType, body string)
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{answer: func(token string) (int, string, string) { return 200, "text/plain", token }}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if token := req.URL.Query().Get("validationToken"); token != "" {
		code, contentType, body := r.answer(token)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
		return
	}
	r.posts++
	if r.fail > 0 {
		r.fail--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var in struct{ Value []map[string]any }
	if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.items = append(r.items, in.Value...)
	w.WriteHeader(http.StatusAccepted)
}

// take returns what has arrived once everything due has been delivered, and forgets it.
func (r *receiver) take(w *world) []map[string]any {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	if err := w.sim.WaitIdle(ctx); err != nil {
		w.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	items := r.items
	r.items = nil
	return items
}

func (w *world) subscription(r *receiver, more ...any) map[string]any {
	s := map[string]any{
		"resource": "/users/" + w.user + "/events", "changeType": "created,updated,deleted",
		"notificationUrl": r.URL + "/n?tenant=1", "lifecycleNotificationUrl": r.URL + "/l", "clientState": "secret",
		"expirationDateTime": w.clock.now().Add(6 * 24 * time.Hour).Format(time.RFC3339),
	}
	for i := 0; i+1 < len(more); i += 2 {
		s[more[i].(string)] = more[i+1]
	}
	return s
}

func (w *world) subscribe(r *receiver, more ...any) string {
	w.Helper()
	return w.do("POST", "/subscriptions", w.subscription(r, more...)).want(w.T, 201).text("id")
}

func TestSubscriptionRules(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	r := newReceiver(t)
	at := func(d time.Duration) string { return w.clock.now().Add(d).Format(time.RFC3339) }
	for name, bad := range map[string]map[string]any{
		"too long":        w.subscription(r, "expirationDateTime", at(10081*time.Minute)),
		"in the past":     w.subscription(r, "expirationDateTime", at(-time.Minute)),
		"client state":    w.subscription(r, "clientState", strings.Repeat("x", 129)),
		"filter":          w.subscription(r, "resource", "/users/"+w.user+"/events?$filter=subject eq 'x'"),
		"change type":     w.subscription(r, "changeType", "created,moved"),
		"rich":            w.subscription(r, "includeResourceData", true),
		"no scheme":       w.subscription(r, "notificationUrl", "example.test/n"),
		"wrong lifecycle": w.subscription(r, "lifecycleNotificationUrl", "ftp://example.test/n"),
	} {
		if got := w.do("POST", "/subscriptions", bad); got.status != 400 {
			t.Errorf("%s: got %d", name, got.status)
		}
	}
	short := w.do("POST", "/subscriptions", w.subscription(r, "expirationDateTime", at(time.Minute))).want(t, 201)
	if want := w.clock.now().Add(45 * time.Minute).Format("2006-01-02T15:04:05.0000000Z"); short.text("expirationDateTime") != want {
		t.Errorf("short expiry became %s, want %s", short.text("expirationDateTime"), want)
	}
	id := short.text("id")
	w.do("PATCH", "/subscriptions/"+id, map[string]any{"expirationDateTime": at(10080 * time.Minute)}).want(t, 200)
	w.do("POST", "/subscriptions/"+id+"/reauthorize", nil).want(t, 204)
	w.do("GET", "/subscriptions/"+id, nil).want(t, 200)
	if n := len(w.do("GET", "/subscriptions", nil).want(t, 200).values()); n != 1 {
		t.Errorf("%d subscriptions listed", n)
	}
	second := w.subscribe(r)
	if page := w.do("GET", "/subscriptions?$top=1", nil).want(t, 200); page.text("@odata.nextLink") == "" {
		t.Error("the list has no pages")
	}
	w.do("DELETE", "/subscriptions/"+second, nil).want(t, 204)
	other := w.sim.Token("other app")
	if n := len(w.do("GET", "/subscriptions", nil, "Authorization: Bearer "+other).want(t, 200).values()); n != 0 {
		t.Error("another app sees the subscription")
	}
	w.sim.Change(func(b *graphsim.Behaviour) { b.RefuseDuplicateSubscriptions = true })
	w.do("POST", "/subscriptions", w.subscription(r)).want(t, 409)
	w.token = w.sim.Token("app") // the old one expires on the way
	w.clock.advance(8 * 24 * time.Hour)
	w.token = w.sim.Token("app")
	w.do("PATCH", "/subscriptions/"+id, map[string]any{"expirationDateTime": at(time.Hour)}).want(t, 404)
	w.do("DELETE", "/subscriptions/"+id, nil).want(t, 404)
	w.do("POST", "/subscriptions/"+id+"/reauthorize", nil).want(t, 404)
}

func TestHandshake(t *testing.T) {
	w := newWorld(t, graphsim.Options{HandshakeTimeout: 5 * time.Second})
	r := newReceiver(t)
	for name, answer := range map[string]func(string) (int, string, string){
		"status":       func(token string) (int, string, string) { return 202, "text/plain", token },
		"content type": func(token string) (int, string, string) { return 200, "application/json", token },
		"escaped": func(token string) (int, string, string) {
			return 200, "text/plain", strings.ReplaceAll(token, " ", "+")
		},
		"new line": func(token string) (int, string, string) { return 200, "text/plain", token + "\n" },
	} {
		r.mu.Lock()
		r.answer = answer
		r.mu.Unlock()
		if got := w.do("POST", "/subscriptions", w.subscription(r)); got.status != 400 || got.code() != "ValidationError" {
			t.Errorf("%s: got %d %s", name, got.status, got.code())
		}
	}
	if n := len(w.sim.Subscriptions()); n != 0 {
		t.Errorf("%d subscriptions after failed handshakes", n)
	}
}

func TestNotifications(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{ExtraUpdates: 1}})
	r := newReceiver(t)
	sub := w.subscribe(r)
	made := w.post(event("A", "09:00:00", "10:00:00"))
	items := r.take(w)
	if len(items) != 2 || items[0]["changeType"] != "created" || items[1]["changeType"] != "updated" {
		t.Fatalf("a creation raised %v", items)
	}
	data := items[0]["resourceData"].(map[string]any)
	if data["id"] != made.text("id") || items[0]["clientState"] != "secret" || items[0]["subscriptionId"] != sub ||
		!strings.EqualFold(items[0]["resource"].(string), "users/"+w.user+"/events/"+made.text("id")) {
		t.Errorf("item = %v", items[0])
	}
	if _, err := w.sim.MoveEvent("ada.l@contoso.test", made.text("id"), w.clock.now(), w.clock.now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.DeleteEvent(w.user, made.text("id")); err != nil {
		t.Fatal(err)
	}
	// Two POSTs may overtake each other.
	if got := kinds(r.take(w), "changeType"); got != "deleted,updated,updated" {
		t.Fatalf("a person's move and deletion raised %s", got)
	}
	r.mu.Lock()
	posts := r.posts
	r.fail = 2
	r.mu.Unlock()
	w.post(event("B", "09:00:00", "10:00:00"))
	if items := r.take(w); len(items) != 2 {
		t.Errorf("after two 503 arrived %v", items)
	}
	r.mu.Lock()
	if r.posts != posts+3 {
		t.Errorf("%d attempts, want 3", r.posts-posts)
	}
	r.mu.Unlock()
	if err := w.sim.RequestReauthorization(sub); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.RemoveSubscription(sub); err != nil {
		t.Fatal(err)
	}
	items = r.take(w)
	if got := kinds(items, "lifecycleEvent"); got != "reauthorizationRequired,subscriptionRemoved" || items[0]["resourceData"] != nil {
		t.Errorf("lifecycle: %v", items)
	}
	w.post(event("C", "09:00:00", "10:00:00"))
	if items := r.take(w); len(items) != 0 {
		t.Errorf("a removed subscription still notifies: %v", items)
	}
}

// kinds returns one property of all items, sorted.
func kinds(items []map[string]any, key string) string {
	var all []string
	for _, item := range items {
		all = append(all, item[key].(string))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// A subscription made without the header names mutable ids, and a deletion the one before the move.
func TestMutableSubscription(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	r := newReceiver(t)
	w.do("POST", "/subscriptions", w.subscription(r), "Prefer: respond-async").want(t, 201)
	made := w.do("POST", w.events(), event("E", "09:00:00", "10:00:00"), "Prefer: respond-async").want(t, 201)
	first := r.take(w)
	w.do("DELETE", w.events()+"/"+made.text("id"), nil).want(t, 204)
	for _, item := range append(first, r.take(w)...) {
		if id := item["resourceData"].(map[string]any)["id"]; id != made.text("id") {
			t.Errorf("%s names %v, want the mutable id %s", item["changeType"], id, made.text("id"))
		}
	}
	if len(first) != 1 {
		t.Errorf("the creation raised %v", first)
	}
}

// A subscription that expires says nothing; missed notifications are announced.
func TestExpiryIsSilent(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	r := newReceiver(t)
	sub := w.subscribe(r)
	if err := w.sim.SendMissed(sub); err != nil {
		t.Fatal(err)
	}
	if got := kinds(r.take(w), "lifecycleEvent"); got != "missed" {
		t.Errorf("lifecycle %s", got)
	}
	if err := w.sim.ExpireSubscription(sub); err != nil {
		t.Fatal(err)
	}
	w.post(event("E", "09:00:00", "10:00:00"))
	if items := r.take(w); len(items) != 0 {
		t.Errorf("an expired subscription notifies: %v", items)
	}
	if err := w.sim.ExpireSubscription(sub); err == nil {
		t.Error("an unknown subscription expires")
	}
}

func TestNotificationFaults(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	r := newReceiver(t)
	w.subscribe(r)
	set := func(f graphsim.NotificationFaults) {
		w.sim.Change(func(b *graphsim.Behaviour) { b.Notifications = f })
	}
	create := func() []map[string]any {
		w.Helper()
		w.post(event("E", "09:00:00", "10:00:00"))
		return r.take(w)
	}
	set(graphsim.NotificationFaults{DropNext: 1})
	if n := len(create()); n != 0 {
		t.Errorf("dropped: %d arrived", n)
	}
	if n := len(create()); n != 1 {
		t.Errorf("after the drop: %d arrived", n)
	}
	set(graphsim.NotificationFaults{Duplicate: 1, Delay: time.Millisecond, Reorder: true})
	if n := len(create()); n != 2 {
		t.Errorf("duplicated: %d arrived", n)
	}
	set(graphsim.NotificationFaults{Forge: true})
	if got := kinds(create(), "clientState"); got != "forged,secret" {
		t.Errorf("forged: %s", got)
	}
	if stats := w.sim.NotificationStats(); stats.Raised != 4 || stats.Dropped != 1 || stats.Delivered != 4 {
		t.Errorf("stats = %+v", stats)
	}
}

// Exchange touches an event again after a write: other change key, same content, one more notification.
func TestStagedWrite(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{StageDelay: time.Millisecond}})
	r := newReceiver(t)
	w.subscribe(r)
	made := w.post(event("E", "09:00:00", "10:00:00"))
	if items := r.take(w); len(items) != 2 || items[1]["changeType"] != "updated" {
		t.Errorf("items = %v", items)
	}
	now := w.do("GET", w.events()+"/"+made.text("id"), nil).want(t, 200)
	if now.text("changeKey") == made.text("changeKey") || now.text("subject") != "E" {
		t.Error("the change key stood still")
	}
	w.do("PATCH", w.events()+"/"+made.text("id"), map[string]any{"subject": "F"}, "If-Match: "+made.text("@odata.etag")).want(t, 412)
}
