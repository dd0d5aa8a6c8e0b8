package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/exchange"
)

// An add-in changes or deletes again what is restored: two programs that do not
// give in would go on for ever.
func TestFound_RestoringEnds(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"rewritten", "deleted"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, 1, options{})
			w.set(exchange.Settings{ReleaseAll: true, ResourcesMay: exchange.MayNothing})
			a := w.plan("Repair", 1, "R1")
			w.settle()
			n := 0
			meddle := func() {
				for _, e := range w.graph.Events(email("R1")) {
					if how == "deleted" {
						n++
						w.must(w.graph.DeleteEvent(email("R1"), e.ID))
					} else if !strings.HasPrefix(e.Subject, "[x]") {
						n++
						w.retitle("R1", e.ID, "[x] "+e.Subject)
					}
				}
			}
			for range 60 {
				meddle()
				for range 50 {
					w.idle()
					if !w.deliver() {
						break
					}
				}
				w.advance(20 * time.Second)
				w.mu.Lock()
				due := w.booked
				w.booked = nil
				for _, b := range due {
					w.nudges = append(w.nudges, b.n)
				}
				w.mu.Unlock()
			}
			if n != 6 {
				t.Errorf("it was meddled with %d times, want that it is given up after five", n)
			}
			if got := w.board.Notifications(); len(got) != 1 || got[0].Code != "DSEX043" {
				t.Errorf("the planner sees %+v", got)
			}
			w.advance(30 * time.Hour)
			w.timers()
			w.advance(30 * time.Hour)
			w.timers()
			w.silent()
			w.drag(a.GUID, 5) // the planner's next word is written as ever
			w.settle()
			if got := w.inOutlook("R1"); len(got) != 1 || !got[0].Start.Equal(at(5)) {
				t.Errorf("Outlook shows %v", got)
			}
			w.rename(a.GUID, "Repair the roof")
			w.settle()
			w.agree()
			w.silent()
		})
	}
}
