package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
	"github.com/google/uuid"
)

// baselinePeriod is after how long this mailbox is compared with both sides as a
// whole: a day or a little less, so that a fleet does not keep in step.
func (s *session) baselinePeriod() time.Duration {
	return baselineAge - target.Spread(s.mailbox, baselineAge/4)
}

// compareBoard holds the board's own list against what we know, so that a change
// that was never enqueued is found too (idea 4). What differs goes to the queue
// like any change (R10).
func (s *session) compareBoard(ctx context.Context, window calendar.Window, began time.Time) error {
	numbers := make([]string, len(s.resources))
	for i, r := range s.resources {
		numbers[i] = r.No
	}
	if len(numbers) == 0 {
		return nil
	}
	// Read before the board's list begins: what is routed meanwhile is newer than it.
	links, err := s.Store.Links(ctx, s.mailbox)
	if err != nil {
		return err
	}
	listed, err := s.Board.Appointments(ctx, window.Start, window.End, numbers)
	if err != nil {
		// The board's fault is not this mailbox's: the baseline stays owed.
		s.log.WarnContext(ctx, "the board's list could not be read: compared later", "error", err)
		return s.save(ctx, func(t *store.Target) { t.LastBaseline = began.Add(baselineRetry - s.baselinePeriod()) })
	}
	leaving := map[string]bool{} // about to be taken off the board: what it shows of them is no news
	for _, l := range links {
		leaving[l.Appointment] = l.State == store.Hidden || l.Origin == store.Outlook && l.Inbound != nil && l.Inbound.Flow == appointment.Withheld
	}
	for _, a := range listed {
		if leaving[a.Guid] {
			continue
		}
		if err := s.news(ctx, a); err != nil {
			return err
		}
	}
	if err := s.missingOnBoard(ctx, links, listed, window, began); err != nil {
		return err
	}
	if err := s.staleNotices(ctx, links); err != nil {
		return err
	}
	return s.save(ctx, func(t *store.Target) { t.LastBaseline, t.Judged = began, s.policy.Fingerprint() })
}

// missingOnBoard looks at links that are wanted here and are not in the board's
// complete list. A GET proves the deletion; where the board has none, its next
// list does (R27). Both are capped (R28).
func (s *session) missingOnBoard(ctx context.Context, links []*store.Link, listed []appointment.Appointment, window calendar.Window, began time.Time) error {
	there := make(map[string]bool, len(listed))
	for _, a := range listed {
		there[a.Guid] = len(s.assignedHere(a)) > 0
	}
	var lost, found []string
	asked := map[string]appointment.Version{}
	linked := 0
	for _, l := range links {
		start, end, ok := l.Wanted.Content.Times()
		if l.Wanted.Absent || l.Wanted.Version.IsZero() || !ok || !window.Overlaps(start, end) {
			continue
		}
		linked++
		switch {
		case there[l.Appointment] && (!l.BoardMissing.IsZero() || l.Held != nil && l.Held.Side == heldBoard):
			found = append(found, l.Appointment)
		case !there[l.Appointment]:
			lost = append(lost, l.Appointment)
			asked[l.Appointment] = l.Wanted.Version
		}
	}
	if err := s.update(ctx, found, func(l *store.Link) error {
		l.BoardMissing = time.Time{}
		unhold(l, heldBoard)
		return nil
	}); err != nil {
		return err
	}
	names := map[string][]string{}
	for _, guid := range lost {
		names[guid] = []string{guid}
	}
	lost, err := s.capped(ctx, suspects{heldBoard, names, linked}, links, began)
	if err != nil {
		return err
	}
	for _, guid := range lost {
		if err := s.doubt(ctx, guid, asked[guid], began); err != nil {
			return err
		}
	}
	return nil
}

// doubt asks the board for one appointment that its list lacked.
func (s *session) doubt(ctx context.Context, guid string, asked appointment.Version, began time.Time) error {
	l, err := s.Store.Link(ctx, s.mailbox, guid)
	if errors.Is(err, store.ErrNotFound) {
		return nil // renamed by another worker
	}
	if err != nil || l.Wanted.Version != asked {
		return err // the board has spoken of it since
	}
	a, err := s.appointment(ctx, l)
	switch {
	case err == nil:
		return s.news(ctx, a) // moved, or no longer assigned here
	case goneFromBoard(err):
		return s.deletedOnBoard(ctx, l)
	case inconclusive(err):
		if !l.BoardMissing.IsZero() && l.BoardMissing.Before(began) {
			return s.deletedOnBoard(ctx, l)
		}
		return s.put(ctx, l, func(l *store.Link) { l.BoardMissing = began })
	}
	return nil // the board's fault: nothing is proved
}

// news sends what was read from the board to the queue if it is not what the
// head says, or if the head has not been routed to this mailbox (R10).
func (s *session) news(ctx context.Context, a appointment.Appointment) error {
	head, err := s.Store.Head(ctx, a.Guid)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	body, encoded := dimescheduler.EncodeChange(a)
	if encoded != nil {
		return encoded
	}
	if err == nil && s.silentNews(head, a) {
		_, changed, err := dimescheduler.MergeGraph(head.Graph, appointment.Change{Operation: appointment.Update, Appointment: a, Raw: body})
		if err != nil {
			return err
		}
		if !changed {
			if agreed, err := s.judgedAlike(ctx, head); err != nil || agreed {
				return err
			}
		}
	}
	return s.announce(ctx, bus.Change{MessageID: "read-" + uuid.NewString(), Operation: appointment.Update, Body: body})
}

// silentNews reports whether the head knows the appointment just as it was read,
// and has routed it to this mailbox.
func (s *session) silentNews(head *store.Head, a appointment.Appointment) bool {
	return head.Operation != appointment.Delete && head.Digest == routing.Digest(a) &&
		head.Assigned(routing.MailboxTarget(s.mailbox)) == (len(s.assignedHere(a)) > 0)
}

// newsOfDelete sends that an appointment is gone, if the head does not know it.
func (s *session) newsOfDelete(ctx context.Context, guid string) error {
	head, err := s.Store.Head(ctx, guid)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && head.Operation == appointment.Delete {
		return nil
	}
	body, err := json.Marshal(map[string]string{"AppointmentGuid": guid})
	if err != nil {
		return err
	}
	return s.announce(ctx, bus.Change{MessageID: "read-" + uuid.NewString(), Operation: appointment.Delete, Body: body})
}

// The caps on deletions that are inferred from absence (R28): per round and
// mailbox a number and a share, over the fleet a number per hour.
const (
	capRound = 25
	capShare = 5 // a fifth of the mailbox's links, but always
	capFloor = 5
	capHour  = 200
)

// takeOfHour takes up to n of what the fleet may infer in this hour.
func (s *session) takeOfHour(ctx context.Context, n int, now time.Time) (int, error) {
	if n == 0 {
		return 0, nil
	}
	type hour struct {
		Hour  string `json:"hour"`
		Count int    `json:"count"`
	}
	const name = "inferred-deletions"
	for {
		text, etag, err := s.Store.Value(ctx, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		var h hour
		_ = json.Unmarshal([]byte(text), &h) // an unreadable counter begins anew
		if this := now.UTC().Format("2006-01-02T15"); h.Hour != this {
			h = hour{Hour: this}
		}
		n = min(n, max(0, capHour-h.Count))
		if n == 0 {
			return 0, nil
		}
		h.Count += n
		data, err := json.Marshal(h)
		if err != nil {
			return 0, err
		}
		if _, err = s.Store.SwapValue(ctx, name, string(data), etag); err == nil {
			return n, nil
		} else if !errors.Is(err, store.ErrConflict) {
			return 0, err
		}
	}
}
