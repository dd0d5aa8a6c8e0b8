package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// A person drags the event out of the window: delta says "removed" of what has
// only moved.
func TestRule_R27_AnEventThatLeftTheWindowIsNotDeleted(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	far := 24 * 300 // hours
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, far)
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair", far))
	if _, err := w.board.Get(a.GUID); err != nil {
		t.Error(err)
	}
}

// A deleted event may still answer to its id, from Deleted Items.
func TestRule_R27_ADeletedEventThatCanBeReadIsDeleted(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{graph: graphsim.Behaviour{DeletedReadable: true}})
	w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
	w.settle()
	w.shows("R1")
	w.silent()
}

// A full round does not hold the event, for delta lags, but a GET shows it.
func TestRule_R27_AbsenceFromAListIsNoProof(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(25 * time.Hour) // a full round is owed
	w.graph.Change(func(b *graphsim.Behaviour) { b.DeltaLag = 48 * time.Hour })
	w.must(w.nudge(bus.Read, "R1"))
	w.graph.Change(func(b *graphsim.Behaviour) { b.DeltaLag = 0 })
	w.settle()
	w.shows("R1", planned("Repair", 1))
	w.silent()
}

// The mailbox is being moved: everything in it answers 404, and none of it is gone.
func TestRule_R27_A404OfTheMailboxIsNoDeletion(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]graphsim.MailboxState{
		"moved": graphsim.MailboxMoved, "not enabled": graphsim.MailboxNotEnabled, "user gone": graphsim.UserGone,
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := world1(t, options{})
			e := w.event("R1", "Repair")
			w.must(w.graph.DeleteEvent(email("R1"), e.ID)) // delta says removed, and the GET that is to prove it fails
			w.idle()
			w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
				if r.Event != "" {
					w.must(w.graph.SetMailboxState(email("R1"), state))
				}
				return nil
			})
			w.settle()
			if got := w.onBoard("R1"); len(got) != 1 {
				t.Errorf("the board shows %v while the mailbox says nothing", got)
			}
			w.graph.SetFault(nil)
			w.must(w.graph.SetMailboxState(email("R1"), graphsim.MailboxOK))
			w.advance(7 * time.Hour)
			w.timers()
			w.shows("R1")
			w.silent()
		})
	}
}

// The API key was narrowed: the board lists nothing, with 200, and no
// appointment can be read.
func TestRule_R27_ANarrowedKeyDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{board: boardsim.Options{NarrowedStatus: 403}})
	w.plan("Repair", 1, "R1")
	w.plan("Inspection", 2, "R2")
	w.settle()
	w.board.Narrow("R2")
	for range 3 {
		w.advance(25 * time.Hour) // compared with the board's list
		w.timers()
	}
	w.board.Widen()
	w.shows("R1", planned("Repair", 1))
	w.shows("R2", planned("Inspection", 2))
}

// A board without a GET by id, which never told of its Delete: one list that
// lacks the appointment is none, a second one is the proof.
func TestRule_R27_WithoutAGetTheNextListConfirms(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{board: boardsim.Options{NoGetByID: true}})
	w.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault { return boardsim.AnnounceFault{Drop: true} })
	w.must(w.board.Delete(a.GUID))
	w.idle()
	w.advance(25 * time.Hour)
	w.timers()
	if n := len(w.inOutlook("R1")); n != 1 {
		t.Fatalf("%d events after the first list that lacked it, want 1", n)
	}
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1")
	w.silent()
}

// An old copy of the mailbox is restored: thirty events are missing and no
// tombstone tells. That is no day's work of a person; a person is asked, and all
// else flows on.
func TestRule_R28_ManyMissingEventsAreHeldBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for hour := range 30 {
		w.plan(fmt.Sprintf("Repair %d", hour), hour, "R1")
	}
	w.settle()
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	for i := range 10 {
		w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", fmt.Sprintf("Repair %d", i)).ID))
	}
	w.dragInOutlook("R1", w.event("R1", "Repair 29").ID, 40)
	w.must(w.graph.ResetDelta(email("R1")))
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 0 })
	w.timers()
	w.timers()
	board := w.onBoard("R1")
	if len(board) != 30 {
		t.Errorf("the board shows %d of 30 appointments", len(board))
	}
	if !strings.Contains(fmt.Sprint(board), fmt.Sprint(planned("Repair 29", 40))) {
		t.Error("what was moved meanwhile did not flow on")
	}
	deltas, err := w.mem.Deltas(t.Context(), w.mailbox("R1"), 10)
	w.must(err)
	if len(deltas) == 0 || deltas[0].Kind != "held" || len(w.told("Skipped")) == 0 {
		t.Errorf("nobody is asked: deltas %v", deltas)
	}
}

// A few that are missing are looked at one by one, and go.
func TestRule_R28_AFewMissingEventsAreFollowedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for hour := range 6 {
		w.plan(fmt.Sprintf("Repair %d", hour), hour, "R1")
	}
	w.settle()
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	for i := range 2 {
		w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", fmt.Sprintf("Repair %d", i)).ID))
	}
	w.must(w.graph.ResetDelta(email("R1")))
	w.timers()
	if got := w.onBoard("R1"); len(got) != 4 {
		t.Errorf("the board shows %d appointments, want 4", len(got))
	}
	w.agree()
}

// In this hour the fleet has inferred as many deletions as it may.
func TestRule_R28_TheFleetHasACapPerHour(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
	w.forget()
	w.must(w.graph.ResetDelta(email("R1")))
	w.advance(time.Minute)
	_, err := w.mem.SwapValue(t.Context(), "inferred-deletions", fmt.Sprintf(`{"hour":%q,"count":200}`, w.clock().Format("2006-01-02T15")), "")
	w.must(err)
	w.must(w.nudge(bus.Read, "R1"))
	w.settle()
	if got := w.onBoard("R1"); len(got) != 1 {
		t.Errorf("the board shows %v: one more was inferred", got)
	}
	w.advance(25 * time.Hour) // another hour, and the next full round
	w.timers()
	w.shows("R1")
}

// Thirty deletions that somebody ordered, on either side, are carried out.
func TestRule_R28_OrderedDeletionsAreNotCapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	var plans []boardsim.Appointment
	for hour := range 60 {
		plans = append(plans, w.plan(fmt.Sprintf("Repair %d", hour), hour, "R1"))
	}
	w.settle()
	for i, a := range plans {
		if i%2 == 0 {
			w.must(w.board.Delete(a.GUID))
		} else {
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", a.Subject).ID))
		}
	}
	w.settle()
	w.shows("R1")
	w.silent()
}

// The planner deletes an appointment to whose event people were invited in
// Outlook: they get no cancellation.
func TestRule_R29_AnEventWithAttendeesIsNotDeleted(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	_, err := w.graph.UpdateEvent(email("R1"), w.event("R1", "Repair").ID, func(e *graphsim.Event) {
		e.Attendees = []graphsim.Attendee{{Address: "customer@example.org"}}
	})
	w.must(err)
	w.settle()
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.timers()
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events, want the meeting to stay", n)
	}
	for _, m := range w.graph.Mails() {
		if m.Kind == "cancellation" {
			t.Errorf("the people invited were told that it is cancelled: %v", m)
		}
	}
	if l := w.link("R1", a.GUID); l.State != store.Released {
		t.Errorf("the link is %s", l.State)
	}
	// A person goes on using it: it is not ours any more.
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 5)
	w.settle()
	if n := w.countLive(); n != 0 {
		t.Errorf("%d appointments on the board: it came back", n)
	}
	w.silent()
}

// People are told of the meeting that was left alone.
func TestRule_R29_WhatIsLeftBehindIsListed(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	_, err := w.graph.UpdateEvent(email("R1"), w.event("R1", "Repair").ID, func(e *graphsim.Event) {
		e.Attendees = []graphsim.Attendee{{Address: "customer@example.org"}}
	})
	w.must(err)
	w.settle()
	w.must(w.board.Delete(a.GUID))
	w.settle()
	deltas, err := w.mem.Deltas(t.Context(), w.mailbox("R1"), 10)
	w.must(err)
	if len(deltas) != 1 || deltas[0].Kind != "attendees" {
		t.Errorf("deltas %+v, want the meeting that was left alone", deltas)
	}
}

// The appointment of two resources is taken off one, and then off the board.
func TestRule_R30_WhatTheBoardTakesAwayGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	a := w.plan("Repair", 1, "R1", "R2")
	w.settle()
	w.must(w.board.Unassign(a.GUID, "R1"))
	w.settle()
	w.shows("R1")
	w.shows("R2", planned("Repair", 1))
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.shows("R2")
	w.silent()
}

// One of two people deletes their event: it is their assignment that goes. The
// other does too: then nobody is left.
func TestRule_R31_OneResourceDoesNotDeleteForAll(t *testing.T) {
	t.Parallel()
	for name, o := range boards {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, o)
			a := w.plan("Repair", 1, "R1", "R2")
			w.settle()
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
			w.settle()
			w.shows("R1")
			w.shows("R2", planned("Repair", 1))
			if b, err := w.board.Get(a.GUID); err != nil || len(b.Resources) != 1 {
				t.Errorf("the board shows %v, %v", b, err)
			}
			w.must(w.graph.DeleteEvent(email("R2"), w.event("R2", "Repair").ID))
			w.settle()
			w.shows("R2")
			if n := w.countLive(); n != 0 {
				t.Errorf("%d appointments on the board, though nobody is left", n)
			}
			w.silent()
		})
	}
}
