// Package calendar holds the words of the calendar side: an event as a mailbox
// shows it, what a delta round tells, what can be written, a subscription.
// shared/graph speaks them to Microsoft Graph, shared/exchange decides with
// them. It has no behaviour and no I/O.
package calendar

import (
	"errors"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// Type is what an event is in a series (Graph: event.type).
type Type string

const (
	Single     Type = "singleInstance"
	Occurrence Type = "occurrence"
	Exception  Type = "exception"
	Master     Type = "seriesMaster"
)

// Event is an event as its mailbox shows it.
type Event struct {
	ID       string // immutable id
	ETag     string // changes with every write, also with Exchange's own
	Modified time.Time
	Content  appointment.Content // canonical; timeZone is the event's original zone
	Type     Type
	ICalUID  string
	// Series is the id of the series that an occurrence or exception belongs to,
	// and Original its start as the pattern has it, which stays when it is moved
	// and when a change of the pattern gives it another id. Both are empty of a
	// single event; Original also where Graph does not say.
	Series   string
	Original time.Time
	// TransactionID is what the creator of the event gave it; ours tells that we
	// created it, and a copy made by a person does not carry it.
	TransactionID string
	// Mark is the value of our named property. It is read only by a call that
	// asks for it (Marked, Tagged); a copy made by a person carries it too (R26).
	Mark string
	// Organizer is false for a copy of somebody else's meeting.
	Organizer bool
	Attendees int
	Cancelled bool // the meeting was called off
	Declined  bool // the owner of the mailbox has declined it
	// Flow is how much of it may be seen. The client of the mailbox knows nothing
	// of it: it is decided by whoever reads for the board.
	Flow appointment.Flow
}

// Item is one line of a delta round. A removed item has only an ID.
type Item struct {
	Event
	Removed bool
}

// Window is the half-open range of time [Start, End) that is synchronised, UTC.
type Window struct{ Start, End time.Time }

// Padded returns the window with that much more on both sides.
func (w Window) Padded(by time.Duration) Window {
	return Window{Start: w.Start.Add(-by), End: w.End.Add(by)}
}

// Overlaps reports whether [start, end) touches the window; an event without
// length counts as the instant of its start.
func (w Window) Overlaps(start, end time.Time) bool {
	if !start.Before(end) {
		return !start.Before(w.Start) && start.Before(w.End)
	}
	return start.Before(w.End) && end.After(w.Start)
}

// ErrResync says that the state behind a delta link is lost: the next round is a
// full one (R17).
var ErrResync = errors.New("the sync state is lost, a full round is needed")

// Round is a whole delta round: every page was read.
type Round struct {
	Items     []Item // in the order of the pages; the last of an id wins
	DeltaLink string // for the next round
	// Full: the round began without a delta link, so Items are all events of the
	// window and what is not among them is not in the window.
	Full bool
}

// Op is what a Write does.
type Op string

const (
	Create Op = "create"
	Patch  Op = "patch"
	Delete Op = "delete"
)

// Write is one change of one event.
type Write struct {
	Op Op
	// ID and ETag name the event and the state of it that the writer has seen;
	// both are empty for Create. The write fails with a Conflict if the event
	// has another ETag by now (R11).
	ID, ETag string
	// Content holds the fields to set. When and TimeZone go together: times are
	// written as wall time of that zone.
	Content appointment.Content
	// TransactionID is set on Create, and Mark on every write but Delete (R13).
	TransactionID, Mark string
	// Reminder, on Create, is how many minutes before the start the owner is
	// reminded; nil = not at all. It is never changed afterwards.
	Reminder *int
}

// Result is what became of the Write at the same place of the list.
type Result struct {
	Event Event // as the response shows it; empty for Delete
	Err   error // a *fault.Error
}

// Subscription is one change notification subscription of this application.
type Subscription struct {
	ID      string
	Mailbox string // the Entra object id in its resource path; empty if it is for something else
	Expires time.Time
	// NotificationURL is where Graph calls; ours or another deployment's.
	NotificationURL string
}

// Category is an entry of a mailbox's list of categories. An event carries the
// name only; one that the list does not have is shown without a colour.
type Category struct {
	Name string
	// Color is none, or preset0 to preset24 (outlookCategory resource type, Graph v1.0).
	Color string
}

// Standing is what the directory tells of the user of a mailbox that can not be
// reached.
type Standing struct {
	Enabled bool // the account may be used
	// Licensed: a plan of Exchange Online is in force. Expired: there was one, and
	// the mailbox is kept for some weeks.
	Licensed, Expired bool
	// Synchronised: the user comes from a directory on-premises.
	Synchronised bool
}
