// Package subscriptionrenewal is the timer function that compares the subscriptions that should be with those that Graph has.
package subscriptionrenewal

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Renewal does one run. A run that is cut short is made up for by the next.
type Renewal interface {
	Run(ctx context.Context) error
}

// Handler returns the function.
func Handler(r Renewal) func(context.Context, funchost.Timer) error {
	return func(ctx context.Context, _ funchost.Timer) error { return r.Run(ctx) }
}
