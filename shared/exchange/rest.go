package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// rest runs the passes (if any) until no link is due, then puts the target to
// rest: it raises Due to when something is due next, by swap on a row that was
// read before the links were listed (R1), and books a nudge for then (R2).
func (s *session) rest(ctx context.Context, pass func(context.Context, []*store.Link) error) error {
	for range maxPasses {
		now := s.Now()
		due, next, err := s.Store.DueLinks(ctx, s.mailbox, now, listSize)
		if err != nil {
			return err
		}
		if len(due) > 0 {
			next = now
			if pass != nil {
				if short(ctx) {
					return s.book(ctx, now, false)
				}
				err := pass(ctx, due)
				if errors.Is(err, errLater) {
					pass = nil
				} else if err != nil {
					return err
				}
				continue
			}
		}
		if wait := s.waitUntil(); !next.IsZero() && next.Before(wait) {
			next = wait
		}
		if b := s.row.BookedRead; !b.IsZero() && (next.IsZero() || b.Before(next)) {
			next = b
		}
		if next.Equal(s.row.Due) {
			return nil // as it is booked already
		}
		if !next.IsZero() {
			if err := s.Bus.NudgeAt(ctx, next, bus.Nudge{Kind: bus.Push, Target: s.mailbox, Reason: "booked", At: next}); err != nil {
				return err
			}
		}
		row := *s.row
		row.Due = next
		switch err := s.Store.SwapTarget(ctx, &row); {
		case err == nil:
			s.row = &row
			return nil
		case !errors.Is(err, store.ErrConflict):
			return err
		}
		// Somebody lowered Due since: what it announces may not be listed yet.
		if s.row, err = s.Store.Target(ctx, store.Mailbox, s.mailbox); err != nil {
			return err
		}
	}
	s.log.WarnContext(ctx, "links stay due after many passes: going on later", "passes", maxPasses)
	return s.book(ctx, s.Now().Add(dueSoon), false)
}

// book notes that the mailbox is to be looked at then, twice: in the row and as
// a nudge (R2). With read, a read is owed, to see the states if it is for any.
func (s *session) book(ctx context.Context, at time.Time, read bool, states ...bus.EventState) error {
	booked := s.row.BookedRead.After(s.Now()) && !s.row.BookedRead.After(at)
	if due := s.row.Due; (!read || booked) && !due.IsZero() && !due.After(at) {
		return nil
	}
	kind := bus.Push
	if read {
		kind = bus.Read
	}
	if err := s.Bus.NudgeAt(ctx, at, bus.Nudge{Kind: kind, Target: s.mailbox, Reason: "booked", At: at, States: states}); err != nil {
		return err
	}
	return s.save(ctx, func(t *store.Target) {
		if t.Due.IsZero() || t.Due.After(at) {
			t.Due = at
		}
		if read && !booked {
			t.BookedRead = at
		}
	})
}

// save changes the target's row; somebody else's change of it is kept.
func (s *session) save(ctx context.Context, change func(*store.Target)) error {
	for {
		row := *s.row
		change(&row)
		err := s.Store.SwapTarget(ctx, &row)
		if err == nil {
			s.row = &row
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if s.row, err = s.Store.Target(ctx, store.Mailbox, s.mailbox); err != nil {
			return err
		}
	}
}
