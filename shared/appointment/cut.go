package appointment

import (
	"strings"
	"unicode/utf8"
)

// MaxBody is the longest body, in bytes, that is carried from one side to the
// other. However it is written as JSON, a message of 256 KiB holds it, and a table
// row several of them.
const MaxBody = 40_000

// What stands at the end of a body that was longer on its own side. A body that
// ends so is not the whole: it never travels back to where it was cut (R22).
const (
	CutOnBoard   = "[… cut here: the rest stands on the planning board]"
	CutInOutlook = "[… cut here: the rest stands in Outlook]"
)

// Cut returns a body of at most MaxBody bytes, with the mark at its end if it was
// longer. It never cuts inside a character.
func Cut(body, mark string) string {
	if len(body) <= MaxBody {
		return body
	}
	n := MaxBody - len(mark) - 2
	for n > 0 && !utf8.RuneStart(body[n]) {
		n--
	}
	for n > 0 && joins(body[n:]) { // an emoji of several characters stays one
		_, size := utf8.DecodeLastRuneInString(body[:n])
		n -= size
	}
	return strings.TrimRight(body[:n], " \t\n") + "\n\n" + mark
}

// joins reports whether the text goes on with a character that belongs to the one
// before it: a joiner, a variation selector, a skin tone.
func joins(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '\u200d' || r >= '\ufe00' && r <= '\ufe0f' || r >= 0x1f3fb && r <= 0x1f3ff
}

// IsCut reports whether the body was cut on the side of that mark.
func IsCut(body, mark string) bool { return strings.HasSuffix(strings.TrimRight(body, " \t\n"), mark) }
