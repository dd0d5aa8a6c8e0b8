// Package target is what every worker does with the row of its target: change
// it by swap, book the next look twice, and come to rest when no link is due.
//
// Guarantees: Due is raised only on a row that was read before the links were
// listed (R1), and whatever is planned for later is booked in the row and as a
// nudge (R2). What is done with a link is the worker's.
package target

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Pauses and limits.
const (
	// DueSoon is when redrive looks at a target if the nudge for it is lost (R1).
	DueSoon = time.Minute
	// maxPasses bounds the passes of one nudge, as a guard against a link that
	// stays due though it was dealt with.
	maxPasses = 500
	// listSize bounds how many due links are taken at once.
	listSize = 200
)

// ErrLater ends a pass early: what is due stays due.
var ErrLater = errors.New("target: later")

// Keeper looks after the row of one target for the time of one nudge.
type Keeper struct {
	Store interface {
		store.Links
		store.Targets
	}
	Bus interface {
		NudgeAt(ctx context.Context, at time.Time, n bus.Nudge) error
	}
	Now func() time.Time
	Log *slog.Logger
	// Row is the row as last read or written.
	Row *store.Target
}

// Save changes the row; somebody else's change of it is kept.
func (k *Keeper) Save(ctx context.Context, change func(*store.Target)) error {
	for {
		row := *k.Row
		change(&row)
		err := k.Store.SwapTarget(ctx, &row)
		if err == nil {
			k.Row = &row
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		fresh, err := k.Store.Target(ctx, k.Row.Kind, k.Row.ID)
		if errors.Is(err, store.ErrNotFound) {
			fresh = &store.Target{Kind: k.Row.Kind, ID: k.Row.ID}
		} else if err != nil {
			return err
		}
		k.Row = fresh
	}
}

// Book notes that the target is to be looked at then, unless it is booked sooner.
func (k *Keeper) Book(ctx context.Context, at time.Time) error {
	if due := k.Row.Due; !due.IsZero() && !due.After(at) && due.After(k.Now()) {
		return nil
	}
	if err := k.nudge(ctx, at); err != nil {
		return err
	}
	return k.Save(ctx, func(t *store.Target) {
		if t.Due.IsZero() || t.Due.After(at) || !t.Due.After(k.Now()) {
			t.Due, t.Booked = at, at
		}
	})
}

func (k *Keeper) nudge(ctx context.Context, at time.Time) error {
	return k.Bus.NudgeAt(ctx, at, bus.Nudge{Kind: bus.Push, Target: k.Row.ID, Reason: "booked", At: at})
}

// Rest runs the passes (if any) until no link is due, then puts the target to
// rest: it raises Due to when something is due next, by swap on a row that was
// read before the links were listed, and books a nudge for then. Nothing is
// looked at before floor, if that is set.
func (k *Keeper) Rest(ctx context.Context, floor func() time.Time, pass func(context.Context, []*store.Link) error) error {
	for range maxPasses {
		now := k.Now()
		due, next, err := k.Store.DueLinks(ctx, k.Row.ID, now, listSize)
		if err != nil {
			return err
		}
		if len(due) > 0 {
			next = now
			if pass != nil {
				err := pass(ctx, due)
				if errors.Is(err, ErrLater) {
					pass = nil
				} else if err != nil {
					return err
				}
				continue
			}
		}
		if wait := floor(); !next.IsZero() && next.Before(wait) {
			next = wait
		}
		if next.Equal(k.Row.Due) && next.Equal(k.Row.Booked) {
			return nil // as it is booked already, and not only lowered to the same time
		}
		if !next.IsZero() {
			if err := k.nudge(ctx, next); err != nil {
				return err
			}
		}
		row := *k.Row
		row.Due, row.Booked = next, next
		switch err := k.Store.SwapTarget(ctx, &row); {
		case err == nil:
			k.Row = &row
			return nil
		case !errors.Is(err, store.ErrConflict):
			return err
		}
		// Somebody lowered Due since: what it announces may not be listed yet.
		if k.Row, err = k.Store.Target(ctx, k.Row.Kind, k.Row.ID); err != nil {
			return err
		}
	}
	k.Log.WarnContext(ctx, "links stay due after many passes: going on later", "passes", maxPasses)
	return k.Book(ctx, k.Now().Add(DueSoon))
}

// Backoff returns how long to wait after the n-th failure in a row: doubling
// from two seconds to a quarter of an hour, up to a third less for each by its
// own measure, or what the other side asked for. A nil err has asked for nothing.
func Backoff(who string, n int, err error) time.Duration {
	d := min(2*time.Second<<min(n, 9), 15*time.Minute)
	d -= Spread(who, d/3)
	if f := fault.Of(err); f != nil {
		d = max(d, f.RetryAfter)
	}
	return d
}

// Spread returns a stable part of the span for a target or an appointment, so
// that what is done to all of them is not done to all at once.
func Spread(who string, span time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(who))
	return span * time.Duration(h.Sum32()%1024) / 1024
}
