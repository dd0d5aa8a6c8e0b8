package exchange_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
)

// Each side's change comes back as a notification or message, several times.
// Nothing is written for it, on neither side.
func TestCase_E1_NoEchoLoop(t *testing.T) {
	t.Parallel()
	for kind, o := range boards {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o.graph.ExtraUpdates = 2
			w := newWorld(t, 1, o)
			a := w.plan("Repair", 1, "R1")
			e := w.outlook("R1", "Own", 5)
			w.settle()
			w.graph.ResetCalls()
			w.board.ResetCalls()
			w.drag(a.GUID, 3)
			w.dragInOutlook("R1", e.ID, 7)
			w.settle()
			w.timers()
			w.shows("R1", planned("Repair", 3), born("Own", 7))
			if n := w.graph.Calls().Writes(); n != 1 {
				t.Errorf("%d writes to Outlook, want the planner's move alone", n)
			}
			if n := w.board.Calls()["mboc_upsertExchangeAppointment"]; n != 1 {
				t.Errorf("%d writes to the board, want the person's move alone", n)
			}
			w.silent()
		})
	}
}

// Exchange gives bodies back rewritten, drops fractions, renames zones; the board
// cuts seconds. A move on either side is not an edit of the text.
func TestCase_E2_ALossyEchoIsNoChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{graph: graphsim.Behaviour{StageDelay: time.Millisecond}})
	a := w.plan("Repair", 1, "R1")
	w.settle()
	body := "first line  \r\n\r\n\tsecond   line & <b>third</b>\n\n"
	w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) {
		a.Subject, a.Body = "  Repair  ", body
		a.Start, a.End = at(3).Add(250*time.Millisecond), at(4).Add(999*time.Millisecond)
	}))
	w.settle()
	e := w.graph.Events(email("R1"))[0]
	w.board.ResetCalls()
	w.dragInOutlook("R1", e.ID, 6)
	w.settle()
	w.timers()
	if got, err := w.board.Get(a.GUID); err != nil || appointment.Text(got.Body) != appointment.Text(body) || got.Subject != "Repair" || !got.Start.Equal(at(6)) {
		t.Errorf("the board shows %q, %q, %s: %v", got.Subject, got.Body, got.Start, err)
	}
	w.silent()
}

// A person edits again before the echo of the first edit has come back from the
// board: the echo must not undo the second.
func TestCase_E3_AStaleEchoOverwritesNothing(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{graph: graphsim.Behaviour{DeltaRepeat: true, DeltaLag: 2 * time.Second}})
	e := w.event("R1", "Repair")
	w.advance(time.Minute)
	w.dragInOutlook("R1", e.ID, 4)
	w.advance(3 * time.Second)
	w.must(w.nudge(bus.Read, "R1")) // the board is told of 4 o'clock
	w.dragInOutlook("R1", e.ID, 6)  // and before its message is routed, the person goes on
	w.rename(a.GUID, "Repair pump") // as does the planner, with something else
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair pump", 6))
	w.silent()
}

// Deleted on one side while the other changes it, in either order.
func TestCase_E10_DeletedHereChangedThere(t *testing.T) {
	t.Parallel()
	for kind, o := range boards {
		t.Run("Outlook deletes, "+kind, func(t *testing.T) {
			t.Parallel()
			w, a := world1(t, o)
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
			w.drag(a.GUID, 5)
			w.settle()
			w.timers()
			w.shows("R1", planned("Repair", 5)) // the board's word wins, as a new event
			w.silent()
		})
		t.Run("the board deletes, "+kind, func(t *testing.T) {
			t.Parallel()
			w, a := world1(t, o)
			e := w.event("R1", "Repair")
			w.must(w.board.Delete(a.GUID))
			w.dragInOutlook("R1", e.ID, 5)
			w.settle()
			w.timers()
			w.shows("R1")
			w.silent()
		})
		t.Run("a late update after the deletion, "+kind, func(t *testing.T) {
			t.Parallel()
			w, a := world1(t, o)
			var late []bus.Change
			w.drag(a.GUID, 5)
			w.idle()
			w.mu.Lock()
			for _, c := range w.changes {
				c.MessageID += "-late"
				late = append(late, c.Change)
			}
			w.mu.Unlock()
			w.settle()
			w.must(w.board.Delete(a.GUID))
			w.settle()
			for _, c := range late {
				w.enqueue(c)
			}
			w.settle()
			w.timers()
			w.shows("R1")
			w.silent()
		})
	}
}

// An event that leaves the filter is taken off the other side and never cancelled
// on its own; an event that leaves the window is left alone on both.
func TestCase_E11_LeftTheFilterIsNotDeleted(t *testing.T) {
	t.Parallel()
	for way, out := range waysOut {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w, e := clinic(t, 1, options{graph: graphsim.Behaviour{DeletedReadable: true}})
			a := w.plan("Repair", 1, "R1")
			w.settle()
			w.graph.ResetCalls()
			out(w, e)
			if way == "private" { // a planned one leaves, too, by the same click
				w.alter("R1", w.event("R1", "Repair").ID, private)
			}
			w.settle()
			w.timers()
			if n := w.graph.Calls().Writes(); n != 0 {
				t.Errorf("%d writes to Outlook", n)
			}
			w.untouched("R1", e)
			w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair", 1)})
			if _, err := w.board.Get(a.GUID); err != nil {
				t.Error("the filter took work off the plan")
			}
			w.silent()
		})
	}
}

// Normal to private erases what was copied, everywhere; one poison event does not
// hold up the others, and is not asked for without end.
func TestCase_E25_PrivateErasesAndPoisonWaitsAlone(t *testing.T) {
	t.Parallel()
	for _, choice := range []string{"normal", "normal,private"} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			w, e := clinic(t, 2, options{})
			p := masks
			p.Sensitivity = choice
			w.prefer("R1", p)
			poison := w.outlook("R1", "Poison", 12)
			w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
				if c.Route == "POST /import" && strings.Contains(strings.Join(c.Procedures, ""), "upsertExchange") && c.N%2 == 1 {
					return boardsim.Fault{Status: http.StatusServiceUnavailable}
				}
				return boardsim.Fault{}
			})
			guid := w.board.List(time.Time{}, time.Time{})[0].GUID
			w.must(w.board.Assign(guid, "R2"))
			w.settle()
			w.alter("R1", e.ID, private)
			w.alter("R1", poison.ID, func(e *graphsim.Event) { e.Subject = "Healthy" })
			w.settle()
			w.timers()
			w.speechless()
			w.untouched("R1", e)
			if got := w.inOutlook("R2"); len(got) != 1 || strings.Contains(got[0].Subject, "Zahnarzt") || got[0].Body != "" {
				t.Errorf("the colleague's calendar shows %v", got)
			}
			if got := w.onBoard("R1"); len(got) == 0 || got[len(got)-1].Subject != "Healthy" && got[0].Subject != "Healthy" {
				t.Errorf("the board shows %v", got)
			}
			w.board.SetFault(nil)
			w.silent()
		})
	}
}

// HTML with scripts becomes plain text on the board; what nobody knows of an event
// keeps it off the board, and nothing crashes.
func TestCase_E25_StrangeEventsShowNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Own 👩‍👩‍👧‍👦", BodyType: "html", Start: at(5), End: at(6),
		Body: `<html><head><style>p{}</style><script>alert("x")</script></head><body><p>Hello <b>you</b> 😀</p><script>fetch("//evil")</script></body></html>`})
	w.must(err)
	w.settle()
	w.timers()
	got := w.onBoard("R1")
	if len(got) != 1 || got[0].Subject != "Own 👩‍👩‍👧‍👦" || got[0].Body != "Hello you 😀" {
		t.Errorf("the board shows %q", got)
	}
	w.silent()
}
