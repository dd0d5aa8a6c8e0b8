package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// opHide is the open intent to take a hidden appointment off the board.
const opHide = "hide"

// hide takes an appointment that was born in Outlook, and whose event has left
// the filter, off the board. The link is hidden before anything is done there, so
// that no word of the board reaches the event any more (R32), and what had been
// copied of it is erased here at once.
func (s *session) hide(ctx context.Context, l *store.Link) error {
	if err := s.lower(ctx); err != nil {
		return err
	}
	err := s.put(ctx, l, func(l *store.Link) {
		accept(l)
		l.State = store.Hidden
		l.BoardSent = &store.BoardSent{Op: opHide, At: s.Now()}
		l.OutlookSeen.Content = l.OutlookSeen.Content.Wordless()
		l.BoardSeen.Content = l.BoardSeen.Content.Wordless()
		l.Wanted.Content, l.Refused = l.Wanted.Content.Wordless(), nil
		l.Attempts, l.FailureCode, l.FailureText = 0, "", ""
		l.DueAt = s.Now()
	})
	if err != nil {
		return err
	}
	s.record(l.Appointment, "hide", "Success", "", "the event has left the filter: the appointment is taken off the board")
	return nil // the next pass goes on
}

// hidden goes on with a hidden link, whatever is open in it.
func (s *session) hidden(ctx context.Context, l *store.Link) error {
	in := l.Inbound
	switch {
	case l.BoardSent != nil && s.settings.ToBoardOff:
		return s.put(ctx, l, func(l *store.Link) { l.DueAt = s.Now().Add(sweepAge) })
	case l.BoardSent != nil:
		return s.takeOff(ctx, l)
	case in == nil && plannedAnew(l):
		return s.planAnew(ctx, l)
	case in == nil:
		return s.put(ctx, l, func(l *store.Link) { proceed(l, s.Now()) })
	case in.Removed:
		return s.removed(ctx, l)
	case in.Flow == appointment.Withheld:
		return s.put(ctx, l, func(l *store.Link) { accept(l); proceed(l, s.Now()) })
	case s.settings.ToBoardOff:
		return s.put(ctx, l, func(l *store.Link) { l.DueAt = s.Now().Add(baselineAge) })
	}
	return s.comeOut(ctx, l)
}

// plannedAnew reports whether the board has given the mailbox an appointment again
// from which its own event was hidden, and that event is gone meanwhile or became
// another appointment: what the board wants now is the planner's alone.
func plannedAnew(l *store.Link) bool {
	return l.State == store.Hidden && l.OutlookSeen.EventID == "" && l.BoardSent == nil && !l.Wanted.Absent
}

// planAnew lets such a link begin as one that was planned on the board. The words
// that it forgot when it was hidden are read there.
func (s *session) planAnew(ctx context.Context, l *store.Link) error {
	a, err := s.appointment(ctx, l)
	switch {
	case goneFromBoard(err):
		return s.deletedOnBoard(ctx, l)
	case err != nil:
		return s.boardFailed(ctx, l, err)
	}
	before := l.Wanted.Version
	return s.put(ctx, l, func(l *store.Link) {
		if !plannedAnew(l) {
			return
		}
		s.want(l, a, before)
		l.Origin, l.Flow, l.State, l.Copied = store.Board, appointment.Open, store.Pending, nil
		l.Attempts, l.FailureCode, l.FailureText = 0, "", ""
		proceed(l, s.Now())
	})
}

// takeOff masks what the board shows of a hidden event, and then takes the
// mailbox's resources off it; the appointment goes if nobody is left (R31, R32).
// Masking comes first: whatever the board keeps of it afterwards says nothing.
func (s *session) takeOff(ctx context.Context, l *store.Link) error {
	a, err := s.appointment(ctx, l)
	switch {
	case goneFromBoard(err), inconclusive(err) && l.Wanted.Absent && l.Wanted.Deleted:
		return s.takenOff(ctx, l, nil) // it is not shown, and was announced as deleted: two witnesses
	case err != nil:
		return s.boardFailed(ctx, l, err)
	}
	if len(a.Content.Differs(mask)) > 0 {
		_, err := s.Board.UpsertExchange(ctx, s.exchangeAppointment(l, mask.With(appointment.Content{appointment.Categories: ""}), true))
		s.recordBoard(l, "mask", err)
		if err == nil {
			a, err = s.appointment(ctx, l)
		}
		switch {
		case goneFromBoard(err):
			return s.takenOff(ctx, l, nil)
		case err != nil:
			return s.boardFailed(ctx, l, err)
		}
		// So that the head, too, forgets what it was about (R10).
		if err := s.news(ctx, a); err != nil {
			return err
		}
	}
	left, again, err := s.detach(ctx, l, a)
	switch {
	case err != nil:
		return s.boardFailed(ctx, l, err)
	case again:
		return s.stillAssigned(ctx, l)
	}
	return s.takenOff(ctx, l, left)
}

// takenOff ends the taking off. The link stays hidden for as long as its event
// lives, and longer, so that a late word of the board finds it so (R32, R34).
func (s *session) takenOff(ctx context.Context, l *store.Link, left *appointment.Appointment) error {
	err := s.put(ctx, l, func(l *store.Link) {
		l.BoardSent = nil
		l.Wanted.Absent, l.Wanted.Deleted = true, left == nil
		l.Wanted.Content = l.Wanted.Content.Wordless()
		l.Attempts, l.FailureCode, l.FailureText = 0, "", ""
		proceed(l, s.Now())
	})
	if err != nil {
		return err
	}
	if left != nil {
		return s.news(ctx, *left)
	}
	return s.newsOfDelete(ctx, l.Appointment)
}

// successor is the Guid that is proposed for the event of a hidden link when it may
// be seen again: the same whoever asks, should two workers do so at once (a session
// lock can be lost), and another each time that it comes back.
func successor(l *store.Link) string {
	name := fmt.Sprintf("%s|%s|%s|%d", l.Target, l.Appointment, l.OutlookSeen.EventID, l.Generation)
	return uuid.NewSHA1(successors, []byte(name)).String()
}

// successors is the name space of these Guids.
var successors = uuid.MustParse("9d1c7a52-6f0e-4c5b-9a35-0c6f4d3f2b11")

// comeOut gives an event that may be seen again a link of its own, with a new
// Guid; the hidden one stays as it is, without the event (R34). Should we die in
// between, the event's index says that the new link is there.
func (s *session) comeOut(ctx context.Context, l *store.Link) error {
	there, err := s.Store.LinkByEvent(ctx, s.mailbox, l.OutlookSeen.EventID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || there.Appointment == l.Appointment {
		in := *l.Inbound
		_, err := s.Store.UpdateLink(ctx, s.mailbox, successor(l), func(fresh *store.Link) error {
			if fresh.ETag != "" {
				return nil
			}
			fresh.Origin, fresh.State = store.Outlook, store.Pending
			fresh.OutlookSeen = store.OutlookSeen{EventID: l.OutlookSeen.EventID, ETag: in.ETag, Modified: in.Modified, ICalUID: l.OutlookSeen.ICalUID,
				Attendees: in.Attendees, Organizer: in.Organizer, Series: l.OutlookSeen.Series, Original: l.OutlookSeen.Original}
			fresh.Inbound, fresh.DueAt = &in, s.Now()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.put(ctx, l, func(l *store.Link) {
		lose(l)
		l.OutlookSeen.Former = "" // it belongs to the new link
		proceed(l, s.Now())
	})
}
