package exchange

import (
	"context"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// Sweep is the timer under the notifications: it nudges every mailbox that has
// not been read for a while (idea 4), so that what Graph never told is found.
type Sweep struct {
	Store store.Targets
	Bus   Bus
	Now   func() time.Time
	Log   *slog.Logger
}

// sweepAge is how old a read may be.
const sweepAge = 30 * time.Minute

// Run nudges once. The worker itself knows when its daily baseline is owed.
func (s *Sweep) Run(ctx context.Context) error {
	now := s.Now()
	targets, err := s.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	var nudges []bus.Nudge
	for _, t := range targets {
		if t.Participates && now.Sub(t.LastRead) > sweepAge-target.Spread(t.ID, sweepAge/4) {
			nudges = append(nudges, bus.Nudge{Kind: bus.Read, Target: t.ID, Reason: "sweep", At: now})
		}
	}
	s.Log.InfoContext(ctx, "mailboxes swept", "mailboxes", len(targets), "nudged", len(nudges))
	if len(nudges) == 0 {
		return nil
	}
	return s.Bus.Nudge(ctx, nudges...)
}
