package exchange_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// boardRow is the row of the board as a whole.
func (w *world) boardRow() store.Target {
	w.t.Helper()
	row, err := w.mem.Target(context.Background(), store.Service, "board")
	if err != nil {
		return store.Target{}
	}
	return *row
}

// boardOut lets every request of the board fail, and counts them.
func (w *world) boardOut(f boardsim.Fault) *atomic.Int64 {
	n := new(atomic.Int64)
	w.board.SetFault(func(boardsim.Call) boardsim.Fault { n.Add(1); return f })
	return n
}

// The board is down for an hour while fifty people work in Outlook and a planner's
// message arrives: it is hardly asked, nothing is lost, and all of it arrives.
func TestRule_R39_TheBoardAsAWholeIsAskedByOneProbe(t *testing.T) {
	t.Parallel()
	const people = 50
	w := newWorld(t, people, options{})
	for i := range people {
		w.plan(fmt.Sprint("Repair ", i), 1, fmt.Sprint("R", i+1))
	}
	other := w.plan("Other", 10, "R1").GUID
	w.settle()
	asked := w.boardOut(boardsim.Fault{Status: 503})
	began := w.clock()
	for i := range people {
		no := fmt.Sprint("R", i+1)
		w.dragInOutlook(no, w.event(no, fmt.Sprint("Repair ", i)).ID, 5)
		w.outlook(no, "Mine", 8)
	}
	w.drag(other, 12) // the board's queue works
	w.settle()
	if took := w.clock().Sub(began); took < 45*time.Minute {
		t.Fatalf("only %s have passed", took)
	}
	// Five faults until it is noticed, and then one probe each 30 s to 15 min, which
	// is a call and a look at the board's list.
	if asked.Load() > 30 {
		t.Errorf("the board was asked %d times while it was down, want 30 at most", asked.Load())
	}
	if row := w.boardRow(); row.SuspendedSince.IsZero() || row.SuspendedCode != "DSEX061" {
		t.Errorf("the board's row says %+v", row)
	}
	if got := w.operations("suspend board"); len(got) != 1 || got[0].Code != "DSEX061" {
		t.Errorf("suspended %v, want once", got)
	}
	others := func(no string) []card {
		if no == "R1" {
			return []card{planned("Other", 12)} // the planner's word reaches Outlook
		}
		return nil
	}
	for i := range people {
		no := fmt.Sprint("R", i+1)
		w.shown("Outlook", no, w.inOutlook(no), append(others(no), planned(fmt.Sprint("Repair ", i), 5), born("Mine", 8)))
		if !w.mailboxRow(no).SuspendedSince.IsZero() {
			t.Errorf("the mailbox of %s is suspended with the board", no)
		}
	}
	w.board.SetFault(nil)
	w.settle()
	if row := w.boardRow(); !row.SuspendedSince.IsZero() {
		t.Errorf("still suspended: %+v", row)
	}
	for i := range people {
		no := fmt.Sprint("R", i+1)
		w.shows(no, append(others(no), planned(fmt.Sprint("Repair ", i), 5), born("Mine", 8))...)
	}
	if got := w.operations("resume board"); len(got) != 1 {
		t.Errorf("resumed %d times", len(got))
	}
}

// mailboxRow is the row of a resource's mailbox.
func (w *world) mailboxRow(no string) *store.Target {
	w.t.Helper()
	row, err := w.mem.Target(context.Background(), store.Mailbox, w.mailbox(no))
	w.must(err)
	return row
}

// Whatever makes the board as a whole unusable, its row says which it is, what was
// found waits, and everything arrives.
func TestRule_R39_TheBoardAsAWholeSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault boardsim.Fault
		code  string
	}{
		"key":      {boardsim.Fault{Status: 401}, "DSEX060"},
		"redirect": {boardsim.Fault{Status: 302}, "DSEX064"},
		"address":  {boardsim.Fault{Status: 404}, "DSEX064"},
		"cut":      {boardsim.Fault{Cut: true}, "DSEX061"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, options{})
			for _, no := range []string{"R1", "R2", "R3"} {
				w.plan("Repair "+no, 1, no)
			}
			w.settle()
			asked := w.boardOut(c.fault)
			for _, no := range []string{"R1", "R2", "R3"} {
				w.dragInOutlook(no, w.event(no, "Repair "+no).ID, 5)
				w.outlook(no, "Mine", 8)
			}
			w.settle()
			w.must(w.proc.sync.Run(context.Background()))
			if row := w.boardRow(); row.SuspendedCode != c.code {
				t.Errorf("suspended with %q, want %s", row.SuspendedCode, c.code)
			}
			if asked.Load() > 40 {
				t.Errorf("the board was asked %d times, want 40 at most", asked.Load())
			}
			w.board.SetFault(nil)
			w.settle()
			for _, no := range []string{"R1", "R2", "R3"} {
				w.shows(no, planned("Repair "+no, 5), born("Mine", 8))
			}
			w.silent()
		})
	}
}

// One appointment that the board can not deal with is not the board as a whole.
func TestRule_R39_OneFailingAppointmentDoesNotSuspendTheBoard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	w.plan("Repair", 1, "R1")
	w.settle()
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if c.Route == "POST /import" && slices.Contains(c.Procedures, "mboc_upsertExchangeAppointment") {
			return boardsim.Fault{Status: 503}
		}
		return boardsim.Fault{}
	})
	for hour := range 4 {
		w.outlook("R1", fmt.Sprint("Mine ", hour), hour+8)
	}
	w.settle()
	if row := w.boardRow(); !row.SuspendedSince.IsZero() {
		t.Errorf("suspended though the board shows its resources: %+v", row)
	}
	w.drag(w.board.List(start, start.AddDate(0, 1, 0), "R1")[0].GUID, 3)
	w.board.SetFault(nil)
	w.settle()
	w.shows("R1", planned("Repair", 3), born("Mine 0", 8), born("Mine 1", 9), born("Mine 2", 10), born("Mine 3", 11))
}

// While the board is suspended nothing asks it: routing's questions, the resources,
// and notifications are turned away with a passing fault that says when to come back.
func TestRule_R39_TheBoardAsAWholeTurnsEverybodyAway(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	asked := w.boardOut(boardsim.Fault{Status: 401})
	w.must(w.proc.sync.Run(context.Background()))
	before := asked.Load()
	ctx := context.Background()
	board := w.proc.worker.Board
	_, err := board.Appointment(ctx, a.GUID, dimescheduler.Hint{})
	for _, err := range []error{err, board.UpsertNotification(ctx, dimescheduler.Notification{}), board.DeleteNotification(ctx, dimescheduler.Notification{})} {
		if f := fault.Of(err); f == nil || f.Kind != fault.Transient || f.Reason != fault.Auth || f.RetryAfter <= 0 || f.Ambiguous {
			t.Errorf("turned away with %v", err)
		}
	}
	w.must(w.proc.sync.Run(ctx))
	if asked.Load() != before {
		t.Errorf("the board was asked %d times more", asked.Load()-before)
	}
	// A person who has set a new key presses Retry: nobody waits for the next probe.
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 5)
	w.settle()
	w.board.SetFault(nil)
	w.forget()
	began := w.clock()
	if n, err := w.desk().RetryAll(ctx, "admin", w.mailbox("R1")); err != nil || n != 1 {
		t.Fatalf("%d links to retry, %v", n, err)
	}
	for w.deliver() {
		w.idle()
	}
	w.shows("R1", planned("Repair", 5))
	if took := w.clock().Sub(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
