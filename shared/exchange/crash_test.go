package exchange_test

import (
	"testing"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// stubborn is a board that gives its own Guids and does not announce what is
// written by its API.
var stubborn = options{board: boardsim.Options{OwnGUIDs: true, SilentAPIWrites: true}}

// crashes are the things that happen to one appointment.
var crashes = []struct {
	name   string
	o      options
	before func(w *world) string // what is there already; returns the appointment's Guid or the event's id
	act    func(w *world, id string)
	want   map[string][]card
}{
	{"create on the board", options{}, nil,
		func(w *world, _ string) { w.plan("Repair", 1, "R1") },
		map[string][]card{"R1": {planned("Repair", 1)}}},
	{"move on the board", options{}, repair,
		func(w *world, guid string) { w.drag(guid, 3) },
		map[string][]card{"R1": {planned("Repair", 3)}}},
	{"delete on the board", options{}, repair,
		func(w *world, guid string) { w.must(w.board.Delete(guid)) }, nil},
	{"reassign on the board", options{}, repair,
		func(w *world, guid string) { w.must(w.board.Reassign(guid, "R1", "R2")) },
		map[string][]card{"R2": {planned("Repair", 1)}}},
	{"create in Outlook", options{}, nil,
		func(w *world, _ string) { w.outlook("R1", "Dentist", 5) },
		map[string][]card{"R1": {born("Dentist", 5)}}},
	{"create in Outlook, stubborn board", stubborn, nil,
		func(w *world, _ string) { w.outlook("R1", "Dentist", 5) },
		map[string][]card{"R1": {born("Dentist", 5)}}},
	{"move in Outlook", options{}, dentist,
		func(w *world, id string) { w.dragInOutlook("R1", id, 7) },
		map[string][]card{"R1": {born("Dentist", 7)}}},
	{"move in Outlook, stubborn board", stubborn, dentist,
		func(w *world, id string) { w.dragInOutlook("R1", id, 7) },
		map[string][]card{"R1": {born("Dentist", 7)}}},
	{"delete in Outlook", options{}, dentist,
		func(w *world, id string) { w.must(w.graph.DeleteEvent(email("R1"), id)) }, nil},
	{"delete of a planned one in Outlook", options{}, repair,
		func(w *world, _ string) { w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID)) }, nil},
}

func repair(w *world) string { return w.plan("Repair", 1, "R1").GUID }

func dentist(w *world) string { return w.outlook("R1", "Dentist", 5).ID }

// TestCrashAtEveryCall plays each of them again and again, and kills the process
// at another of its outgoing calls each time, to Graph, to the board, to the
// store or to the broker: before the call's effect, and after it, when only the
// answer is lost. The queue delivers again, the timers run, and then both sides
// show the same, once, and all is quiet, without the daily baseline's help.
func TestCrashAtEveryCall(t *testing.T) {
	for _, c := range crashes {
		prepare := func(t *testing.T) (*world, string) {
			w := newWorld(t, 2, c.o)
			id := ""
			if c.before != nil {
				id = c.before(w)
				w.settle()
			}
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
			calls := w.calls
			if calls < 10 {
				t.Fatalf("%d calls only: nothing was played", calls)
			}
			for n := 1; n <= calls; n++ {
				for _, after := range []bool{false, true} {
					w, id := prepare(t)
					w.mu.Lock()
					w.dieAt, w.diesAfter = n, after
					w.mu.Unlock()
					c.act(w, id)
					w.settle()
					w.timers()
					for _, no := range []string{"R1", "R2"} {
						w.shows(no, c.want[no]...)
					}
					w.silent()
					if w.crashes == 0 && n < calls {
						t.Error("the process did not die")
					}
					if t.Failed() {
						w.dump()
						t.Fatalf("it died at call %d of %d, after its effect: %t", n, calls, after)
					}
				}
			}
			t.Logf("died at each of %d calls, before and after", calls)
		})
	}
}
