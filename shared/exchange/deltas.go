package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// aligned takes rows off the list of deltas whose event is gone, or has become an
// appointment's like any other: nobody has to look at them any more.
func (s *session) aligned(ctx context.Context, round calendar.Round, items []calendar.Item) error {
	if len(items) == 0 && !round.Full {
		return nil
	}
	rows, err := s.Store.Deltas(ctx, s.mailbox, listSize)
	if err != nil || len(rows) == 0 {
		return err
	}
	there := map[string]bool{}
	for _, it := range round.Items {
		there[it.ID] = !it.Removed
	}
	for _, row := range rows {
		shown, told := there[row.Event]
		over := told && !shown || !told && round.Full && row.Kind != "held"
		if shown && row.Kind == "movein" {
			l, err := s.Store.LinkByEvent(ctx, s.mailbox, row.Event)
			over = err == nil && l.Held == nil && l.State != store.Released && !l.Wanted.Version.IsZero()
		}
		if shown && (row.Kind == "attendees" || row.Kind == "second" || row.Kind == "foreign") {
			// Left alone on purpose, as long as its link says so.
			l, err := s.Store.LinkByEvent(ctx, s.mailbox, row.Event)
			over = err == nil && l.State != store.Released && l.State != store.Skipped
		}
		if over {
			if err := s.Store.RemoveDelta(ctx, s.mailbox, row.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// leftAlone lists an event that is no longer, or not, ours to write.
func (s *session) leftAlone(ctx context.Context, l *store.Link, now time.Time) error {
	d := store.Delta{Mailbox: s.mailbox, Event: l.OutlookSeen.EventID, At: now}
	switch {
	case l.State == store.Released:
		d.Kind, d.Text = "attendees", "the appointment is gone from the board, but its event has attendees and was left alone"
	case l.State == store.Skipped && l.FailureCode == codeForeignMeeting:
		d.Kind, d.Text = "foreign", "the board has changed the appointment, but its event is a copy of somebody else's meeting and was left alone"
	default:
		return nil
	}
	d.Start, d.End, _ = l.OutlookSeen.Content.Times()
	return s.Store.PutDelta(ctx, d)
}
