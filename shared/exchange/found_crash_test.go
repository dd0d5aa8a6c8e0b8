package exchange_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

var everyCall = flag.Bool("every-call", false, "kill and break in at every call, not at every fifth")

// betweenParts are things that go through several parts of the connector: what
// happens, and what everybody sees in the end.
var betweenParts = []struct {
	name   string
	o      options
	before func(w *world) string
	act    func(w *world, id string)
	check  func(w *world)
	slow   bool // the board's second list may have to prove what it does not tell at once (R27)
}{
	{"restored", options{}, func(w *world) string {
		w.set(exchange.Settings{ReleaseAll: true, ResourcesMay: exchange.MayNothing})
		return repair(w)
	}, func(w *world, _ string) {
		w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	}, func(w *world) { w.shows("R1", planned("Repair", 1)) }, false},
	{"deletion restored", options{}, func(w *world) string {
		w.set(exchange.Settings{ReleaseAll: true, ResourcesMay: exchange.MayTime})
		return repair(w)
	}, func(w *world, _ string) {
		w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
	}, func(w *world) { w.shows("R1", planned("Repair", 1)) }, false},
	{"made a series and moved on the board", options{}, repair, func(w *world, guid string) {
		w.alter("R1", w.event("R1", "Repair").ID, func(e *graphsim.Event) {
			e.Recurrence = &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 3}
		})
		w.drag(guid, 3)
	}, func(w *world) {
		w.shows("R1", planned("Repair", 3), planned("Repair", 25), planned("Repair", 49))
	}, false},
	{"made a series and deleted on the board", stubborn, repair, func(w *world, guid string) {
		w.alter("R1", w.event("R1", "Repair").ID, func(e *graphsim.Event) {
			e.Recurrence = &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 3}
		})
		w.must(w.board.Delete(guid))
	}, func(w *world) {
		w.shows("R1", planned("Repair", 25), planned("Repair", 49))
	}, false},
	{"pattern moved by two days", stubborn, func(w *world) string { return w.series("R1", "Round", 1, daily(3)).ID }, func(w *world, id string) {
		w.alter("R1", id, func(e *graphsim.Event) { e.Start, e.End = e.Start.Add(49*time.Hour), e.End.Add(49*time.Hour) })
	}, func(w *world) {
		w.shows("R1", born("Round", 50), born("Round", 74), born("Round", 98))
	}, false},
	{"series private and public", options{}, func(w *world) string { return w.series("R1", "Zahnarzt", 1, daily(2)).ID }, func(w *world, id string) {
		w.alter("R1", id, private)
		w.settle()
		w.alter("R1", id, public)
	}, func(w *world) { w.shows("R1", born("Zahnarzt", 1), born("Zahnarzt", 25)) }, false},
	{"hidden, deleted, planned anew", options{}, func(w *world) string {
		id := dentist(w)
		w.settle()
		w.must(w.board.Assign(w.board.List(time.Time{}, time.Time{}, "R1")[0].GUID, "R2"))
		w.settle()
		w.alter("R1", id, private)
		return id
	}, func(w *world, id string) {
		guid := w.board.List(time.Time{}, time.Time{}, "R2")[0].GUID
		w.must(w.board.Assign(guid, "R1"))
		w.must(w.graph.DeleteEvent(email("R1"), id))
		w.rename(guid, "Roof")
	}, func(w *world) {
		w.shows("R1", born("Roof", 5))
		w.shows("R2", born("Roof", 5))
	}, false},
	{"turned off, removed, turned on", options{}, func(w *world) string {
		dentist(w)
		return repair(w)
	}, func(w *world, _ string) {
		w.flag("R1", false)
		w.again(func() error { return w.proc.sync.Run(context.Background()) })
		w.settle()
		w.again(func() error { return w.office().TurnOff(context.Background(), admin, "R1", "remove") })
		w.settle()
		w.flag("R1", true)
		w.again(func() error { return w.proc.sync.Run(context.Background()) })
	}, func(w *world) { w.shows("R1", planned("Repair", 1), born("Dentist", 5)) }, false},
	{"born", options{}, func(*world) string { return "" }, func(w *world, _ string) { dentist(w) },
		func(w *world) { w.shows("R1", born("Dentist", 5)) }, false},
	{"born, stubborn board", stubborn, func(*world) string { return "" }, func(w *world, _ string) { dentist(w) },
		func(w *world) { w.shows("R1", born("Dentist", 5)) }, false},
	{"opted out and in", stubborn, dentist, func(w *world, _ string) {
		w.prefer("R1", store.Preferences{OptIn: "no"})
		w.settle()
		w.prefer("R1", store.Preferences{OptIn: "yes"})
	}, func(w *world) { w.shows("R1", born("Dentist", 5)) }, true},
	{"masked and opened, renamed by the planner", options{board: boardsim.Options{SilentAPIWrites: true}}, func(w *world) string {
		w.prefer("R1", masks)
		return dentist(w)
	}, func(w *world, id string) {
		w.alter("R1", id, private)
		w.settle()
		w.rename(w.board.List(time.Time{}, time.Time{}, "R1")[0].GUID, "Somewhere")
		w.settle()
		w.alter("R1", id, public)
	}, func(w *world) { w.shows("R1", born("Dentist", 5)) }, false},
}

// again does what a timer or a person does until it succeeds: a dead process is
// started anew.
func (w *world) again(do func() error) {
	w.t.Helper()
	for range 5 {
		err := do()
		w.mu.Lock()
		dead := w.down
		w.mu.Unlock()
		if err == nil && !dead {
			return
		}
		w.revive()
	}
	w.t.Error("it fails for ever")
}

// TestFound_KilledOrDoubledBetweenTheParts kills the process at any of its calls,
// before and after their effect, and lets a second worker break in there.
func TestFound_KilledOrDoubledBetweenTheParts(t *testing.T) {
	for _, c := range betweenParts {
		prepare := func(t *testing.T) (*world, string) {
			w := newWorld(t, 2, c.o)
			id := c.before(w)
			w.settle()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.calls = 0
			return w, id
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, id := prepare(t)
			c.act(w, id)
			w.settle()
			calls, step := w.calls, 5
			if *everyCall {
				step = 1
			}
			for n := 1; n <= calls; n += step {
				for _, how := range []string{"killed before", "killed after", "doubled at"} {
					w, id := prepare(t)
					w.mu.Lock()
					if how == "doubled at" {
						w.intrudeAt = n
					} else {
						w.dieAt, w.diesAfter = n, how == "killed after"
					}
					w.mu.Unlock()
					c.act(w, id)
					w.settle()
					w.timers()
					for range 2 {
						if c.slow {
							w.advance(25 * time.Hour)
							w.timers()
						}
					}
					c.check(w)
					w.silent()
					if t.Failed() {
						w.dump()
						t.Fatalf("%s call %d of %d", how, n, calls)
					}
				}
			}
		})
	}
}
