// Package fault classifies what can go wrong by two questions: what to do
// about it (Kind) and why it happened (Reason). Clients classify at the edge,
// the engine decides by the class and never by an error's text.
//
// It is a leaf: it imports the standard library only. It is not a logging or
// wrapping helper; wrap with fmt.Errorf("...: %w") as usual.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what is to be done about a fault.
type Kind uint8

const (
	// Transient: try again later. It is the zero value: whatever nobody has
	// classified is tried again, for a lost appointment is worse than a late one.
	Transient Kind = iota
	// Permanent: the other side has refused this one thing; only a person or a
	// new version of it changes that.
	Permanent
	// Poison: the input can not be understood. It is parked, not retried.
	Poison
)

func (k Kind) String() string {
	switch k {
	case Permanent:
		return "permanent"
	case Poison:
		return "poison"
	}
	return "transient"
}

// Reason says why, in a closed set: it is also the label of a metric.
type Reason string

const (
	Auth        Reason = "auth"
	RateLimit   Reason = "ratelimit"
	Conflict    Reason = "conflict"
	Invalid     Reason = "invalid"
	NotFound    Reason = "notfound"
	Unavailable Reason = "unavailable"
	Timeout     Reason = "timeout"
	Canceled    Reason = "canceled"
	Other       Reason = "other"
)

// Error is a classified fault. Its text is for logs of operators: it names the
// operation and the remote code, and never holds content, addresses or secrets.
type Error struct {
	Kind   Kind
	Reason Reason
	// Op is what was tried, as "graph: patch event".
	Op string
	// Code is the remote's own stable code ("ErrorItemNotFound"), or ours
	// ("DSCFG007"); empty if there is none.
	Code string
	// RetryAfter is how long the other side asked to be left alone; 0 = it did not say.
	RetryAfter time.Duration
	// WholeTarget says that nothing of this target (the mailbox, the connector,
	// the board) can work now, not just this one item (R39).
	WholeTarget bool
	// WholeService says that no target of the service (Graph, the board) can work
	// now, as with an expired secret; WholeTarget is set, too (R39).
	WholeService bool
	// Ambiguous says that the effect may have happened all the same: look
	// before doing it again (R12).
	Ambiguous bool
	// Err is the cause, or nil.
	Err error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s (%s)", e.Op, e.Reason, e.Kind)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Of returns err's classification. An error that nobody has classified is
// transient, and ambiguous, as nothing is known of it; nil gives nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	reason := Other
	switch {
	case errors.Is(err, context.Canceled):
		reason = Canceled
	case errors.Is(err, context.DeadlineExceeded):
		reason = Timeout
	}
	return &Error{Kind: Transient, Reason: reason, Op: "unclassified", Ambiguous: true, Err: err}
}

// Is reports whether err is classified with this reason.
func Is(err error, reason Reason) bool { return err != nil && Of(err).Reason == reason }

// Poisoned returns a Poison fault: the input breaks the contract in the way
// that the text says, in words for the person who sent it.
func Poisoned(op, format string, args ...any) *Error {
	return &Error{Kind: Poison, Reason: Invalid, Op: op, Err: fmt.Errorf(format, args...)}
}
