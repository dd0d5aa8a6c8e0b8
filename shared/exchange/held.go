package exchange

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// The sides on which what is held back was missed, and what a person decides.
const (
	heldOutlook, heldBoard    = "outlook", "board"
	heldMoveIn                = "moving in" // while it moves in: decided by the preview
	heldReleased, heldRefused = "released", "refused"
)

// heldEvent names the row in the deltas that says that something is held back
// that was missed on this side.
func heldEvent(side string) string { return "held " + side }

// suspects are what a complete list lacked: by the name under which it counts, an
// appointment's Guid or a series, the appointments that it stands for.
type suspects struct {
	side   string
	of     map[string][]string
	linked int // how many names there are on this side, to judge the share
}

// capped returns those of the suspected deletions that may be followed up. The
// rest is held back in its links, for a person to release or refuse, and
// everything else flows on (R28). What a person has released is not counted, and
// what was refused is not asked for again until it is seen again.
func (s *session) capped(ctx context.Context, found suspects, links []*store.Link, began time.Time) ([]string, error) {
	verdict := map[string]string{}
	for _, l := range links {
		if l.Held != nil && l.Held.Side == found.side {
			verdict[l.Appointment] = l.Held.Verdict
		}
	}
	var free, lost []string
	for name, all := range found.of {
		switch is := func(v string) bool {
			return len(all) > 0 && !slices.ContainsFunc(all, func(guid string) bool { return verdict[guid] != v })
		}; {
		case is(heldRefused):
		case is(heldReleased):
			free = append(free, name)
		default:
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	allowed, why := len(lost), ""
	if allowed > min(max(capFloor, found.linked/capShare), capRound) {
		allowed, why = 0, "so many at once are rather a fault than a day's work"
	}
	allowed, err := s.takeOfHour(ctx, allowed, began)
	if err != nil {
		return nil, err
	}
	held := lost[allowed:]
	if len(held) == 0 {
		return append(free, lost...), s.Store.RemoveDelta(ctx, s.mailbox, heldEvent(found.side))
	}
	if why == "" {
		why = "the whole installation has inferred enough of them in this hour"
	}
	text := fmt.Sprintf("%d of %d appointments are missing from a complete list (%s), %d of them are held back: %s. Nothing was deleted, please look",
		len(lost), found.linked, found.side, len(held), why)
	s.log.WarnContext(ctx, "inferred deletions held back", "held", len(held), "suspected", len(lost), "linked", found.linked, "side", found.side)
	s.record("", "delete", StatusSkipped, codeHeldBack, text)
	var guids []string
	for _, name := range held {
		guids = append(guids, found.of[name]...)
	}
	err = s.update(ctx, guids, func(l *store.Link) error {
		if l.ETag != "" && (l.Held == nil || l.Held.Side != found.side) {
			l.Held = &store.Held{Side: found.side, Reason: why, Suspected: len(lost), Linked: found.linked, Since: began}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return append(free, lost[:allowed]...), s.Store.PutDelta(ctx, store.Delta{Mailbox: s.mailbox, Event: heldEvent(found.side), Kind: "held", Text: text, At: began})
}

// unhold: what was missed on a side has been seen there again, or is known to be
// gone by better evidence.
func unhold(l *store.Link, side string) {
	if l.Held != nil && l.Held.Side == side {
		l.Held = nil
	}
}

// decided reports whether a person has decided on what was held back, and it is
// still to be done.
func decided(l *store.Link) bool { return l.Held != nil && l.Held.Verdict != "" && l.Held.Open }

// decide carries out what a person decided. A release is no proof: each deletion
// is still proved like any other (R27).
func (s *session) decide(ctx context.Context, l *store.Link) error {
	h := *l.Held
	done := func(l *store.Link) {
		if l.Held != nil {
			held := *l.Held
			held.Open = false
			l.Held, l.DueAt = &held, time.Time{}
			proceed(l, s.Now())
		}
	}
	switch {
	case h.Side == heldBoard && h.Verdict == heldReleased:
		if err := s.put(ctx, l, done); err != nil {
			return err
		}
		return s.doubt(ctx, l.Appointment, l.Wanted.Version, s.Now())
	case h.Side == heldOutlook && h.Verdict == heldReleased:
		return s.put(ctx, l, func(l *store.Link) {
			l.Held = nil
			if l.OutlookSeen.EventID != "" && l.Inbound == nil && l.Sent == nil {
				l.Inbound = &store.Inbound{Removed: true, Inferred: true, Found: s.Now()}
			}
			l.DueAt = s.Now()
		})
	case h.Side == heldOutlook && l.OutlookSeen.EventID != "":
		return s.keepEvent(ctx, l, done)
	}
	return s.put(ctx, l, done)
}

// keepEvent: a person says that an event which was missed in Outlook is to stay. If
// it is proved to be gone it is made again, under the next generation (R23).
func (s *session) keepEvent(ctx context.Context, l *store.Link, done func(*store.Link)) error {
	e, err := s.Calendar.Event(ctx, s.mailbox, l.OutlookSeen.EventID)
	lost := gone(err)
	if err == nil && e.Type != calendar.Master {
		var there bool
		there, err = s.inView(ctx, e)
		lost = err == nil && !there
	}
	switch {
	case lost:
		return s.put(ctx, l, func(l *store.Link) {
			l.Held = nil
			lose(l)
			l.State, l.DueAt = store.Pending, s.Now()
		})
	case err != nil:
		return s.linkFailed(ctx, l, err, false)
	}
	return s.put(ctx, l, func(l *store.Link) {
		done(l)
		if e.Type == calendar.Master {
			madeSeries(l, s.Now())
			return
		}
		finding(l, calendar.Item{Event: e}, s.Now())
	})
}
