package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// may reports whether resources may change this field of planned appointments.
// How they show them, and to whom, is their own affair (R35).
func (s Settings) may(f appointment.Field) bool {
	switch {
	case f == appointment.ShowAs || f == appointment.Sensitivity || f == appointment.TimeZone || f == appointment.Categories:
		return true
	case s.ResourcesMay == MayTime:
		return f == appointment.When
	}
	return s.ResourcesMay != MayNothing
}

// mayDelete reports whether deleting an event in Outlook takes its resource off
// the planned appointment: that is a change of the assignment.
func (s Settings) mayDelete() bool { return s.ResourcesMay == "" || s.ResourcesMay == MayChange }

// restored are those of the fields that the policy does not let the resource
// change. What was born in Outlook is the person's own.
func (s *session) restored(l *store.Link, fields []appointment.Field) []appointment.Field {
	if l.Origin == store.Outlook {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(fields), s.settings.may)
}

// How often an event is restored in one restorePeriod. What is changed more often
// than that is changed by a program, an add-in or a rule of the mailbox, that does
// not give in: two programs would go on for ever.
const (
	maxRestores   = 5
	restorePeriod = 24 * time.Hour
)

// worn reports whether the link's event was restored so often that it is left as
// it stands, until the board changes the appointment.
func worn(l *store.Link, now time.Time) bool {
	r := l.Restored
	return r != nil && r.Count >= maxRestores && now.Sub(r.Since) < restorePeriod
}

// countRestore notes that it is restored once more.
func countRestore(l *store.Link, now time.Time) {
	next := store.Restored{Count: 1, Since: now}
	if r := l.Restored; r != nil && now.Sub(r.Since) < restorePeriod {
		next = store.Restored{Count: r.Count + 1, Since: r.Since}
	}
	l.Restored = &next
}

// restoring makes the board's word on the fields news to Outlook, so that it is
// written there: what the person wrote counts as seen on both sides.
func restoring(l *store.Link, fields []appointment.Field) {
	if len(fields) == 0 || l.Inbound == nil {
		return
	}
	theirs := l.Inbound.Content.Only(fields...)
	l.BoardSeen.Content = l.BoardSeen.Content.With(theirs)
	l.OutlookSeen.Content = l.OutlookSeen.Content.With(theirs)
}

// restore puts back in Outlook what the resource may not change; what is left of
// out flows to the board. Of an event that is worn it stays as it stands.
func (s *session) restore(ctx context.Context, l *store.Link, a appointment.Appointment, out appointment.Content) error {
	var fields []appointment.Field
	for f := range out {
		fields = append(fields, f)
	}
	slices.Sort(fields)
	fields = s.restored(l, fields)
	if len(fields) == 0 {
		return nil
	}
	for _, f := range fields {
		delete(out, f)
	}
	if worn(l, s.Now()) {
		s.recordWorn(l)
		s.tell(ctx, a, codeWorn, Explain(codeWorn).Planner)
		return nil
	}
	s.recordRestored(l, fields, a.Content)
	put := func(l *store.Link) {
		restoring(l, fields)
		countRestore(l, s.Now())
	}
	put(l)
	return s.put(ctx, l, put)
}

func (s *session) recordRestored(l *store.Link, fields []appointment.Field, board appointment.Content) {
	for _, f := range fields {
		s.record(l.Appointment, "merge", "Conflict", codeRestored, "the resource changed "+string(f)+" in Outlook, and may not: restored there (board "+
			board.Only(f).Digest()+", Outlook "+l.Inbound.Content.Only(f).Digest()+")")
	}
}

func (s *session) recordWorn(l *store.Link) {
	s.record(l.Appointment, "merge", StatusFailed, codeWorn, Explain(codeWorn).Sentence)
}
