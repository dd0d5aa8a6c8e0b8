package backoffice

import (
	"context"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Redrive is the timer under the nudges of back offices: it nudges each shard
// whose due time has passed (R1).
type Redrive struct {
	Store store.Targets
	Bus   Bus
	Now   func() time.Time
	Log   *slog.Logger
}

// Run does one run.
func (r *Redrive) Run(ctx context.Context) error {
	now := r.Now()
	due, err := r.Store.DueTargets(ctx, store.Connector, now)
	if err != nil {
		return err
	}
	var nudges []bus.Nudge
	for _, t := range due {
		if _, _, ok := ParseTarget(t.ID); ok {
			nudges = append(nudges, bus.Nudge{Kind: bus.Push, Target: t.ID, Reason: "redrive", At: now})
		}
	}
	if len(nudges) == 0 {
		return nil
	}
	r.Log.InfoContext(ctx, "overdue connectors nudged", "count", len(nudges))
	return r.Bus.Nudge(ctx, nudges...)
}
