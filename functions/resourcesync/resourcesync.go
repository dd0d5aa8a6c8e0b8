// Package resourcesync is the timer function that reads the board's resources and lets mailboxes take part or not.
package resourcesync

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Sync does one run. A run that is cut short is made up for by the next.
type Sync interface {
	Run(ctx context.Context) error
}

// Handler returns the function.
func Handler(r Sync) func(context.Context, funchost.Timer) error {
	return func(ctx context.Context, _ funchost.Timer) error { return r.Run(ctx) }
}
