package exchange

import (
	"strings"
	"unicode/utf16"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// maxSubject is the longest subject, in UTF-16 units, that Exchange keeps
// (PidTagSubject, [MS-OXPROPS]).
const maxSubject = 255

// outlookForm is the board's content as Outlook can show it in the link's event.
// What it changes makes the sides differ by design, and never travels back (R22).
//
// The board moves an all-day event as it moves everything, from one instant to
// another: from midnight to midnight of the zone it stays all-day, else it
// becomes one with times.
func outlookForm(l *store.Link, c appointment.Content) appointment.Content {
	out := c.With(nil)
	if when, ok := out[appointment.When]; ok {
		if _, _, zone, days := appointment.Dates(l.OutlookSeen.Content[appointment.When]); days {
			if days, whole := appointment.WholeDays(when, zone); whole {
				out[appointment.When] = days
			}
		}
	}
	if ours, ok := out[appointment.Categories]; ok {
		// What else stands there is a person's own, and stays.
		out[appointment.Categories] = appointment.ReplaceCategories(
			l.OutlookSeen.Content[appointment.Categories], l.BoardSeen.Content[appointment.Categories], ours)
	}
	if s, ok := out[appointment.Subject]; ok {
		out[appointment.Subject] = strings.TrimSpace(cutUTF16(s, maxSubject))
	}
	return out
}

// lossy reports whether Outlook can not show the board's value as it is.
func lossy(l *store.Link, f appointment.Field, board string) bool {
	switch {
	case f == appointment.Categories:
		return false // the board's are some of those that stand there
	case f == appointment.Body && appointment.IsCut(board, appointment.CutOnBoard):
		return true
	}
	return !appointment.Same(f, outlookForm(l, appointment.Content{f: board})[f], board)
}

// cutUTF16 cuts s to at most n UTF-16 units, never inside a character.
func cutUTF16(s string, n int) string {
	for i, r := range s {
		if n -= utf16.RuneLen(r); n < 0 {
			return s[:i]
		}
	}
	return s
}
