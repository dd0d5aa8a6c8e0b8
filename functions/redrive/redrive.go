// Package redrive is the timer function that nudges targets whose time has come and returns dead letters, the net under lost nudges.
package redrive

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Redrive does one run. A run that is cut short is made up for by the next.
type Redrive interface {
	Run(ctx context.Context) error
}

// Handler returns the function.
func Handler(r Redrive) func(context.Context, funchost.Timer) error {
	return func(ctx context.Context, _ funchost.Timer) error { return r.Run(ctx) }
}
