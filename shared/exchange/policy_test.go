package exchange_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// What a resource may do to a planned appointment in Outlook, seen on both sides.
func TestResourcesMay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		may  exchange.Permission
		want card // after the resource has moved and retitled it
		told int  // conflicts that are recorded
	}{
		{"", planned("Repair, ring twice", 4), 0},
		{exchange.MayChange, planned("Repair, ring twice", 4), 0},
		{exchange.MayTime, planned("Repair", 4), 1},
		{exchange.MayNothing, planned("Repair", 1), 2},
		{"whatever", planned("Repair", 1), 2},
	} {
		for kind, o := range boards {
			t.Run(string(c.may)+", "+kind, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 2, o)
				a := w.plan("Repair", 1, "R1", "R2")
				w.set(exchange.Settings{ResourcesMay: c.may})
				w.settle()
				e := w.event("R1", "Repair")
				w.alter("R1", e.ID, func(e *graphsim.Event) {
					e.Subject, e.Start, e.End, e.ShowAs, e.Sensitivity = "Repair, ring twice", at(4), at(5), "oof", "personal"
				})
				w.settle()
				w.timers()
				w.shows("R1", c.want)
				w.shows("R2", c.want)
				if got, _ := w.graph.Event(email("R1"), e.ID); got.ShowAs != "oof" || got.Sensitivity != "personal" {
					t.Errorf("how the person shows it was changed: %s, %s", got.ShowAs, got.Sensitivity)
				}
				told := w.told("Conflict")
				if len(told) != c.told {
					t.Errorf("recorded %v, want %d conflicts", told, c.told)
				}
				for _, x := range told {
					if x.Appointment != a.GUID || x.Code != "DSEX041" || !strings.Contains(x.Text, "restored") || strings.Count(x.Text, "oard ")+strings.Count(x.Text, "Outlook ") < 2 {
						t.Errorf("recorded %+v", x)
					}
				}
				moved := c.want.Start.Equal(at(4))
				n := w.board.Notifications()
				if moved && (len(n) != 1 || n[0].AppointmentGUID != a.GUID || !strings.Contains(n[0].Text, "time")) || !moved && len(n) != 0 {
					t.Errorf("the planner is told %v", n)
				}
				w.silent()
			})
		}
	}
}

// Deleting is a change of the assignment: where resources may not change that, the
// event is there again.
func TestResourcesMayDelete(t *testing.T) {
	t.Parallel()
	for _, may := range []exchange.Permission{exchange.MayChange, exchange.MayTime, exchange.MayNothing} {
		t.Run(string(may), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2, options{})
			a := w.plan("Repair", 1, "R1", "R2")
			w.set(exchange.Settings{ResourcesMay: may})
			w.settle()
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
			w.settle()
			w.timers()
			if may == exchange.MayChange {
				w.shows("R1")
				if n := w.board.Notifications(); len(n) != 1 || n[0].AppointmentGUID != a.GUID {
					t.Errorf("the planner is told %v", n)
				}
			} else {
				w.shows("R1", planned("Repair", 1))
				if told := w.told("Conflict"); len(told) != 1 || told[0].Code != "DSEX041" {
					t.Errorf("recorded %v", told)
				}
			}
			w.shows("R2", planned("Repair", 1))
			w.silent()
		})
	}
}

// What a person made in Outlook is theirs, whatever the policy says of the plan.
func TestThePolicyIsForPlannedAppointments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.set(exchange.Settings{ResourcesMay: exchange.MayNothing})
	e := w.outlook("R1", "Own", 5)
	w.settle()
	w.alter("R1", e.ID, func(e *graphsim.Event) { e.Subject, e.Start, e.End = "Mine", at(7), at(8) })
	w.settle()
	w.shows("R1", born("Mine", 7))
	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.settle()
	w.shows("R1")
	w.silent()
}

// The process dies at any call while an edit is restored.
func TestRestoringSurvivesAKillAtAnyCall(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(t, 1, options{})
		w.plan("Repair", 1, "R1")
		w.set(exchange.Settings{ResourcesMay: exchange.MayTime})
		w.settle()
		w.advance(time.Minute)
		w.mu.Lock()
		w.dieAt, w.diesAfter = w.calls+n, n%2 == 0
		w.mu.Unlock()
		w.alter("R1", w.event("R1", "Repair").ID, func(e *graphsim.Event) { e.Subject, e.Start, e.End = "Mine", at(4), at(5) })
		w.settle()
		w.mu.Lock()
		w.dieAt = 0
		w.mu.Unlock()
		w.revive()
		w.timers()
		w.shows("R1", planned("Repair", 4))
		w.silent()
		if t.Failed() {
			w.dump()
			t.Fatalf("killed at call %d", n)
		}
		if w.crashes == 0 {
			return
		}
	}
}

// One direction is off: nothing flows there, the other goes on. On again: what
// happened meanwhile comes over, once.
func TestToBoardOffAndOnAgain(t *testing.T) {
	t.Parallel()
	for kind, o := range boards {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, o)
			a, b, c := w.plan("Repair", 1, "R1"), w.plan("Inspection", 2, "R1"), w.plan("Survey", 3, "R1")
			own := w.outlook("R1", "Own", 10)
			w.settle()
			w.advance(time.Minute)
			w.set(exchange.Settings{ToBoardOff: true})
			w.board.ResetCalls()
			w.dragInOutlook("R1", w.event("R1", "Repair").ID, 5)
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Inspection").ID))
			w.outlook("R1", "New", 12)
			w.alter("R1", own.ID, private)
			w.settle()
			w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Subject = "Repair pump" }))
			w.drag(c.GUID, 7)
			w.settle()
			w.timers()
			w.advance(25 * time.Hour)
			w.timers()
			if n := w.board.Calls()["POST /import"]; n != 0 {
				t.Errorf("%d writes to the board", n)
			}
			w.shown("Outlook", "R1", w.inOutlook("R1"), []card{planned("Repair pump", 5), planned("Survey", 7), born("Own", 10), born("New", 12)})
			w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair pump", 1), planned("Inspection", 2), planned("Survey", 7), born("Own", 10)})

			w.set(exchange.Settings{})
			w.timers()
			w.advance(25 * time.Hour)
			w.timers()
			w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair pump", 5), planned("Survey", 7), born("New", 12)})
			w.shown("Outlook", "R1", w.inOutlook("R1"), []card{planned("Repair pump", 5), planned("Survey", 7), born("Own", 10), born("New", 12)})
			if _, err := w.board.Get(b.GUID); err == nil && len(w.onBoard("R1")) > 3 {
				t.Error("what was deleted in Outlook is still planned")
			}
			w.silent()
		})
	}
}

func TestToOutlookOffAndOnAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	a, b := w.plan("Repair", 1, "R1"), w.plan("Inspection", 2, "R1")
	w.settle()
	e := w.event("R1", "Inspection")
	w.set(exchange.Settings{ToOutlookOff: true})
	w.graph.ResetCalls()
	w.drag(a.GUID, 5)
	w.plan("New", 7, "R1")
	w.must(w.board.Delete(b.GUID))
	w.outlook("R1", "Own", 10)
	w.settle()
	w.timers()
	if n := w.graph.Calls().Writes(); n != 0 {
		t.Errorf("%d writes to Outlook", n)
	}
	w.untouched("R1", e)
	if got := w.onBoard("R1"); len(got) != 3 {
		t.Errorf("the other direction does not go on: the board shows %v", got)
	}
	w.set(exchange.Settings{})
	w.timers()
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1", planned("Repair", 5), planned("New", 7), born("Own", 10))
	w.silent()
}

// Reminders are off unless they are set, and a person's own stays.
func TestReminders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.plan("Off", 1, "R1")
	w.settle()
	w.set(exchange.Settings{ReminderMinutes: new(15)})
	a := w.plan("On", 2, "R1")
	w.settle()
	if off, on := w.event("R1", "Off"), w.event("R1", "On"); !off.ReminderOff || on.ReminderOff || on.ReminderMinutes != 15 {
		t.Errorf("without the setting off is %t, with it %t, %d minutes", off.ReminderOff, on.ReminderOff, on.ReminderMinutes)
	}
	w.alter("R1", w.event("R1", "On").ID, func(e *graphsim.Event) { e.ReminderMinutes = 60 })
	w.settle()
	w.drag(a.GUID, 6)
	w.settle()
	if e := w.event("R1", "On"); e.ReminderMinutes != 60 || !e.Start.Equal(at(6)) {
		t.Errorf("after a move: %d minutes, %s", e.ReminderMinutes, e.Start)
	}
}

// Copies of somebody else's meeting are read, and never written.
func TestCopiesOfMeetingsAreNotWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Kick-off", Start: at(5), End: at(6), Organizer: "boss@example.org",
		Attendees: []graphsim.Attendee{{Address: email("R1")}}, Response: "accepted"})
	w.must(err)
	w.settle()
	w.shows("R1", born("Kick-off", 5))
	w.graph.ResetCalls()
	w.drag(w.board.List(time.Time{}, time.Time{})[0].GUID, 8)
	w.settle()
	w.timers()
	if n := w.graph.Calls().Writes(); n != 0 || len(w.graph.Mails()) != 0 {
		t.Errorf("%d writes, %d mails", n, len(w.graph.Mails()))
	}
	if l := w.links("R1"); len(l) != 1 || l[0].State != store.Skipped {
		t.Errorf("the link says %v", l)
	}
}
