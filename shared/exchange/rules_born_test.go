package exchange_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
)

// boards are the ways in which a board may treat the Guid that we propose.
var boards = map[string]options{
	"keeps our Guid":              {},
	"gives its own":               {board: boardsim.Options{OwnGUIDs: true}},
	"gives its own, tells nobody": {board: boardsim.Options{OwnGUIDs: true, SilentAPIWrites: true}},
	"has no GET":                  {board: boardsim.Options{NoGetByID: true}},
	"flat messages":               {board: boardsim.Options{FlatMessages: true}},
}

// The board made the appointment, and its answer was lost: the call is repeated
// with the same Guid and event, and makes no second one.
func TestRule_R25_ABirthWhoseAnswerIsLostMakesOneAppointment(t *testing.T) {
	t.Parallel()
	for name, o := range boards {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, o)
			w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
				if c.Route != "POST /import" || c.N > 2 {
					return boardsim.Fault{}
				}
				return boardsim.Fault{AfterCommit: true, Cut: true}
			})
			w.outlook("R1", "Dentist", 5)
			w.settle()
			w.timers()
			w.shows("R1", born("Dentist", 5))
			if n := w.countLive(); n != 1 {
				t.Errorf("%d appointments on the board", n)
			}
			w.silent()
		})
	}
}

// The board's own message of the birth arrives before its answer is understood:
// it makes no twin in the calendar of the event that it tells of.
func TestRule_R25_TheBoardsMessageOfABirthMakesNoTwin(t *testing.T) {
	t.Parallel()
	for name, o := range boards {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, o)
			told := false
			w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
				return boardsim.Fault{AfterCommit: c.Route == "POST /import" && c.N == 1, Cut: c.Route == "POST /import" && c.N == 1}
			})
			w.advance(time.Minute)
			w.outlook("R1", "Dentist", 5)
			w.idle()
			for !told && w.deliver() {
				w.idle()
				w.mu.Lock()
				told = len(w.changes) > 0
				w.mu.Unlock()
			}
			if told == o.board.SilentAPIWrites {
				t.Fatalf("the board told of the birth: %t", told)
			}
			w.routed() // before the call is repeated
			w.must(w.nudge(bus.Push, "R1"))
			if n := len(w.graph.Events(email("R1"))); n != 1 {
				t.Errorf("%d events in the calendar while the birth is open", n)
			}
			w.settle()
			w.timers()
			w.shows("R1", born("Dentist", 5))
			w.silent()
		})
	}
}

// A person copies one of our events. The copy is theirs: it becomes an
// appointment of its own, and what happens to it leaves the first alone.
func TestRule_R26_ACopyIsThePersonsOwn(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	c, err := w.graph.CopyEvent(email("R1"), e.ID)
	w.must(err)
	w.dragInOutlook("R1", c.ID, 5)
	w.settle()
	w.shows("R1", planned("Repair", 1), planned("Repair", 5))
	if l := w.link("R1", a.GUID); l.OutlookSeen.EventID != e.ID {
		t.Error("the link follows the copy")
	}
	w.must(w.graph.DeleteEvent(email("R1"), c.ID))
	w.settle()
	w.shows("R1", planned("Repair", 1))
	w.silent()
}

// The same while a create's answer is lost: what carries our property is looked
// up, and a person has copied it already.
func TestRule_R26_ACopyIsNotRemovedAsASecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	w.commits(http.MethodPost)
	w.plan("Repair", 1, "R1")
	w.routed()
	w.must(w.nudge(bus.Push, "R1"))
	c, err := w.graph.CopyEvent(email("R1"), w.event("R1", "Repair").ID)
	w.must(err)
	w.dragInOutlook("R1", c.ID, 5)
	w.settle()
	w.shows("R1", planned("Repair", 1), planned("Repair", 5))
	w.silent()
}

// A person deletes their event, thinks again and takes it back: a new appointment,
// which a late word of the first one's deletion does not reach.
func TestRule_R34_AnUndeletedEventComesBackAsANewOne(t *testing.T) {
	t.Parallel()
	for name, readable := range map[string]bool{"gone for good": false, "still to be read": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, options{graph: graphsim.Behaviour{DeletedReadable: readable}})
			e := w.outlook("R1", "Dentist", 5)
			w.settle()
			first := w.board.List(at(0), at(24))[0].GUID
			w.must(w.graph.DeleteEvent(email("R1"), e.ID))
			w.settle()
			w.shows("R1")
			w.advance(time.Minute)
			_, err := w.graph.UndeleteEvent(email("R1"), e.ID)
			w.must(err)
			w.settle()
			w.shows("R1", born("Dentist", 5))
			if second := w.board.List(at(0), at(24))[0].GUID; second == first {
				t.Error("it has the old Guid")
			}
			w.enqueue(bus.Change{MessageID: "late", Operation: "Delete", Body: []byte(`{"AppointmentGuid":"` + first + `"}`)})
			w.settle()
			w.shows("R1", born("Dentist", 5))
			w.silent()
		})
	}
}

// One of ours that a person deleted and takes back is theirs from then on.
func TestRule_R34_AnUndeletedPlannedEventIsThePersonsOwn(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{graph: graphsim.Behaviour{DeletedReadable: true}})
	e := w.event("R1", "Repair")
	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.settle()
	w.shows("R1")
	w.advance(time.Minute)
	_, err := w.graph.UndeleteEvent(email("R1"), e.ID)
	w.must(err)
	w.settle()
	w.shows("R1", planned("Repair", 1))
	if l := w.link("R1", a.GUID); l.OutlookSeen.EventID == e.ID {
		t.Error("the old link took it")
	}
	w.silent()
}
