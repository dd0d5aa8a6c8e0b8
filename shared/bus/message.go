// Package bus sends to the queues: nudges to the workers of a target, changes
// to the appointments queue. It also defines the messages, which are contracts
// (docs/messages.md). It does not receive: the Functions host does, and
// redrive's look at dead letters is the one exception.
//
// A nudge only says "look at target X": losing, repeating or reordering nudges
// changes nothing (idea 1), so they have random message ids (R2).
package bus

import (
	"encoding/json"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Kind is how much a nudge asks for; each includes those before it.
type Kind string

const (
	Push      Kind = "push"      // drain what is due
	Read      Kind = "read"      // read the mailbox, merge, then drain
	Subscribe Kind = "subscribe" // create, adopt or renew the subscription, then read
)

// Nudge is the message on the mailboxes queue (session = Target).
type Nudge struct {
	Kind   Kind   `json:"kind"`
	Target string `json:"target"`
	// Reason says who nudges and why, for logs: "graphwebhook", "sweep", ...
	Reason string `json:"reason,omitempty"`
	// At is when the cause was noticed, UTC by the sender's clock (R4).
	At time.Time `json:"at"`
	// Missing: the cause is a lost or absent subscription; the worker creates it anew.
	Missing bool `json:"missing,omitempty"`
	// States are the events that have changed and what they changed to, if the
	// cause named all of them: a worker that has seen these very states has
	// nothing to read. Empty: anything may have changed.
	States []EventState `json:"states,omitempty"`
	// Traceparent is the W3C trace context of the cause; may be empty.
	Traceparent string `json:"-"`
}

// EventState names one state of one event of the mailbox.
type EventState struct {
	Event string `json:"event"` // immutable id
	ETag  string `json:"etag"`
}

// MaxStates is how many states a nudge carries at most; a cause that names more
// names none.
const MaxStates = 20

// DecodeNudge reads a nudge's body; a Poison fault says what is wrong with it.
func DecodeNudge(body []byte) (Nudge, error) {
	var n Nudge
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fault.Poisoned("bus: decode nudge", "the body is not the JSON of a nudge")
	}
	switch {
	case n.Target == "":
		return n, fault.Poisoned("bus: decode nudge", "target is missing")
	case n.Kind != Push && n.Kind != Read && n.Kind != Subscribe:
		return n, fault.Poisoned("bus: decode nudge", "kind %q is none of push, read, subscribe", string(n.Kind))
	}
	return n, nil
}

// Change is a message for the appointments queue: body as Dime.Scheduler's
// webhook connector sends it, the operation as application property changeType.
type Change struct {
	MessageID   string // unique per change: the queue detects duplicates by it
	Operation   appointment.Operation
	Body        []byte
	Traceparent string
	// First is the sequence number of the message's first delivery, for one
	// that returns from the dead letters; 0 otherwise (R5).
	First int64
	// Redriven counts the returns.
	Redriven int
}

// Application properties of our messages.
const (
	PropertyChangeType  = "changeType"
	PropertyTraceparent = "traceparent"
	// PropertyFirst is the sequence number of the first delivery (R5).
	PropertyFirst = "firstSequenceNumber"
	// PropertyFirstEnqueued is when the first delivery was enqueued, RFC 3339 (R5).
	PropertyFirstEnqueued = "firstEnqueued"
	// PropertyRedriven counts the returns from the dead letters.
	PropertyRedriven = "redriven"
)
