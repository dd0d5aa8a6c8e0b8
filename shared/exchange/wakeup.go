package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// wantsRead decides whether a wake-up costs a read, and when. One that names the
// states of events is judged by them: what the links hold already, as the echo
// of a write of ours, costs none. One that names nothing is judged by time (R4).
func (s *session) wantsRead(ctx context.Context, n bus.Nudge, resuming bool) (read bool, later time.Time, err error) {
	now := s.Now()
	if resuming || n.Kind == bus.Subscribe || s.bookedRead(now) || s.row.LastRead.IsZero() {
		return true, time.Time{}, nil
	}
	if n.Kind != bus.Read {
		return false, time.Time{}, nil
	}
	last := s.row.LastRead
	if choices, err := s.choices(ctx); err != nil || choices != s.row.Filter {
		return err == nil, time.Time{}, err // others were made since
	}
	gap := n.At.Sub(last)
	if gap < -readGap {
		return false, time.Time{}, nil // satisfied
	}
	var needed bool
	if len(n.States) > 0 {
		if seen, err := s.haveSeen(ctx, n.States); seen || err != nil {
			return false, time.Time{}, err
		}
		needed, later = now.Sub(last) >= readPause, last.Add(readPause)
	} else {
		needed, later = gap >= readGap, last.Add(readGap)
	}
	if needed {
		return true, time.Time{}, nil
	}
	if s.row.BookedRead.After(now) {
		return false, time.Time{}, nil // somebody has booked it
	}
	return false, later, nil
}

// readAgain books a single further read if this one did not show the states that
// it was for: delta lags (R4).
func (s *session) readAgain(ctx context.Context, states []bus.EventState) error {
	if len(states) == 0 || s.row.BookedRead.After(s.Now()) {
		return nil
	}
	if seen, err := s.haveSeen(ctx, states); seen || err != nil {
		return err
	}
	return s.book(ctx, s.row.LastRead.Add(readGap), true)
}

// haveSeen reports whether the links hold these very states of these events.
func (s *session) haveSeen(ctx context.Context, states []bus.EventState) (bool, error) {
	for _, state := range states {
		l, err := s.Store.LinkByEvent(ctx, s.mailbox, state.Event)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return false, nil
		case err != nil:
			return false, err
		case l.Inbound != nil && l.Inbound.ETag != state.ETag, l.Inbound == nil && l.OutlookSeen.ETag != state.ETag:
			return false, nil
		}
	}
	return len(states) > 0, nil
}
