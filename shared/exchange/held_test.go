package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/google/go-cmp/cmp"
)

// restored is a world in which thirty events are planned and ten of them are
// missing from Outlook without a word, as after an old copy was restored.
func restored(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 1, options{})
	for hour := range 30 {
		w.plan(fmt.Sprintf("Repair %02d", hour), hour, "R1")
	}
	w.settle()
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	for i := range 10 {
		w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", fmt.Sprintf("Repair %02d", i)).ID))
	}
	w.must(w.graph.ResetDelta(email("R1")))
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 0 })
	w.timers()
	return w
}

// fewer is a board whose list shows nothing while none is set.
type fewer struct {
	exchange.Board
	none bool
}

func (f *fewer) Appointments(ctx context.Context, from, to time.Time, resources []string) ([]appointment.Appointment, error) {
	if f.none {
		return nil, nil
	}
	return f.Board.Appointments(ctx, from, to, resources)
}

// emptyRound is a calendar whose full rounds show nothing, though all is there.
func emptyRound(t *tap) func(context.Context, string, string, calendar.Window) (calendar.Round, error) {
	return func(ctx context.Context, mailbox, link string, w calendar.Window) (calendar.Round, error) {
		r, err := t.Calendar.Delta(ctx, mailbox, link, w)
		if r.Full {
			r.Items = nil
		}
		return r, err
	}
}

func (w *world) held() []exchange.HeldBack {
	w.t.Helper()
	held, err := w.desk().Held(context.Background(), w.mailbox("R1"))
	w.must(err)
	return held
}

// What is held back can be looked at: which, why, since when, how many.
func TestRule_R28_APersonSeesWhatIsHeldBack(t *testing.T) {
	t.Parallel()
	w := restored(t)
	held := w.held()
	if len(held) != 10 {
		t.Fatalf("%d are held back, want 10", len(held))
	}
	for _, h := range held {
		if h.Side != "outlook" || h.Reason == "" || h.Suspected != 10 || h.Linked != 30 || h.Since.IsZero() || h.Start.IsZero() {
			t.Errorf("it does not say enough: %+v", h)
		}
	}
	since := held[0].Since
	w.advance(25 * time.Hour)
	w.timers()
	if held := w.held(); len(held) != 10 || !held[0].Since.Equal(since) {
		t.Errorf("a day later %d are held back, the first since %s; want the same ten since %s", len(held), held[0].Since, since)
	}
	rows, err := w.desk().Deltas(context.Background(), exchange.DeltaFilter{Kind: "held"})
	w.must(err)
	if len(rows) != 1 || rows[0].Email != email("R1") {
		t.Errorf("the deltas say %+v, want one row", rows)
	}
}

// A person releases them: they go, each proved first; the one that is there after
// all stays.
func TestRule_R28_WhatAPersonReleasesGoes(t *testing.T) {
	t.Parallel()
	w := restored(t)
	n, err := w.desk().ReleaseHeld(context.Background(), "admin", w.mailbox("R1"))
	w.must(err)
	if n != 10 {
		t.Errorf("%d released, want 10", n)
	}
	w.settle()
	w.timers()
	if n := len(w.onBoard("R1")); n != 20 {
		t.Errorf("the board shows %d appointments, want 20", n)
	}
	if n := len(w.inOutlook("R1")); n != 20 {
		t.Errorf("Outlook shows %d events, want 20", n)
	}
	if held := w.held(); len(held) != 0 {
		t.Errorf("%d are still held back", len(held))
	}
	if n, err := w.desk().ReleaseHeld(context.Background(), "admin", w.mailbox("R1")); n != 0 || err != nil {
		t.Errorf("a second release: %d, %v", n, err)
	}
	w.silent()
}

// A release is no proof: an event that can be read is not taken off the board.
func TestRule_R28_AReleaseIsStillProved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for hour := range 10 {
		w.plan(fmt.Sprintf("Repair %02d", hour), hour, "R1")
	}
	w.settle()
	tap := w.tap()
	tap.delta = emptyRound(tap)
	w.advance(25 * time.Hour)
	w.timers()
	if n := len(w.held()); n != 10 {
		t.Fatalf("%d are held back, want 10", n)
	}
	if _, err := w.desk().ReleaseHeld(context.Background(), "admin", w.mailbox("R1")); err != nil {
		t.Fatal(err)
	}
	w.settle()
	tap.delta = nil
	w.timers()
	if b, o := len(w.onBoard("R1")), len(w.inOutlook("R1")); b != 10 || o != 10 {
		t.Errorf("%d on the board, %d in Outlook: all ten were there all the time", b, o)
	}
}

// A person refuses: the appointments stay, what is gone from Outlook is made
// again, and nobody is asked for the same ones.
func TestRule_R28_WhatAPersonRefusesStays(t *testing.T) {
	t.Parallel()
	w := restored(t)
	n, err := w.desk().RefuseHeld(context.Background(), "admin", w.mailbox("R1"))
	w.must(err)
	if n != 10 {
		t.Errorf("%d refused, want 10", n)
	}
	w.settle()
	for range 2 {
		w.advance(25 * time.Hour)
		w.timers()
	}
	if d := cmp.Diff(w.onBoard("R1"), w.inOutlook("R1")); d != "" || len(w.inOutlook("R1")) != 30 {
		t.Errorf("board and Outlook differ, or show %d of 30:\n%s", len(w.inOutlook("R1")), d)
	}
	if held := w.held(); len(held) != 0 {
		t.Errorf("a person is asked again for %d", len(held))
	}
	w.silent()
}

// The board's list lacks ten that it still has (a key that may see less): held
// back; refused, nothing is deleted and nobody is asked again; once they are
// listed again, a later absence counts anew.
func TestRule_R28_TheBoardsListIsHeldBackToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for hour := range 10 {
		w.plan(fmt.Sprintf("Repair %02d", hour), hour, "R1")
	}
	w.settle()
	lists := &fewer{Board: w.proc.worker.Board, none: true}
	w.proc.worker.Board = lists
	day := func() { w.advance(25 * time.Hour); w.timers() }
	day()
	held := w.held()
	if len(held) != 10 || held[0].Side != "board" {
		t.Fatalf("%d are held back: %+v", len(held), held)
	}
	if _, err := w.desk().RefuseHeld(context.Background(), "admin", w.mailbox("R1")); err != nil {
		t.Fatal(err)
	}
	day()
	if n := len(w.held()); n != 0 {
		t.Errorf("a person is asked again for %d", n)
	}
	if rows, err := w.desk().Deltas(context.Background(), exchange.DeltaFilter{Kind: "held"}); err != nil || len(rows) != 0 {
		t.Errorf("a person is asked again: %+v, %v", rows, err)
	}
	lists.none = false
	day()
	lists.none = true
	day()
	if n := len(w.held()); n != 10 {
		t.Errorf("%d are held back after they were seen and missed again, want 10", n)
	}
	if n := len(w.inOutlook("R1")); n != 10 {
		t.Errorf("%d events in Outlook, want all 10", n)
	}
}

// A row disappears by itself when its event is gone; one that a person deletes
// stays away, and the calendar is not touched.
func TestDeltasComeAndGo(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) {
		e.Attendees = []graphsim.Attendee{{Address: "customer@example.org"}}
	})
	w.must(err)
	w.settle()
	w.must(w.board.Delete(a.GUID))
	w.settle()
	ctx := context.Background()
	rows, err := w.desk().Deltas(ctx, exchange.DeltaFilter{Mailbox: w.mailbox("R1")})
	w.must(err)
	if len(rows) != 1 || rows[0].Kind != "attendees" || !rows[0].Start.Equal(at(1)) || strings.Contains(rows[0].Text, "Repair") {
		t.Fatalf("%+v, want the meeting that was left alone, with its time and without its words", rows)
	}
	for filter, want := range map[exchange.DeltaFilter]int{
		{Kind: "time"}: 0, {Text: "ATTENDEES"}: 1, {From: at(2)}: 0, {To: at(1)}: 0, {From: at(1), To: at(2)}: 1, {Mailbox: "other"}: 0,
	} {
		if got, err := w.desk().Deltas(ctx, filter); err != nil || len(got) != want {
			t.Errorf("%+v: %d rows, %v; want %d", filter, len(got), err, want)
		}
	}
	if err := w.desk().DeleteDeltas(ctx, "admin", exchange.DeltaKey{Mailbox: rows[0].Mailbox}); err == nil {
		t.Error("a row that is not named is deleted")
	}
	w.must(w.desk().DeleteDeltas(ctx, "admin", exchange.DeltaKey{Mailbox: rows[0].Mailbox, Event: rows[0].Event}, exchange.DeltaKey{Mailbox: "no", Event: "such"}))
	w.advance(25 * time.Hour)
	w.timers()
	if rows, err := w.desk().Deltas(ctx, exchange.DeltaFilter{}); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v: it is back though nothing new was seen", rows, err)
	}
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events in the calendar: a row was deleted, nothing else", n)
	}
}

// TestDeltasGoWithTheirEvent: nobody has to clean up what is over.
func TestDeltasGoWithTheirEvent(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) {
		e.Attendees = []graphsim.Attendee{{Address: "customer@example.org"}}
	})
	w.must(err)
	w.settle()
	w.must(w.board.Delete(a.GUID))
	w.settle()
	if rows, err := w.desk().Deltas(context.Background(), exchange.DeltaFilter{}); err != nil || len(rows) != 1 {
		t.Fatalf("%+v, %v", rows, err)
	}
	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.settle()
	if rows, err := w.desk().Deltas(context.Background(), exchange.DeltaFilter{}); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v: the event is gone", rows, err)
	}
}
