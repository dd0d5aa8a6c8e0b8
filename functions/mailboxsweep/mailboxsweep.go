// Package mailboxsweep is the timer function that has mailboxes read that were not for too long, the net under lost notifications.
package mailboxsweep

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Sweep does one run. A run that is cut short is made up for by the next.
type Sweep interface {
	Run(ctx context.Context) error
}

// Handler returns the function.
func Handler(r Sweep) func(context.Context, funchost.Timer) error {
	return func(ctx context.Context, _ funchost.Timer) error { return r.Run(ctx) }
}
