package exchange

import (
	"context"
	"errors"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// bear makes an appointment of an event that was born in Outlook. The intent
// with the Guid that we propose is stored first; repeating the call with the
// same Guid and event makes no second one (R25).
func (s *session) bear(ctx context.Context, l *store.Link) error {
	tried := l.BoardSent != nil
	if tried {
		// Tried before, with an unknown outcome: if it was born, a planner may have
		// changed it since, and what the board shows is merged (R24).
		a, err := s.appointment(ctx, l)
		switch {
		case err == nil:
			return s.settleSent(ctx, l, a)
		case !fault.Is(err, fault.NotFound):
			return s.boardFailed(ctx, l, err)
		}
	}
	content := defaults.With(l.Inbound.Content)
	if l.Inbound.Flow == appointment.Masked {
		content = content.With(mask)
	}
	l, err := s.intend(ctx, l, opUpsert, content)
	if err != nil || l.Inbound == nil {
		return err
	}
	ref, err := s.Board.UpsertExchange(ctx, s.exchangeAppointment(l, l.BoardSent.Content, true))
	s.recordBoard(l, "create", err)
	if turnedAwayByBoard(err) && !tried {
		// No call was made, so nobody has to wait for its outcome.
		if err := s.put(ctx, l, func(l *store.Link) { l.BoardSent = nil }); err != nil {
			return err
		}
	}
	if err != nil {
		return s.boardFailed(ctx, l, err)
	}
	if ref.Guid != "" && ref.Guid != l.Appointment {
		if l, err = s.rename(ctx, l, ref.Guid); err != nil {
			return err
		}
	}
	return s.readBack(ctx, l)
}

// settleSent deals with an open write to the board of which the board has been
// read since: where it shows what it was told, both sides showed it then, and
// whatever differs from that has been changed later.
func (s *session) settleSent(ctx context.Context, l *store.Link, a appointment.Appointment) error {
	s.tellOf(ctx, l, a)
	before := l.Wanted.Version
	err := s.put(ctx, l, func(l *store.Link) {
		s.want(l, a, before)
		arrived(l, a)
	})
	if err != nil {
		return err
	}
	l, err = s.Store.Link(ctx, s.mailbox, l.Appointment)
	if errors.Is(err, store.ErrNotFound) {
		return nil // renamed by another worker
	}
	if err != nil || l.Inbound == nil {
		return err
	}
	return s.change(ctx, l)
}

func arrived(l *store.Link, a appointment.Appointment) {
	sent := l.BoardSent
	l.BoardSent = nil
	if sent == nil || sent.Op != opUpsert {
		return
	}
	told, born := sent.Content, l.BoardSeen.Content == nil
	l.BoardSeen.Content, l.OutlookSeen.Content = l.BoardSeen.Content.With(nil), l.OutlookSeen.Content.With(nil)
	for f, v := range told {
		shown, known := a.Content[f]
		landed := !known || sameByDesign(f, v, shown)
		if landed || born {
			l.OutlookSeen.Content[f], l.BoardSeen.Content[f] = v, v
		}
		if landed && known {
			l.BoardSeen.Content[f] = shown
		}
	}
	l.BoardSeen.ID, l.BoardSeen.Number = a.ID, a.Number
}

// rename makes the board's Guid the link's, and absorbs a link that the board's
// own announcement has made there meanwhile (R25).
func (s *session) rename(ctx context.Context, l *store.Link, guid string) (*store.Link, error) {
	var twin store.OutlookSeen
	l, err := s.Store.RenameLink(ctx, s.mailbox, l.Appointment, guid, func(moved, there *store.Link) error {
		if there == nil {
			return nil
		}
		if there.Wanted.Version.Compare(moved.Wanted.Version) > 0 {
			moved.Wanted = there.Wanted
			if moved.Wanted.Held != "" {
				// The rules were asked before it was known that it was born here.
				moved.Wanted.Absent, moved.Wanted.Held = false, ""
			}
		}
		twin = there.OutlookSeen
		return nil
	})
	if err != nil || twin.EventID == "" || twin.EventID == l.OutlookSeen.EventID {
		return l, err
	}
	return l, s.deleteSecond(ctx, calendar.Event{ID: twin.EventID, ETag: twin.ETag, Attendees: twin.Attendees}, guid)
}

// unborn: the event went before the board answered whether it made an
// appointment of it. Taking it back by the event's id is right either way.
func (s *session) unborn(ctx context.Context, l *store.Link) error {
	if l.BoardSent != nil {
		err := s.Board.DeleteExchange(ctx, s.exchangeAppointment(l, nil, true))
		s.recordBoard(l, "delete", err)
		if err != nil {
			return s.boardFailed(ctx, l, err)
		}
	}
	return s.put(ctx, l, func(l *store.Link) {
		lose(l)
		l.BoardSent = nil
		if boardKnows(l) {
			proceed(l, s.Now())
			return
		}
		settle(l, store.Gone)
	})
}
