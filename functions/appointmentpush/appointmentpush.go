// Package appointmentpush is the function that takes changes off the
// appointments queue and has them routed to links and workers.
//
// Repeating a message is safe (R6). What breaks the contract is parked.
package appointmentpush

import (
	"context"
	"strconv"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Decode reads a message of the board. Its errors are Poison faults.
type Decode func(body []byte, changeType string, sequence int64, enqueued time.Time) (appointment.Change, error)

// Router writes what a change wants into heads and links, then nudges. An
// error means that our own store or broker failed to the end.
type Router interface {
	Route(ctx context.Context, c appointment.Change) error
}

// Handler returns the function.
func Handler(decode Decode, router Router) func(context.Context, funchost.Message) error {
	return func(ctx context.Context, m funchost.Message) error {
		change, err := decode(m.Body, m.Property(bus.PropertyChangeType), sequence(m), enqueued(m))
		if err != nil {
			return err
		}
		return router.Route(ctx, change)
	}
}

// sequence returns the sequence number of the message's first delivery: a
// message that returns from the dead letters must not outrank newer ones (R5).
func sequence(m funchost.Message) int64 {
	if first, err := strconv.ParseInt(m.Property(bus.PropertyFirst), 10, 64); err == nil && first > 0 {
		return first
	}
	return m.SequenceNumber
}

// enqueued is likewise that of the first delivery: it stands for a missing
// LastModifiedDate.
func enqueued(m funchost.Message) time.Time {
	if first, err := time.Parse(time.RFC3339Nano, m.Property(bus.PropertyFirstEnqueued)); err == nil {
		return first
	}
	return m.Enqueued
}
