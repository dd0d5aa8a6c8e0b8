package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// leaveMailbox carries out what a person has said of the events of a mailbox that
// takes no part any more. Keep: every event is let go as it stands. Remove: those
// that the board made, that lie ahead and have no attendees are deleted; all
// others are let go. Events that were made in Outlook are never deleted. It may
// end anywhere and begin again.
func (s *session) leaveMailbox(ctx context.Context, _ bus.Nudge) error {
	s.settings.ToOutlookOff = false // a person has ordered it
	if err := s.resolveOpen(ctx); err != nil {
		return err
	}
	order, removed := s.row.Leaving, 0
	for range maxConflicts + 2 {
		doomed, err := s.partWith(ctx, order)
		if err != nil {
			return err
		}
		removed = max(removed, len(doomed))
		if len(doomed) == 0 {
			if told, err := s.untell(ctx); err != nil || !told {
				return err
			}
			return s.left(ctx, order, removed)
		}
		var due []*store.Link
		var next time.Time
		for _, l := range doomed {
			if l.DueAt.After(s.Now()) {
				next = sooner(next, l.DueAt)
			} else {
				due = append(due, l)
			}
		}
		if len(due) == 0 {
			return s.book(ctx, next, false)
		}
		if err := s.pass(ctx, due); err != nil {
			return err
		}
	}
	return s.book(ctx, s.Now().Add(dueSoon), false)
}

// untell takes away what planners were told of events that are nobody's concern any
// more; done is false if the board could not be told now, and that is booked.
func (s *session) untell(ctx context.Context) (done bool, err error) {
	links, err := s.Store.Links(ctx, s.mailbox)
	if err != nil {
		return false, err
	}
	if err := s.staleNotices(ctx, links); err != nil {
		return false, err
	}
	if links, err = s.Store.Links(ctx, s.mailbox); err != nil {
		return false, err
	}
	var next time.Time
	for _, l := range links {
		if due := l.Planner.Due; !due.IsZero() {
			next = sooner(next, due)
		}
	}
	if next.IsZero() {
		return true, nil
	}
	return false, s.book(ctx, next, false)
}

// partWith lets go of all events but those that are to be deleted, and returns
// the links of these, and of those whose last write is still open.
func (s *session) partWith(ctx context.Context, order store.Leaving) (doomed []*store.Link, err error) {
	links, err := s.Store.Links(ctx, s.mailbox)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	var all []string
	for _, l := range links {
		if l.OutlookSeen.EventID != "" || l.Sent != nil || !l.DueAt.IsZero() {
			all = append(all, l.Appointment)
		}
	}
	if err := s.lower(ctx); err != nil {
		return nil, err
	}
	changed, errs := s.Store.UpdateLinks(ctx, s.mailbox, all, func(l *store.Link) error {
		switch {
		case l.Sent != nil: // its outcome is found out first
		case l.OutlookSeen.EventID == "":
			l.DueAt = time.Time{}
		case order == store.LeavingRemove && goes(l, now):
			if !l.Wanted.Absent {
				l.Wanted.Absent, l.Inbound, l.BoardSent, l.State = true, nil, nil, store.Pending
			}
			if l.DueAt.IsZero() {
				l.DueAt = now
			}
		case l.State != store.Released && l.State != store.Hidden:
			letGo(l, codeLeft, "the resource takes no part any more: the event stays as it is")
		}
		return nil
	})
	for i, l := range changed {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if l.Sent != nil || order == store.LeavingRemove && goes(l, now) {
			doomed = append(doomed, l)
		}
	}
	return doomed, nil
}

// goes reports whether the event of a link is one that is removed with its resource:
// no occurrence of a series, which is its person's though it was planned once. One
// whose removal was refused stays.
func goes(l *store.Link, now time.Time) bool {
	start, _, ok := l.OutlookSeen.Content.Times()
	refused := l.State == store.Failed && l.Wanted.Absent
	return ok && start.After(now) && l.Origin == store.Board && l.OutlookSeen.Series == "" && l.OutlookSeen.Attendees == 0 &&
		l.OutlookSeen.Organizer && l.State != store.Hidden && l.State != store.Released && !refused
}

// left notes that the order is carried out.
func (s *session) left(ctx context.Context, order store.Leaving, removed int) error {
	text := "the mailbox takes no part any more: its events stay as they are"
	if order == store.LeavingRemove {
		text = "the mailbox takes no part any more: the events of the board that lay ahead were removed"
	}
	s.log.InfoContext(ctx, "mailbox left", "order", string(order), "removed", removed)
	s.record("", "leave", "Success", "", text)
	return s.save(ctx, func(t *store.Target) {
		if t.Leaving == order && !t.Participates {
			t.Leaving, t.Due, t.Probes = "", time.Time{}, 0
			t.SuspendedSince, t.SuspendedReason, t.SuspendedCode, t.Probe = time.Time{}, "", "", time.Time{}
		}
	})
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
