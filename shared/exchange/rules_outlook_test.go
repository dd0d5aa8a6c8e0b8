package exchange_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// during lets something happen just before a request of this method reaches its
// event, as often as it says.
func (w *world) during(method string, times int, what func()) {
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == method && strings.Contains(r.Route, "/events") && times > 0 {
			times--
			what()
		}
		return nil
	})
}

// commits lets the next request of this method take effect, and cuts its answer.
func (w *world) commits(method string) {
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method != method || !strings.Contains(r.Route, "/events") {
			return nil
		}
		w.graph.SetFault(nil)
		return &graphsim.FaultResponse{AfterCommit: true, Cut: true}
	})
}

// A person renames the event in the moment in which the planner's move arrives.
func TestRule_R11_AnEditUnderTheWriteIsNotOverwritten(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	w.during(http.MethodPatch, 1, func() { w.retitle("R1", e.ID, "Repair, ring twice") })
	w.drag(a.GUID, 3)
	w.settle()
	w.shows("R1", planned("Repair, ring twice", 3))
	w.silent()
}

// The same for a deletion: what was changed meanwhile is read before it goes.
func TestRule_R11_AnEventIsNotDeletedInAStateThatNobodyHasSeen(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	w.during(http.MethodDelete, 1, func() {
		_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) {
			e.Attendees = []graphsim.Attendee{{Address: "customer@example.org"}}
		})
		w.must(err)
	})
	w.must(w.board.Delete(a.GUID))
	w.settle()
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events, want the one to which somebody was just invited", n)
	}
}

// Somebody writes the event before each of our writes: the third time it is left
// for later, and it comes back.
func TestRule_R11_TheThirdConflictInARowWaits(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	n := 0
	w.during(http.MethodPatch, 10, func() {
		n++
		w.retitle("R1", e.ID, fmt.Sprintf("Repair %d", n))
	})
	w.drag(a.GUID, 3)
	w.routed()
	w.must(w.nudge(bus.Push, "R1"))
	if n != 3 {
		t.Errorf("%d writes within one nudge, want 3", n)
	}
	if l := w.link("R1", a.GUID); l.State != store.Pending || !l.DueAt.After(w.clock()) {
		t.Errorf("the link is %s, due at %s: want it to wait", l.State, l.DueAt)
	}
	w.settle()
	w.shows("R1", planned("Repair 10", 3))
}

// The PATCH took effect, its answer was lost, and the planner moves it again.
// Outlook's state is our own and no person's change, whoever wins conflicts.
func TestRule_R12_OurOwnWriteIsNotTakenForAPersonsChange(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.set(exchange.Settings{Wins: "outlook"})
	w.commits(http.MethodPatch)
	w.drag(a.GUID, 3)
	w.routed()
	w.must(w.nudge(bus.Push, "R1"))
	w.drag(a.GUID, 6)
	w.settle()
	w.shows("R1", planned("Repair", 6))
	if c := w.told("Conflict"); len(c) != 0 {
		t.Errorf("a conflict was recorded though no person did anything: %v", c)
	}
}

// The POST took effect, its answer was lost, and the planner deletes the
// appointment before anybody looks.
func TestRule_R12_ALostCreateLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{graph: graphsim.Behaviour{Notifications: graphsim.NotificationFaults{Drop: 1}}})
	w.commits(http.MethodPost)
	a := w.plan("Repair", 1, "R1")
	w.routed()
	w.must(w.nudge(bus.Push, "R1"))
	if n := len(w.inOutlook("R1")); n != 1 {
		t.Fatalf("%d events, the POST should have taken effect", n)
	}
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.shows("R1")
	w.silent()
}

// The session lock is lost: another worker does the same mailbox's work in the
// middle of ours, at each of our calls in turn.
func TestRule_R12_AnOrphanedWorkerDoesNoHarm(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w, a := world1(t, options{})
		w.drag(a.GUID, 3)
		w.plan("Inspection", 8, "R1")
		w.dragInOutlook("R1", w.outlook("R1", "Dentist", 5).ID, 6)
		w.routed()
		calls, other := 0, w.proc.worker.Store
		w.onStore(func(op string) error {
			if calls++; calls == n {
				mine := w.proc.worker.Store
				w.proc.worker.Store = other
				err := w.nudge(bus.Read, "R1")
				w.proc.worker.Store = mine
				return err
			}
			return nil
		})
		w.must(w.nudge(bus.Read, "R1"))
		made := calls
		calls = n // what follows goes on alone
		w.settle()
		w.timers()
		w.shows("R1", planned("Repair", 3), planned("Inspection", 8), born("Dentist", 6))
		if n := len(w.graph.DeletedEvents(email("R1"))); n != 0 {
			t.Errorf("%d events were made too many, and deleted again", n)
		}
		w.silent()
		if t.Failed() {
			w.dump()
			t.Fatalf("the other worker came at call %d", n)
		}
		if made < n {
			t.Logf("%d calls", n-1)
			return
		}
	}
}

// The POST took effect, its answer was lost, and Exchange's search does not show
// the event yet: it is sent again and makes no second one.
func TestRule_R13_ARepeatedCreateMakesOneEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	blind := w.tap()
	blind.marked = func(context.Context, string, string) ([]calendar.Event, error) { return nil, nil }
	w.commits(http.MethodPost)
	w.plan("Repair", 1, "R1")
	w.settle()
	w.shows("R1", planned("Repair", 1))
	if n := len(w.graph.DeletedEvents(email("R1"))); n != 0 {
		t.Errorf("%d events were made too many, and deleted again", n)
	}
	w.silent()
}

// A create that everybody has given up lands at last, when nothing is wanted.
func TestRule_R13_ACreateThatLandsTooLateIsRemoved(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.shows("R1")
	mailbox := w.mailbox("R1")
	late := []calendar.Write{{Op: calendar.Create, TransactionID: "ds-" + a.GUID + "-" + mailbox + "-0", Mark: a.GUID + "|0",
		Content: appointment.Content{appointment.Subject: "Repair", appointment.When: appointment.Interval(at(1), at(2))}}}
	results, err := w.proc.worker.Calendar.Apply(context.Background(), mailbox, late)
	w.must(err)
	w.must(results[0].Err)
	w.advance(time.Minute)
	w.settle()
	w.shows("R1")
	w.silent()
}

// All our tables are lost. The events that we made are known again, none is made
// twice, and what was born in Outlook stays one appointment.
func TestRule_R13_LostTablesMakeNoTwins(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.plan("Inspection", 4, "R1")
	w.settle()
	w.mem = store.NewMem(w.clock)
	w.set(exchange.Settings{ReleaseAll: true})
	w.start()
	w.must(w.proc.sync.Run(context.Background()))
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair", 1), planned("Inspection", 4))
	w.silent()
}

// A person writes the event between our PATCH and the state that its answer
// shows. Only what we sent is taken from the answer.
func TestRule_R14_AnEditInTheAnswerOfAWriteIsNotSwallowed(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	tap := w.tap()
	tap.apply = func(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error) {
		results, err := tap.Calendar.Apply(ctx, mailbox, writes)
		if err != nil || writes[0].Op != calendar.Patch || writes[0].Content[appointment.When] == "" {
			return results, err
		}
		w.retitle("R1", e.ID, "Repair, ring twice")
		results[0].Event, err = tap.Event(ctx, mailbox, e.ID)
		return results, err
	}
	w.drag(a.GUID, 3)
	w.settle()
	w.shows("R1", planned("Repair, ring twice", 3))
	w.silent()
}

// The answer of the POST is lost, the search does not show the event yet, and a
// person renames it. Sent again, Exchange answers with the event as it is: the
// person's title is no answer to ours, it goes to the board.
func TestRule_R14_AnEditInTheAnswerOfARepeatedCreateIsNotSwallowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	blind := w.tap()
	blind.marked = func(context.Context, string, string) ([]calendar.Event, error) { return nil, nil }
	w.commits(http.MethodPost)
	w.plan("Repair", 1, "R1")
	w.routed()
	w.must(w.nudge(bus.Push, "R1"))
	w.retitle("R1", w.event("R1", "Repair").ID, "Repair, ring twice")
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair, ring twice", 1))
}

// A call of more than two writes fails as a whole, again and again.
func TestRule_R15_ABatchThatFailsIsHalved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	var want []card
	for hour := range 16 {
		w.plan("Repair", hour, "R1")
		want = append(want, planned("Repair", hour))
	}
	w.routed()
	tap := w.tap()
	var sizes []int
	tap.apply = func(ctx context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error) {
		sizes = append(sizes, len(writes))
		if len(writes) > 2 {
			return nil, &fault.Error{Kind: fault.Transient, Reason: fault.Timeout, Op: "graph: batch", Ambiguous: true}
		}
		return tap.Calendar.Apply(ctx, mailbox, writes)
	}
	w.settle()
	w.shows("R1", want...)
	if sizes[0] != 16 {
		t.Errorf("sizes of the calls: %v, want the first to hold all", sizes)
	}
}

// One of three is refused: the others are sent, and people can see why.
func TestRule_R15_OneRefusedItemTakesNoOtherWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Item && r.Method == http.MethodPost && r.N == 2 {
			return &graphsim.FaultResponse{Status: http.StatusBadRequest, Code: "ErrorPropertyValidationFailure"}
		}
		return nil
	})
	var plans []boardsim.Appointment
	for hour := range 3 {
		plans = append(plans, w.plan("Repair", hour, "R1"))
	}
	w.settle()
	states := map[store.State]int{}
	for _, a := range plans {
		l := w.link("R1", a.GUID)
		states[l.State]++
		if l.State == store.Failed && (l.FailureCode != "DSEX021" || !strings.Contains(l.FailureText, "ErrorPropertyValidationFailure")) {
			t.Errorf("the refused one says %q %q", l.FailureCode, l.FailureText)
		}
	}
	if states[store.Agreed] != 2 || states[store.Failed] != 1 || len(w.inOutlook("R1")) != 2 {
		t.Errorf("states %v and %d events, want two agreed and sent, one failed", states, len(w.inOutlook("R1")))
	}
	if failed := w.told("Failed"); len(failed) != 1 {
		t.Errorf("%d failed transactions, want 1", len(failed))
	}
}
