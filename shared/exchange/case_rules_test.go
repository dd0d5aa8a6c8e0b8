package exchange_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
)

const onlyService = `{"Rules":[{"Name":"Filter","Rules":[{"Name":"Service","ErrorMessage":"Only service goes to Outlook.",
  "Expression":"appointment.Category <> NULL AND appointment.Category.Name == \"SERVICE\""}]}]}`

// keep stores a value as it is, and lets the caches forget.
func (w *world) keep(name, text string) {
	w.t.Helper()
	_, etag, err := w.mem.Value(context.Background(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.must(err)
	}
	_, err = w.mem.SwapValue(context.Background(), name, text, etag)
	w.must(err)
	w.advance(time.Minute)
}

func (w *world) subjects(no string) []string {
	out := []string{}
	for _, e := range w.graph.Events(email(no)) {
		out = append(out, e.Subject)
	}
	slices.Sort(out)
	return out
}

// read lets each mailbox be read, as the sweep does.
func (w *world) read() {
	w.t.Helper()
	targets, err := w.mem.Targets(context.Background(), store.Mailbox)
	w.must(err)
	for _, t := range targets {
		w.must(w.proc.worker.Handle(context.Background(), bus.Nudge{Kind: bus.Read, Target: t.ID, Reason: "test", At: w.clock()}))
	}
	w.settle()
}

// transactions counts those of an appointment with this code and text.
func (w *world) transactions(guid, code, text string) int {
	w.t.Helper()
	all, err := w.mem.TransactionsOf(context.Background(), guid, 1000)
	w.must(err)
	n := 0
	for _, t := range all {
		if t.Code == code && (text == "" || t.Text == text) {
			n++
		}
	}
	return n
}

func withCategories(t *testing.T, resources int) *world {
	w := newWorld(t, resources, options{})
	w.board.AddCategory(boardsim.Category{Name: "SERVICE", DisplayName: "SERVICE", Color: "#FF0000"})
	w.board.AddCategory(boardsim.Category{Name: "HOLD", DisplayName: "HOLD", Color: "#0000FF"})
	w.board.AddTimeMarker(boardsim.TimeMarker{Name: "URGENT", Color: "#00FF00"})
	return w
}

func marked(name string) func(*boardsim.Appointment) {
	return func(a *boardsim.Appointment) { a.Category = name }
}

func TestRulesDecideWhatGoesToOutlook(t *testing.T) {
	w := withCategories(t, 2)
	w.keep(routing.RulesName, onlyService)
	placeholder, job := w.plan("Placeholder", 1, "R1", "R2"), w.plan("Job", 3, "R1")
	w.must(w.board.Edit(job.GUID, marked("SERVICE")))
	w.settle()
	if got := w.subjects("R1"); !slices.Equal(got, []string{"Job"}) {
		t.Errorf("R1 sees %q, want the job alone", got)
	}
	if n := w.transactions(placeholder.GUID, routing.CodeRule, "Only service goes to Outlook."); n != 1 {
		t.Errorf("%d transactions say why the placeholder is not sent, want 1", n)
	}
	l, err := w.mem.Link(context.Background(), w.mailbox("R1"), placeholder.GUID)
	if err != nil || l.State != store.Skipped || l.FailureText != "Only service goes to Outlook." {
		t.Errorf("the link says %+v, %v", l, err)
	}
	// It starts to pass, and it comes to everybody; it stops, and it leaves.
	w.must(w.board.Edit(placeholder.GUID, marked("SERVICE")))
	w.settle()
	w.agree()
	w.must(w.board.Edit(job.GUID, marked("HOLD")))
	w.must(w.board.Edit(placeholder.GUID, marked("")))
	w.settle()
	if a, b := w.subjects("R1"), w.subjects("R2"); len(a)+len(b) != 0 {
		t.Errorf("what stopped passing stays: %q, %q", a, b)
	}
	if n := len(w.appointments()); n != 2 {
		t.Errorf("%d appointments are left on the board, the rules are about Outlook only", n)
	}
	// Assignments that change while it is held back are known when it passes.
	w.must(w.board.Unassign(placeholder.GUID, "R1"))
	w.must(w.board.Edit(placeholder.GUID, marked("SERVICE")))
	w.settle()
	if a, b := w.subjects("R1"), w.subjects("R2"); len(a) != 0 || !slices.Equal(b, []string{"Placeholder"}) {
		t.Errorf("R1 sees %q, R2 %q", a, b)
	}
	w.quiet()
}

// quiet fails if reading and comparing everything again moves anything.
func (w *world) quiet() {
	w.t.Helper()
	w.mu.Lock()
	sequence := w.sequence
	w.mu.Unlock()
	before := map[string][]graphsim.Event{}
	for _, r := range w.board.Resources() {
		before[r.ResourceNo] = w.graph.Events(email(r.ResourceNo))
	}
	w.advance(25 * time.Hour)
	w.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sequence != sequence {
		w.t.Errorf("%d changes were announced though nothing changed", w.sequence-sequence)
	}
	for no, events := range before {
		now := w.graph.Events(email(no))
		for i := range now {
			if i < len(events) && now[i].ChangeKey != events[i].ChangeKey {
				w.t.Errorf("%s: the event %q was written though nothing changed", no, now[i].Subject)
			}
		}
	}
}

func TestChangedRulesAreAppliedToWhatIsThere(t *testing.T) {
	w := withCategories(t, 2)
	service, other := w.plan("Service", 1, "R1", "R2"), w.plan("Other", 3, "R1", "R2")
	w.must(w.board.Edit(service.GUID, marked("SERVICE")))
	w.settle()
	w.agree()
	w.keep(routing.RulesName, onlyService)
	w.mu.Lock()
	sequence := w.sequence
	w.mu.Unlock()
	w.read()
	for _, no := range []string{"R1", "R2"} {
		if got := w.subjects(no); !slices.Equal(got, []string{"Service"}) {
			t.Errorf("%s sees %q", no, got)
		}
	}
	w.mu.Lock()
	if n := w.sequence - sequence; n > 2 {
		t.Errorf("%d appointments were announced again, only one is concerned, once for each of two mailboxes at most", n)
	}
	w.mu.Unlock()
	w.quiet()
	// Other rules: the one leaves, the other comes.
	w.keep(routing.RulesName, `[{"Name":"R","ErrorMessage":"Not service.","Expression":"NOT appointment.Category.Name == \"SERVICE\""}]`)
	w.read()
	if got := w.subjects("R2"); !slices.Equal(got, []string{"Other"}) {
		t.Errorf("R2 sees %q", got)
	}
	// No rules any more: all come.
	w.keep(routing.RulesName, "")
	w.read()
	w.agree()
	if got := w.subjects("R1"); len(got) != 2 {
		t.Errorf("R1 sees %q", got)
	}
	if w.transactions(other.GUID, routing.CodeRule, "") == 0 || w.transactions(service.GUID, routing.CodeRule, "Not service.") == 0 {
		t.Error("it was not recorded why they left")
	}
	w.quiet()
}

// Broken rules, as somebody may have written them into the table by hand, must not
// cost an appointment, nor let one through that was held back.
func TestBrokenRulesNeitherSendNorRemove(t *testing.T) {
	for name, broken := range map[string]string{
		"no JSON":      "if category = SERVICE",
		"a rule of it": `[{"Name":"x","ErrorMessage":"-","Expression":"appointment.Category.Name == "}]`,
	} {
		t.Run(name, func(t *testing.T) {
			w := withCategories(t, 1)
			w.keep(routing.RulesName, onlyService)
			sent, held := w.plan("Sent", 1, "R1"), w.plan("Held", 3, "R1")
			w.must(w.board.Edit(sent.GUID, marked("SERVICE")))
			w.settle()
			w.keep(routing.RulesName, broken)
			w.read()
			w.must(w.board.Move(sent.GUID, sent.Start.Add(time.Hour), sent.End.Add(time.Hour)))
			w.must(w.board.Move(held.GUID, held.Start.Add(time.Hour), held.End.Add(time.Hour)))
			fresh := w.plan("Fresh", 6, "R1")
			w.settle()
			if got := w.subjects("R1"); !slices.Equal(got, []string{"Fresh", "Sent"}) {
				t.Errorf("R1 sees %q: what was sent stays, what was held back stays away, a new one is not lost", got)
			}
			if e := w.event("R1", "Sent"); !e.Start.Equal(sent.Start.Add(time.Hour)) {
				t.Error("what was sent is not kept up to date")
			}
			for i := range 3 {
				w.must(w.board.Move(fresh.GUID, fresh.Start.Add(time.Duration(i)*time.Minute), fresh.End.Add(time.Hour)))
				w.settle()
			}
			if n := w.transactions(fresh.GUID, routing.CodeRuleBroken, ""); n != 1 {
				t.Errorf("the broken rule is recorded %d times, want once", n)
			}
			w.keep(routing.RulesName, onlyService)
			w.read()
			if got := w.subjects("R1"); !slices.Equal(got, []string{"Sent"}) {
				t.Errorf("R1 sees %q after the rules were mended", got)
			}
		})
	}
}

// A person's own event is not taken from them because no rule lets it pass; the
// colleague to whom a planner gives it as well is subject to the rules.
func TestRulesLeaveWhatWasBornInOutlook(t *testing.T) {
	for name, o := range map[string]options{"the Guid that we propose": {}, "a Guid of the board's": {board: boardsim.Options{OwnGUIDs: true}}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, o)
			w.keep(routing.RulesName, onlyService)
			made, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Dentist", Start: start.Add(time.Hour), End: start.Add(2 * time.Hour), IsOrganizer: true})
			w.must(err)
			w.settle()
			w.quiet()
			all := w.appointments()
			if len(all) != 1 {
				t.Fatalf("%d appointments on the board, want the dentist", len(all))
			}
			w.must(w.board.Assign(all[0].GUID, "R2"))
			w.settle()
			if got := w.subjects("R1"); !slices.Equal(got, []string{"Dentist"}) {
				t.Errorf("R1 sees %q: their own event is gone", got)
			}
			if got := w.subjects("R2"); len(got) != 0 {
				t.Errorf("R2 sees %q, against the rules", got)
			}
			_, err = w.graph.MoveEvent(email("R1"), made.ID, start.Add(4*time.Hour), start.Add(5*time.Hour))
			w.must(err)
			w.settle()
			if a := w.appointments()[0]; !a.Start.Equal(start.Add(4 * time.Hour)) {
				t.Errorf("their move did not reach the board: %v", a.Start)
			}
		})
	}
}

func TestRule_R29_RulesLeaveEventsWithAttendees(t *testing.T) {
	w := withCategories(t, 1)
	a := w.plan("Visit", 1, "R1")
	w.settle()
	e := w.event("R1", "Visit")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) {
		e.Attendees = []graphsim.Attendee{{Address: "guest@customer.example"}}
	})
	w.must(err)
	w.settle()
	w.keep(routing.RulesName, onlyService)
	w.read()
	if got := w.subjects("R1"); !slices.Equal(got, []string{"Visit"}) {
		t.Errorf("R1 sees %q: the guests' meeting was deleted", got)
	}
	l, err := w.mem.Link(context.Background(), w.mailbox("R1"), a.GUID)
	if err != nil || l.State != store.Released {
		t.Errorf("the link is %v, %v", l.State, err)
	}
}

func (w *world) appointments() []boardsim.Appointment {
	return w.board.List(start.AddDate(0, 0, -30), start.AddDate(0, 0, 30))
}
