package exchange

import (
	"context"
	"maps"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// copying notes, before it is done, that words of a person go to a board-born
// appointment, and what stood there before: should the event become private, they
// are taken back (R33).
func (s *session) copying(ctx context.Context, l *store.Link, board, out appointment.Content) error {
	words := out.Words()
	if l.Origin != store.Board || len(words) == 0 {
		return nil
	}
	next := store.Copied{Wrote: words, Before: board.Only(appointment.Subject, appointment.Body, appointment.Importance)}
	if was := l.Copied; was != nil {
		next.Wrote = was.Wrote.With(words)
		for f, wrote := range was.Wrote {
			if before, known := was.Before[f]; known && sameByDesign(f, wrote, board[f]) {
				next.Before[f] = before // no planner has written there since
			}
		}
	}
	maps.DeleteFunc(next.Before, func(f appointment.Field, _ string) bool { _, wrote := next.Wrote[f]; return !wrote })
	return s.put(ctx, l, func(l *store.Link) { l.Copied = &next })
}

// erase adds to what goes to the board that which takes words back from it that
// may not be seen any more (R32, R33): of an event that was born in Outlook all
// of them, of a planned one those that the person has written and no planner has
// changed since. What the planner wrote stays.
func erase(l *store.Link, board, out appointment.Content) {
	switch flow := l.Inbound.Flow; {
	case flow == appointment.Open:
	case masked(l.Origin, flow) && l.Flow != appointment.Masked:
		for f, v := range mask {
			if board[f] == v {
				delete(out, f)
			} else {
				out[f] = v
			}
		}
	case l.Origin == store.Board && l.Copied != nil:
		for f, wrote := range l.Copied.Wrote {
			if before, known := l.Copied.Before[f]; known && wrote != before && sameByDesign(f, wrote, board[f]) {
				out[f] = before
			}
		}
	}
}

// erased forgets what was copied, once it has been taken back.
func erased(l *store.Link) {
	if in := l.Inbound; in != nil && in.Flow != appointment.Open {
		l.Copied = nil
	}
}
