package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// The round is read, and the findings can not be stored: the delta link has not
// advanced, and the next nudge finds them again.
func TestRule_R16_AFindingIsStoredBeforeTheStreamAdvances(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	failing := true
	w.onStore(func(op string) error {
		if failing && op == "before UpdateLinks" {
			return errors.New("the store is away")
		}
		return nil
	})
	w.advance(time.Minute)
	if err := w.nudge(bus.Read, "R1"); err == nil {
		t.Fatal("the nudge succeeded though nothing could be stored")
	}
	failing = false
	w.forget()
	w.must(w.nudge(bus.Read, "R1"))
	w.settle()
	w.shows("R1", planned("Repair", 4))
}

// The board refuses one of two events for good: the other one arrives, later
// ones too, and people see which was refused.
func TestRule_R16_OneRefusedEventDoesNotBlockTheStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	n := 0
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if n++; c.Route == "POST /import" && n == 1 {
			return boardsim.Fault{Status: http.StatusBadRequest}
		}
		return boardsim.Fault{}
	})
	w.outlook("R1", "Refused", 2)
	w.settle()
	w.outlook("R1", "Dentist", 5)
	w.settle()
	w.shown("the board", "R1", w.onBoard("R1"), []card{born("Dentist", 5)})
	failed := 0
	for _, l := range w.links("R1") {
		if l.State == store.Failed {
			failed++
		}
	}
	if told := w.told("Failed"); failed != 1 || len(told) != 1 {
		t.Errorf("%d failed links and %d failed transactions, want one of each", failed, len(told))
	}
}

// The second page of a full round fails: the calendar is not empty, nothing is
// deleted, and the delta link stays.
func TestRule_R17_AFailedReadIsNotAnEmptyCalendar(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	var want []card
	for hour := range 10 { // more than a page holds
		w.plan("Repair", hour, "R1")
		want = append(want, planned("Repair", hour))
	}
	w.settle()
	before := w.target("R1")
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Query["$skiptoken"] != nil {
			return &graphsim.FaultResponse{Status: http.StatusNotFound, Code: "ErrorItemNotFound"}
		}
		return nil
	})
	w.advance(25 * time.Hour) // a full round is owed
	w.must(w.nudge(bus.Read, "R1"))
	if w.graph.Calls().Of("GET /users/{user}/calendarView/delta") == 0 {
		t.Fatal("nothing was read")
	}
	if after := w.target("R1"); after.DeltaLink != before.DeltaLink || !after.LastRead.Equal(before.LastRead) {
		t.Error("the failed round counts as read")
	}
	w.graph.SetFault(nil)
	w.settle()
	w.timers()
	w.shows("R1", want...)
	w.silent()
}

// Graph forgets the sync state: the same nudge begins a full round, and the
// mailbox does not stand still.
func TestRule_R17_ALostSyncStateBeginsAFullRound(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.must(w.graph.ResetDelta(email("R1")))
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.advance(time.Minute)
	w.settle()
	w.shows("R1", planned("Repair", 4))
	w.silent()
}

// A person drags the event, then the planner does; delta lags and shows the
// person's state after our write.
func TestRule_R18_AStateFromBeforeOurWriteIsDropped(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	w.dragInOutlook("R1", e.ID, 4)
	old, err := w.proc.worker.Calendar.Event(context.Background(), w.mailbox("R1"), e.ID)
	w.must(err)
	w.advance(time.Minute)
	w.drag(a.GUID, 6) // both changed it: the board wins
	w.settle()
	w.shows("R1", planned("Repair", 6))

	tap := w.tap()
	tap.delta = func(ctx context.Context, mailbox, link string, window calendar.Window) (calendar.Round, error) {
		round, err := tap.Calendar.Delta(ctx, mailbox, link, window)
		round.Items = append(round.Items, calendar.Item{Event: old})
		return round, err
	}
	w.advance(time.Minute)
	w.must(w.nudge(bus.Read, "R1"))
	tap.delta = nil
	w.settle()
	w.shows("R1", planned("Repair", 6))
}

// A private event is not ours to know: neither it nor what it says is anywhere.
func TestRule_R19_WhatTheFilterKeepsBackIsStoredNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for hour, e := range []graphsim.Event{
		{Sensitivity: "private"}, {Sensitivity: "confidential"}, {Cancelled: true}, {Response: "declined", Organizer: "boss@example.org"},
		{Sensitivity: "private", Recurrence: &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 3, StartDate: "2026-11-24"}},
	} {
		e.Subject, e.Body, e.Start, e.End = "Zahnarzt", "Wurzel", at(24+hour), at(25+hour)
		_, err := w.graph.CreateEvent(email("R1"), e)
		w.must(err)
	}
	w.settle()
	w.timers()
	if n := w.countLive(); n != 0 || len(w.links("R1")) != 0 {
		t.Errorf("%d appointments and %d links, want none", n, len(w.links("R1")))
	}
	if all := w.kept(); strings.Contains(all, "Zahnarzt") || strings.Contains(all, "Wurzel") {
		t.Error("what the events say is in our tables or logs")
	}
}

// A linked event becomes private, and then says something else: that it left is
// stored, what it says is not.
func TestRule_R19_OfALinkedEventThatLeftOnlyThatItDid(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	_, err := w.graph.UpdateEvent(email("R1"), w.event("R1", "Repair").ID, func(e *graphsim.Event) {
		e.Sensitivity, e.Subject, e.Body = "private", "Zahnarzt", "Wurzel"
	})
	w.must(err)
	w.settle()
	w.timers()
	if all := w.kept(); strings.Contains(all, "Zahnarzt") || strings.Contains(all, "Wurzel") {
		t.Error("what the event says is in our tables or logs")
	}
	if got := w.link("R1", a.GUID).OutlookSeen.Content["sensitivity"]; got != "private" {
		t.Errorf("the link does not know that the event became private: %q", got)
	}
	if got := w.onBoard("R1"); len(got) != 1 || got[0].Subject != "Repair" {
		t.Errorf("the board shows %v", got)
	}
}
