package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/merge"
	"github.com/dime-scheduler/connectors/shared/store"
)

// What an open write to the board does.
const (
	opUpsert   = "upsert"
	opUnassign = "unassign"
)

// toBoard carries what was found in Outlook to the board. A fault of the board
// stays in the link: nothing else waits for it (R16).
func (s *session) toBoard(ctx context.Context, l *store.Link) error {
	if err := s.judgeAgain(ctx, l); err != nil {
		return err
	}
	out, err := s.optedOut(ctx)
	if err != nil {
		return err
	}
	switch {
	case l.State == store.Hidden:
		return s.hidden(ctx, l)
	case l.Inbound == nil && l.Wanted.Absent:
		return s.giveWay(ctx, l)
	case l.Inbound == nil:
		// The intent of a write whose finding is gone: what the board shows decides.
		return s.readBack(ctx, l)
	case l.Inbound.Removed:
		return s.removed(ctx, l)
	case s.settings.ToBoardOff && !boardKnows(l):
		// Kept: nobody would find it again when the direction is switched on.
		return s.put(ctx, l, func(l *store.Link) { l.DueAt = s.Now().Add(sweepAge) })
	case l.Wanted.Absent && s.settings.ToBoardOff:
		return s.giveWay(ctx, l)
	case s.settings.ToBoardOff:
		return s.keepBack(ctx, l)
	case l.Wanted.Absent:
		// Deleted there, changed here: the deletion wins, for nothing could be
		// written to what is gone (R23, R24). The new etag lets it go on.
		s.recordConflict(l, "changed in Outlook, but deleted or unassigned on the board: removed")
		return s.giveWay(ctx, l)
	case !boardKnows(l) && l.Origin == store.Board:
		return s.askOfOurs(ctx, l)
	case !boardKnows(l) && l.Inbound.Flow == appointment.Withheld:
		return s.unborn(ctx, l) // it came under the filter before it was born
	case !boardKnows(l):
		return s.bear(ctx, l)
	case l.Origin == store.Outlook && l.Inbound.Flow == appointment.Withheld:
		return s.hide(ctx, l)
	case out:
		return s.keepBack(ctx, l)
	}
	return s.change(ctx, l)
}

// askOfOurs asks the board for the appointment of an event that carries our mark,
// and of which we know nothing: our tables were lost. It was born on the board, so
// that what a person does to it must never make one. Without an appointment the
// finding is taken as seen, and the event is left alone.
func (s *session) askOfOurs(ctx context.Context, l *store.Link) error {
	a, err := s.appointment(ctx, l)
	here := err == nil && len(s.assignedHere(a)) > 0
	if err != nil && !goneFromBoard(err) {
		return s.boardFailed(ctx, l, err)
	}
	before := l.Wanted.Version
	return s.put(ctx, l, func(l *store.Link) {
		if !here {
			accept(l)
			settle(l, store.Agreed)
			return
		}
		s.want(l, a, before)
		l.BoardSeen.Content = a.Content.With(nil)
		l.BoardSeen.ID, l.BoardSeen.Number = a.ID, a.Number
		l.DueAt = s.Now()
	})
}

// giveWay takes what was found as seen, without telling the board. Should a
// deletion that it gave way to be taken back before it was carried out, the
// board's word on those fields is news to Outlook.
func (s *session) giveWay(ctx context.Context, l *store.Link) error {
	return s.put(ctx, l, func(l *store.Link) {
		l.BoardSent = nil
		if in := l.Inbound; l.Wanted.Absent && in != nil {
			l.BoardSeen.Content = l.BoardSeen.Content.With(withoutCategories(in.Content.Only(changedFields(l.OutlookSeen.Content, in.Content)...)))
		}
		accept(l)
		proceed(l, s.Now())
	})
}

// boardKnows reports whether the board has ever shown the appointment.
func boardKnows(l *store.Link) bool {
	return !l.Wanted.Version.IsZero() || l.BoardSeen.Content != nil
}

// change merges what was found with what the board shows now: the board has no
// If-Match, so it is read first, and again after a write (R24).
func (s *session) change(ctx context.Context, l *store.Link) error {
	a, err := s.appointment(ctx, l)
	switch {
	case goneFromBoard(err):
		return s.deletedOnBoard(ctx, l)
	case err != nil:
		return s.boardFailed(ctx, l, err)
	case len(s.assignedHere(a)) == 0:
		return s.unassignedOnBoard(ctx, l, a)
	case l.BoardSent != nil:
		return s.settleSent(ctx, l, a)
	}
	out := merge.Fields(merge.Input{
		BoardSeen: l.BoardSeen.Content, Board: a.Content,
		OutlookSeen: l.OutlookSeen.Content, Outlook: outlooksOwn(l, l.Inbound.Content),
		Wins: s.settings.Wins,
	})
	if err := s.restore(ctx, l, a, out.ToBoard); err != nil {
		return err
	}
	for _, c := range out.Conflicts {
		s.recordConflict(l, "both sides changed "+string(c.Field)+": "+string(c.Winner)+" wins (board "+c.BoardDigest+", Outlook "+c.OutlookDigest+")")
	}
	for f := range out.ToBoard {
		if lossy(l, f, a.Content[f]) {
			delete(out.ToBoard, f) // what Outlook shows of it is not the whole (R22)
		}
	}
	changes := out.ToBoard.Clone()
	erase(l, a.Content, out.ToBoard)
	if len(out.ToBoard) == 0 {
		before := l.Wanted.Version
		err := s.put(ctx, l, func(l *store.Link) {
			s.want(l, a, before)
			agreeOn(l, a.Content, nil)
			erased(l)
			accept(l)
			proceed(l, s.Now())
		})
		if err != nil {
			return err
		}
		return s.news(ctx, a)
	}
	if err := s.copying(ctx, l, a.Content, changes); err != nil {
		return err
	}
	if l, err = s.intend(ctx, l, opUpsert, out.ToBoard); err != nil || l.Inbound == nil {
		return err
	}
	full := defaults.With(l.OutlookSeen.Content.Only(appointment.ShowAs, appointment.Sensitivity)).
		With(l.BoardSeen.Content).With(a.Content).With(out.ToBoard)
	_, err = s.Board.UpsertExchange(ctx, s.exchangeAppointment(l, full, a.CreatedByExchange || l.Origin == store.Outlook))
	s.recordBoard(l, "update", err)
	if err != nil {
		return s.boardFailed(ctx, l, err)
	}
	return s.readBack(ctx, l)
}

// readBack ends a write to the board: what the board shows after it becomes its
// shadow, and goes to the queue if it is news, so that the other resources and
// the back offices hear of it (R10, R24).
func (s *session) readBack(ctx context.Context, l *store.Link) error {
	a, err := s.appointment(ctx, l)
	switch {
	case goneFromBoard(err) && boardKnows(l):
		return s.deletedOnBoard(ctx, l)
	case err != nil:
		return s.boardFailed(ctx, l, err)
	}
	s.tellOf(ctx, l, a)
	before := l.Wanted.Version
	err = s.put(ctx, l, func(l *store.Link) {
		var sent appointment.Content
		if l.BoardSent != nil {
			sent = l.BoardSent.Content
		}
		fresh := !boardKnows(l)
		s.want(l, a, before)
		if fresh {
			l.BoardSeen.Content = sent.With(a.Content)
		}
		agreeOn(l, a.Content, sent)
		l.BoardSeen.ID, l.BoardSeen.Number = a.ID, a.Number
		l.BoardSent = nil
		l.Attempts, l.FailureCode, l.FailureText = 0, "", ""
		erased(l)
		accept(l)
		proceed(l, s.Now())
	})
	if err != nil {
		return err
	}
	return s.news(ctx, a)
}

// want keeps the newer of what the board was known to want and what a read shows
// (R7). A read is newer than all that the link knew before it began, whatever
// the board's clock says, which may count in seconds; of what came meanwhile the
// version decides. It reports whether the read was the newer.
func (s *session) want(l *store.Link, a appointment.Appointment, before appointment.Version) bool {
	v := appointment.Version{Modified: a.Modified}
	if l.Wanted.Version != before && v.Compare(l.Wanted.Version) < 0 {
		return false
	}
	if v.Compare(l.Wanted.Version) < 0 {
		v = l.Wanted.Version
	}
	absent, held := len(s.assignedHere(a)) == 0, l.Wanted.Held
	if absent {
		held = ""
	}
	l.Wanted = store.Wanted{Version: v, Absent: absent || held != "", Held: held, Content: l.Wanted.Content.With(a.Content)}
	return true
}

// agreeOn brings the board's shadow up to date for the fields in which both
// sides agree now: those that we sent, and those that show the same on both.
// What the board changed besides stays a change, and is sent to Outlook.
func agreeOn(l *store.Link, board, sent appointment.Content) {
	seen := l.BoardSeen.Content.With(nil)
	for f, v := range board {
		told, wrote := sent[f]
		switch {
		case wrote && sameByDesign(f, told, v):
			seen[f] = v
		case wrote:
			seen[f] = told // a planner has changed it since
		case l.Inbound != nil && appointment.Same(f, l.Inbound.Content[f], v):
			seen[f] = v
		}
	}
	for f, v := range sent {
		if _, shown := board[f]; !shown {
			seen[f] = v // the board takes it but does not show it (show-as, sensitivity)
		}
	}
	l.BoardSeen.Content = seen
	l.BoardSeen.Version = l.Wanted.Version
}

// accept makes the finding Outlook's shadow: it is dealt with.
func accept(l *store.Link) {
	in := l.Inbound
	if in == nil || in.Removed {
		return
	}
	seen := &l.OutlookSeen
	seen.ETag, seen.Modified = in.ETag, in.Modified
	seen.Attendees, seen.Organizer = in.Attendees, in.Organizer
	if in.ICalUID != "" {
		seen.ICalUID = in.ICalUID
	}
	see(l, in.Flow, in.Content)
	l.Inbound = nil
}

// deletedOnBoard: the board proves that the appointment is gone. That is a
// Delete, never something to write (R24).
func (s *session) deletedOnBoard(ctx context.Context, l *store.Link) error {
	if err := s.lower(ctx); err != nil {
		return err
	}
	err := s.put(ctx, l, func(l *store.Link) {
		l.Wanted.Absent, l.Wanted.Deleted, l.Wanted.Held = true, true, ""
		if l.Wanted.Version.IsZero() {
			l.Wanted.Version.Modified = s.Now()
		}
		l.BoardSent, l.BoardMissing = nil, time.Time{}
		l.DueAt = s.Now()
		if l.State == store.Hidden && l.Inbound != nil {
			return // it may have come back meanwhile: that is still to be dealt with
		}
		accept(l)
		proceed(l, s.Now())
	})
	if err != nil {
		return err
	}
	return s.newsOfDelete(ctx, l.Appointment)
}

// unassignedOnBoard: the appointment is there, but not for this mailbox.
func (s *session) unassignedOnBoard(ctx context.Context, l *store.Link, a appointment.Appointment) error {
	before := l.Wanted.Version
	err := s.put(ctx, l, func(l *store.Link) {
		s.want(l, a, before)
		l.BoardSent = nil
		accept(l)
		proceed(l, s.Now())
	})
	if err != nil {
		return err
	}
	return s.news(ctx, a)
}

// intend stores what is about to be written to the board.
func (s *session) intend(ctx context.Context, l *store.Link, op string, c appointment.Content) (*store.Link, error) {
	if err := s.lower(ctx); err != nil {
		return nil, err
	}
	return s.Store.UpdateLink(ctx, s.mailbox, l.Appointment, func(l *store.Link) error {
		if l.ETag == "" {
			return nil // renamed by another worker
		}
		l.BoardSent = &store.BoardSent{Op: op, Content: withoutCategories(c), At: s.Now()}
		l.DueAt = s.Now()
		return nil
	})
}

func (s *session) exchangeAppointment(l *store.Link, c appointment.Content, born bool) dimescheduler.ExchangeAppointment {
	if appointment.IsCut(c[appointment.Body], appointment.CutOnBoard) {
		c = c.Clone()
		delete(c, appointment.Body) // the board has the whole of it (R22)
	}
	return dimescheduler.ExchangeAppointment{
		Guid: l.Appointment, ID: l.BoardSeen.ID, ExchangeID: l.OutlookSeen.EventID, ICalUID: l.OutlookSeen.ICalUID,
		ResourceEmail: s.email(), Content: s.told(l, c), CreatedByExchange: born,
	}
}

// emailOf is the address of one of the mailbox's resources.
func (s *session) emailOf(no string) string {
	for _, r := range s.resources {
		if r.No == no {
			return r.Email
		}
	}
	return s.email()
}

// email is the address by which the board knows the mailbox's resource.
func (s *session) email() string {
	if len(s.resources) > 0 {
		return s.resources[0].Email
	}
	return s.row.Email
}

// hint is where in time the board last showed the appointment.
func (s *session) hint(l *store.Link) dimescheduler.Hint {
	h := dimescheduler.Hint{Window: s.settings.Window(s.Now())}
	contents := []appointment.Content{l.Wanted.Content, l.BoardSeen.Content, l.OutlookSeen.Content}
	if l.Inbound != nil {
		contents = append(contents, l.Inbound.Content)
	}
	for _, c := range contents {
		if start, end, ok := c.Times(); ok {
			h.Seen = calendar.Window{Start: start, End: end}
			break
		}
	}
	return h
}

// appointment reads the link's appointment from the board. That it is gone counts
// only while the board shows a resource of the mailbox: a key that may see none
// gets the same answer (R27).
func (s *session) appointment(ctx context.Context, l *store.Link) (appointment.Appointment, error) {
	a, err := s.Board.Appointment(ctx, l.Appointment, s.hint(l))
	if list, ok := s.policy.Categories(a.Raw); ok && err == nil {
		a.Content = a.Content.With(appointment.Content{appointment.Categories: list})
	}
	if !goneFromBoard(err) || s.visible {
		return a, err
	}
	listed, failed := s.Board.Resources(ctx)
	if failed != nil {
		return a, failed
	}
	for _, r := range listed {
		s.visible = s.visible || slices.ContainsFunc(s.all, func(ours *store.Resource) bool { return ours.No == r.No })
	}
	if !s.visible {
		err = &fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Op: "board: get appointment", Code: dimescheduler.CodeInconclusive}
	}
	return a, err
}

// goneFromBoard reports proof that the board has deleted the appointment.
func goneFromBoard(err error) bool {
	return fault.Is(err, fault.NotFound) && fault.Of(err).Code == dimescheduler.CodeGone
}
