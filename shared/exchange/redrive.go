package exchange

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Redrive is the timer under the nudges: it nudges each target whose due time
// has passed (R1), returns the dead letters of the appointments queue (R5),
// discards dead nudges, and ages out old rows.
type Redrive struct {
	Store interface {
		store.Targets
		store.Journal
		store.Values
	}
	Bus Bus
	// DeadLetters empties the queues' dead letters; nil = there is nothing to empty.
	DeadLetters func(ctx context.Context) error
	Now         func() time.Time
	Log         *slog.Logger
}

// tombstoneAge is how long tombstones and old rows of the journal stay (R7).
const tombstoneAge = 30 * 24 * time.Hour

// Run does each of its parts, whatever becomes of the others.
func (r *Redrive) Run(ctx context.Context) error {
	failed := []error{r.nudge(ctx)}
	if r.DeadLetters != nil {
		failed = append(failed, r.DeadLetters(ctx))
	}
	failed = append(failed, r.prune(ctx))
	return errors.Join(failed...)
}

// prune ages out old rows, once a day: it reads whole tables. A part of them is
// enough for a run; the next goes on.
func (r *Redrive) prune(ctx context.Context) error {
	const name = "pruned"
	now := r.Now().UTC()
	day, etag, err := r.Store.Value(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) || day == now.Format(time.DateOnly) {
		return err
	}
	n, err := r.Store.Prune(ctx, now.Add(-tombstoneAge))
	if err != nil || n > 0 {
		return err
	}
	if _, err = r.Store.SwapValue(ctx, name, now.Format(time.DateOnly), etag); errors.Is(err, store.ErrConflict) {
		return nil // another run has noted it
	}
	return err
}

func (r *Redrive) nudge(ctx context.Context) error {
	now := r.Now()
	due, err := r.Store.DueTargets(ctx, store.Mailbox, now)
	if err != nil {
		return err
	}
	var nudges []bus.Nudge
	for _, t := range due {
		if !t.Participates && t.Leaving == "" {
			continue
		}
		n := bus.Nudge{Kind: bus.Push, Target: t.ID, Reason: "redrive", At: now}
		switch {
		case !t.SuspendedSince.IsZero():
			n.Kind = bus.Subscribe
		case !t.BookedRead.IsZero() && !t.BookedRead.After(now):
			n.Kind = bus.Read
		}
		nudges = append(nudges, n)
	}
	if len(nudges) == 0 {
		return nil
	}
	r.Log.InfoContext(ctx, "overdue targets nudged", "count", len(nudges))
	return r.Bus.Nudge(ctx, nudges...)
}
