package backoffice

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// Connector is one back office, opened with one Config. It is safe for
// concurrent use by the shards of its connector.
//
// Its errors are *fault.Error with the stable codes of Dime.Scheduler (DSCFG...,
// DSHTTP..., DSBC..., DSWBHK..., facts B.6). It classifies and never retries: the
// worker does, by the class. No error, and nothing else that it returns, holds a
// secret or the content of an appointment.
type Connector interface {
	// Deliver carries out one delivery. An error that is Ambiguous says that the
	// back office may have it all the same: the worker calls Find before it
	// delivers again. Delivering the same Key twice must do no more harm than the
	// Traits promise.
	Deliver(ctx context.Context, d Delivery) (Receipt, error)
	// Find looks for the effect of a delivery whose outcome is unknown; found says
	// that the back office has it. It is called only if Traits().Finds.
	Find(ctx context.Context, d Delivery) (r Receipt, found bool, err error)
	// Status reads back what the back office made of a delivery that it has
	// accepted. It is called only if Traits().ReadsStatus.
	Status(ctx context.Context, r Receipt) (Processing, error)
	// Test looks, without side effects, whether deliveries would work, and returns
	// every check in the order in which they were made; it stops where the rest
	// can not be tried. A failed check is not an error.
	Test(ctx context.Context) []Check
	// Fields shows where each of our fields goes there, and how that was found out;
	// nil = it maps none, and gets the whole graph. It looks and changes nothing.
	Fields(ctx context.Context) ([]FieldUse, error)
	// Traits tell what this connector, as it is configured, can do.
	Traits() Traits
	// Close gives back what the connector holds open. Deliveries under way may fail.
	Close()
}

// Traits of a connector.
type Traits struct {
	// Finds: Find works. Without it an ambiguous delivery is repeated as the
	// connector's Repeats says.
	Finds bool
	// Idempotent: the back office takes the same Key once, however often it is sent.
	Idempotent bool
	// ReadsStatus: Status works.
	ReadsStatus bool
}

// Operation is what a delivery tells the back office, in the letters of its
// database action (facts B.1, B.3).
type Operation string

const (
	Insert Operation = "I"
	Update Operation = "U"
	Delete Operation = "D"
)

// Delivery is one state of one appointment on its way to one back office.
type Delivery struct {
	// Key is the same for every attempt of this state, and for no other: connector,
	// appointment, version and operation. Back offices that know idempotency keys get it.
	Key       string
	Operation Operation
	// Appointment is what the engine knows of it; Assignees are only those resources
	// that belong to the connector's source app.
	Appointment appointment.Appointment
	// Graph is the whole appointment graph as JSON in the casing of the board's
	// webhook connector (facts B.5), with Assignments filtered as above; for Delete
	// the last that was known.
	Graph []byte
	// Version orders the deliveries of an appointment.
	Version appointment.Version
	// SentFromBackOffice: this state came from a back office. It still is
	// delivered; the receiver must not take it for new (facts C.4).
	SentFromBackOffice bool
	// Previous is the receipt of the last delivery of this appointment; empty = none.
	Previous Receipt
	// Attempt counts from 1.
	Attempt int
	// First is when the first attempt of this Key began, UTC: what Find looks for is younger.
	First time.Time
	// Invocation and Trace identify the run that sends it, for the other side's logs.
	Invocation, Trace string
}

// Receipt is what a back office answered to a delivery: how to find it there. It is
// stored with the link.
type Receipt struct {
	// ID is the back office's own id of what it made of it (an entry number, a
	// system id, a SOAP key); empty if it has none.
	ID string `json:"id,omitempty"`
	// Location is its address, where it has one.
	Location string `json:"location,omitempty"`
	// BackOfficeID is the id of the document that it belongs to there, where the back office tells.
	BackOfficeID string `json:"backOfficeId,omitempty"`
	// Correlation is the remote's own id of the call, for support; empty if it gave none.
	Correlation string `json:"correlation,omitempty"`
}

// Processing is what a back office made of a delivery that it accepted: it may
// store first and work later, and fail at that (facts backoffice.md 0.2).
type Processing struct {
	State ProcessingState
	// Text is the back office's own message, for people; it may name numbers and
	// codes of the back office, never the appointment's words.
	Text string
	At   time.Time // UTC; zero if it does not tell
}

// ProcessingState is where the back office stands with a delivery.
type ProcessingState string

const (
	Processed     ProcessingState = "processed"
	Waiting       ProcessingState = "waiting" // accepted, not worked on yet
	FailedThere   ProcessingState = "failed"  // accepted, and failed: somebody has to look there
	NoLongerThere ProcessingState = "absent"  // the row is gone: archived, or deleted by a person
)

// Check is one thing that Test looked at.
type Check struct {
	Name string // "token", "sign-in", "address", "company", "service", "fields", "permissions"
	OK   bool
	// Code is the stable code of what is wrong; empty if nothing is.
	Code string
	// Text says what was found and, if it is wrong, what to change where.
	Text string
}

// FieldUse says where one of our fields goes in a back office, for an administrator
// who looks at the mapping and changes it (Config.Fields).
type FieldUse struct {
	Part     string `json:"part"`  // "appointment", "resources", "field values"
	Field    string `json:"field"` // ours; the key in Config.Fields
	Required bool   `json:"required,omitempty"`
	// How it was found: "name", "synonym", "mapped" (by Config.Fields); "not sent"
	// (switched off there) and "missing" have no Property.
	How       string `json:"how"`
	Property  string `json:"property,omitempty"` // the back office's name
	Type      string `json:"type,omitempty"`
	MaxLength int    `json:"maxLength,omitempty"` // characters; 0 = no limit is told
	// Wanted is the property that Config.Fields names and that is not there.
	Wanted string `json:"wanted,omitempty"`
}
