package exchange

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// Renewal is the timer that holds the subscriptions that should be against those
// that Graph has. It creates and renews none: it nudges the mailbox's worker,
// and deletes only those of mailboxes that take no part (R36). It keeps no
// state, so that a run that was cut short is made good by the next.
type Renewal struct {
	Store interface {
		store.Targets
		store.Journal
	}
	Calendar Calendar
	Bus      Bus
	// Keys returns the keys of clientState.
	Keys            func(ctx context.Context) (Keys, error)
	NotificationURL string
	Now             func() time.Time
	Log             *slog.Logger
}

// renewSpread keeps renewals of a fleet that was set up at once from falling
// together: each mailbox has its own part of it.
const renewSpread = 12 * time.Hour

// Run compares once. One subscription's failure does not stop the others.
func (r *Renewal) Run(ctx context.Context) error {
	now := r.Now()
	// Graph's list first: what a worker creates meanwhile is not in it (R36).
	calls := timerCalls{Store: r.Store, Now: r.Now, Log: r.Log}
	var list []calendar.Subscription
	failed := calls.ask(ctx, store.Transaction{Operation: "list subscriptions"}, func(ctx context.Context) (err error) {
		list, err = r.Calendar.Subscriptions(ctx)
		return err
	})
	targets, err := r.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	if failed != nil {
		// Graph does not answer: what the rows know must do until the next run.
		r.Log.WarnContext(ctx, "Graph's list of subscriptions could not be read", "error", failed)
		return r.byRows(ctx, targets, now)
	}
	keys, err := r.Keys(ctx)
	if err != nil {
		return err
	}
	count := map[string]int{}
	expires := map[string]time.Time{}
	for _, s := range list {
		if s.NotificationURL == r.NotificationURL && s.Mailbox != "" {
			count[strings.ToLower(s.Mailbox)]++ // ids come back in any letter case
			expires[s.ID] = s.Expires
		}
	}
	takesPart := map[string]bool{}
	var nudges []bus.Nudge
	for _, t := range targets {
		takesPart[strings.ToLower(t.ID)] = t.Participates
		if !t.Participates || t.Phase != store.PhaseReleased {
			continue // one that waits for its release needs none; what it has of before stays
		}
		until, there := expires[t.Subscription]
		outdated := t.SubscriptionKey != keys.Fingerprint() // its clientState has been rotated (R37)
		wrong := !there || count[strings.ToLower(t.ID)] != 1
		if wrong || outdated || until.Sub(now) < renewBefore+target.Spread(t.ID, renewSpread) {
			nudges = append(nudges, bus.Nudge{Kind: bus.Subscribe, Target: t.ID, Reason: "renewal", At: now, Missing: wrong})
		}
	}
	if len(nudges) > 0 {
		err = r.Bus.Nudge(ctx, nudges...)
	}
	orphans := 0
	for _, s := range list {
		if s.NotificationURL != r.NotificationURL || s.Mailbox == "" || takesPart[strings.ToLower(s.Mailbox)] {
			continue
		}
		err := calls.write(ctx, store.Transaction{Operation: "unsubscribe", Target: s.Mailbox, Text: "a subscription of a mailbox that takes no part was removed"},
			func(ctx context.Context) error { return r.Calendar.DeleteSubscription(ctx, s.ID) })
		if err != nil {
			r.Log.WarnContext(ctx, "an orphaned subscription could not be deleted: tried again by the next run", "error", err)
			continue
		}
		orphans++
	}
	r.Log.InfoContext(ctx, "subscriptions compared", "graph", len(list), "nudged", len(nudges), "orphans_deleted", orphans)
	return err
}

// byRows nudges those whose own row says that the subscription ends soon.
func (r *Renewal) byRows(ctx context.Context, targets []*store.Target, now time.Time) error {
	var nudges []bus.Nudge
	for _, t := range targets {
		if t.Participates && t.Phase == store.PhaseReleased && t.SubscriptionExpires.Sub(now) < renewBefore+target.Spread(t.ID, renewSpread) {
			nudges = append(nudges, bus.Nudge{Kind: bus.Subscribe, Target: t.ID, Reason: "renewal", At: now})
		}
	}
	if len(nudges) == 0 {
		return nil
	}
	return r.Bus.Nudge(ctx, nudges...)
}
