// Package merge decides what two sides that were both changed should show: a
// three-way merge per field, each side against its own shadow. It is pure: no
// I/O, no clock, no knowledge of mailboxes or boards beyond their names.
package merge

import (
	"slices"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// Side is one of the two sides.
type Side string

const (
	Board   Side = "board"
	Outlook Side = "outlook"
)

// Input is what a merge looks at. A side changed a field iff what it shows now
// differs from its own shadow (R20): the sides differ by design (cut bodies,
// hidden titles), so they are never held against each other. A field that a
// shadow does not know is adopted, not seen as a change (R40).
type Input struct {
	BoardSeen, OutlookSeen appointment.Content // the shadows
	Board, Outlook         appointment.Content // what they show now
	// Wins decides a field that both sides changed to different values.
	Wins Side
}

// Conflict is a field that both sides changed.
type Conflict struct {
	Field appointment.Field
	// BoardDigest and OutlookDigest are digests of both values, to recognise
	// them without keeping them.
	BoardDigest, OutlookDigest string
	Winner                     Side
}

// Output is what follows.
type Output struct {
	ToOutlook appointment.Content // to be set in Outlook; never nil
	ToBoard   appointment.Content // to be set on the board; never nil
	Conflicts []Conflict          // sorted by field
}

// oneWay are the fields that the board can not take.
var oneWay = map[appointment.Field]bool{appointment.TimeZone: true}

// Fields merges field by field. Merging its own outcome again gives nothing.
func Fields(in Input) Output {
	out := Output{ToOutlook: appointment.Content{}, ToBoard: appointment.Content{}}
	for _, f := range fields(in.Board, in.Outlook) {
		b, bKnown := in.Board[f]
		o, oKnown := in.Outlook[f]
		bChanged := changed(in.BoardSeen, f, b, bKnown)
		oChanged := changed(in.OutlookSeen, f, o, oKnown) && !oneWay[f]
		if bKnown && oKnown && appointment.Same(f, b, o) {
			continue
		}
		switch {
		case bChanged && oChanged:
			c := Conflict{Field: f, BoardDigest: digest(f, b), OutlookDigest: digest(f, o), Winner: in.Wins}
			if c.Winner == Outlook {
				out.ToBoard[f] = o
			} else {
				c.Winner = Board
				out.ToOutlook[f] = b
			}
			out.Conflicts = append(out.Conflicts, c)
		case bChanged:
			out.ToOutlook[f] = b
		case oChanged:
			out.ToBoard[f] = o
		}
	}
	return out
}

func changed(shadow appointment.Content, f appointment.Field, now string, known bool) bool {
	seen, ok := shadow[f]
	return known && ok && seen != now
}

func fields(a, b appointment.Content) []appointment.Field {
	var out []appointment.Field
	for f := range a.With(b) {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

func digest(f appointment.Field, v string) string { return appointment.Content{f: v}.Digest() }
