package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/bus"
)

// What the system may cost, in calls: each budget is counted by the simulator of
// Graph, after the first calls of a process (which knows nothing yet) are made.

func TestOneBoardChangeBudget(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	for name, change := range map[string]func(){
		"move":   func() { w.drag(a.GUID, 3) },
		"rename": func() { w.rename(a.GUID, "Repair, ring twice") },
		"create": func() { w.plan("Inspection", 6, "R1") },
	} {
		w.advance(time.Minute)
		w.graph.ResetCalls()
		w.board.ResetCalls()
		change()
		w.settle()
		c := w.graph.Calls()
		if n := c.Writes(); n != 1 {
			t.Errorf("%s: %d writes to Graph, want 1", name, n)
		}
		if n := c.TotalHTTP() - c.Of("POST /$batch") - w.reads(); n != 0 || c.Of("POST /$batch") != 1 {
			t.Errorf("%s: calls %v, want one batch, and besides that only the delta read of the echo", name, c.HTTP)
		}
		if n := w.reads(); n > 2 {
			t.Errorf("%s: %d delta reads of the echo, want 2 at most", name, n)
		}
		if n := len(w.board.Calls()); n != 0 {
			t.Errorf("%s: calls to the board %v, want none", name, w.board.Calls())
		}
	}
}

func TestTwentyPendingChangesBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	var plans []boardsim.Appointment
	for hour := range 20 {
		plans = append(plans, w.plan(fmt.Sprintf("Repair %d", hour), hour, "R1"))
	}
	w.routed()
	spent := func(what string) {
		w.graph.ResetCalls()
		w.must(w.nudge(bus.Push, "R1"))
		if c := w.graph.Calls(); c.TotalHTTP() != 1 || c.Writes() != 20 {
			t.Errorf("%s: %d HTTP calls with %d writes, want 1 with 20", what, c.TotalHTTP(), c.Writes())
		}
		w.settle()
	}
	spent("20 new")
	for i, a := range plans {
		if i%2 == 0 {
			w.drag(a.GUID, 40+i)
		} else {
			w.must(w.board.Delete(a.GUID))
		}
	}
	w.routed()
	spent("10 moved, 10 deleted")
	w.agree()
}

// A planner drags five times before the worker comes to it: Outlook sees one write.
func TestFiveQuickDragsBudget(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.advance(time.Minute)
	w.graph.ResetCalls()
	for hour := range 5 {
		w.drag(a.GUID, 3+hour)
	}
	w.routed()
	w.settle()
	w.shows("R1", planned("Repair", 7))
	if n := w.graph.Calls().Writes(); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

// Our own write comes back, and that costs nothing but looking; the same for
// what a person did, when it has come back from the board.
func TestEchoBudget(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(time.Minute)
	w.graph.ResetCalls()
	w.board.ResetCalls()
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.settle()
	w.shows("R1", planned("Repair", 4))
	if n := w.graph.Calls().Writes(); n != 0 {
		t.Errorf("a person's move came back to Outlook with %d writes", n)
	}
	if n := w.board.Calls()["mboc_upsertExchangeAppointment"]; n != 1 {
		t.Errorf("%d writes of the appointment to the board, want 1", n)
	}
	if n := w.board.Calls()["POST /import"]; n != 2 {
		t.Errorf("%d imports, want the appointment and what the planner is told of it", n)
	}
	w.silent()
}

// N notifications of one mailbox within a moment cost one read, two at most.
func TestNotificationBurstBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	var ids []string
	for hour := range 30 {
		ids = append(ids, w.outlook("R1", fmt.Sprintf("Own %d", hour), hour).ID)
	}
	w.settle()
	w.advance(time.Minute)
	w.graph.ResetCalls()
	for i, id := range ids {
		w.retitle("R1", id, fmt.Sprintf("Own %d again", i))
		w.idle() // each becomes a nudge of its own
		w.advance(10 * time.Millisecond)
	}
	w.mu.Lock()
	n := len(w.nudges)
	w.mu.Unlock()
	if n < 30 {
		t.Fatalf("%d nudges for 30 changes: nothing to prove", n)
	}
	w.settle()
	rounds := 0
	for _, r := range w.graph.Requests() {
		if r.Query["$deltatoken"] != nil && strings.HasSuffix(r.Path, "/delta") {
			rounds++
		}
	}
	if rounds < 1 || rounds > 2 {
		t.Errorf("%d delta rounds for %d notifications, want 1 or 2", rounds, n)
	}
	w.agree()
}
