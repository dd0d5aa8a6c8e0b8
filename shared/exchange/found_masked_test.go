package exchange_test

import (
	"testing"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// The tables are lost while the board shows "Private appointment" of a private event,
// which carries no mark. No event that says so is made in its owner's calendar, and
// the board shows it once: whether the person's choices are lost, too, whether the
// event was moved meanwhile, and whether it is still there.
func TestFound_AMaskedAppointmentIsNotDoubledByLostTables(t *testing.T) {
	t.Parallel()
	private := exchange.Settings{ReleaseAll: true}
	private.Preferences.Sensitivity = []string{"normal", "private"}
	for name, c := range map[string]struct {
		settings   exchange.Settings
		meanwhile  func(w *world, e graphsim.Event)
		hour, here int // when both show it, and how many events of the person are there
		onBoard    int
	}{
		"as it was":      {private, func(*world, graphsim.Event) {}, 5, 1, 1},
		"choices lost":   {exchange.Settings{ReleaseAll: true}, func(*world, graphsim.Event) {}, 5, 1, 1},
		"moved":          {private, func(w *world, e graphsim.Event) { w.dragInOutlook("R1", e.ID, 7) }, 7, 1, 1},
		"deleted":        {private, func(w *world, e graphsim.Event) { w.must(w.graph.DeleteEvent(email("R1"), e.ID)) }, 5, 0, 1},
		"moved, no more": {exchange.Settings{ReleaseAll: true}, func(w *world, e graphsim.Event) { w.dragInOutlook("R1", e.ID, 7) }, 5, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{})
			w.set(private)
			w.plan("Repair", 1, "R1")
			e, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Divorce lawyer", Sensitivity: "private", Start: at(5), End: at(6)})
			w.must(err)
			w.settle()
			w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair", 1), born(exchange.MaskedSubject, 5)})
			c.meanwhile(w, e)
			w.forget()
			w.mem = store.NewMem(w.clock)
			w.set(c.settings)
			w.start()
			w.must(w.proc.sync.Run(t.Context()))
			w.settle()
			w.timers()
			outlook := []card{planned("Repair", 1)}
			for _, x := range w.graph.Events(email("R1")) {
				if x.Subject == exchange.MaskedSubject {
					t.Errorf("an event %q was made at %s", x.Subject, x.Start)
				}
				if x.Subject == "Divorce lawyer" {
					outlook = append(outlook, born("Divorce lawyer", int(x.Start.Sub(start).Hours())))
				}
			}
			if len(outlook) != c.here+1 {
				t.Errorf("Outlook shows %d events of the person, want %d", len(outlook)-1, c.here)
			}
			w.shown("Outlook", "R1", w.inOutlook("R1"), outlook)
			w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair", 1), born(exchange.MaskedSubject, c.hour)})
			// A planner moves it: that reaches the event, or nothing.
			for _, a := range w.board.List(start, start.AddDate(0, 1, 0), "R1") {
				if a.Subject == exchange.MaskedSubject {
					w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Start, a.End = at(9), at(10) }))
				}
			}
			w.settle()
			for _, x := range w.graph.Events(email("R1")) {
				if x.Subject == exchange.MaskedSubject {
					t.Errorf("after a planner's move: an event %q at %s", x.Subject, x.Start)
				}
			}
			w.silent()
		})
	}
}
