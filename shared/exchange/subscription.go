package exchange

import (
	"context"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

const (
	// subscriptionLife is what we ask for: just under the 10,080 minutes that
	// Graph gives to event subscriptions (graph.md A2).
	subscriptionLife = 10_080*time.Minute - time.Hour
	// renewBefore is from when on a subscription is renewed.
	renewBefore = 48 * time.Hour
	// renewPause: one PATCH per subscription in that time, as lifecycle events
	// repeat and Graph answers haste with inconsistent states (graph.md A7).
	renewPause = 10 * time.Minute
)

func busProbe(mailbox string, at time.Time) bus.Nudge {
	return bus.Nudge{Kind: bus.Subscribe, Target: mailbox, Reason: "probe", At: at}
}

// unsubscribed reports whether the mailbox is to have a subscription and, as far
// as its row knows, has none that lives.
func (s *session) unsubscribed() bool {
	return !s.settings.ToBoardOff && !s.row.SubscriptionExpires.After(s.Now())
}

// subscribe sees to it that the mailbox has one living subscription. Only this
// worker creates, adopts, renews, and deletes doubles (R36); a read follows
// every time (R38).
func (s *session) subscribe(ctx context.Context, n bus.Nudge) error {
	if s.settings.ToBoardOff {
		return nil
	}
	now := s.Now()
	id := s.row.Subscription
	if tried := !s.row.SubscriptionRenewed.IsZero(); id == "" && tried || n.Missing {
		// Something is not as our row says: Graph's own list is the truth.
		list, err := s.Calendar.Subscriptions(ctx)
		if err != nil {
			return err
		}
		keep := ""
		for _, sub := range list {
			if !strings.EqualFold(sub.Mailbox, s.mailbox) || sub.NotificationURL != s.NotificationURL || !sub.Expires.After(now) {
				continue
			}
			if keep == "" || sub.ID == id {
				keep, sub.ID = sub.ID, keep
			}
			if sub.ID != "" {
				if err := s.Calendar.DeleteSubscription(ctx, sub.ID); err != nil {
					return err
				}
			}
		}
		id = keep
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return err
	}
	// A subscription keeps its clientState for life: one that an older key has
	// signed is replaced, the new one first (R37; graph.md A1).
	outdated := id != "" && s.row.SubscriptionKey != keys.Fingerprint()
	if id != "" && !outdated {
		if id == s.row.Subscription && now.Sub(s.row.SubscriptionRenewed) < renewPause {
			return nil
		}
		sub, err := s.Calendar.RenewSubscription(ctx, id, now.Add(subscriptionLife))
		if err == nil {
			return s.subscribed(ctx, sub.ID, sub.Expires, s.row.SubscriptionKey)
		}
		if !fault.Is(err, fault.NotFound) || fault.Of(err).WholeTarget {
			return err
		}
	}
	state, err := keys.Sign(s.mailbox)
	if err != nil {
		return err
	}
	if !outdated {
		// Tried: if the answer is lost, the next attempt looks for it in Graph's list.
		if err := s.subscribed(ctx, "", time.Time{}, keys.Fingerprint()); err != nil {
			return err
		}
	}
	sub, err := s.Calendar.CreateSubscription(ctx, s.mailbox, s.NotificationURL, s.LifecycleURL, state, now.Add(subscriptionLife))
	if err != nil {
		return err
	}
	if err := s.subscribed(ctx, sub.ID, sub.Expires, keys.Fingerprint()); err != nil || !outdated {
		return err
	}
	return s.Calendar.DeleteSubscription(ctx, id)
}

func (s *session) subscribed(ctx context.Context, id string, expires time.Time, key string) error {
	return s.save(ctx, func(t *store.Target) {
		t.Subscription, t.SubscriptionExpires, t.SubscriptionRenewed, t.SubscriptionKey = id, expires, s.Now(), key
	})
}
