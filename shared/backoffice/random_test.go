package backoffice_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
)

// TestRandomDays plays days on which a planner works, messages come twice and late,
// nudges are lost, the back office fails in every way, the process dies and a second
// one breaks in. In the evening the back office shows what the board shows, once.
func TestRandomDays(t *testing.T) {
	faults := []backofficetest.Fault{
		backofficetest.LostReply, backofficetest.LostRequest, backofficetest.Slow, backofficetest.Unavailable, backofficetest.RateLimited,
		backofficetest.ServerError, backofficetest.Denied, backofficetest.Garbage, backofficetest.HTML,
	}
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t)
			erp := w.connector("erp", func(c *backoffice.Config) { c.Shards = 1 + rnd.IntN(3) })
			erp.Has = []backoffice.Traits{{Finds: true}, {Idempotent: true}, {}}[seed%3]
			guids, subjects := [5]int{}, [5]string{} // by slot; 0 = nothing is planned there
			made := 0
			var late []appointment.Change
			for step := range 40 {
				slot := rnd.IntN(5)
				subject := fmt.Sprintf("%d at step %d", slot, step)
				var c appointment.Change
				switch {
				case guids[slot] == 0:
					made++
					guids[slot], subjects[slot] = made, subject
					c = w.announce(appointment.Create, sample(made, subject))
				case rnd.IntN(4) == 0:
					c = w.announce(appointment.Delete, sample(guids[slot], subjects[slot]))
					guids[slot] = 0
				default:
					subjects[slot] = subject
					c = w.announce(appointment.Update, sample(guids[slot], subject))
				}
				switch rnd.IntN(8) {
				case 0: // the message comes once more
					w.changes = append(w.changes, c)
				case 1: // and once more when newer ones have been dealt with
					late = append(late, c)
				case 2:
					erp.Fail(faults[rnd.IntN(len(faults))], 1+rnd.IntN(3))
				case 3:
					w.mu.Lock()
					w.calls, w.dieAt, w.diesAfter = 0, 1+rnd.IntN(40), rnd.IntN(2) == 0
					w.mu.Unlock()
				case 4:
					w.mu.Lock()
					w.calls, w.intrudeAt = 0, 1+rnd.IntN(40)
					w.mu.Unlock()
				case 5: // nudges are lost
					w.mu.Lock()
					w.nudges = nil
					w.mu.Unlock()
				}
				if rnd.IntN(2) == 0 {
					w.settle(time.Duration(rnd.IntN(600)) * time.Second)
				}
				if rnd.IntN(5) == 0 && len(late) > 0 {
					w.changes, late = append(w.changes, late...), nil
				}
			}
			w.changes = append(w.changes, late...)
			erp.Fail("", 0)
			w.dieAt, w.intrudeAt = 0, 0
			w.settle(8 * time.Hour)
			w.redrive()
			var want []string
			for slot, guid := range guids {
				if guid != 0 {
					want = append(want, subjects[slot])
				}
			}
			slices.Sort(want)
			w.expect("documents", documents(erp), want)
			w.quiet()
			if t.Failed() {
				t.Logf("arrived: %q", told(erp))
			}
		})
	}
}

// Every nudge is lost, and the timer sees to it all the same.
func TestRule_R1_LostNudges(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Create, sample(1, "A"))
	for len(w.changes) > 0 {
		w.must(w.router.Route(t.Context(), w.changes[0]))
		w.changes = w.changes[1:]
	}
	w.nudges, w.booked = nil, nil
	w.redrive()
	w.expect("arrived", told(erp), []string{"I A"})
	w.quiet()
}

// What came too late is skipped, and that is recorded.
func TestRule_R7_StaleChangesAreRecorded(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	old := w.announce(appointment.Create, sample(1, "A"))
	w.announce(appointment.Update, sample(1, "B"))
	w.changes = w.changes[1:]
	w.settle(time.Minute)
	w.changes = append(w.changes, old)
	w.settle(time.Minute)
	w.expect("arrived", told(erp), []string{"U B"})
	w.expect("transactions", w.transactions(sample(1, "").Appointment), []string{"erp Update Success", "erp Create Skipped"})
}
