// Package appointment holds the domain words of the planning side: the content
// of an appointment in canonical form, its version, its resources and the
// change that the board announces. It imports the standard library only and
// does no I/O; wire formats live with the clients that speak them.
package appointment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Field names one thing that both sides can show and change. What changes
// together is one field: start and end are When, for merging them apart could
// end an appointment before it starts.
type Field string

const (
	When        Field = "when"        // Interval or Days: start and end
	Subject     Field = "subject"     // one line
	Body        Field = "body"        // plain text, lines ended by \n
	Importance  Field = "importance"  // low, normal, high
	ShowAs      Field = "showAs"      // free, tentative, busy, oof, workingElsewhere, unknown
	Sensitivity Field = "sensitivity" // normal, personal, private, confidential
	TimeZone    Field = "timeZone"    // the zone in which the appointment was made, IANA or Windows name
	// Categories is a CategoryList. On the board's side it holds the Outlook names
	// that stand for its category and time marker; in Outlook all that the event has.
	Categories Field = "categories"
)

// Content is what one side shows of an appointment: each field's canonical
// value. A field that is not there is unknown, which is not the same as empty
// (R9). Two equal values are equal text.
type Content map[Field]string

// Clone returns a copy; nil stays nil.
func (c Content) Clone() Content { return maps.Clone(c) }

// Equal reports whether both hold the same fields with the same values.
func (c Content) Equal(d Content) bool { return maps.Equal(c, d) }

// With returns a copy of c in which the fields of d replace those of c: what
// is known after d was said of something of which c was known.
func (c Content) With(d Content) Content {
	out := make(Content, len(c)+len(d))
	maps.Copy(out, c)
	maps.Copy(out, d)
	return out
}

// Only returns a copy that holds no other fields than these.
func (c Content) Only(fields ...Field) Content {
	out := Content{}
	for _, f := range fields {
		if v, ok := c[f]; ok {
			out[f] = v
		}
	}
	return out
}

// Differs returns the fields of d, sorted, whose value in c is another or unknown.
func (c Content) Differs(d Content) []Field {
	var out []Field
	for f, v := range d {
		if w, ok := c[f]; !ok || w != v {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

// Digest returns a short stable hash of the content, to see whether two are
// the same without keeping either. It is no secret-keeping hash.
func (c Content) Digest() string {
	h := sha256.New()
	for _, f := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(h, "%q=%q;", f, c[f])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Line returns the canonical form of a subject: one line, no control
// characters, no blanks at its ends.
func Line(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// Text returns the canonical form of a body: \n line ends, no blanks at line
// ends, no empty lines at its ends, no control characters but tab.
func Text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	s = strings.ReplaceAll(s, "\u00a0", " ")
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		l = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f {
				return -1
			}
			return r
		}, l)
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
