// Package backofficepush is the function that wakes the worker of a back office. The
// queue's sessions see to it that one shard of a connector has one delivery under way.
package backofficepush

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Worker does what a nudge asks for, and all else that is due in its shard of the connector.
// An error means that our own store or broker failed to the end.
type Worker interface {
	Handle(ctx context.Context, n bus.Nudge) error
}

// Handler returns the function.
func Handler(w Worker) func(context.Context, funchost.Message) error {
	return func(ctx context.Context, m funchost.Message) error {
		n, err := bus.DecodeNudge(m.Body)
		if err != nil {
			return err
		}
		// The session is the lock: another target would be a second writer of it.
		if n.Target != m.SessionID {
			return fault.Poisoned("backofficepush", "the nudge's target is not the message's session")
		}
		if n.At.IsZero() {
			n.At = m.Enqueued
		}
		n.Traceparent = funchost.InvocationOf(ctx).Traceparent
		return w.Handle(ctx, n)
	}
}
