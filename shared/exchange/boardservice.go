package exchange

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// serviceBoard is the service whose target stands for the board as a whole: while
// it is down or rejects the key, it is suspended once and nothing but one probe at
// a time asks it (R39).
const serviceBoard = "board"

// ServiceName is what people call a service that can be suspended as a whole.
func ServiceName(id string) string {
	switch id {
	case serviceGraph:
		return "Microsoft Graph"
	case serviceBoard:
		return "Dime.Scheduler"
	}
	return id
}

const (
	// boardFaults in a row, of boardSubjects different things at least, raise the
	// suspicion that the board is down: one appointment that fails for itself does not.
	boardFaults, boardSubjects = 5, 3
	// boardLease is how long the one who probes the board has for it.
	boardLease = time.Minute
	// boardPause is the first pause between probes, boardPauseMax the longest.
	boardPause, boardPauseMax = 30 * time.Second, 15 * time.Minute
	// boardRelapse: suspended again so soon after it came back, the pauses go on growing.
	boardRelapse = 15 * time.Minute
)

// opBoardSuspended is the Op of the faults by which BoardService turns calls away.
const opBoardSuspended = "board: suspended"

// BoardService is the board as everything that works by itself asks it: workers,
// routing, timers and notifications. It passes calls on, notices when the board as
// a whole does not work, and then turns them away without asking, with a transient
// fault whose RetryAfter says when it is worth trying again. Whoever is turned away
// keeps what is due; nothing is concluded.
//
// It is suspended at once by a fault of the whole board (key, address, certificate),
// or by several faults in a row, but only if a look at the board's list of resources
// fails as well: a key that may not do one thing, or one appointment that fails, are
// no matter of the board as a whole. The first call after the pause is the probe.
//
// What a person does in the portal asks the board directly. It is safe for
// concurrent use, in any number of processes: they share the service's row.
type BoardService struct {
	Board Board
	Store interface {
		store.Links
		store.Targets
		store.Journal
	}
	Bus Bus
	Now func() time.Time
	Log *slog.Logger

	state serviceCache

	mu       sync.Mutex
	faults   int
	subjects map[string]bool
}

var _ Board = (*BoardService)(nil)

// turnedAwayByBoard reports a call that was not made, as the board is suspended.
func turnedAwayByBoard(err error) bool {
	f := fault.Of(err)
	return f != nil && f.Op == opBoardSuspended
}

// through makes one call about a subject, if the board may be asked.
func (b *BoardService) through(ctx context.Context, subject string, call func(context.Context) error) error {
	probing, err := b.enter(ctx)
	if err != nil {
		return err
	}
	err = call(ctx)
	// The call's outcome counts, whatever becomes of what is noted of it.
	if failed := b.left(ctx, subject, err, probing); failed != nil {
		b.Log.WarnContext(ctx, "the state of the board could not be noted", "error", failed)
	}
	return err
}

// enter turns a call away while the board is suspended; probing says that this
// call is the one that finds out whether it works again.
func (b *BoardService) enter(ctx context.Context) (probing bool, err error) {
	now := b.Now()
	if b.state.works(now) {
		return false, nil
	}
	for {
		row, err := b.row(ctx)
		if err != nil {
			return false, err
		}
		b.state.saw(now, row.SuspendedSince.IsZero())
		switch {
		case row.SuspendedSince.IsZero():
			return false, nil
		case row.Probe.After(now):
			return false, &fault.Error{
				Kind: fault.Transient, Reason: fault.Reason(row.SuspendedReason), Op: opBoardSuspended, Code: row.SuspendedCode,
				WholeTarget: true, WholeService: true, RetryAfter: row.Probe.Sub(now),
			}
		}
		row.Probe = now.Add(boardLease)
		if err := b.Store.SwapTarget(ctx, row); !errors.Is(err, store.ErrConflict) {
			return err == nil, err
		}
		// Somebody else probes it.
	}
}

func (b *BoardService) row(ctx context.Context) (*store.Target, error) {
	row, err := b.Store.Target(ctx, store.Service, serviceBoard)
	if errors.Is(err, store.ErrNotFound) {
		return &store.Target{Kind: store.Service, ID: serviceBoard}, nil
	}
	return row, err
}

// left concludes from a call's outcome whether the board as a whole works.
func (b *BoardService) left(ctx context.Context, subject string, err error, probing bool) error {
	f := fault.Of(err)
	switch {
	case err != nil && (ctx.Err() != nil || f.Reason == fault.Canceled || isOurs(f) || f.Op == "unclassified"):
		return nil // says nothing of the board
	case !boardDown(f):
		b.forget()
		if probing {
			return b.resume(ctx)
		}
		return nil
	case !probing && !f.WholeTarget && !b.suspicious(subject):
		return nil
	}
	_, failed := b.Board.Resources(ctx)
	b.forget()
	switch look := fault.Of(failed); {
	case !boardDown(look) && probing:
		return b.resume(ctx)
	case !boardDown(look), ctx.Err() != nil || isOurs(look):
		return nil
	case look.WholeTarget || !f.WholeTarget:
		f = look
	}
	return b.suspend(ctx, f, probing)
}

// boardDown reports a fault that may be the whole board's: any other answer shows
// that it works.
func boardDown(f *fault.Error) bool {
	return f != nil && (f.WholeTarget || f.Reason == fault.Unavailable || f.Reason == fault.Timeout)
}

// suspicious counts a fault, and reports whether there are too many in a row.
func (b *BoardService) suspicious(subject string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subjects == nil {
		b.subjects = map[string]bool{}
	}
	b.faults++
	b.subjects[subject] = true
	return b.faults >= boardFaults && len(b.subjects) >= boardSubjects
}

func (b *BoardService) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = 0
	clear(b.subjects)
}

// suspend notes that the board as a whole does not work, and when it is probed.
func (b *BoardService) suspend(ctx context.Context, f *fault.Error, probed bool) error {
	code := codeOf(f)
	b.state.saw(b.Now(), false)
	for {
		row, err := b.row(ctx)
		if err != nil {
			return err
		}
		now := b.Now()
		working := row.SuspendedSince.IsZero()
		if !working && !probed && row.Probe.After(now) {
			return nil // somebody else has noticed
		}
		if working && now.Sub(row.Probe) > boardRelapse {
			row.Probes = 0
		}
		fresh := working || row.SuspendedCode != code
		if working {
			row.SuspendedSince = now
		}
		pause := max(min(boardPause<<min(row.Probes, 10), boardPauseMax), min(f.RetryAfter, boardPauseMax))
		row.SuspendedReason, row.SuspendedCode = string(f.Reason), code
		row.Probe = now.Add(pause)
		row.Probes++
		if err := b.Store.SwapTarget(ctx, row); errors.Is(err, store.ErrConflict) {
			continue
		} else if err != nil {
			return err
		}
		if fresh {
			c := Explain(code)
			b.Log.ErrorContext(ctx, "the board as a whole is suspended", "error", f, "code", code, "probe_in", pause)
			b.record(ctx, store.Transaction{Operation: "suspend board", Status: c.Status, Code: code, Remote: remoteOf(f), Text: c.Sentence})
		}
		return nil
	}
}

// resume ends the suspension: the board has answered. Its Probe keeps when that was.
func (b *BoardService) resume(ctx context.Context) error {
	for {
		row, err := b.row(ctx)
		if err != nil {
			return err
		}
		b.state.saw(b.Now(), true)
		if row.SuspendedSince.IsZero() {
			return nil
		}
		row.SuspendedSince, row.Probe = time.Time{}, b.Now()
		row.SuspendedReason, row.SuspendedCode = "", ""
		if err := b.Store.SwapTarget(ctx, row); errors.Is(err, store.ErrConflict) {
			continue
		} else if err != nil {
			return err
		}
		break
	}
	b.Log.InfoContext(ctx, "the board as a whole works again")
	b.record(ctx, store.Transaction{Operation: "resume board", Status: StatusSuccess, Text: "Dime.Scheduler can be used again"})
	return b.wake(ctx)
}

// wake lets what waited for the board go out within a minute, and not only when
// each link would look by itself.
func (b *BoardService) wake(ctx context.Context) error {
	targets, err := b.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	now := b.Now()
	var failed []error
	for _, t := range targets {
		if t.Participates && !t.Due.IsZero() {
			failed = append(failed, b.wakeMailbox(ctx, t.ID, now.Add(target.Spread(t.ID, resumeSpread))))
		}
	}
	return errors.Join(failed...)
}

func (b *BoardService) wakeMailbox(ctx context.Context, mailbox string, at time.Time) error {
	links, _, err := b.Store.DueLinks(ctx, mailbox, at.Add(boardPauseMax+resumeSpread), listSize)
	if err != nil {
		return err
	}
	var waiting []string
	for _, l := range links {
		if waitsForBoard(l) && l.DueAt.After(at) {
			waiting = append(waiting, l.Appointment)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	if err := b.Store.LowerDue(ctx, store.Mailbox, mailbox, at); err != nil { // R1
		return err
	}
	_, errs := b.Store.UpdateLinks(ctx, mailbox, waiting, func(l *store.Link) error {
		if l.ETag != "" && waitsForBoard(l) && l.DueAt.After(at) {
			l.DueAt = at
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return b.Bus.NudgeAt(ctx, at, bus.Nudge{Kind: bus.Push, Target: mailbox, Reason: "resumed", At: at})
}

// waitsForBoard reports a link whose finding waits until the board works.
func waitsForBoard(l *store.Link) bool {
	switch l.FailureCode {
	case codeBoardKey, codeBoardDown, codeBoardAddress:
		return !l.DueAt.IsZero() && l.State != store.Failed
	}
	return false
}

// Suspended tells since when the board as a whole is suspended, zero if it works,
// and when it last came back, zero if it has never been suspended.
func (b *BoardService) Suspended(ctx context.Context) (since, resumed time.Time, err error) {
	row, err := b.row(ctx)
	if err != nil || !row.SuspendedSince.IsZero() {
		return row.SuspendedSince, time.Time{}, err
	}
	return time.Time{}, row.Probe, nil
}

// record keeps one transaction; it is for people, and must not stop anything.
func (b *BoardService) record(ctx context.Context, t store.Transaction) {
	cause := trace.Of(ctx)
	t.Family, t.At, t.Source, t.Invocation, t.Trace = family, b.Now(), store.SourceService, cause.Invocation, cause.TraceID
	if err := b.Store.Record(ctx, t); err != nil {
		b.Log.WarnContext(ctx, "a transaction could not be recorded", "error", err)
	}
}
