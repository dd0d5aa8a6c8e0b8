package exchange_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/google/go-cmp/cmp"
)

// series puts a series of one-hour events into a calendar.
func (w *world) series(no, subject string, hour int, r graphsim.Recurrence) graphsim.Event {
	w.t.Helper()
	e, err := w.graph.CreateEvent(email(no), graphsim.Event{Subject: subject, Start: at(hour), End: at(hour + 1), StartZone: "Europe/Brussels", Recurrence: &r})
	w.must(err)
	return e
}

func daily(count int) graphsim.Recurrence {
	return graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: count}
}

// occurrence is what a person sees of a resource's calendar from an hour on.
func (w *world) occurrence(no string, hour int) graphsim.Event {
	w.t.Helper()
	for _, e := range w.graph.View(email(no), at(hour), at(hour+1)) {
		if e.Start.Equal(at(hour)) {
			return e
		}
	}
	w.t.Fatalf("%s has nothing at hour %d", no, hour)
	return graphsim.Event{}
}

// placed are the appointments of a resource by the hour of their start.
func (w *world) placed(no string) map[int]string {
	out := map[int]string{}
	for _, a := range w.board.List(start.AddDate(0, 0, -60), start.AddDate(1, 0, 0), no) {
		out[int(a.Start.Sub(start)/time.Hour)] = a.GUID
	}
	return out
}

func hours(m map[int]string) []int { return slices.Sorted(maps.Keys(m)) }

func TestCase_E18_ASeriesStandsOnTheBoardAsItsOccurrences(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]graphsim.Behaviour{"delta names all": {}, "delta names the master only": {DeltaMasterOnly: true}, "deleted items can be read": {DeletedReadable: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{graph: o})
			e := w.series("R1", "Stand-up", 1, daily(4))
			w.settle()
			w.shows("R1", born("Stand-up", 1), born("Stand-up", 25), born("Stand-up", 49), born("Stand-up", 73))
			before := w.placed("R1")

			// One is deleted, which leaves no tombstone, and one is moved.
			w.must(w.graph.DeleteEvent(email("R1"), w.occurrence("R1", 25).ID))
			_, err := w.graph.MoveEvent(email("R1"), w.occurrence("R1", 49).ID, at(52), at(54))
			w.must(err)
			w.settle()
			w.agree()
			after := w.placed("R1")
			if want := map[int]string{1: before[1], 52: before[49], 73: before[73]}; !maps.Equal(want, after) {
				t.Errorf("the board shows %v, want %v", after, want)
			}

			// The whole series is retitled, and then deleted.
			w.retitle("R1", e.ID, "Daily")
			w.settle()
			w.agree()
			if got := w.placed("R1"); got[1] != before[1] || got[73] != before[73] {
				t.Errorf("a new title made new appointments: %v", got)
			}
			w.must(w.graph.DeleteEvent(email("R1"), e.ID))
			w.settle()
			w.shows("R1")
			w.silent()
		})
	}
}

func TestCase_E18_OnlyWhatIsInTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	begun := start.AddDate(-1, 0, 0)
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Weekly", Start: begun, End: begun.Add(time.Hour),
		Recurrence: &graphsim.Recurrence{Type: "weekly", RangeType: "noEnd"}})
	w.must(err)
	w.settle()
	got := w.onBoard("R1")
	slices.SortFunc(got, func(a, b card) int { return a.Start.Compare(b.Start) })
	first, last := got[0].Start, got[len(got)-1].Start
	if len(got) < 29 || len(got) > 31 || first.Before(start.AddDate(0, 0, -31)) || last.After(start.AddDate(0, 0, 181)) {
		t.Errorf("%d appointments from %s to %s", len(got), first, last)
	}
	w.silent()

	// A week later one has come in. The one that has left stays as it is.
	for range 7 {
		w.advance(25 * time.Hour)
		w.timers()
	}
	if now := w.onBoard("R1"); len(now) != len(got)+1 {
		t.Errorf("%d appointments, want one more than %d", len(now), len(got))
	}
	w.silent()
}

func TestCase_E18_APlannersChangeIsOfThatOccurrenceOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.series("R1", "Round", 1, daily(4))
	w.settle()
	of := w.placed("R1")
	w.drag(of[25], 27)
	w.rename(of[49], "Round, with the boss")
	w.must(w.board.Delete(of[73]))
	w.settle()
	w.shows("R1", born("Round", 1), born("Round", 27), born("Round, with the boss", 49))
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events, want the one series", n)
	}
	w.silent()
	w.advance(25 * time.Hour)
	w.timers()
	w.agree()
	w.silent()
}

func TestCase_E18_ManyOccurrencesAreMovedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.series("R1", "Round", 1, daily(12))
	w.settle()
	for hour, guid := range w.placed("R1") {
		w.drag(guid, hour+2)
	}
	w.graph.ResetCalls()
	w.settle()
	w.agree()
	if got := hours(w.placed("R1")); len(got) != 12 || got[0] != 3 || got[11] != 3+11*24 {
		t.Errorf("the board shows %v", got)
	}
	if failed := w.told("Failed"); len(failed) != 0 {
		t.Errorf("%d writes failed, as one changes the etag of all: %v", len(failed), failed[0])
	}
	w.silent()
}

func TestCase_E18_AnOccurrenceDoesNotPassItsNeighbour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.series("R1", "Round", 1, daily(3))
	w.settle()
	of := w.placed("R1")
	w.drag(of[25], 60)
	w.settle()
	failed := w.told("Failed")
	if len(failed) != 1 || failed[0].Code != "DSEX024" || !strings.Contains(failed[0].Text, "the day of the one before or after it") {
		t.Fatalf("told %+v", failed)
	}
	if l := w.link("R1", of[25]); l.State != store.Failed || l.FailureText == "" {
		t.Errorf("the link is %s: %s", l.State, l.FailureText)
	}
	w.silent()
	w.drag(of[25], 26) // the planner takes it back
	w.settle()
	w.shows("R1", born("Round", 1), born("Round", 26), born("Round", 49))
	if l := w.link("R1", of[25]); l.State != store.Agreed {
		t.Errorf("the link is %s", l.State)
	}
}

func TestCase_E18_ASeriesBecomesASingleEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	e := w.series("R1", "Round", 1, daily(3))
	w.settle()
	of := w.placed("R1")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Recurrence = nil })
	w.must(err)
	w.settle()
	w.shows("R1", born("Round", 1))
	if got := w.placed("R1"); got[1] != of[1] {
		t.Error("it is another appointment")
	}
	w.silent()
}

// The event is ours, the series a person's, and so is the event that it becomes
// again, which still carries our transactionId.
func TestCase_E18_OurEventBecomesASeriesAndASingleEventAgain(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	id := w.event("R1", "Repair").ID
	_, err := w.graph.UpdateEvent(email("R1"), id, func(e *graphsim.Event) {
		e.Recurrence = &graphsim.Recurrence{Type: "weekly", Interval: 40, RangeType: "numbered", Count: 2} // the second beyond the window
	})
	w.must(err)
	w.settle()
	w.must(w.board.Delete(a.GUID))
	w.settle()
	if n := len(w.onBoard("R1")); n != 0 {
		t.Fatalf("%d appointments", n)
	}
	_, err = w.graph.UpdateEvent(email("R1"), id, func(e *graphsim.Event) { e.Recurrence = nil })
	w.must(err)
	w.settle()
	w.timers()
	w.agree()
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events: the person's was deleted", n)
	}
}

// A planner plans a series by deleting nothing: what R28 holds back is counted by
// series, not by occurrence.
func TestCase_E18_ASeriesCountsOnceForTheCap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.outlook("R1", "Other", 2)
	e := w.series("R1", "Round", 1, daily(40))
	w.settle()
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.must(w.graph.ResetDelta(email("R1"))) // and nobody is told
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1", born("Other", 2))
	w.silent()
}

// A list of instances that fails is no empty series.
func TestCase_E18_AFailedListIsNoEmptySeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	e := w.series("R1", "Round", 1, daily(3))
	w.settle()
	for _, f := range []graphsim.FaultResponse{{Status: http.StatusServiceUnavailable, Code: "x"}, {Status: http.StatusNotFound, Code: "ResourceNotFound"}, {Status: http.StatusForbidden, Code: "ErrorAccessDenied"}} {
		w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
			if strings.HasSuffix(r.Path, "/instances") {
				return &f
			}
			return nil
		})
		w.retitle("R1", e.ID, "Round "+f.Code)
		w.idle()
		for w.deliver() {
		}
		if n := w.countLive(); n != 3 {
			t.Fatalf("%d appointments after %s", n, f.Code)
		}
		w.graph.SetFault(nil)
		w.settle()
		w.agree() // what the series said then is not forgotten
	}
	w.timers()
	w.advance(7 * time.Hour)
	w.timers()
	w.agree()
	w.silent()
}

func TestCase_E18_APrivateSeriesStaysAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "SECRET therapy", Start: at(1), End: at(2), Sensitivity: "private",
		Recurrence: &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 3}})
	w.must(err)
	w.settle()
	if n := w.countLive(); n != 0 {
		t.Errorf("%d appointments of a private series", n)
	}
	if strings.Contains(w.kept(), "SECRET") {
		t.Error("we keep what is private")
	}
}

func TestCase_E19_APatternEditKeepsTheAppointments(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		from graphsim.Recurrence
		edit func(*graphsim.Event)
		want map[int]int // hour before -> hour after, of the appointments that stay
		all  []int
	}{
		"an hour later": {daily(3), func(e *graphsim.Event) { e.Start, e.End = at(2), at(3) },
			map[int]int{1: 2, 25: 26, 49: 50}, []int{2, 26, 50}},
		"an hour later, and retitled": {daily(3), func(e *graphsim.Event) { e.Start, e.End, e.Subject = at(2), at(3), "Other" },
			map[int]int{1: 2, 25: 26, 49: 50}, []int{2, 26, 50}},
		"longer": {daily(3), func(e *graphsim.Event) { e.End = at(4) },
			map[int]int{1: 1, 25: 25, 49: 49}, []int{1, 25, 49}},
		"one more": {daily(3), func(e *graphsim.Event) { e.Recurrence.Count = 4 },
			map[int]int{1: 1, 25: 25, 49: 49}, []int{1, 25, 49, 73}},
		"every other day": {daily(3), func(e *graphsim.Event) { e.Recurrence.Interval, e.Recurrence.Count = 2, 2 },
			map[int]int{1: 1, 49: 49}, []int{1, 49}},
		"weekly on another day": {graphsim.Recurrence{Type: "weekly", RangeType: "numbered", Count: 3}, func(e *graphsim.Event) {
			e.Start, e.End, e.Recurrence.DaysOfWeek = at(73), at(74), []string{"thursday"}
		}, map[int]int{1: 73, 169: 241, 337: 409}, []int{73, 241, 409}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{})
			e := w.series("R1", "Round", 1, c.from)
			w.settle()
			before := w.placed("R1")
			_, err := w.graph.UpdateEvent(email("R1"), e.ID, c.edit)
			w.must(err)
			w.settle()
			w.agree()
			after := w.placed("R1")
			if d := cmp.Diff(c.all, hours(after)); d != "" {
				t.Errorf("the board shows (-want +got)\n%s", d)
			}
			for was, is := range c.want {
				if after[is] != before[was] {
					t.Errorf("the appointment of hour %d is not that of hour %d", is, was)
				}
			}
			w.silent()
		})
	}
}

// An occurrence with a title of its own loses it with an edit of the pattern, as
// Exchange has it; its appointment stays the same, though others look more like it.
func TestCase_E19_TheOriginalPlaceComesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	e := w.series("R1", "Round", 1, daily(3))
	w.settle()
	w.retitle("R1", w.occurrence("R1", 25).ID, "Round, with guests")
	w.settle()
	w.agree()
	before := w.placed("R1")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Recurrence.Count = 2 })
	w.must(err)
	w.settle()
	w.shows("R1", born("Round", 1), born("Round", 25))
	if got := w.placed("R1"); got[1] != before[1] || got[25] != before[25] {
		t.Errorf("the board shows %v, had %v", got, before)
	}
	w.silent()
}

// A planner moves an occurrence, and before the worker hears of it a person edits
// the pattern: the id that the worker knows leads nowhere. Nobody has deleted anything.
func TestCase_E19_AnIdThatLeadsNowhereIsNoDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.readsByID()
	e := w.series("R1", "Round", 1, daily(3))
	w.settle()
	of := w.placed("R1")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.End = at(3) })
	w.must(err)
	w.rename(of[25], "Round, urgent")
	w.routed()
	w.forget()
	w.must(w.nudge(bus.Push, "R1")) // without a read
	if n := w.countLive(); n != 4 {
		t.Fatalf("%d appointments: a write that met no event deleted one", n)
	}
	w.settle()
	w.timers()
	w.agree()
	if got := w.placed("R1"); got[1] != of[1] || got[25] != of[25] || got[49] != of[49] {
		t.Errorf("the board shows %v, had %v", got, of)
	}
	if e := w.occurrence("R1", 25); e.Subject != "Round, urgent" {
		t.Errorf("the planner's title is lost: %q", e.Subject)
	}
	w.silent()
}

// Whoever dies in the middle of a pattern edit leaves nothing double.
func TestCase_E19_APatternEditSurvivesEveryCrash(t *testing.T) {
	t.Parallel()
	w, act, _ := patternEdit(t)
	w.mu.Lock()
	first := w.calls
	w.mu.Unlock()
	act()
	w.settle()
	calls := w.calls - first
	for n := 1; n <= calls; n++ {
		w, act, before := patternEdit(t)
		w.mu.Lock()
		w.dieAt, w.diesAfter = w.calls+n, n%2 == 0
		w.mu.Unlock()
		act()
		w.settle()
		w.timers()
		w.agree()
		after := w.placed("R1")
		if after[2] != before[1] || after[26] != before[25] || len(after) != 2 {
			t.Errorf("the board shows %v, had %v", after, before)
		}
		w.silent()
		if t.Failed() {
			w.dump()
			t.Fatalf("it died at call %d of %d", n, calls)
		}
	}
}

func patternEdit(t *testing.T) (w *world, act func(), before map[int]string) {
	w = newWorld(t, 1, options{})
	e := w.series("R1", "Round", 1, daily(3))
	w.settle()
	return w, func() {
		w.must(w.graph.DeleteEvent(email("R1"), w.occurrence("R1", 49).ID))
		_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Start, e.End, e.Recurrence.Count = at(2), at(3), 2 })
		w.must(err)
	}, w.placed("R1")
}

// A series with daylight saving in it keeps its wall time.
func TestCase_E15_ASeriesKeepsItsWallTime(t *testing.T) {
	t.Parallel()
	for zone, change := range map[string]time.Time{
		"Europe/Brussels":     time.Date(2027, 3, 28, 0, 0, 0, 0, time.UTC),
		"America/New_York":    time.Date(2027, 3, 14, 0, 0, 0, 0, time.UTC),
		"Australia/Sydney":    time.Date(2027, 4, 4, 0, 0, 0, 0, time.UTC),
		"Australia/Lord_Howe": time.Date(2027, 4, 4, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{zone: zone, board: boardsim.Options{ZonelessTimes: true}})
			first := time.Date(change.Year(), change.Month(), change.Day()-2, 9, 0, 0, 0, w.zone)
			_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Round", Start: first, End: first.Add(time.Hour), StartZone: zone,
				Recurrence: &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 5}})
			w.must(err)
			w.settle()
			w.agree()
			got := w.onBoard("R1")
			for _, c := range got {
				if h := c.Start.In(w.zone).Hour(); h != 9 || c.End.Sub(c.Start) != time.Hour {
					t.Errorf("one stands at %s", c.Start.In(w.zone))
				}
			}
			if len(got) != 5 {
				t.Errorf("%d appointments", len(got))
			}
			w.silent()
		})
	}
}
