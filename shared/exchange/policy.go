package exchange

import (
	"context"
	"slices"

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

// restore puts back in Outlook what the resource may not change; out holds what
// is left to flow to the board.
func (s *session) restore(ctx context.Context, l *store.Link, board, out appointment.Content) (changed bool, err error) {
	var fields []appointment.Field
	for f := range out {
		fields = append(fields, f)
	}
	slices.Sort(fields)
	fields = s.restored(l, fields)
	if len(fields) == 0 {
		return false, nil
	}
	s.recordRestored(l, fields, board)
	for _, f := range fields {
		delete(out, f)
	}
	restoring(l, fields)
	return true, s.put(ctx, l, func(l *store.Link) { restoring(l, fields) })
}

func (s *session) recordRestored(l *store.Link, fields []appointment.Field, board appointment.Content) {
	for _, f := range fields {
		s.record(l.Appointment, "merge", "Conflict", codeRestored, "the resource changed "+string(f)+" in Outlook, and may not: restored there (board "+
			board.Only(f).Digest()+", Outlook "+l.Inbound.Content.Only(f).Digest()+")")
	}
}
