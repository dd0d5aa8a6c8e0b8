package exchange_test

import (
	"context"
	"net/http"
	"testing"
)

// One planned event was made a series by its person: when the resource is turned
// off and the planned ones are to go, the person's series stays whole.
func TestFound_TurningOffRemovesNoSeriesOfAPerson(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	planToSeries(w, w.event("R1", "Repair").ID)
	w.settle()
	w.agree()
	before := len(w.inOutlook("R1"))
	w.flag("R1", false)
	w.sync()
	w.must(w.office().TurnOff(context.Background(), admin, "R1", "remove"))
	w.settle()
	w.timers()
	if n := len(w.inOutlook("R1")); n != before {
		t.Errorf("%d of %d occurrences are left", n, before)
	}
}

// The planner is told of a failure, and then the resource is turned off: what the
// planner sees goes, and the event goes or stays as it was ordered.
func TestFound_TurnedOffThePlannerIsNotToldAnyMore(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"keep", "remove"} {
		w, a := world1(t, options{})
		w.refuses("ErrorPropertyValidationFailure", http.StatusBadRequest)
		w.drag(a.GUID, 5)
		w.settle()
		if len(w.board.Notifications()) != 1 {
			t.Fatal("no notification")
		}
		w.graph.SetFault(nil)
		w.flag("R1", false)
		w.sync()
		w.must(w.office().TurnOff(context.Background(), admin, "R1", answer))
		w.settle()
		w.timers()
		if n := w.board.Notifications(); len(n) != 0 {
			t.Errorf("%s: the planner still sees %+v", answer, n)
		}
		if n := len(w.subjects("R1")); n != map[string]int{"keep": 1, "remove": 0}[answer] {
			t.Errorf("%s: %d events are left", answer, n)
		}
	}
}
