package exchange_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/google/go-cmp/cmp"
)

// The window of a world's first day, with the defaults.
var (
	windowStart = time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)
	windowEnd   = time.Date(2027, 5, 23, 0, 0, 0, 0, time.UTC)
)

// shownOnBoard are the subjects that the board shows, ever.
func (w *world) shownOnBoard() []string {
	var out []string
	for _, a := range w.board.List(start.AddDate(-2, 0, 0), start.AddDate(2, 0, 0)) {
		out = append(out, a.Subject)
	}
	slices.Sort(out)
	return out
}

// The sync state is lost in the middle of a round's pages, while events were
// changed, deleted and made: no page of it counts, and the full round that follows
// finds them all. What lies outside of the window is not missed.
func TestCase_E13_TheSyncStateIsLostBetweenPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	var ids []string
	for i := range 20 { // three pages of seven
		ids = append(ids, w.outlook("R1", fmt.Sprintf("own %02d", i), i).ID)
	}
	w.series("R1", "Round", 30, daily(3))
	far := w.plan("Far", 24*300, "R1")
	w.settle()
	w.agree()
	before := map[string]string{}
	for _, l := range w.links("R1") {
		before[l.OutlookSeen.EventID] = l.Appointment
	}

	lost := 0
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Query["$skiptoken"] != nil && lost < 2 { // once in the round, and once in the full one
			lost++
			return &graphsim.FaultResponse{Status: http.StatusGone, Code: "syncStateNotFound"}
		}
		return nil
	})
	for i, id := range ids {
		switch {
		case i < 2:
			w.must(w.graph.DeleteEvent(email("R1"), id))
		case i < 12:
			w.dragInOutlook("R1", id, 50+i)
		}
	}
	w.must(w.graph.DeleteEvent(email("R1"), w.occurrence("R1", 30).ID))
	w.outlook("R1", "new", 90)
	w.settle()
	w.timers()
	if lost != 2 {
		t.Fatalf("the state was lost %d times", lost)
	}
	w.agree()
	if n := w.countLive(); n != 18+2+1+1 {
		t.Errorf("%d appointments", n)
	}
	for _, l := range w.links("R1") {
		if was, ok := before[l.OutlookSeen.EventID]; ok && was != l.Appointment {
			t.Errorf("%s is another appointment now", l.OutlookSeen.Content)
		}
	}
	if _, err := w.board.Get(far.GUID); err != nil {
		t.Errorf("what lies outside of the window was missed: %v", err)
	}
	w.silent()
}

// One rule at both edges: half-open, in UTC, for events, all-day events, occurrences
// and the board's list alike; and nothing flaps there.
func TestCase_E14_WindowEdges(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, zone := range []string{"UTC", "America/Los_Angeles", "Pacific/Kiritimati"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{zone: zone})
			put := func(subject string, from, to time.Time) {
				_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: subject, Start: from, End: to})
				w.must(err)
			}
			put("out: ends when it begins", windowStart.Add(-time.Hour), windowStart)
			put("in: a minute of it", windowStart.Add(-time.Hour), windowStart.Add(time.Minute))
			put("in: begins with it", windowStart, windowStart.Add(time.Hour))
			put("in: a moment at its begin", windowStart, windowStart)
			put("in: ends with it", windowEnd.Add(-time.Hour), windowEnd)
			put("in: a minute before its end", windowEnd.Add(-time.Minute), windowEnd.Add(time.Hour))
			put("out: begins when it ends", windowEnd, windowEnd.Add(time.Hour))
			put("out: a moment at its end", windowEnd, windowEnd)
			put("in: all of it and more", windowStart.Add(-40*day), windowEnd.Add(40*day))
			want := []string{"in: a minute of it", "in: begins with it", "in: a moment at its begin", "in: ends with it", "in: a minute before its end", "in: all of it and more"}
			for n := -2; n <= 1; n++ {
				first := windowStart.AddDate(0, 0, n)
				subject := "all-day " + first.Format(time.DateOnly)
				w.dayOff("R1", subject, first.Format(time.DateOnly), first.AddDate(0, 0, 1).Format(time.DateOnly))
				if w.midnight(first.AddDate(0, 0, 1)).After(windowStart) {
					want = append(want, subject)
				}
			}
			_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "round", Start: windowStart.Add(-25 * time.Hour), End: windowStart.Add(-24 * time.Hour),
				Recurrence: &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 4}}) // the second ends when the window begins
			w.must(err)
			want = append(want, "round", "round")
			w.settle()
			slices.Sort(want)
			if d := cmp.Diff(want, w.shownOnBoard()); d != "" {
				t.Errorf("the board shows (-want +got)\n%s", d)
			}
			w.silent()

			// The window slides: what it leaves stays, what it reaches comes, and
			// nothing comes twice.
			for range 5 {
				w.advance(25 * time.Hour)
				w.timers()
			}
			want = append(want, "out: begins when it ends", "out: a moment at its end")
			slices.Sort(want)
			if d := cmp.Diff(want, w.shownOnBoard()); d != "" {
				t.Errorf("five days later the board shows (-want +got)\n%s", d)
			}
			if n := len(w.graph.DeletedEvents(email("R1"))); n != 0 {
				t.Errorf("%d events deleted", n)
			}
			w.silent()
		})
	}
}

// What the window has left is left alone, and followed all the same.
func TestCase_E11_LeavingTheWindowIsNoDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.set(exchange.Settings{DaysBack: 2, DaysAhead: 20})
	e := w.outlook("R1", "Dentist", 1)
	a := w.plan("Repair", 3, "R1")
	w.series("R1", "Round", 5, daily(2))
	w.settle()
	w.agree()
	w.graph.ResetCalls()
	w.board.ResetCalls()
	for range 8 {
		w.advance(25 * time.Hour)
		w.timers()
	}
	w.agree()
	if n := w.countLive(); n != 4 {
		t.Errorf("%d appointments a week later, want 4", n)
	}
	if n := w.graph.Calls().Writes() + w.board.Calls()["POST /import"]; n != 0 {
		t.Errorf("%d writes though nobody changed anything", n)
	}

	// Both sides can still change it, and delete it.
	w.drag(a.GUID, 4)
	w.settle()
	w.dragInOutlook("R1", e.ID, 2)
	w.settle()
	w.agree()
	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.timers()
	w.agree()
	if n := w.countLive(); n != 2 {
		t.Errorf("%d appointments, want the two of the series", n)
	}
}

// The settings change the window: no storm, no deletion, and more is read at the
// next baseline.
func TestCase_E14_TheSettingsChangeTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for _, n := range []int{-20, -5, 0, 100, 200} {
		w.outlook("R1", fmt.Sprintf("day %d", n), 24*n)
	}
	w.settle()
	all := []string{"day -20", "day -5", "day 0", "day 100"}
	if d := cmp.Diff(all, w.shownOnBoard()); d != "" {
		t.Fatal(d)
	}
	w.set(exchange.Settings{DaysBack: 1, DaysAhead: 1})
	w.graph.ResetCalls()
	w.outlook("R1", "day 5", 24*5) // is in the window of today
	all = append(all, "day 5")
	w.settle()
	w.timers()
	if n := w.reads(); n > 3 {
		t.Errorf("%d pages were read: a storm", n)
	}
	if was := w.target("R1").WindowStart; !was.Equal(windowStart) {
		t.Errorf("the window slid at once, to %s", was)
	}
	w.keeps(all)
	for range 2 {
		w.advance(25 * time.Hour)
		w.timers()
	}
	w.keeps(all)
	w.silent()

	w.set(exchange.Settings{DaysBack: 40, DaysAhead: 250})
	w.timers()
	w.keeps(all)
	w.advance(25 * time.Hour)
	w.timers()
	w.keeps(append(all, "day 200"))
	w.silent()
}

// keeps fails if the board shows anything but these, or Outlook has lost one.
func (w *world) keeps(want []string) {
	w.t.Helper()
	want = slices.Clone(want)
	slices.Sort(want)
	if d := cmp.Diff(want, w.shownOnBoard()); d != "" {
		w.t.Errorf("the board shows (-want +got)\n%s", d)
	}
	if n := len(w.graph.Events(email("R1"))); n != 6 {
		w.t.Errorf("%d events", n)
	}
}

// What comes into the window and is known already is found again, not doubled.
func TestCase_E14_WhatComesInIsNotDoubled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{board: boardsim.Options{SilentAPIWrites: true}})
	w.plan("Far", 24*185, "R1") // a planner plans ahead of the window
	w.settle()
	w.agree()
	for range 8 {
		w.advance(25 * time.Hour)
		w.timers()
	}
	w.agree()
	if got := strings.Join(w.shownOnBoard(), ","); got != "Far" {
		t.Errorf("the board shows %s", got)
	}
	w.silent()
}
