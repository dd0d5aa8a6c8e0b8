package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// removed deals with an event that a round called removed, or that a complete
// list did not hold: first the proof (R27), then what follows for the board.
func (s *session) removed(ctx context.Context, l *store.Link) error {
	if l.OutlookSeen.EventID == "" {
		return s.put(ctx, l, func(l *store.Link) { l.Inbound = nil; proceed(l, s.Now()) })
	}
	series := l.OutlookSeen.Series
	var e calendar.Event
	var err error
	if !s.seriesGone[series] { // else all of it is gone, and this is a part
		e, err = s.Calendar.Event(ctx, s.mailbox, l.OutlookSeen.EventID)
	}
	if err != nil && !gone(err) {
		return s.linkFailed(ctx, l, err, false)
	}
	if err == nil && e.Type == calendar.Master && !s.paired[l.Appointment] {
		return s.doubtful(ctx, l, e.ID, false)
	}
	if err == nil && !s.seriesGone[series] {
		there, err := s.inView(ctx, e)
		if err != nil {
			return s.linkFailed(ctx, l, err, false)
		}
		if there { // it has only left the window, or was brought back
			return s.put(ctx, l, func(l *store.Link) {
				l.Inbound = nil
				finding(l, calendar.Item{Event: e}, s.Now())
				proceed(l, s.Now())
			})
		}
	}
	if series != "" && !l.Inbound.Inferred {
		return s.doubtful(ctx, l, series, true)
	}
	out, err := s.optedOut(ctx)
	switch {
	case err != nil:
		return err
	case l.State == store.Hidden: // the board has nothing of it any more, unless it is planned anew
		return s.put(ctx, l, func(l *store.Link) { lose(l); proceed(l, s.Now()) })
	case l.Wanted.Absent || !boardKnows(l) && l.BoardSent == nil:
		return s.put(ctx, l, func(l *store.Link) {
			lose(l)
			l.BoardSent = nil
			if !l.Wanted.Absent {
				// Not wanted back: the person removed it, and the board is not told.
				settle(l, store.Gone)
				return
			}
			proceed(l, s.Now())
		})
	case !boardKnows(l) && !s.settings.ToBoardOff:
		return s.unborn(ctx, l)
	case l.Origin == store.Board && !s.settings.mayDelete():
		return s.undelete(ctx, l)
	case s.boardChanged(l) && !masked(l.Origin, l.Flow):
		return s.recreate(ctx, l, codeConflict, "deleted in Outlook, but changed on the board: created again")
	case s.settings.ToBoardOff || out && l.Origin == store.Board:
		// Kept for when the way is opened again.
		return s.put(ctx, l, func(l *store.Link) { l.DueAt = s.Now().Add(baselineAge) })
	}
	return s.unassign(ctx, l)
}

// boardChanged reports whether the board has changed the appointment since both
// sides were last brought together.
func (s *session) boardChanged(l *store.Link) bool {
	return len(changedFields(l.BoardSeen.Content, l.Wanted.Content)) > 0
}

// recreate: deleted here, changed there. The board's word wins and the event is
// made anew, under the next generation (R23).
func (s *session) recreate(ctx context.Context, l *store.Link, code, why string) error {
	s.record(l.Appointment, "merge", "Conflict", code, why+" (board "+l.Wanted.Content.Digest()+", Outlook "+l.OutlookSeen.Content.Digest()+")")
	return s.put(ctx, l, func(l *store.Link) {
		lose(l)
		l.State, l.DueAt = store.Pending, s.Now()
		if code == codeRestored {
			countRestore(l, s.Now())
		}
	})
}

// undelete makes an event again that the resource may not delete, unless that has
// been done so often that it is left so (see worn), and the planner is told.
func (s *session) undelete(ctx context.Context, l *store.Link) error {
	if !worn(l, s.Now()) {
		return s.recreate(ctx, l, codeRestored, "deleted in Outlook, which the resource may not: created again")
	}
	s.recordWorn(l)
	s.failed[l.Appointment] = true
	return s.put(ctx, l, func(l *store.Link) {
		lose(l)
		l.BoardSent = nil
		l.State, l.DueAt, l.Attempts, l.Asked = store.Failed, time.Time{}, 0, false
		l.FailureCode, l.FailureText = codeWorn, Explain(codeWorn).Sentence
	})
}

// unassign takes this mailbox's resources off the appointment; the appointment
// itself goes only if a read then shows that nobody is left (R31).
func (s *session) unassign(ctx context.Context, l *store.Link) error {
	a, err := s.appointment(ctx, l)
	switch {
	case goneFromBoard(err):
		return s.leave(ctx, l, nil)
	case err != nil:
		return s.boardFailed(ctx, l, err)
	}
	here := s.assignedHere(a)
	if l.BoardSent == nil && len(changedFields(l.BoardSeen.Content, a.Content)) > 0 && len(here) > 0 && !masked(l.Origin, l.Flow) {
		before := l.Wanted.Version
		if err := s.put(ctx, l, func(l *store.Link) { s.want(l, a, before) }); err != nil {
			return err
		}
		return s.recreate(ctx, l, codeConflict, "deleted in Outlook, but changed on the board: created again")
	}
	if len(here) == 0 && (l.BoardSent == nil || l.BoardSent.Op != opUnassign) {
		// A planner has taken it off already, maybe to plan it anew: what is left
		// of it is theirs.
		return s.leave(ctx, l, &a)
	}
	if l, err = s.intend(ctx, l, opUnassign, nil); err != nil || l.Inbound == nil {
		return err
	}
	left, again, err := s.detach(ctx, l, a)
	switch {
	case err != nil:
		return s.boardFailed(ctx, l, err)
	case again:
		return s.stillAssigned(ctx, l)
	}
	s.tellUnassigned(ctx, l, a, left)
	return s.leave(ctx, l, left)
}

// detach takes the mailbox's resources off the appointment a, and the appointment
// off the board if a read then shows that nobody is left (R31). left is what the
// board shows afterwards, nil if it is gone; again says that the mailbox is still
// assigned. It is safe twice.
func (s *session) detach(ctx context.Context, l *store.Link, a appointment.Appointment) (left *appointment.Appointment, again bool, err error) {
	b := a
	if a.CreatedByExchange || l.Origin == store.Outlook {
		for _, no := range s.assignedHere(a) {
			x := s.exchangeAppointment(l, a.Content, true)
			x.ResourceEmail = s.emailOf(no)
			err = s.Board.DeleteExchange(ctx, x)
			s.recordBoard(l, "unassign", err)
			if err != nil {
				return nil, false, err
			}
		}
		b, err = s.appointment(ctx, l)
	}
	if err == nil {
		for _, no := range s.assignedHere(b) {
			err = s.Board.Unassign(ctx, b, no)
			s.recordBoard(l, "unassign", err)
			if err != nil {
				return nil, false, err
			}
		}
		b, err = s.appointment(ctx, l)
	}
	switch {
	case goneFromBoard(err):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case len(b.Assignees) == 0:
		err = s.Board.DeleteAppointment(ctx, b)
		s.recordBoard(l, "delete", err)
		return nil, false, err
	}
	return &b, len(s.assignedHere(b)) > 0, nil
}

// stillAssigned: the call had no effect, or somebody was faster.
func (s *session) stillAssigned(ctx context.Context, l *store.Link) error {
	return s.put(ctx, l, func(l *store.Link) {
		l.Attempts++
		l.DueAt = s.Now().Add(max(readGap, target.Backoff(l.Appointment, l.Attempts, nil)))
	})
}

// leave ends the link: the event is gone, and so is the assignment (with what
// the board shows then) or the whole appointment (nil).
func (s *session) leave(ctx context.Context, l *store.Link, left *appointment.Appointment) error {
	before := l.Wanted.Version
	err := s.put(ctx, l, func(l *store.Link) {
		lose(l)
		l.BoardSent = nil
		newest := l.Wanted.Version == before
		if left != nil {
			newest = s.want(l, *left, before)
		}
		if newest {
			l.Wanted.Absent, l.Wanted.Deleted, l.Wanted.Held = true, left == nil, ""
			if l.Wanted.Version.IsZero() {
				l.Wanted.Version.Modified = s.Now()
			}
		}
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
