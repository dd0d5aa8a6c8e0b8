package exchange

import (
	"strings"
	"unicode/utf16"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// maxSubject is the longest subject, in UTF-16 units, that Exchange keeps
// (PidTagSubject, [MS-OXPROPS]).
const maxSubject = 255

// outlookForm is the board's content as Outlook can show it. What it changes
// makes the sides differ by design, and never travels back (R22).
func outlookForm(c appointment.Content) appointment.Content {
	out := c.With(nil)
	if s, ok := out[appointment.Subject]; ok {
		out[appointment.Subject] = strings.TrimSpace(cutUTF16(s, maxSubject))
	}
	return out
}

// lossy reports whether Outlook can not show the board's value as it is.
func lossy(f appointment.Field, board string) bool {
	c := appointment.Content{f: board}
	return outlookForm(c)[f] != board
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
