package exchange_test

import (
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

// A person's event that is masked or hidden is deleted, and the planner gives the
// appointment to that person: it is planned work now, and stands in the calendar.
func TestFound_WhatWasMaskedOrHiddenCanBePlannedAnew(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"masked", "hidden", "hidden, assigned before"} {
		t.Run(how, func(t *testing.T) {
			w, e := clinic(t, 2, options{})
			if how == "masked" {
				w.prefer("R1", masks)
			}
			guid := w.board.List(time.Time{}, time.Time{}, "R1")[0].GUID
			w.must(w.board.Assign(guid, "R2"))
			w.settle()
			w.alter("R1", e.ID, private)
			w.settle()
			if how == "hidden, assigned before" {
				w.must(w.board.Assign(guid, "R1"))
				w.settle()
			}
			w.must(w.graph.DeleteEvent(email("R1"), e.ID))
			w.settle()
			w.timers()
			w.advance(time.Hour)
			w.rename(guid, "Fix the roof")
			if how != "hidden, assigned before" {
				w.must(w.board.Assign(guid, "R1"))
			}
			w.settle()
			w.timers()
			if got := w.subjects("R1"); !slices.Equal(got, []string{"Fix the roof"}) {
				t.Errorf("R1 sees %v", got)
			}
			if got := w.subjects("R2"); !slices.Equal(got, []string{"Fix the roof"}) {
				t.Errorf("R2 sees %v", got)
			}
			w.agree()
			w.silent()
		})
	}
}

// Who takes their consent back does so for what is over, too.
func TestFound_OptingOutTakesOffWhatLiesOutsideTheWindow(t *testing.T) {
	t.Parallel()
	w, e := clinic(t, 1, options{})
	for range 40 {
		w.advance(25 * time.Hour)
		w.timers()
	}
	if n := w.countLive(); n != 1 {
		t.Fatalf("%d", n)
	}
	w.prefer("R1", store.Preferences{OptIn: "no"})
	w.settle()
	w.timers()
	if n := w.countLive(); n != 0 {
		t.Errorf("the board shows %v", w.board.List(time.Time{}, time.Time{}))
	}
	w.untouched("R1", e)
	w.speechless()
}
