package routing_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/store/storetest"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

const guid = "0f5b0b3e-6f0a-4a2b-9a7e-012345678901"

// board answers a read as it is told.
type board func() (appointment.Appointment, error)

func (b board) Appointment(context.Context, string, dimescheduler.Hint) (appointment.Appointment, error) {
	return b()
}

var gone board = func() (appointment.Appointment, error) {
	return appointment.Appointment{}, &fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Code: dimescheduler.CodeGone}
}

// bench is a router with its store, whose calls a test can see and fail.
type bench struct {
	t    *testing.T
	mem  store.Store
	bus  *bus.Mem
	hook func(op string) error
	*routing.Router
}

func newBench(t *testing.T, b board) *bench {
	clock := func() time.Time { return start }
	n := &bench{t: t, mem: store.NewMem(clock), bus: &bus.Mem{}}
	for _, no := range []string{"R1", "R2"} {
		if err := n.mem.PutResource(t.Context(), &store.Resource{No: no, Exchange: true, Mailbox: no}); err != nil {
			t.Fatal(err)
		}
	}
	n.Router = &routing.Router{Store: n.mem, Board: b, Bus: n.bus, Now: clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	return n
}

// watched is the same router, whose calls go by hook.
func (n *bench) watched() *routing.Router {
	r := *n.Router
	r.Store = &storetest.Flaky{Store: n.mem, Hook: func(op string) error { return n.hook(op) }}
	return &r
}

func (n *bench) route(c appointment.Change) {
	n.t.Helper()
	if err := n.Route(n.t.Context(), c); err != nil {
		n.t.Fatal(err)
	}
}

// update is the board's word at its minute m, as message number seq.
func update(m, seq int, who ...string) appointment.Change {
	a := appointment.Appointment{Guid: guid, Modified: start.Add(time.Duration(m) * time.Minute), Content: appointment.Content{
		appointment.Subject: "Repair", appointment.When: appointment.Interval(start.Add(time.Duration(m)*time.Hour), start.Add(time.Duration(m+1)*time.Hour)),
	}}
	for _, no := range who {
		a.Assignees = append(a.Assignees, appointment.Assignee{No: no})
	}
	return appointment.Change{Operation: appointment.Update, Version: appointment.Version{Modified: a.Modified, Sequence: int64(seq)}, Appointment: a}
}

func deletion(m, seq int) appointment.Change {
	c := update(m, seq)
	c.Operation, c.Appointment.Content = appointment.Delete, nil
	return c
}

// wants fails if the link of a mailbox does not want just this: the board's
// minute, or absence.
func (n *bench) wants(mailbox string, minute int, absent bool) {
	n.t.Helper()
	l, err := n.mem.Link(n.t.Context(), mailbox, guid)
	if err != nil {
		n.t.Fatalf("%s: %v", mailbox, err)
	}
	if want := start.Add(time.Duration(minute) * time.Minute); !l.Wanted.Version.Modified.Equal(want) || l.Wanted.Absent != absent {
		n.t.Errorf("%s wants version %s, absent %t; want that of minute %d, absent %t", mailbox, l.Wanted.Version, l.Wanted.Absent, minute, absent)
	}
}

// headIs fails if the newest that is known is not this.
func (n *bench) headIs(op appointment.Operation, minute int) {
	n.t.Helper()
	h, err := n.mem.Head(n.t.Context(), guid)
	if err != nil || h.Operation != op || !h.Version.Modified.Equal(start.Add(time.Duration(minute)*time.Minute)) {
		n.t.Errorf("head is %+v, %v; want %s of minute %d", h, err, op, minute)
	}
}

func (n *bench) nudged() []string {
	var out []string
	for _, x := range n.bus.Nudges() {
		out = append(out, x.Target)
	}
	n.bus.Reset()
	return out
}

var errKilled = errors.New("killed")

// The process is killed at each of its calls, before and after the effect. The
// message is delivered again: nothing of it is missing.
func TestRule_R6_AKillAtAnyCallIsMadeGoodByTheNextDelivery(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		b := newBench(t, gone)
		b.route(update(1, 1, "R1"))
		b.nudged()
		points := 0
		b.hook = func(string) error {
			if points++; points >= n {
				return errKilled
			}
			return nil
		}
		c := update(2, 2, "R2")
		err := b.watched().Route(t.Context(), c)
		if err == nil {
			if n < 10 {
				t.Errorf("%d points only", n)
			}
			return
		}
		b.nudged()
		b.route(c)
		b.wants("R1", 2, true)
		b.wants("R2", 2, false)
		if got := b.nudged(); !slices.Equal(got, []string{"R2", "R1"}) {
			t.Errorf("nudged %v, want the one that gains it, then the one that loses it", got)
		}
		if t.Failed() {
			t.Fatalf("killed at point %d", n)
		}
	}
}

// The broker does not take the nudges: the message comes again, and so do they.
func TestRule_R6_NudgesThatWereNotSentAreSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, gone)
	b.bus.Fail = func(string) error { return errKilled }
	c := update(1, 1, "R1")
	if err := b.Route(t.Context(), c); !errors.Is(err, errKilled) {
		t.Fatalf("routed with %v", err)
	}
	b.bus.Fail = nil
	b.route(c)
	if got := b.nudged(); !slices.Equal(got, []string{"R1"}) {
		t.Errorf("nudged %v", got)
	}
}

// Two pushers: one has read the head for the older message when the other swaps
// in the newer one, which does not assign R2 any more.
func TestRule_R6_TwoPushersLeaveNoGhost(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"after Head", "before SwapHead", "after SwapHead", "before UpdateLink", "after UpdateLink"} {
		t.Run(at, func(t *testing.T) {
			b := newBench(t, gone)
			b.route(update(0, 1, "R1"))
			once := false
			b.hook = func(op string) error {
				if op == at && !once {
					once = true
					b.route(update(2, 3, "R1"))
				}
				return nil
			}
			if err := b.watched().Route(t.Context(), update(1, 2, "R2")); err != nil {
				t.Fatal(err)
			}
			if !once {
				t.Fatal("the other pusher did not come")
			}
			b.wants("R1", 2, false)
			l, err := b.mem.Link(t.Context(), "R2", guid)
			if err == nil && !l.Wanted.Absent {
				t.Errorf("R2 still wants it: %+v", l.Wanted)
			}
			b.headIs(appointment.Update, 2)
		})
	}
}

// An older message comes late.
func TestRule_R7_ALateMessageChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, gone)
	b.route(update(1, 1, "R1"))
	b.route(update(3, 3, "R2"))
	b.nudged()
	b.route(update(2, 2, "R1"))
	b.wants("R1", 3, true)
	b.wants("R2", 3, false)
	if got := b.nudged(); len(got) != 0 {
		t.Errorf("nudged %v for what is known", got)
	}
}

// The link of whoever was taken off stays, as a tombstone with its version, and
// has only the worker to tell.
func TestRule_R7_AbsenceIsAValue(t *testing.T) {
	t.Parallel()
	b := newBench(t, gone)
	b.route(update(1, 1, "R1", "R2"))
	b.nudged()
	b.route(deletion(2, 2))
	for _, no := range []string{"R1", "R2"} {
		b.wants(no, 2, true)
		if l, err := b.mem.Link(t.Context(), no, guid); err != nil || !l.Wanted.Deleted || l.DueAt.IsZero() || l.Wanted.Content[appointment.Subject] != "Repair" {
			t.Errorf("%s: %+v, %v", no, l, err)
		}
	}
	if got := b.nudged(); len(got) != 2 {
		t.Errorf("nudged %v", got)
	}
}

// An Update comes after the Delete, and claims to be newer: the board is asked.
func TestRule_R8_AnUpdateAfterADeleteIsSettledByTheBoard(t *testing.T) {
	t.Parallel()
	t.Run("it is gone", func(t *testing.T) {
		b := newBench(t, gone)
		b.route(update(1, 1, "R1"))
		b.route(deletion(2, 2))
		b.route(update(3, 3, "R1"))
		b.wants("R1", 2, true)
	})
	t.Run("it is there again, at another time", func(t *testing.T) {
		now := update(9, 0, "R1").Appointment
		b := newBench(t, func() (appointment.Appointment, error) { return now, nil })
		b.route(update(1, 1, "R1"))
		b.route(deletion(2, 2))
		b.route(update(3, 3, "R1"))
		b.wants("R1", 9, false)
		l, err := b.mem.Link(t.Context(), "R1", guid)
		if err != nil || l.Wanted.Content[appointment.When] != now.Content[appointment.When] {
			t.Errorf("the link wants %v, the board shows %v", l.Wanted.Content, now.Content)
		}
	})
	t.Run("the board does not answer", func(t *testing.T) {
		b := newBench(t, func() (appointment.Appointment, error) {
			return appointment.Appointment{}, &fault.Error{Reason: fault.Unavailable, Op: "board"}
		})
		b.route(update(1, 1, "R1"))
		b.route(deletion(2, 2))
		if err := b.Route(t.Context(), update(3, 3, "R1")); err == nil {
			t.Error("it was taken without an answer")
		}
		b.wants("R1", 2, true)
	})
	t.Run("while it is asked, it is deleted again", func(t *testing.T) {
		var b *bench
		asked := 0
		b = newBench(t, func() (appointment.Appointment, error) {
			if asked++; asked > 1 {
				return gone()
			}
			defer b.route(deletion(5, 5))
			return update(4, 0, "R1").Appointment, nil
		})
		b.route(update(1, 1, "R1"))
		b.route(deletion(2, 2))
		b.route(update(3, 3, "R1"))
		if l, err := b.mem.Link(t.Context(), "R1", guid); err != nil || !l.Wanted.Absent {
			t.Errorf("a deleted appointment is wanted: %+v, %v", l, err)
		}
		b.headIs(appointment.Delete, 5)
	})
}

// A message lacks show-as: it says nothing of it. A flat one speaks for its one
// resource only.
func TestRule_R9_AMessageSaysOnlyWhatItHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t, gone)
	first := update(1, 1, "R1", "R2")
	first.Appointment.Content[appointment.ShowAs] = "oof"
	b.route(first)
	b.route(update(2, 2, "R1", "R2"))
	l, err := b.mem.Link(t.Context(), "R1", guid)
	if err != nil || l.Wanted.Content[appointment.ShowAs] != "oof" {
		t.Errorf("show-as is %q, %v", l.Wanted.Content[appointment.ShowAs], err)
	}
	flat := update(3, 3, "R1")
	flat.Appointment.Partial = true
	b.route(flat)
	b.wants("R1", 3, false)
	b.wants("R2", 2, false)
	flat = update(4, 4, "R1")
	flat.Appointment.Partial, flat.Operation = true, appointment.Delete
	b.route(flat)
	b.wants("R1", 4, true)
	b.wants("R2", 2, false)
	b.route(deletion(5, 5))
	b.wants("R2", 5, true)
}

// The worker comes to rest between the two: a writer that finds Due raised lowers
// it again, after the link is written.
func TestRule_R1_AWriterLowersDueAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, gone)
	b.hook = func(op string) error {
		if op != "after UpdateLink" {
			return nil
		}
		row, err := b.mem.Target(t.Context(), store.Mailbox, "R1")
		if err != nil {
			return err
		}
		row.Due = time.Time{}
		return b.mem.SwapTarget(t.Context(), row)
	}
	if err := b.watched().Route(t.Context(), update(1, 1, "R1")); err != nil {
		t.Fatal(err)
	}
	row, err := b.mem.Target(t.Context(), store.Mailbox, "R1")
	if err != nil || row.Due.IsZero() || row.Due.After(start.Add(5*time.Minute)) {
		t.Errorf("redrive looks at %s, %v: the link is stuck", row.Due, err)
	}
}

// A kill after the link was written, before anything else: redrive looks.
func TestRule_R1_DueIsLoweredBeforeTheLinkIsWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t, gone)
	b.hook = func(op string) error {
		if op == "after UpdateLink" {
			return errKilled
		}
		return nil
	}
	if err := b.watched().Route(t.Context(), update(1, 1, "R1")); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	due, err := b.mem.DueTargets(t.Context(), store.Mailbox, start.Add(5*time.Minute))
	if err != nil || len(due) != 1 {
		t.Errorf("redrive finds %d targets, %v", len(due), err)
	}
}

// The board refuses the question about a doubtful change. That says nothing of
// the change, which must come again.
func TestRule_R8_ARefusedQuestionDoesNotGiveUpTheChange(t *testing.T) {
	refuses := board(func() (appointment.Appointment, error) {
		return appointment.Appointment{}, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "board", Code: "HTTP400"}
	})
	n := newBench(t, refuses)
	n.route(update(1, 1, "R1"))
	n.route(deletion(2, 2))
	if err := n.Route(t.Context(), update(3, 3, "R1")); err == nil || fault.Of(err).Kind != fault.Transient {
		t.Errorf("a life after a Delete ends in %v, want a transient fault", err)
	}
	n.headIs(appointment.Delete, 2)
}
