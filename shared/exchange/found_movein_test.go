package exchange_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
)

// An event of the old connector is an appointment's that a rule keeps back. It was
// there before us: the preview says that it is left as it stands, and so it is. When
// the rule is gone it is the appointment's, and no second one is made.
func TestFound_AnAdoptedEventThatARuleKeepsBackIsNotRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, options{preview: true})
	w.addResource("R1")
	a := w.plan("Repair", 1, "R1")
	w.plan("Inspection", 4, "R1")
	e := w.foreign("R1", "Repair", 1)
	w.keep(routing.RulesName, onlyService)
	w.must(w.proc.sync.Run(context.Background()))
	w.settle()
	if got := w.counts("R1"); got != (store.Preview{Left: 1}) {
		t.Errorf("the preview shows %+v, want the event left alone, and nothing created that a rule keeps back", got)
	}
	w.release("R1")
	w.timers()
	w.advance(25 * time.Hour)
	w.timers()
	if got := w.subjects("R1"); !slices.Equal(got, []string{"Repair"}) {
		t.Errorf("Outlook shows %v, want what stood there", got)
	}
	w.untouched("R1", e)
	w.silent()

	w.keep(routing.RulesName, "")
	w.read()
	w.timers()
	if got := w.subjects("R1"); !slices.Equal(got, []string{"Inspection", "Repair"}) {
		t.Errorf("without the rule Outlook shows %v", got)
	}
	w.drag(a.GUID, 9)
	w.settle()
	if got := w.event("R1", "Repair"); got.ID != e.ID || !got.Start.Equal(at(9)) {
		t.Errorf("the event is the old one %t, and starts at %s", got.ID == e.ID, got.Start)
	}
	w.silent()
	w.keep(routing.RulesName, onlyService) // it is the board's like any other now
	w.read()
	w.timers()
	if got := w.subjects("R1"); len(got) != 0 {
		t.Errorf("kept back by the rules, Outlook shows %v", got)
	}
}

// forgotten is a world of n planned appointments whose tables are lost, and whose
// appointments were deleted meanwhile, unheard. byID: the board can be asked for one.
func forgotten(t *testing.T, n int, byID bool) (w *world, events []string) {
	t.Helper()
	w = newWorld(t, 1, options{})
	if byID {
		w.readsByID()
	}
	var guids []string
	for i := range n {
		guids = append(guids, w.plan("Repair", i, "R1").GUID)
	}
	w.settle()
	for _, e := range w.graph.Events(email("R1")) {
		if e.Subject == "Repair" {
			events = append(events, e.ID)
		}
	}
	for _, g := range guids {
		w.must(w.board.Delete(g))
	}
	w.idle()
	w.mu.Lock()
	w.changes, w.nudges, w.booked = nil, nil, nil
	w.mu.Unlock()
	w.mem = store.NewMem(w.clock)
	w.store(exchange.Settings{ReleaseAll: true})
	board := w.proc.worker.Board
	w.start()
	w.proc.worker.Board = board
	w.sync()
	w.timers()
	return w, events
}

// Whether the appointment of an event that carries our mark is gone is not known
// yet: what its person does to the event makes no appointment of it again.
func TestFound_AnEventThatWaitsForItsProofDoesNotReviveItsAppointment(t *testing.T) {
	t.Parallel()
	for _, byID := range []bool{false, true} {
		w, events := forgotten(t, 8, byID)
		before := w.countLive()
		w.retitle("R1", events[0], "mine")
		w.settle()
		w.timers()
		w.advance(25 * time.Hour)
		w.timers()
		if n := w.countLive(); n != before {
			t.Errorf("by id %t: %d deleted appointments are back", byID, n-before)
		}
	}
}

// While a mailbox moves in, too, deletions that are capped are a person's to
// release or to refuse.
func TestFound_ADeletionThatIsCappedWhileMovingInCanBeReleased(t *testing.T) {
	t.Parallel()
	for _, release := range []bool{true, false} {
		w, events := forgotten(t, 8, true)
		held, err := w.office().Held(context.Background(), w.mailbox("R1"))
		w.must(err)
		if len(held) != len(events) || len(w.subjects("R1")) != len(events)+1 {
			t.Fatalf("%d are held back, want %d, and all of the events there: %v", len(held), len(events), w.subjects("R1"))
		}
		decide, left := w.office().RefuseHeld, len(events)+1
		if release {
			decide, left = w.office().ReleaseHeld, 1
		}
		_, err = decide(context.Background(), admin, w.mailbox("R1"))
		w.must(err)
		w.settle()
		w.timers()
		if n := len(w.subjects("R1")); n != left {
			t.Errorf("released %t: Outlook shows %d events, want %d", release, n, left)
		}
		w.advance(25 * time.Hour)
		w.timers()
		w.silent()
		if n := len(w.subjects("R1")); n != left {
			t.Errorf("released %t: a day later Outlook shows %d events, want %d", release, n, left)
		}
	}
}
