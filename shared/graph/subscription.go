package graph

import (
	"context"
	"strings"
	"time"

	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/subscriptions"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

var (
	opSubscriptions = op{name: "subscriptions"}
	opSubscribe     = op{name: "subscribe", write: true, subscribe: true}
	opRenew         = op{name: "renew", write: true, leaf: true, subscribe: true}
	opUnsubscribe   = op{name: "unsubscribe", write: true, leaf: true, subscribe: true}
)

// maxClientState is Graph's limit on clientState, in characters (facts A1).
const maxClientState = 128

// Subscriptions returns all subscriptions of this application in its tenant.
func (c *Client) Subscriptions(ctx context.Context) ([]calendar.Subscription, error) {
	var out []calendar.Subscription
	seen := map[string]bool{}
	for builder := c.subscriptions(); ; {
		var list models.SubscriptionCollectionResponseable
		err := c.do(ctx, opSubscriptions, "", 0, func(ctx context.Context) (err error) {
			list, err = builder.Get(ctx, &subscriptions.SubscriptionsRequestBuilderGetRequestConfiguration{Headers: c.headers()})
			return err
		})
		if err != nil {
			return nil, err
		}
		if list == nil || list.GetValue() == nil {
			return nil, opSubscriptions.badAnswer("PageWithoutValue")
		}
		for _, s := range list.GetValue() {
			out = append(out, subscription(s))
		}
		next := text(list.GetOdataNextLink())
		if next == "" {
			return out, nil
		}
		if seen[next] || !c.ours(next) {
			return nil, opSubscriptions.badAnswer("BadNextLink")
		}
		seen[next] = true
		builder = builder.WithUrl(next)
	}
}

// CreateSubscription subscribes to all changes of the mailbox's events. Graph
// calls both addresses before it answers. It makes a second one if there is one
// already (or refuses with a Conflict, facts A1): look first. A 400 is Transient,
// as it says that our endpoint did not answer. Graph allows 10,080 minutes at
// most (facts A2).
func (c *Client) CreateSubscription(ctx context.Context, mailbox, notificationURL, lifecycleURL, clientState string, expires time.Time) (calendar.Subscription, error) {
	if len(clientState) > maxClientState {
		return calendar.Subscription{}, opSubscribe.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "ClientStateTooLong"})
	}
	s := models.NewSubscription()
	s.SetChangeType(ptr("created,updated,deleted"))
	s.SetResource(ptr("users/" + mailbox + "/events"))
	s.SetNotificationUrl(&notificationURL)
	s.SetLifecycleNotificationUrl(&lifecycleURL)
	s.SetClientState(&clientState)
	s.SetExpirationDateTime(ptr(expires.UTC()))
	return c.subscribed(ctx, opSubscribe, mailbox, func(ctx context.Context) (models.Subscriptionable, error) {
		return c.subscriptions().Post(ctx, s, &subscriptions.SubscriptionsRequestBuilderPostRequestConfiguration{Headers: c.headers()})
	})
}

// RenewSubscription moves the expiry, and reauthorises. A NotFound fault says
// that the subscription is gone: make a new one, then read (R38).
func (c *Client) RenewSubscription(ctx context.Context, id string, expires time.Time) (calendar.Subscription, error) {
	if id == "" {
		return calendar.Subscription{}, opRenew.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "NoID"})
	}
	s := models.NewSubscription()
	s.SetExpirationDateTime(ptr(expires.UTC()))
	return c.subscribed(ctx, opRenew, "", func(ctx context.Context) (models.Subscriptionable, error) {
		return c.subscriptions().BySubscriptionId(id).Patch(ctx, s, &subscriptions.SubscriptionItemRequestBuilderPatchRequestConfiguration{Headers: c.headers()})
	})
}

// DeleteSubscription ends a subscription; one that is gone is no error.
func (c *Client) DeleteSubscription(ctx context.Context, id string) error {
	if id == "" {
		return opUnsubscribe.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "NoID"})
	}
	err := c.do(ctx, opUnsubscribe, "", 0, func(ctx context.Context) error {
		return c.subscriptions().BySubscriptionId(id).Delete(ctx, &subscriptions.SubscriptionItemRequestBuilderDeleteRequestConfiguration{Headers: c.headers()})
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// subscribed makes the call and reads the subscription that it returns.
func (c *Client) subscribed(ctx context.Context, o op, mailbox string, f func(context.Context) (models.Subscriptionable, error)) (calendar.Subscription, error) {
	var s models.Subscriptionable
	err := c.do(ctx, o, mailbox, 1, func(ctx context.Context) (err error) {
		s, err = f(ctx)
		return err
	})
	if err != nil {
		return calendar.Subscription{}, err
	}
	if s == nil || text(s.GetId()) == "" || s.GetExpirationDateTime() == nil {
		return calendar.Subscription{}, o.badAnswer("UnreadableResponse")
	}
	return subscription(s), nil
}

func subscription(s models.Subscriptionable) calendar.Subscription {
	out := calendar.Subscription{
		ID:              text(s.GetId()),
		Mailbox:         mailboxOf(text(s.GetResource())),
		NotificationURL: text(s.GetNotificationUrl()),
	}
	if t := s.GetExpirationDateTime(); t != nil {
		out.Expires = t.UTC()
	}
	return out
}

// mailboxOf returns the user of the resource users/{id}/events, in whatever
// letter case it comes back; "" for any other resource.
func mailboxOf(resource string) string {
	parts := strings.Split(strings.Trim(resource, "/"), "/")
	if len(parts) != 3 || !strings.EqualFold(parts[0], "users") || !strings.EqualFold(parts[2], "events") {
		return ""
	}
	return parts[1]
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
