package exchange

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// see makes what was found of an event Outlook's shadow. Of one whose words may
// not be seen none stay; if the board shows a mask in their place, the mask is
// what Outlook has told it, so that the words are news once they may be seen.
func see(l *store.Link, flow appointment.Flow, now appointment.Content) {
	seen := l.OutlookSeen.Content.With(nil)
	if flow != appointment.Open {
		seen = seen.Wordless()
	}
	seen = seen.With(now)
	if masked(l.Origin, flow) {
		seen = seen.With(mask)
	}
	l.OutlookSeen.Content, l.Flow = seen, flow
}

// masked reports whether the board shows the mask for such an event. The words
// of what the board has planned are its own.
func masked(o store.Origin, f appointment.Flow) bool {
	return o == store.Outlook && f == appointment.Masked
}

// reopen is for a board-born event whose words may be seen again: where they are
// not what the board last showed, the person has changed them meanwhile (R33).
func reopen(l *store.Link, now appointment.Content) {
	seen := l.OutlookSeen.Content.With(nil)
	for f, told := range outlookForm(l, l.BoardSeen.Content.Words()) {
		if shown, ok := now[f]; ok && sameByDesign(f, told, shown) {
			told = shown
		}
		seen[f] = told
	}
	l.OutlookSeen.Content = seen
}

// strict orders the flows: of two the stricter holds.
var strict = map[appointment.Flow]int{appointment.Open: 0, appointment.Masked: 1, appointment.Withheld: 2}

// judgeAgain holds a finding against the filter as it is now, which may have been
// narrowed since. That it was widened is seen by the read which follows.
func (s *session) judgeAgain(ctx context.Context, l *store.Link) error {
	in := l.Inbound
	if in == nil || in.Removed {
		return nil
	}
	f, err := s.flowsBack(ctx)
	if err != nil {
		return err
	}
	flow := f.judge(calendar.Event{Content: in.Content, Cancelled: in.Cancelled, Declined: in.Declined})
	if flow == appointment.Unclear || strict[flow] <= strict[in.Flow] {
		return nil
	}
	narrow := func(l *store.Link) {
		if l.Inbound != nil {
			next := *l.Inbound
			next.Flow, next.Content = flow, next.Content.Wordless()
			l.Inbound = &next
		}
	}
	narrow(l)
	return s.put(ctx, l, narrow)
}

// optedOut reports whether nothing at all flows back from this mailbox, because
// its person has not agreed to it.
func (s *session) optedOut(ctx context.Context) (bool, error) {
	f, err := s.flowsBack(ctx)
	return !f.on, err
}

// keepBack deals with a finding while the way to the board is closed. It is not
// taken as seen: when the way is opened again, the next full read finds the
// difference and carries it over. What the policy restores is restored all the
// same, as that is the way to Outlook.
func (s *session) keepBack(ctx context.Context, l *store.Link) error {
	restore := s.restored(l, changedFields(l.OutlookSeen.Content, l.Inbound.Content))
	givenUp := len(restore) > 0 && worn(l, s.Now())
	if givenUp {
		s.recordWorn(l)
	} else {
		s.recordRestored(l, restore, l.Wanted.Content)
	}
	return s.put(ctx, l, func(l *store.Link) {
		in := l.Inbound
		switch {
		case in == nil:
			return
		case givenUp:
			l.OutlookSeen.Content = l.OutlookSeen.Content.With(in.Content.Only(restore...))
		case len(restore) > 0:
			restoring(l, restore)
			countRestore(l, s.Now())
		}
		saw(&l.OutlookSeen, calendar.Event{ID: l.OutlookSeen.EventID, ETag: in.ETag, Modified: in.Modified, ICalUID: in.ICalUID,
			Attendees: in.Attendees, Organizer: in.Organizer})
		if in.Flow != appointment.Open {
			l.OutlookSeen.Content = l.OutlookSeen.Content.Wordless()
		}
		if l.Origin == store.Board {
			l.Flow = in.Flow
		}
		adoptFields(&l.OutlookSeen, in.Content)
		l.Inbound, l.BoardSent = nil, nil
		proceed(l, s.Now())
	})
}
