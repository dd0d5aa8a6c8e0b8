package graphsim_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

func item(id, method, url string, body any, more ...any) map[string]any {
	o := map[string]any{"id": id, "method": method, "url": url}
	if body != nil {
		o["body"] = body
		o["headers"] = map[string]string{"content-type": "application/json", "prefer": `IdType="ImmutableId"`}
	}
	for i := 0; i+1 < len(more); i += 2 {
		o[more[i].(string)] = more[i+1]
	}
	return o
}

// batch sends a $batch and returns the responses by id.
func (w *world) batch(items ...map[string]any) map[string]answer {
	w.Helper()
	a := w.do("POST", "/$batch", map[string]any{"requests": items}).want(w.T, 200)
	out := map[string]answer{}
	for _, r := range a.body["responses"].([]any) {
		r := r.(map[string]any)
		one := answer{status: int(r["status"].(float64)), header: http.Header{}}
		one.body, _ = r["body"].(map[string]any)
		for k, v := range r["headers"].(map[string]any) {
			one.header.Set(k, v.(string))
		}
		out[r["id"].(string)] = one
	}
	return out
}

func TestBatch(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	var items []map[string]any
	for i := range 20 {
		items = append(items, item(fmt.Sprint(i), "POST", w.events(), event(fmt.Sprint("E", i), "09:00:00", "10:00:00")))
	}
	for id, r := range w.batch(items...) {
		if r.status != 201 || r.text("subject") != "E"+id {
			t.Errorf("item %s: %d %s", id, r.status, r.text("subject"))
		}
	}
	calls := w.sim.Calls()
	if calls.TotalHTTP() != 1 || calls.Items["POST /users/{user}/events"] != 20 || calls.Writes() != 20 {
		t.Errorf("calls = %+v", calls)
	}
	w.do("POST", "/$batch", map[string]any{"requests": append(items, item("20", "GET", "/users", nil))}).want(t, 400)
	w.do("POST", "/$batch", map[string]any{"requests": []any{items[0], items[0]}}).want(t, 400)
	w.do("POST", "/$batch", map[string]any{"requests": []any{item("a", "PATCH", w.events()+"/x", event("E", "09:00:00", "10:00:00"), "headers", nil)}}).want(t, 400)
}

func TestBatchDependencies(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	got := w.batch(
		item("1", "POST", w.events(), event("A", "09:00:00", "10:00:00")),
		item("2", "DELETE", "users/"+w.user+"/events/unknown", nil, "dependsOn", []string{"1"}),
		item("3", "GET", w.events(), nil, "dependsOn", []string{"2"}),
	)
	if got["1"].status != 201 || got["2"].status != 404 || got["3"].status != 424 {
		t.Errorf("statuses %d %d %d, want 201 404 424", got["1"].status, got["2"].status, got["3"].status)
	}
	w.do("POST", "/$batch", map[string]any{"requests": []any{
		item("1", "GET", w.events(), nil), item("2", "GET", w.events(), nil),
		item("3", "GET", w.events(), nil, "dependsOn", []string{"1"}), item("4", "GET", w.events(), nil, "dependsOn", []string{"2"}),
	}}).want(t, 400)
}

func TestBatchThrottledItem(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{RateLimit: 2, RatePer: time.Minute, RetryAfterForm: graphsim.RetryAfterFraction}})
	refused := 0
	for _, r := range w.batch(item("1", "GET", w.events(), nil), item("2", "GET", w.events(), nil), item("3", "GET", w.events(), nil)) {
		if r.status == 429 {
			refused++
			if r.header.Get("Retry-After") != "60.000" || r.code() != "ApplicationThrottled" {
				t.Errorf("refusal %v %v", r.header, r.body)
			}
		}
	}
	if refused != 1 {
		t.Errorf("%d items of 3 refused, want 1", refused)
	}
	w.clock.advance(time.Minute)
	w.do("GET", w.events(), nil).want(t, 200)
}

func TestRetryAfterForms(t *testing.T) {
	w := newWorld(t, graphsim.Options{Behaviour: graphsim.Behaviour{RateLimit: 1, RatePer: 90 * time.Second}})
	w.do("GET", w.events(), nil).want(t, 200)
	for form, want := range map[graphsim.RetryAfterForm]string{
		graphsim.RetryAfterSeconds: "90", graphsim.RetryAfterFraction: "90.000", graphsim.RetryAfterDate: "Mon, 23 Nov 2026 08:01:30 GMT",
	} {
		w.sim.Change(func(b *graphsim.Behaviour) { b.RetryAfterForm, b.ThrottleStatus = form, 503 })
		if got := w.do("GET", w.events(), nil).want(t, 503); got.header.Get("Retry-After") != want {
			t.Errorf("Retry-After: %q, want %q", got.header.Get("Retry-After"), want)
		}
	}
}

// Four requests are held inside by the latency; only Close lets them go.
func TestConcurrencyLimit(t *testing.T) {
	sim := graphsim.New(graphsim.Options{Anonymous: true, Behaviour: graphsim.Behaviour{Latency: time.Hour}})
	user := sim.AddUser(graphsim.User{UPN: "b@contoso.test"}).ID
	answers := make(chan *httptest.ResponseRecorder, 5)
	for range 5 {
		go func() {
			rec := httptest.NewRecorder()
			sim.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/v1.0/users/"+user+"/events", nil))
			answers <- rec
		}()
	}
	if first := <-answers; first.Code != 429 || first.Header().Get("Retry-After") != "1" {
		t.Errorf("the first answer is %d: want the fifth request refused while four are inside", first.Code)
	}
	sim.Close()
	for range 4 {
		if rec := <-answers; rec.Code != 200 {
			t.Errorf("a request inside got %d", rec.Code)
		}
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	var next *graphsim.FaultResponse
	var seen graphsim.FaultRequest
	w.sim.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		seen = r
		return next
	})
	body := event("E", "09:00:00", "10:00:00")
	next = &graphsim.FaultResponse{Status: 503, Code: "ServiceUnavailable", RetryAfter: "2.128"}
	if got := w.do("POST", w.events(), body).want(t, 503, "ServiceUnavailable"); got.header.Get("Retry-After") != "2.128" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	if len(w.sim.Events(w.user)) != 0 || seen.Route != "POST /users/{user}/events" || seen.User != w.user || seen.N != 1 {
		t.Errorf("before commit: %+v", seen)
	}
	next = &graphsim.FaultResponse{Status: 504, AfterCommit: true}
	w.do("POST", w.events(), body).want(t, 504)
	if len(w.sim.Events(w.user)) != 1 {
		t.Error("AfterCommit did not commit")
	}
	next = &graphsim.FaultResponse{Cut: true, AfterCommit: true}
	if _, err := w.try("POST", w.events(), body); err == nil {
		t.Error("a cut connection answered")
	}
	if len(w.sim.Events(w.user)) != 2 {
		t.Error("the cut request did not commit")
	}
	next = &graphsim.FaultResponse{Hang: true}
	impatient := &http.Client{Timeout: 50 * time.Millisecond}
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.http.URL+"/v1.0"+w.events(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	var timeout interface{ Timeout() bool }
	if _, err := impatient.Do(req); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a hanging request: %v", err)
	}
	w.sim.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Item && r.Method == "DELETE" {
			return &graphsim.FaultResponse{Status: 500, AfterCommit: true}
		}
		return nil
	})
	id := w.sim.Events(w.user)[0].ID
	got := w.batch(item("a", "DELETE", w.events()+"/"+id, nil), item("b", "GET", w.events(), nil))
	if got["a"].status != 500 || got["b"].status != 200 || len(w.sim.Events(w.user)) != 1 {
		t.Errorf("item faults: %v", got)
	}
}
