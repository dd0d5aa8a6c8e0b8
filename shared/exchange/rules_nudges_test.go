package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// The broker loses the nudge: redrive looks by itself.
func TestRule_R1_ALostNudgeLeavesNothingStuck(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.drag(a.GUID, 3)
	w.routed()
	w.forget()
	w.advance(2 * time.Minute)
	w.must(w.proc.redrive.Run(context.Background()))
	w.settle()
	w.shows("R1", planned("Repair", 3))
}

// The worker has listed its links, none is due, and is about to rest. Just then
// a change is routed, and its nudge is lost.
func TestRule_R1_ALinkThatBecomesDueWhileTheWorkerRestsIsSeen(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.drag(a.GUID, 3)
	w.routed()
	w.forget()
	late := false
	w.onStore(func(op string) error {
		if l := w.link("R1", a.GUID); op == "before SwapTarget" && !late && l.DueAt.IsZero() && !l.Wanted.Version.IsZero() {
			late = true
			w.drag(a.GUID, 6)
			w.routed()
			w.forget()
		}
		return nil
	})
	w.must(w.nudge(bus.Push, "R1"))
	if !late {
		t.Fatal("the worker did not come to rest")
	}
	w.forget()
	w.advance(2 * time.Minute)
	w.must(w.proc.redrive.Run(context.Background()))
	w.settle()
	w.shows("R1", planned("Repair", 6))
}

// The same, and the nudge arrives: the worker finds Due raised and does nothing.
func TestRule_R1_ANudgeAfterTheWorkerRestedIsNotWasted(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.drag(a.GUID, 3)
	w.routed()
	w.forget()
	late := false
	w.onStore(func(op string) error {
		if l := w.link("R1", a.GUID); op == "before SwapTarget" && !late && l.DueAt.IsZero() {
			late = true
			w.forget() // Graph's echo of our write, which would save us
			w.drag(a.GUID, 6)
			w.routed()
		}
		return nil
	})
	w.must(w.nudge(bus.Push, "R1"))
	w.settle()
	w.shows("R1", planned("Repair", 6))
}

// The worker dies when it has stored what it found, and the message that woke it
// is given up: redrive looks by itself.
func TestRule_R1_AWorkerThatDiesLeavesNothingStuck(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(time.Minute)
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	died := false
	w.onStore(func(op string) error {
		if died = died || op == "after UpdateLinks"; died {
			return errCrashed
		}
		return nil
	})
	if err := w.nudge(bus.Read, "R1"); err == nil {
		t.Fatal("the worker did not die")
	}
	w.forget()
	w.start()
	w.advance(2 * time.Minute)
	w.must(w.proc.redrive.Run(context.Background()))
	w.settle()
	w.shows("R1", planned("Repair", 4))
}

// Graph asks for 2.5 s. Either of the two bookings brings the worker back.
func TestRule_R2_ARetryIsBookedTwice(t *testing.T) {
	t.Parallel()
	throttled := func(t *testing.T) *world {
		w, a := world1(t, options{})
		w.drag(a.GUID, 3)
		w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
			if r.Method != http.MethodPatch {
				return nil
			}
			w.graph.SetFault(nil)
			return &graphsim.FaultResponse{Status: http.StatusTooManyRequests, Code: "ApplicationThrottled", RetryAfter: "2.5"}
		})
		w.routed()
		w.must(w.nudge(bus.Push, "R1"))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.nudges = nil
		if len(w.booked) == 0 {
			t.Fatal("nothing is booked with the broker")
		}
		return w
	}
	t.Run("the booked nudge comes in time", func(t *testing.T) {
		w := throttled(t)
		began := w.clock()
		w.settle()
		w.shows("R1", planned("Repair", 3))
		if took := w.clock().Sub(began); took > 10*time.Second {
			t.Errorf("Graph asked for 2.5 s, it took %s", took)
		}
	})
	t.Run("the booked nudge is lost", func(t *testing.T) {
		w := throttled(t)
		w.forget()
		w.advance(3 * time.Second)
		w.must(w.proc.redrive.Run(context.Background()))
		w.settle()
		w.shows("R1", planned("Repair", 3))
	})
}

// One nudge of three arrives: all that is due is done. The other two cost one
// look at the target's row.
func TestRule_R3_OneNudgeDrainsAllAndTheNextFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	for hour := range 3 {
		w.plan("Repair", hour, "R1")
	}
	w.routed()
	w.forget()
	w.must(w.nudge(bus.Push, "R1"))
	w.shows("R1", planned("Repair", 0), planned("Repair", 1), planned("Repair", 2))
	w.forget()
	for range 2 {
		before := w.calls
		w.must(w.nudge(bus.Push, "R1"))
		if n := w.calls - before; n != 1 {
			t.Errorf("a nudge that finds nothing due made %d calls, want 1", n)
		}
	}
}

func TestRule_R4_AWakeUpNearTheLastReadBooksOneMore(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	wake := func(at time.Time) (reads int, booked []booking) {
		w.graph.ResetCalls()
		w.forget()
		w.must(w.proc.worker.Handle(context.Background(), bus.Nudge{Kind: bus.Read, Target: w.mailbox("R1"), Reason: "graphwebhook", At: at}))
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.reads(), w.booked
	}
	w.advance(time.Minute)
	if n, _ := wake(w.clock()); n != 1 {
		t.Fatalf("a wake-up long after the last read costs %d reads, want 1", n)
	}
	last := w.target("R1").LastRead
	w.advance(time.Second)
	if n, booked := wake(last.Add(-6 * time.Second)); n != 0 || len(booked) != 0 {
		t.Errorf("a wake-up that the last read satisfied: %d reads, booked %v", n, booked)
	}
	// The sender's clock may be behind ours, and delta may lag: what lies a little
	// before the read may not have been in it.
	n, booked := wake(last.Add(-2 * time.Second))
	if n != 0 || len(booked) != 1 || !booked[0].at.Equal(last.Add(5*time.Second)) {
		t.Errorf("a wake-up 2 s before the last read: %d reads, booked %v, want one for 5 s after it", n, booked)
	}
	if n, booked := wake(last.Add(time.Second)); n != 0 || len(booked) != 0 {
		t.Errorf("the next one: %d reads, booked %v, want none: one is booked", n, booked)
	}
	w.advance(5 * time.Second)
	if n, _ := wake(last.Add(time.Second)); n != 1 {
		t.Errorf("what was booked lies in the past and its nudge was lost: %d reads, want 1", n)
	}
	if !w.target("R1").BookedRead.IsZero() {
		t.Error("the read is still booked though it was done")
	}
}

// A person's edit shows in delta 3 s late, and Graph tells of it once.
func TestRule_R4_OneNotificationOfWhatDeltaShowsLateIsEnough(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(time.Minute)
	w.graph.Change(func(b *graphsim.Behaviour) { b.DeltaLag = 3 * time.Second })
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.settle()
	w.shows("R1", planned("Repair", 4))
}

// A person's edit shows in delta 3 s late, and Graph repeats its notification.
func TestRule_R4_AChangeThatDeltaShowsLateIsNotMissed(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{graph: graphsim.Behaviour{ExtraUpdates: 1}})
	w.advance(time.Minute)
	w.graph.Change(func(b *graphsim.Behaviour) { b.DeltaLag = 3 * time.Second })
	e := w.event("R1", "Repair")
	w.dragInOutlook("R1", e.ID, 4)
	w.idle()
	w.must(w.nudge(bus.Read, "R1")) // too early
	w.settle()
	w.shows("R1", planned("Repair", 4))
}

// Two drags, and a read that shows the second. The first one's notification comes
// at last, and names a state that is no more: it was enqueued well before that
// read began, and costs nothing.
func TestRule_R4_AnOldWakeUpIsSatisfiedThoughItsStateIsNoMore(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(time.Minute)
	e := w.event("R1", "Repair")
	w.dragInOutlook("R1", e.ID, 4)
	w.idle()
	w.mu.Lock()
	late := w.nudges
	w.nudges = nil
	w.mu.Unlock()
	w.dragInOutlook("R1", e.ID, 5)
	w.forget()
	w.advance(10 * time.Second)
	w.must(w.nudge(bus.Read, "R1"))
	w.settle()
	w.shows("R1", planned("Repair", 5))
	w.advance(2 * time.Second)
	w.graph.ResetCalls()
	for _, n := range late {
		w.must(w.proc.worker.Handle(context.Background(), n))
	}
	w.settle()
	if n := w.reads(); n != 0 || len(late) == 0 {
		t.Errorf("%d late notifications cost %d reads, want none", len(late), n)
	}
}

// Our own store fails: the message goes back to the queue. Graph fails: it does
// not, for five deliveries pass within a second.
func TestRule_R5_OurOwnFaultsGoBackAndThoseOfOthersDoNot(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.drag(a.GUID, 3)
	w.routed()
	down := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "store: due links", WholeTarget: true}
	failing := true
	w.onStore(func(op string) error {
		if failing && op == "before DueLinks" {
			return down
		}
		return nil
	})
	if err := w.nudge(bus.Push, "R1"); !errors.Is(err, down) {
		t.Errorf("the store was down, and the nudge ended with %v", err)
	}
	if row := w.target("R1"); !row.SuspendedSince.IsZero() {
		t.Error("the mailbox was suspended for a fault of our store")
	}
	failing = false
	w.graph.SetFault(func(graphsim.FaultRequest) *graphsim.FaultResponse {
		return &graphsim.FaultResponse{Status: http.StatusInternalServerError, Code: "generalException"}
	})
	if err := w.nudge(bus.Push, "R1"); err != nil {
		t.Errorf("Graph was down, and the nudge ended with %v", err)
	}
	w.graph.SetFault(nil)
	w.settle()
	w.shows("R1", planned("Repair", 3))
}
