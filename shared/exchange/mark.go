package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// marking is what our named property on an event says (R13). It outlives our
// tables: with it the links are made anew, and what either side changed meanwhile
// is told from what both had agreed on.
//
//	<appointmentGuid>|<generation>|e:<event>|<field>:<value>...
//
// The parts after the generation are short hashes; older events lack them.
type marking struct {
	appointment string
	generation  int
	// event is the hash of the id of the event that was marked; a copy that a
	// person makes carries the mark too, but has another id (R26). Empty on an
	// event that we created: its id was not known, and its transactionId tells.
	event string
	// agreed are the hashes of what both sides showed when it was written.
	agreed map[appointment.Field]string
}

// mark is how the value of our named property begins: by it the event of a link
// and generation is found.
func mark(guid string, generation int) string { return fmt.Sprintf("%s|%d", guid, generation) }

// markedFields are the fields of which a mark keeps a hash.
var markedFields = []appointment.Field{appointment.When, appointment.Subject, appointment.Body, appointment.Importance}

// markOf is the whole value for an event of the link, after content is written.
func markOf(l *store.Link, event string, content appointment.Content) string {
	var b strings.Builder
	b.WriteString(mark(l.Appointment, l.Generation))
	if event != "" {
		b.WriteString("|e:" + shortHash(event))
	}
	agreed := outlookForm(l, l.BoardSeen.Content.With(content))
	for _, f := range markedFields {
		if v, ok := agreed[f]; ok {
			b.WriteString("|" + string(f) + ":" + fieldHash(f, v))
		}
	}
	return b.String()
}

// parseMark reads a mark; ok is false if it is none of ours.
func parseMark(value string) (m marking, ok bool) {
	parts := strings.Split(value, "|")
	if len(parts) < 2 || parts[0] == "" {
		return marking{}, false
	}
	generation, err := strconv.Atoi(parts[1])
	if err != nil {
		return marking{}, false
	}
	m = marking{appointment: parts[0], generation: generation, agreed: map[appointment.Field]string{}}
	for _, p := range parts[2:] {
		switch name, hash, _ := strings.Cut(p, ":"); name {
		case "e":
			m.event = hash
		default:
			m.agreed[appointment.Field(name)] = hash
		}
	}
	return m, true
}

// of reports whether the mark was written on this very event, and is not a copy's.
func (m marking) of(event string) bool { return m.event != "" && m.event == shortHash(event) }

// changed reports which side shows another value than both had agreed on; known
// is false if the mark does not tell.
func (m marking) changed(l *store.Link, f appointment.Field, board, outlook string) (byBoard, inOutlook, known bool) {
	agreed, known := m.agreed[f]
	board = outlookForm(l, appointment.Content{f: board})[f]
	return fieldHash(f, board) != agreed, fieldHash(f, outlook) != agreed, known
}

// fieldHash is the hash of a value, alike for what Exchange shows alike: it
// rebuilds the white space of texts, and seconds are not kept.
func fieldHash(f appointment.Field, v string) string {
	switch f {
	case appointment.Subject, appointment.Body:
		v = strings.Join(strings.Fields(v), " ")
	case appointment.When:
		if start, end, err := appointment.ParseInterval(v); err == nil {
			v = appointment.Interval(start.Truncate(time.Minute), end.Truncate(time.Minute))
		}
	}
	return shortHash(v)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:5])
}
