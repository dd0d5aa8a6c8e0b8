package exchange_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// A title that one side hides does not leak, and is not overwritten: what is held
// against what a side shows is that side's own shadow.
func TestRule_R20_AHiddenTitleStaysHiddenWhenTheOtherSideMoves(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	hide := func() { // as a privacy rule will: Outlook shows "Busy", and that is what we saw last
		_, err := w.mem.UpdateLink(t.Context(), w.mailbox("R1"), a.GUID, func(l *store.Link) error {
			l.OutlookSeen.Content = l.OutlookSeen.Content.With(appointment.Content{appointment.Subject: "Busy"})
			return nil
		})
		w.must(err)
		w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
		w.retitle("R1", e.ID, "Busy")
		w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 0 })
	}
	hide()
	w.drag(a.GUID, 3)
	w.settle()
	w.dragInOutlook("R1", e.ID, 4)
	w.settle()
	if got, want := w.onBoard("R1"), planned("Repair", 4); len(got) != 1 || got[0] != want {
		t.Errorf("the board shows %v, want %v", got, want)
	}
	if got, want := w.inOutlook("R1"), planned("Busy", 4); len(got) != 1 || got[0] != want {
		t.Errorf("Outlook shows %v, want %v", got, want)
	}
	w.silent()
}

// Exchange touches each event again after a write, and its notifications come
// several times. Nothing is written for it, and the new etag is kept.
func TestRule_R21_AnEchoWritesNothing(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{graph: graphsim.Behaviour{ExtraUpdates: 2, StageDelay: time.Millisecond}})
	w.settle()
	w.graph.ResetCalls()
	w.board.ResetCalls()
	w.drag(a.GUID, 3)
	w.settle()
	w.timers()
	if n := w.graph.Calls().Writes(); n != 1 {
		t.Errorf("%d writes to Outlook, want 1", n)
	}
	if n := w.board.Calls(); len(n) != 0 {
		t.Errorf("calls to the board %v, want none", n)
	}
	if e, l := w.event("R1", "Repair"), w.link("R1", a.GUID); l.OutlookSeen.ETag != e.ETag() {
		t.Errorf("the link holds etag %s, the event has %s", l.OutlookSeen.ETag, e.ETag())
	}
}

// Both sides move it before either hears of the other.
func TestRule_R21_BothChangedItThePolicyDecidesAndPeopleCanSeeIt(t *testing.T) {
	t.Parallel()
	for _, wins := range []string{"board", "outlook"} {
		t.Run(wins+" wins", func(t *testing.T) {
			w, a := world1(t, options{})
			w.set(exchange.Settings{Wins: map[string]exchange.Settings{"outlook": {Wins: "outlook"}}[wins].Wins})
			w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
			w.drag(a.GUID, 6)
			w.settle()
			w.shows("R1", planned("Repair", map[string]int{"board": 6, "outlook": 4}[wins]))
			told := w.told("Conflict")
			if len(told) != 1 || told[0].Appointment != a.GUID || !strings.Contains(told[0].Text, wins+" wins") {
				t.Errorf("recorded: %v, want one conflict that says who wins", told)
			}
			w.silent()
		})
	}
}

// The sides differ by design: the title is longer than Outlook holds, and
// Exchange shows the body in another form. A move on either side carries the
// time over and nothing else.
func TestRule_R22_ATitleThatOutlookCutsIsNotCutOnTheBoard(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	long := strings.TrimSpace(strings.Repeat("Long title ", 40))
	w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Subject = long }))
	w.settle()
	e := w.graph.Events(email("R1"))[0]
	if e.Subject == long {
		t.Fatal("the sides do not differ")
	}
	_, err := w.graph.MoveEvent(email("R1"), e.ID, at(4), at(5))
	w.must(err)
	w.settle()
	if got := w.onBoard("R1"); len(got) != 1 || !got[0].Start.Equal(at(4)) || got[0].Subject != long {
		t.Errorf("after a move in Outlook the board shows %d characters of %d", len(got[0].Subject), len(long))
	}
	w.drag(a.GUID, 6)
	w.settle()
	if got := w.graph.Events(email("R1")); len(got) != 1 || !got[0].Start.Equal(at(6)) || got[0].Subject != e.Subject {
		t.Errorf("after a move on the board Outlook shows %v", got)
	}
	w.silent()
}

// Deleted in Outlook, and moved on the board at the same time: the planner's
// change is not lost. Exchange answers the transactionId of the deleted event
// with that event, so the new one needs the next generation.
func TestRule_R23_WhatThePlannerChangedIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, reuse := range map[string]graphsim.TransactionReuse{
		"forgotten": graphsim.TransactionForgotten, "returns the deleted": graphsim.TransactionReturnsDeleted, "conflicts": graphsim.TransactionConflicts,
	} {
		t.Run(name, func(t *testing.T) {
			w, a := world1(t, options{graph: graphsim.Behaviour{TransactionAfterDelete: reuse}})
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
			w.drag(a.GUID, 6)
			w.settle()
			w.shows("R1", planned("Repair", 6))
			if told := w.told("Conflict"); len(told) != 1 {
				t.Errorf("recorded: %v, want one conflict", told)
			}
			w.silent()
		})
	}
}

// Moved in Outlook, and deleted on the board at the same time: it is gone, and
// our write does not bring it back.
func TestRule_R23_WhatThePlannerDeletedStaysDeleted(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.shows("R1")
	if n := w.countLive(); n != 0 {
		t.Errorf("%d appointments on the board", n)
	}
	w.silent()
}

// The planner renames it, and we have not heard of it yet; a person moves it. The
// board is read before it is written: both changes survive.
func TestRule_R24_TheBoardIsReadBeforeItIsWritten(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault { return boardsim.AnnounceFault{Drop: true} })
	w.rename(a.GUID, "Repair, ring twice")
	w.idle()
	w.board.SetAnnounceFault(nil)
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.settle()
	w.shows("R1", planned("Repair, ring twice", 4))
	w.silent()
}

// The planner deletes it, and that is never told; a person moves it. What is gone
// is not written.
func TestRule_R24_AWriteDoesNotReviveWhatTheBoardDeleted(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.readsByID()
	w.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault { return boardsim.AnnounceFault{Drop: true} })
	w.must(w.board.Delete(a.GUID))
	w.idle()
	w.board.SetAnnounceFault(nil)
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.settle()
	w.shows("R1", born("Other", 20))
	if n := w.countLive(); n != 1 {
		t.Errorf("%d appointments on the board, want the other one: it was brought back", n)
	}
	w.silent()
}

// A person moves the event twice. The first move is written to the board, but
// reading it back fails; the board's echo of the first must not undo the second.
func TestRule_R24_OurFirstEchoDoesNotUndoThePersonsSecondEdit(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	e := w.event("R1", "Repair")
	written := false
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		switch {
		case c.Route == "POST /import" && !written:
			written = true
			w.dragInOutlook("R1", e.ID, 8) // before the first is read back
		case written && c.Route != "POST /import":
			return boardsim.Fault{Status: http.StatusInternalServerError}
		}
		return boardsim.Fault{}
	})
	w.advance(time.Minute)
	w.dragInOutlook("R1", e.ID, 4)
	for range 6 {
		w.idle()
		w.deliver()
	}
	if !written {
		t.Fatal("the first move was not written")
	}
	w.board.SetFault(nil)
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair", 8))
	w.silent()
}
