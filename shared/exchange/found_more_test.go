package exchange_test

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// The board restarts; for some minutes its gateway answers 404 to everything.
// A person edits an event meanwhile.
func TestFound_21_AGatewaysNotFoundIsNoDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	w.plan("Repair", 1, "R1", "R2")
	w.settle()
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 2) // the GET by id is known to work
	w.settle()
	e1, e2 := w.event("R1", "Repair").ID, w.event("R2", "Repair").ID
	w.advance(time.Minute)
	w.board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 404} })
	w.dragInOutlook("R1", e1, 4)
	w.idle()
	for w.deliver() {
	}
	w.advance(time.Minute)
	w.board.SetFault(nil)
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair", 4))
	if w.event("R1", "Repair").ID != e1 || w.event("R2", "Repair").ID != e2 {
		t.Error("the events were deleted and made anew")
	}
}

// The API key is narrowed by mistake; a person edits an event.
func TestFound_22_ANarrowedKeyDeletesForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	w.plan("Repair", 1, "R1", "R2")
	w.settle()
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 2)
	w.settle()
	w.advance(time.Minute)
	w.board.Narrow()
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.settle()
	if n := len(w.graph.Events(email("R1"))) + len(w.graph.Events(email("R2"))); n != 2 {
		t.Errorf("%d events are left of 2", n)
	}
}

// The worker has listed its links, none is due. Before it swaps its row a change
// is routed whole: its nudge arrives, and yet nothing happens.
func TestFound_23_ALinkRoutedBetweenListAndSwapIsStuck(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.advance(time.Minute)
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 2) // so that the worker lowers Due itself
	done := false
	w.onStore(func(op string) error {
		if l := w.link("R1", a.GUID); op == "after DueLinks" && !done && l.DueAt.IsZero() && w.onBoard("R1")[0].Start.Equal(at(2)) {
			done = true
			w.drag(a.GUID, 9)
			w.routed() // its nudge is in the queue
		}
		return nil
	})
	w.settle()
	if !done {
		t.Fatal("nothing was played")
	}
	w.advance(10 * time.Minute)
	w.must(w.proc.redrive.Run(t.Context()))
	w.settle()
	w.shows("R1", planned("Repair", 9))
}
