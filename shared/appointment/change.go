package appointment

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Version orders what the board says of one appointment (R6): by the board's
// own LastModifiedDate, then by the broker's sequence number, so that no clock
// of ours takes part.
type Version struct {
	Modified time.Time // UTC; the board's clock
	Sequence int64     // of the message's first delivery; 0 = read from the board, not announced
}

// Compare returns -1, 0 or +1 as v is older than, the same as, or newer than w.
func (v Version) Compare(w Version) int {
	if c := v.Modified.Compare(w.Modified); c != 0 {
		return c
	}
	switch {
	case v.Sequence < w.Sequence:
		return -1
	case v.Sequence > w.Sequence:
		return 1
	}
	return 0
}

// IsZero reports whether nothing has been said yet.
func (v Version) IsZero() bool { return v.Modified.IsZero() && v.Sequence == 0 }

// String returns a form that ParseVersion reads back.
func (v Version) String() string {
	if v.IsZero() {
		return ""
	}
	return v.Modified.UTC().Format(time.RFC3339Nano) + "#" + strconv.FormatInt(v.Sequence, 10)
}

// ParseVersion reads what String wrote; the empty text is the zero version.
func ParseVersion(s string) (Version, error) {
	if s == "" {
		return Version{}, nil
	}
	at, seq, ok := strings.Cut(s, "#")
	if !ok {
		return Version{}, fmt.Errorf("version %q has no #", s)
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return Version{}, fmt.Errorf("version: %w", err)
	}
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil {
		return Version{}, fmt.Errorf("version: %w", err)
	}
	return Version{Modified: t, Sequence: n}, nil
}

// Operation is what happened to an appointment on the board.
type Operation string

const (
	Create Operation = "Create"
	Update Operation = "Update"
	Delete Operation = "Delete"
)

// ParseOperation reads an operation in any letter case, "created" as well as "Create".
func ParseOperation(s string) (Operation, error) {
	switch strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "d") {
	case "create":
		return Create, nil
	case "update":
		return Update, nil
	case "delete":
		return Delete, nil
	}
	return "", fmt.Errorf("changeType %q is none of Create, Update, Delete", s)
}

// Assignee is a resource as an appointment names it.
type Assignee struct {
	No    string // resource number, the board's key
	Email string // as the board's message says; may be empty
}

// Appointment is one appointment as the board shows it.
type Appointment struct {
	Guid   string // lower-case; the key everywhere in this system
	ID     int64  // the board's own number, 0 if unknown
	Number string // AppointmentNo, may be empty
	// Modified is the board's LastModifiedDate in UTC; zero if it does not say.
	Modified time.Time
	// Content holds the fields that the board has said (R9).
	Content Content
	// Assignees are those assigned. They are the whole list unless Partial.
	Assignees []Assignee
	// Partial: the message speaks for its one resource only (the flat form) and
	// says nothing of the others (R9).
	Partial bool
	// SourceApp, SourceType, JobNo and TaskNo say where its job was made; empty
	// for an appointment without a task.
	SourceApp, SourceType, JobNo, TaskNo string
	// CreatedByExchange: the board knows that it was born in Outlook.
	CreatedByExchange bool
	// Raw is the board's own JSON of it, as it was read, for what the fields above do
	// not name; nil for an appointment that came with a Change, which has its own.
	Raw json.RawMessage
	// EventIDs are the ids (Exchange's or iCalendar's) under which the board knows
	// its events, if it shows them.
	EventIDs []string
}

// Change is an announcement: this happened to this appointment, which now
// looks like this.
type Change struct {
	Operation   Operation
	Version     Version
	Appointment Appointment
	// Raw is the message's body as it came, for what looks at fields that the
	// Appointment does not name (rules, back offices).
	Raw json.RawMessage
}

// Resource is a person or thing of the board to which appointments are assigned.
type Resource struct {
	No    string
	Name  string
	Email string
	// SourceApp is the back office that the resource came from; empty = the board does not say.
	SourceApp string
	// Exchange is the board's "Exchange Integration Enabled".
	Exchange bool
}
