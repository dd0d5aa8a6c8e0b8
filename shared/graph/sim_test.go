package graph_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/graph"
)

// world is a simulated Graph with one user, and a client with a real sign-in.
type world struct {
	*testing.T
	sim    *graphsim.Server
	client *graph.Client
	user   string
	mu     sync.Mutex
	secret string // what the vault holds
}

func newWorld(t *testing.T, start func(http.Handler) *httptest.Server) *world {
	t.Helper()
	w := &world{T: t, secret: "s1"}
	w.sim = graphsim.New(graphsim.Options{AllowHTTPNotifications: true, Clients: map[string][]string{"app": {"s1"}}})
	srv := start(w.sim)
	t.Cleanup(func() { w.sim.Close(); srv.Close() })
	transport := srv.Client().Transport
	credential, err := graph.Credential(graph.CredentialOptions{
		Auth: "secret", TenantID: "tenant", ClientID: "app", Authority: srv.URL, Transport: transport,
		Secret: func(context.Context) (string, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.secret, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.client, err = graph.New(graph.Options{BaseURL: srv.URL + "/v1.0", Credential: credential, Transport: transport, PageSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.user = w.sim.AddUser(graphsim.User{UPN: "ada@contoso.test", Mail: "ada.o'brien@contoso.test",
		ProxyAddresses: []string{"SMTP:ada.o'brien@contoso.test", "smtp:alias@contoso.test"}}).ID
	return w
}

var (
	day    = time.Date(2026, 7, 6, 0, 0, 0, 0, time.UTC)
	window = calendar.Window{Start: day, End: day.AddDate(0, 0, 7)}
)

func at(hour int) time.Time { return day.Add(time.Duration(hour) * time.Hour) }

func (w *world) apply(writes ...calendar.Write) []calendar.Result {
	w.Helper()
	results, err := w.client.Apply(w.Context(), w.user, writes)
	if err != nil {
		w.Fatal(err)
	}
	if len(results) != len(writes) {
		w.Fatalf("%d results of %d writes", len(results), len(writes))
	}
	return results
}

func (w *world) create(mark string, hour int) calendar.Event {
	w.Helper()
	r := w.apply(calendar.Write{Op: calendar.Create, TransactionID: "t-" + mark, Mark: mark, Content: appointment.Content{
		appointment.Subject: "visit " + mark, appointment.Body: "first\nsecond", appointment.When: appointment.Interval(at(hour), at(hour+1)),
		appointment.TimeZone: "Europe/Brussels", appointment.ShowAs: "busy", appointment.Importance: "high", appointment.Sensitivity: "normal", appointment.Categories: "",
	}})[0]
	if r.Err != nil {
		w.Fatal(r.Err)
	}
	return r.Event
}

// What is written comes back as it was: in the response, by id, in the view, in delta, by its mark.
func TestRoundTrip(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, start)
			made := w.create("a|1", 8)
			want := appointment.Content{
				appointment.Subject: "visit a|1", appointment.Body: "first\nsecond", appointment.When: appointment.Interval(at(8), at(9)),
				appointment.TimeZone: "Romance Standard Time", appointment.ShowAs: "busy", appointment.Importance: "high", appointment.Sensitivity: "normal", appointment.Categories: "",
			}
			check := func(where string, e calendar.Event) {
				t.Helper()
				if !e.Content.Equal(want) {
					t.Errorf("%s: %v, want %v", where, e.Content, want)
				}
				if e.ID != made.ID || e.ETag == "" || e.Modified.IsZero() || e.Type != calendar.Single || e.TransactionID != "t-a|1" || !e.Organizer || e.Attendees != 0 || e.Content.AllDay() || e.Series != "" {
					t.Errorf("%s: %+v", where, e)
				}
			}
			check("response", made)
			got, err := w.client.Event(t.Context(), w.user, made.ID)
			if err != nil {
				t.Fatal(err)
			}
			check("by id", got)
			view, err := w.client.View(t.Context(), w.user, window)
			if err != nil || len(view) != 1 {
				t.Fatalf("%v, %v", view, err)
			}
			check("view", view[0])
			round, err := w.client.Delta(t.Context(), w.user, "", window)
			if err != nil || !round.Full || len(round.Items) != 1 {
				t.Fatalf("%+v, %v", round, err)
			}
			check("delta", round.Items[0].Event)
			marked, err := w.client.Marked(t.Context(), w.user, "a|1")
			if err != nil || len(marked) != 1 || marked[0].Mark != "a|1" {
				t.Fatalf("%v, %v", marked, err)
			}
			check("marked", marked[0])
			tagged, err := w.client.Tagged(t.Context(), w.user, window)
			if err != nil || len(tagged) != 1 || tagged[0].Mark != "a|1" {
				t.Fatalf("%v, %v", tagged, err)
			}
			check("tagged", tagged[0])
			stored, ok := w.sim.Event(w.user, made.ID)
			if !ok || stored.ID != made.ID {
				t.Fatal("the id is not the immutable one")
			}
			if !stored.ReminderOff || stored.StartZone != "Romance Standard Time" || stored.Properties[graph.MarkProperty] != "a|1" {
				t.Errorf("stored: %+v", stored)
			}
			for _, r := range w.sim.Requests() {
				if r.Route == "POST /$batch" {
					continue
				}
				if r.Prefer["idtype"] != "ImmutableId" || r.Prefer["outlook.timezone"] != "UTC" || r.Prefer["outlook.body-content-type"] != "text" {
					t.Errorf("%s: %v", r.Route, r.Prefer)
				}
			}
			if mails := w.sim.Mails(); len(mails) != 0 {
				t.Errorf("mails were sent: %v", mails)
			}
		})
	}
}

// A repeated create makes no second event; what a person has copied has our
// property, and what Graph compares without regard to case is compared exactly.
func TestRule_R13_CreatesAreFoundAgain(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	first := w.create("a|1", 8)
	again := w.create("a|1", 8)
	w.create("A|1", 9)
	w.create("a|10", 10)
	longer := w.create("a|2|e:0123|when:4567", 11)
	if marked, err := w.client.Marked(t.Context(), w.user, "a|2"); err != nil || len(marked) != 1 || marked[0].ID != longer.ID {
		t.Errorf("by the beginning of its mark: %+v, %v", marked, err)
	}
	if first.ID != again.ID || len(w.sim.Events(w.user)) != 4 {
		t.Errorf("%d events", len(w.sim.Events(w.user)))
	}
	for range 4 {
		if _, err := w.sim.CopyEvent(w.user, first.ID); err != nil {
			t.Fatal(err)
		}
	}
	marked, err := w.client.Marked(t.Context(), w.user, "a|1")
	if err != nil || len(marked) != 5 {
		t.Fatalf("%d, %v", len(marked), err)
	}
	if none, err := w.client.Marked(t.Context(), w.user, "it's not there"); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	ours := slices.DeleteFunc(marked, func(e calendar.Event) bool { return e.TransactionID == "" })
	if len(ours) != 1 || ours[0].ID != first.ID {
		t.Errorf("a copy has the transaction id too: %+v", ours)
	}
}

func TestRule_R11_WritesCarryTheETag(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	made := w.create("a", 8)
	moved := appointment.Interval(at(10), at(12))
	r := w.apply(calendar.Write{Op: calendar.Patch, ID: made.ID, ETag: made.ETag, Content: appointment.Content{appointment.When: moved}})[0]
	if r.Err != nil || r.Event.Content[appointment.When] != moved || r.Event.ETag == made.ETag {
		t.Fatalf("%+v", r)
	}
	if got := r.Event.Content[appointment.Subject]; got != "visit a" {
		t.Errorf("the patch of one field has changed another: %q", got)
	}
	// A person edits in between.
	if _, err := w.sim.UpdateEvent(w.user, made.ID, func(e *graphsim.Event) { e.Subject = "edited" }); err != nil {
		t.Fatal(err)
	}
	for _, stale := range []calendar.Write{
		{Op: calendar.Patch, ID: made.ID, ETag: r.Event.ETag, Content: appointment.Content{appointment.Subject: "ours"}},
		{Op: calendar.Delete, ID: made.ID, ETag: r.Event.ETag},
	} {
		got := w.apply(stale)[0]
		if f := fault.Of(got.Err); f == nil || f.Reason != fault.Conflict || f.Kind != fault.Transient || f.Ambiguous {
			t.Errorf("%s: %v", stale.Op, got.Err)
		}
	}
	now, err := w.client.Event(t.Context(), w.user, made.ID)
	if err != nil || now.Content[appointment.Subject] != "edited" {
		t.Fatalf("%+v, %v", now, err)
	}
	for i := range 2 { // the second finds it gone
		if got := w.apply(calendar.Write{Op: calendar.Delete, ID: made.ID, ETag: now.ETag})[0]; got.Err != nil {
			t.Errorf("delete %d: %v", i, got.Err)
		}
	}
	got := w.apply(calendar.Write{Op: calendar.Patch, ID: made.ID, ETag: now.ETag, Content: appointment.Content{appointment.Subject: "x"}})[0]
	if f := fault.Of(got.Err); f == nil || f.Reason != fault.NotFound || f.Kind != fault.Permanent || f.Code != "ErrorItemNotFound" {
		t.Errorf("patch of what is gone: %v", got.Err)
	}
}

// Only ErrorItemNotFound says that an event is gone; a mailbox that does not
// work, in whatever way, says nothing about its events.
func TestRule_R27_GoneIsNotUnreachable(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	made := w.create("a", 8)
	round, err := w.client.Delta(t.Context(), w.user, "", window)
	if err != nil {
		t.Fatal(err)
	}
	for state, code := range map[graphsim.MailboxState]string{
		graphsim.MailboxNotEnabled: "MailboxNotEnabledForRESTAPI", graphsim.MailboxSoftDeleted: "MailboxNotEnabledForRESTAPI",
		graphsim.MailboxAccessDenied: "ErrorAccessDenied", graphsim.UserGone: "ErrorInvalidUser",
	} {
		if err := w.sim.SetMailboxState(w.user, state); err != nil {
			t.Fatal(err)
		}
		calls := map[string]func() error{
			"event":  func() error { _, err := w.client.Event(t.Context(), w.user, made.ID); return err },
			"delta":  func() error { _, err := w.client.Delta(t.Context(), w.user, round.DeltaLink, window); return err },
			"view":   func() error { _, err := w.client.View(t.Context(), w.user, window); return err },
			"marked": func() error { _, err := w.client.Marked(t.Context(), w.user, "a"); return err },
			"write": func() error {
				return w.apply(calendar.Write{Op: calendar.Delete, ID: made.ID, ETag: made.ETag})[0].Err
			},
		}
		for name, call := range calls {
			err := call()
			if f := fault.Of(err); f == nil || !f.WholeTarget || f.Kind != fault.Transient || f.Reason == fault.NotFound || f.Code != code || errors.Is(err, calendar.ErrResync) {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
	if err := w.sim.SetMailboxState(w.user, graphsim.MailboxOK); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Event(t.Context(), w.user, made.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.DeleteEvent(w.user, made.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Event(t.Context(), w.user, made.ID)
	if f := fault.Of(err); f == nil || f.Reason != fault.NotFound || f.Kind != fault.Permanent || f.WholeTarget || f.Code != "ErrorItemNotFound" {
		t.Errorf("%+v", f)
	}
	_, err = w.client.Event(t.Context(), w.user, "")
	if f := fault.Of(err); f == nil || f.Kind != fault.Permanent {
		t.Errorf("no id: %v", err)
	}
}

func TestDeltaRounds(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	w.sim.Change(func(b *graphsim.Behaviour) { b.DeltaEmptyPages = true })
	var ids []string
	for i := range 8 {
		ids = append(ids, w.create(string(rune('a'+i)), i).ID)
	}
	w.sim.ResetCalls()
	round, err := w.client.Delta(t.Context(), w.user, "", window)
	if err != nil || !round.Full || len(round.Items) != 8 {
		t.Fatalf("%d items, %v", len(round.Items), err)
	}
	if n := w.sim.Calls().Of("GET /users/{user}/calendarView/delta"); n < 4 {
		t.Errorf("%d pages: the page size is not asked for", n)
	}
	view, err := w.client.View(t.Context(), w.user, window)
	if err != nil || len(view) != 8 {
		t.Errorf("view: %d, %v", len(view), err)
	}
	if _, err := w.sim.MoveEvent(w.user, ids[0], at(20), at(21)); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.DeleteEvent(w.user, ids[1]); err != nil {
		t.Fatal(err)
	}
	next, err := w.client.Delta(t.Context(), w.user, round.DeltaLink, window)
	if err != nil || next.Full || len(next.Items) != 2 {
		t.Fatalf("%+v, %v", next, err)
	}
	for _, item := range next.Items {
		switch {
		case item.ID == ids[0] && !item.Removed && item.Content[appointment.When] == appointment.Interval(at(20), at(21)):
		case item.ID == ids[1] && item.Removed:
		default:
			t.Errorf("%+v", item)
		}
	}
	if err := w.sim.ResetDelta(w.user); err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Delta(t.Context(), w.user, next.DeltaLink, window)
	if !errors.Is(err, calendar.ErrResync) || fault.Of(err).Kind != fault.Transient {
		t.Errorf("a lost sync state: %v", err)
	}
	if again, err := w.client.Delta(t.Context(), w.user, "", window); err != nil || len(again.Items) != 7 {
		t.Errorf("the full round after it: %d items, %v", len(again.Items), err)
	}
}

// What people make in Outlook is read with all that tells it from ours.
func TestEventsOfPeople(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	people := func(e graphsim.Event) calendar.Event {
		t.Helper()
		made, err := w.sim.CreateEvent(w.user, e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.client.Event(t.Context(), w.user, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	html := people(graphsim.Event{Subject: "html", BodyType: "html", Body: "<p>Hello</p><p>World</p>", Start: at(8), End: at(9)})
	if body := html.Content[appointment.Body]; !strings.Contains(body, "Hello") || strings.Contains(body, "<") || html.TransactionID != "" || html.Mark != "" {
		t.Errorf("%+v", html)
	}
	allDay := people(graphsim.Event{Subject: "day off", AllDay: true, Start: day, End: day.AddDate(0, 0, 1), ShowAs: "oof"})
	if allDay.Content[appointment.When] != appointment.Days(day, day.AddDate(0, 0, 1), "") || allDay.Content[appointment.ShowAs] != "oof" {
		t.Errorf("%+v", allDay)
	}
	meeting := people(graphsim.Event{Subject: "meeting", Start: at(8), End: at(9), Organizer: "boss@contoso.test", Response: "declined", Cancelled: true,
		Attendees: []graphsim.Attendee{{Address: "a@contoso.test"}, {Address: "b@contoso.test"}}, Sensitivity: "confidential"})
	if meeting.Organizer || meeting.Attendees != 2 || !meeting.Declined || !meeting.Cancelled || meeting.Content[appointment.Sensitivity] != "confidential" {
		t.Errorf("%+v", meeting)
	}
	// An all-day event that the board moves to hours becomes one with hours.
	r := w.apply(calendar.Write{Op: calendar.Patch, ID: allDay.ID, ETag: allDay.ETag, Content: appointment.Content{appointment.When: appointment.Interval(at(8), at(9))}})[0]
	if r.Err != nil || r.Event.Content.AllDay() || r.Event.Content[appointment.When] != appointment.Interval(at(8), at(9)) {
		t.Errorf("%+v", r)
	}
}

func TestRule_R12_AmbiguousWrites(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	create := calendar.Write{Op: calendar.Create, TransactionID: "t", Mark: "m", Content: appointment.Content{
		appointment.Subject: "s", appointment.When: appointment.Interval(at(8), at(9))}}
	once := func(f graphsim.FaultResponse, item bool) {
		var done sync.Once
		w.sim.SetFault(func(r graphsim.FaultRequest) (out *graphsim.FaultResponse) {
			if r.Item == item && (item || r.Route == "POST /$batch") {
				done.Do(func() { out = &f })
			}
			return out
		})
	}
	once(graphsim.FaultResponse{AfterCommit: true, Cut: true}, false)
	_, err := w.client.Apply(t.Context(), w.user, []calendar.Write{create})
	if f := fault.Of(err); f == nil || !f.Ambiguous || f.Kind != fault.Transient || f.Reason != fault.Unavailable {
		t.Fatalf("%+v", f)
	}
	found, err := w.client.Marked(t.Context(), w.user, "m")
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	once(graphsim.FaultResponse{AfterCommit: true, Status: 504, Code: "UnknownError"}, true)
	r := w.apply(calendar.Write{Op: calendar.Patch, ID: found[0].ID, ETag: found[0].ETag, Content: appointment.Content{appointment.Subject: "new"}})[0]
	if f := fault.Of(r.Err); f == nil || !f.Ambiguous || f.Reason != fault.Timeout {
		t.Errorf("%+v", f)
	}
	if e, err := w.client.Event(t.Context(), w.user, found[0].ID); err != nil || e.Content[appointment.Subject] != "new" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestThrottling(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	made := w.create("a", 8)
	for _, form := range []graphsim.RetryAfterForm{graphsim.RetryAfterSeconds, graphsim.RetryAfterFraction, graphsim.RetryAfterDate} {
		for _, status := range []int{429, 503} {
			w.sim.Change(func(b *graphsim.Behaviour) {
				b.RateLimit, b.RatePer, b.ThrottleStatus, b.RetryAfterForm, b.RetryAfter = 1, time.Hour, status, form, 10*time.Second
			})
			_, _ = w.client.Event(t.Context(), w.user, made.ID) // uses up the limit
			_, err := w.client.Event(t.Context(), w.user, made.ID)
			if f := fault.Of(err); f == nil || f.Reason != fault.RateLimit || f.RetryAfter <= 0 || f.WholeTarget || f.Kind != fault.Transient {
				t.Errorf("%d, form %d: %+v", status, form, f)
			}
			r := w.apply(calendar.Write{Op: calendar.Delete, ID: made.ID, ETag: made.ETag})[0]
			if f := fault.Of(r.Err); f == nil || f.Reason != fault.RateLimit || f.RetryAfter <= 0 {
				t.Errorf("item, %d, form %d: %+v", status, form, r.Err)
			}
		}
	}
}

// A batch of twenty stays below the limit of four, also beside reads.
func TestTwentyWritesAtOnce(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	w.sim.Change(func(b *graphsim.Behaviour) { b.Latency = time.Millisecond })
	var writes []calendar.Write
	for i := range 20 {
		writes = append(writes, calendar.Write{Op: calendar.Create, Content: appointment.Content{
			appointment.Subject: "s", appointment.When: appointment.Interval(at(i), at(i+1))}})
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if _, err := w.client.View(t.Context(), w.user, calendar.Window{Start: day.AddDate(1, 0, 0), End: day.AddDate(1, 0, 1)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	w.sim.ResetCalls()
	for i, r := range w.apply(writes...) {
		if r.Err != nil || r.Event.Content[appointment.When] != appointment.Interval(at(i), at(i+1)) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	wg.Wait()
	if n := w.sim.Calls().HTTP["POST /$batch"]; n != 1 {
		t.Errorf("%d calls", n)
	}
}
