package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// An appointment that one side shows as out of office moves on the board. The
// message says nothing of show-as: it stays what it is. A new one is busy.
func TestRule_R9_WhatTheBoardDoesNotSayStays(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	if e.ShowAs != "busy" || e.Sensitivity != "normal" {
		t.Errorf("a new event shows %s, %s", e.ShowAs, e.Sensitivity)
	}
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.ShowAs, e.Sensitivity = "oof", "personal" })
	w.must(err)
	w.settle()
	w.drag(a.GUID, 3)
	w.settle()
	w.shows("R1", planned("Repair", 3))
	if e := w.event("R1", "Repair"); e.ShowAs != "oof" || e.Sensitivity != "personal" {
		t.Errorf("after a move on the board it shows %s, %s", e.ShowAs, e.Sensitivity)
	}
	w.silent()
}

// A board that sends one flat message for each resource: none of them unassigns
// the others.
func TestRule_R9_AMessageForOneResourceSpeaksForItOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, options{board: boardsim.Options{FlatMessages: true}})
	a := w.plan("Repair", 1, "R1", "R2")
	w.settle()
	w.shows("R1", planned("Repair", 1))
	w.shows("R2", planned("Repair", 1))
	w.drag(a.GUID, 3)
	w.settle()
	w.must(w.board.Reassign(a.GUID, "R1", "R3"))
	w.settle()
	w.shows("R1")
	w.shows("R2", planned("Repair", 3))
	w.shows("R3", planned("Repair", 3))
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.agree()
	w.silent()
}

// One of two people moves their event. The board does not announce what is
// written by its API, and still the other one's calendar follows.
func TestRule_R10_WhatOneMovesReachesTheOthers(t *testing.T) {
	t.Parallel()
	for name, o := range boards {
		t.Run(name, func(t *testing.T) {
			o.board.SilentAPIWrites = true
			w := newWorld(t, 2, o)
			w.plan("Repair", 1, "R1", "R2")
			w.settle()
			w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
			w.settle()
			w.shows("R1", planned("Repair", 4))
			w.shows("R2", planned("Repair", 4))
			w.silent()
		})
	}
}

// What the board never told of is found by the daily comparison, for every
// mailbox that it concerns.
func TestRule_R10_WhatWasNeverToldIsFoundByTheBaseline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, options{})
	a := w.plan("Repair", 1, "R1", "R2")
	b := w.plan("Inspection", 2, "R1")
	w.settle()
	w.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault { return boardsim.AnnounceFault{Drop: true} })
	w.drag(a.GUID, 4)
	w.must(w.board.Reassign(a.GUID, "R1", "R3"))
	w.must(w.board.Delete(b.GUID))
	w.plan("New", 6, "R2")
	w.idle()
	w.board.SetAnnounceFault(nil)
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1")
	w.shows("R2", planned("Repair", 4), planned("New", 6))
	w.shows("R3", planned("Repair", 4))
	w.silent()
}

// The planner's Delete was never told. One of two people moves their event, and
// we see that the appointment is gone: it goes from the other's calendar too.
func TestRule_R10_WhatOneFindsDeletedIsGoneForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	a := w.plan("Repair", 1, "R1", "R2")
	w.readsByID()
	w.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault { return boardsim.AnnounceFault{Drop: true} })
	w.must(w.board.Delete(a.GUID))
	w.idle()
	w.board.SetAnnounceFault(nil)
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.settle()
	w.shows("R1", born("Other", 20))
	w.shows("R2")
	w.silent()
}

// Show-as and sensitivity are a person's own: they reach no other's calendar.
func TestRule_R35_HowOnePersonShowsItIsNobodyElsesAffair(t *testing.T) {
	t.Parallel()
	for name, o := range boards {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, o)
			a := w.plan("Repair", 1, "R1", "R2")
			w.settle()
			_, err := w.graph.UpdateEvent(email("R1"), w.event("R1", "Repair").ID, func(e *graphsim.Event) {
				e.ShowAs, e.Sensitivity = "oof", "personal"
				e.Start, e.End = at(4), at(5)
			})
			w.must(err)
			w.settle()
			w.rename(a.GUID, "Repair, ring twice")
			w.settle()
			w.timers()
			for no, want := range map[string][2]string{"R1": {"oof", "personal"}, "R2": {"busy", "normal"}} {
				w.shows(no, planned("Repair, ring twice", 4))
				if e := w.event(no, "Repair, ring twice"); e.ShowAs != want[0] || e.Sensitivity != want[1] {
					t.Errorf("%s shows %s, %s, want %v", no, e.ShowAs, e.Sensitivity, want)
				}
			}
			w.silent()
		})
	}
}

// A licence is taken away over the weekend. Nothing is deleted anywhere, the
// mailbox is asked less and less, and when it is back all that happened
// meanwhile on either side comes together, though Graph told of none of it.
func TestRule_R39_ASuspendedMailboxLosesNothing(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]graphsim.MailboxState{
		"not enabled": graphsim.MailboxNotEnabled, "denied": graphsim.MailboxAccessDenied, "user gone": graphsim.UserGone,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, options{})
			moves, goes := w.plan("Moves", 1, "R1", "R2"), w.plan("Goes", 2, "R1")
			w.plan("Deleted there", 3, "R1")
			w.settle()
			w.must(w.graph.SetMailboxState(email("R1"), state))
			w.drag(moves.GUID, 5)
			w.must(w.board.Delete(goes.GUID))
			w.plan("Comes", 6, "R1")
			w.settle()
			w.shows("R2", planned("Moves", 5)) // nobody else waits
			row := w.target("R1")
			if row.SuspendedSince.IsZero() || row.SuspendedReason == "" {
				t.Errorf("not suspended: %+v", row)
			}
			w.graph.ResetCalls()
			began := w.clock()
			for range 8 {
				w.timers() // hours each
			}
			probes := map[time.Time]bool{}
			for _, r := range w.graph.Requests() {
				if r.Status >= 400 {
					probes[r.At] = true
				}
			}
			took := w.clock().Sub(began)
			if n := len(probes); n == 0 || n > int(took/(15*time.Minute)) {
				t.Errorf("the suspended mailbox was asked %d times in %s, want one each quarter of an hour at most", n, took)
			}
			if got := w.onBoard("R1"); len(got) != 3 {
				t.Errorf("the board shows %v: something was taken off while the mailbox was away", got)
			}
			w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Deleted there").ID))
			w.must(w.graph.SetMailboxState(email("R1"), graphsim.MailboxOK))
			w.graph.ResetCalls()
			for range 8 {
				w.timers()
			}
			w.shows("R1", planned("Moves", 5), planned("Comes", 6))
			if row := w.target("R1"); !row.SuspendedSince.IsZero() {
				t.Error("still suspended")
			}
			full := false
			for _, r := range w.graph.Requests() {
				full = full || strings.Contains(r.Path, w.mailbox("R1")) && r.Query["startDateTime"] != nil && strings.Contains(r.Path, "delta")
			}
			if !full {
				t.Error("it was resumed without a full round")
			}
			w.silent()
		})
	}
}

// An older version of this program, which did not know importance, wrote the
// links, and the sides differ in it. This one adopts the field and rewrites no
// calendar.
func TestRule_R40_AFieldThatAShadowLacksIsAdoptedWithoutWriting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for hour := range 3 {
		w.plan("Repair", hour, "R1")
	}
	w.settle()
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	for _, e := range w.graph.Events(email("R1")) {
		_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Importance = "high" })
		w.must(err)
	}
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 0 })
	for _, l := range w.links("R1") {
		_, err := w.mem.UpdateLink(t.Context(), l.Target, l.Appointment, func(l *store.Link) error {
			for _, c := range []appointment.Content{l.Wanted.Content, l.BoardSeen.Content, l.OutlookSeen.Content} {
				delete(c, appointment.Importance)
			}
			return nil
		})
		w.must(err)
	}
	w.graph.ResetCalls()
	w.board.ResetCalls()
	w.advance(25 * time.Hour) // both sides are compared as a whole
	w.timers()
	if n := w.graph.Calls().Writes(); n != 0 {
		t.Errorf("%d writes to Outlook", n)
	}
	if n := w.board.Calls()["POST /import"]; n != 0 {
		t.Errorf("%d writes to the board", n)
	}
	for _, e := range w.graph.Events(email("R1")) {
		if e.Importance != "high" {
			t.Error("the calendar was rewritten")
		}
	}
}

// The same for what the board is held against: a field that its shadow lacks is
// not the planner's change, and a person's deletion stands.
func TestRule_R40_AFieldThatAShadowLacksIsNoPlannersChange(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	_, err := w.mem.UpdateLink(t.Context(), w.mailbox("R1"), a.GUID, func(l *store.Link) error {
		delete(l.BoardSeen.Content, appointment.Importance)
		return nil
	})
	w.must(err)
	w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
	w.settle()
	w.shows("R1")
	if told := w.told("Conflict"); len(told) != 0 {
		t.Errorf("a conflict was recorded: %v", told)
	}
}

// During a deployment two processes of two versions take messages in turn.
func TestRule_R40_TwoProcessesSideBySideAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	old := w.proc
	w.start()
	fresh := w.proc
	for i := range 8 {
		a := w.plan(fmt.Sprintf("Repair %d", i), i, "R1", "R2")
		w.idle()
		for n := 0; w.deliver() && n < 5; n++ {
			w.proc = []*process{old, fresh}[(i+n)%2]
			w.idle()
		}
		w.drag(a.GUID, 20+i)
		e := w.outlook("R2", fmt.Sprintf("Own %d", i), 10+i)
		w.retitle("R2", e.ID, fmt.Sprintf("Own %d again", i))
	}
	w.settle()
	w.timers()
	w.agree()
	if n := w.countLive(); n != 16 {
		t.Errorf("%d appointments, want 16", n)
	}
	w.silent()
}
