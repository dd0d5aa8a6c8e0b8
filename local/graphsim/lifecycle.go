package graphsim

import "fmt"

// Subscriptions returns the active subscriptions of all apps, oldest first.
func (s *Server) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Subscription
	for _, sub := range s.active() {
		out = append(out, *sub)
	}
	return out
}

// ExpireSubscription ends a subscription as its expiry does: silently.
func (s *Server) ExpireSubscription(id string) error {
	return s.withSubscription(id, func(sub *subscription) { s.forget(sub.ID) })
}

// RemoveSubscription ends a subscription as Graph does when it must, with a subscriptionRemoved event.
func (s *Server) RemoveSubscription(id string) error {
	return s.withSubscription(id, func(sub *subscription) {
		s.lifecycle(sub, "subscriptionRemoved")
		s.forget(sub.ID)
	})
}

// RequestReauthorization sends a reauthorizationRequired event.
func (s *Server) RequestReauthorization(id string) error {
	return s.withSubscription(id, func(sub *subscription) { s.lifecycle(sub, "reauthorizationRequired") })
}

// SendMissed sends a missed event: notifications were lost.
func (s *Server) SendMissed(id string) error {
	return s.withSubscription(id, func(sub *subscription) { s.lifecycle(sub, "missed") })
}

func (s *Server) withSubscription(id string, f func(*subscription)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.active() {
		if sub.ID == id {
			f(sub)
			return nil
		}
	}
	return fmt.Errorf("graphsim: there is no subscription %s", id)
}

// lifecycle raises a lifecycle event, if the subscription has an address for it. Locked.
func (s *Server) lifecycle(sub *subscription, event string) {
	if sub.LifecycleURL == "" {
		return
	}
	s.stats.Raised++
	s.enqueue(sub.LifecycleURL, notification{
		"subscriptionId": sub.ID, "subscriptionExpirationDateTime": sub.Expires.Format(timeFormat),
		"clientState": nullable(sub.ClientState), "lifecycleEvent": event, "tenantId": s.opts.TenantID,
		"organizationId": s.opts.TenantID,
	}, 0)
}
