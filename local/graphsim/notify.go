package graphsim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// notification is one item on its way to an endpoint.
type notification = object

// NotificationStats counts notification items, lifecycle items included.
type NotificationStats struct {
	Raised    int // by a change and a matching subscription, or by a lifecycle event
	Dropped   int // lost by a fault
	Delivered int // answered with a 2xx
	Failed    int // given up after the last attempt
	Posts     int // HTTP attempts
}

// NotificationStats returns the counts since New.
func (s *Server) NotificationStats() NotificationStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// notify raises a notification for every subscription that wants the change. Locked.
func (s *Server) notify(b *mailbox, e *Event, kind, notifyID string) {
	if b.state != MailboxOK {
		return
	}
	for _, sub := range s.active() {
		if sub.User != b.user.ID || !slices.Contains(sub.ChangeTypes, kind) {
			continue
		}
		s.stats.Raised++
		item := s.changeItem(b, e, sub, kind, notifyID)
		if s.lost() {
			s.stats.Dropped++
			continue
		}
		copies := 1
		if s.chance(s.behaviour.Notifications.Duplicate) {
			copies = 2
		}
		for range copies {
			s.enqueue(sub.NotificationURL, item, s.behaviour.Notifications.Delay)
		}
	}
}

// lost decides on a drop. Locked.
func (s *Server) lost() bool {
	f := &s.behaviour.Notifications
	if f.DropNext > 0 {
		f.DropNext--
		return true
	}
	return s.chance(f.Drop)
}

// changeItem renders a change; letter case varies as it does in the wild. Locked.
func (s *Server) changeItem(b *mailbox, e *Event, sub *subscription, kind, notifyID string) notification {
	id := notifyID
	if !sub.Immutable {
		mutable := e.MutableID
		if kind == "deleted" {
			mutable = e.previousMutable
		}
		id = mutable + strings.TrimPrefix(notifyID, e.ID)
	}
	users, events, dataType := "Users", "Events", "#Microsoft.Graph.Event"
	if s.chance(0.5) {
		users, events, dataType = "users", "events", "#microsoft.graph.event"
	}
	resource := users + "/" + b.user.ID + "/" + events + "/" + id
	return notification{
		"id": s.uuid(), "subscriptionId": sub.ID, "subscriptionExpirationDateTime": sub.Expires.Format(timeFormat),
		"clientState": nullable(sub.ClientState), "changeType": kind, "resource": resource, "tenantId": s.opts.TenantID,
		"resourceData": object{"@odata.type": dataType, "@odata.id": resource, "@odata.etag": e.ETag(), "id": id},
	}
}

// enqueue hands an item to the endpoint's outbox, after a delay in real time. Locked.
func (s *Server) enqueue(endpoint string, item notification, delay time.Duration) {
	if delay > 0 {
		s.later(delay, func() { s.enqueue(endpoint, item, 0) })
		return
	}
	if s.closed {
		return
	}
	waiting := len(s.outbox[endpoint])
	s.outbox[endpoint] = append(s.outbox[endpoint], item)
	if waiting == 0 {
		s.background(1, func() { s.post(endpoint) })
	}
}

// post waits for the batch window, then delivers all that has come together for the endpoint.
func (s *Server) post(endpoint string) {
	if !s.sleep(s.ctx, s.opts.BatchWindow) {
		return
	}
	s.mu.Lock()
	items := s.outbox[endpoint]
	delete(s.outbox, endpoint)
	faults := s.behaviour.Notifications
	sent := len(items)
	if faults.Forge {
		items = append(items, s.forged(items[0]))
	}
	if faults.Reorder {
		s.rng.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	}
	s.mu.Unlock()

	body, err := json.Marshal(object{"value": items})
	if err != nil {
		panic("graphsim: a notification does not marshal: " + err.Error())
	}
	delivered := s.deliver(endpoint, body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if delivered {
		s.stats.Delivered += sent
	} else {
		s.stats.Failed += sent
	}
}

// forged copies an item's looks for a subscription that nobody made. Locked.
func (s *Server) forged(like notification) notification {
	item := notification{}
	for k, v := range like {
		item[k] = v
	}
	item["id"], item["subscriptionId"], item["clientState"] = s.uuid(), s.uuid(), "forged"
	return item
}

// deliver POSTs until a 2xx, with back-off; false when it gave up.
func (s *Server) deliver(endpoint string, body []byte) bool {
	pause, timeout := s.opts.DeliveryBackoff, s.opts.DeliveryTimeout
	for attempt := range s.opts.DeliveryAttempts {
		if attempt > 0 {
			if !s.sleep(s.ctx, pause) {
				return false
			}
			pause *= 2
			timeout = 3 * s.opts.DeliveryTimeout
		}
		if s.attempt(endpoint, body, timeout) {
			return true
		}
	}
	return false
}

func (s *Server) attempt(endpoint string, body []byte, timeout time.Duration) bool {
	s.mu.Lock()
	s.stats.Posts++
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := s.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	// Read for the connection to be used again; the content is of no interest.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode/100 == 2
}
