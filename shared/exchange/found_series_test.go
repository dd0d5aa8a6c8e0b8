package exchange_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// planToSeries makes a series of four days of an event, as its person does.
func planToSeries(w *world, id string) {
	w.alter("R1", id, func(e *graphsim.Event) {
		e.Recurrence = &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 4}
	})
}

// A person makes a series of a planned event, and before that is heard of the
// planner deletes or moves the appointment, or the answer of an earlier write was
// lost. The id is that of the whole series now: what is meant for the one
// appointment must not be done to all of the person's events.
func TestFound_ASeriesMadeOfAPlannedEventIsNotDeletedWithIt(t *testing.T) {
	t.Parallel()
	for _, lostAnswer := range []bool{false, true} {
		for _, moves := range []bool{false, true} {
			w, a := world1(t, options{})
			e := w.event("R1", "Repair")
			if lostAnswer {
				w.commits(http.MethodPatch)
				w.drag(a.GUID, 2)
				w.routed()
				_ = w.nudge(bus.Push, "R1")
				w.forget()
			}
			at1 := 1
			if lostAnswer {
				at1 = 2
			}
			planToSeries(w, e.ID)
			w.forget()
			if moves {
				w.drag(a.GUID, 3)
			} else {
				w.must(w.board.Delete(a.GUID))
			}
			w.routed()
			w.advance(time.Minute)
			w.mu.Lock()
			w.nudges = nil
			w.mu.Unlock()
			w.must(w.nudge(bus.Push, "R1"))
			w.settle()
			w.timers()
			w.advance(25 * time.Hour)
			w.timers()
			want := []card{planned("Repair", at1+24), planned("Repair", at1+48), planned("Repair", at1+72)}
			if moves {
				want = append(want, planned("Repair", 3))
			}
			w.shows("R1", want...)
			w.silent()
		}
	}
}

// Occurrences and whole series become private and public again, are moved and
// deleted meanwhile, and their person opts out and in.
func TestFound_SeriesComesAndGoesWithItsPrivacy(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]graphsim.Behaviour{"all": {}, "master": {DeltaMasterOnly: true}, "readable": {DeletedReadable: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{graph: o})
			e := w.series("R1", "Zahnarzt", 1, daily(4))
			w.settle()
			w.agree()
			step := func(what string, want int) {
				t.Helper()
				w.settle()
				w.timers()
				if n := len(w.onBoard("R1")); n != want {
					t.Errorf("%s: board shows %d, want %d: %v", what, n, want, w.onBoard("R1"))
				}
				w.silent()
			}
			w.alter("R1", e.ID, private)
			step("private", 0)
			w.speechless()
			_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Start, e.End = e.Start.Add(2*time.Hour), e.End.Add(2*time.Hour) })
			w.must(err)
			step("moved while private", 0)
			w.alter("R1", e.ID, public)
			step("public", 4)
			w.agree()
			w.alter("R1", w.occurrence("R1", 27).ID, private)
			step("one private", 3)
			w.must(w.graph.DeleteEvent(email("R1"), w.occurrence("R1", 51).ID))
			step("one deleted", 2)
			_, err = w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Recurrence.Count = 5 })
			w.must(err)
			w.settle()
			w.timers()
			t.Log(w.onBoard("R1"), w.inOutlook("R1"))
			w.alter("R1", e.ID, private)
			step("all private", 0)
			w.alter("R1", e.ID, public)
			w.settle()
			w.timers()
			w.agree()
			w.prefer("R1", store.Preferences{OptIn: "no"})
			step("opted out", 0)
			w.prefer("R1", store.Preferences{OptIn: "yes"})
			w.settle()
			w.timers()
			w.agree()
			w.must(w.graph.DeleteEvent(email("R1"), e.ID))
			step("deleted", 0)
		})
	}
}
