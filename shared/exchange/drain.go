package exchange

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// pass deals once with links that are due: first what is open, then what
// Outlook said, then what is wanted there, in batches (idea 3).
func (s *session) pass(ctx context.Context, due []*store.Link) error {
	err := s.deal(ctx, due)
	if err != nil && !errors.Is(err, errLater) {
		return err
	}
	return cmp.Or(s.notices(ctx, due), err)
}

func (s *session) deal(ctx context.Context, due []*store.Link) error {
	var sends []string
	series := map[string]bool{} // of which an occurrence is sent
	wait, err := s.birthsOpen(ctx, due)
	if err != nil {
		return err
	}
	for _, l := range due {
		if short(ctx) {
			return errLater
		}
		switch {
		case onlyNotice(l):
		case decided(l) && l.Sent == nil && l.Inbound == nil && l.BoardSent == nil:
			if err := s.decide(ctx, l); err != nil {
				return err
			}
		case l.Sent != nil:
			if err := s.resolve(ctx, l); err != nil {
				return err
			}
		case l.Inbound != nil || l.BoardSent != nil || plannedAnew(l):
			if err := s.toBoard(ctx, l); err != nil {
				return err
			}
		case creates(l) && !wait.IsZero():
			// It may be the board's word of an event whose own birth on the
			// board is still open (R25).
			if err := s.put(ctx, l, func(l *store.Link) { l.DueAt = wait }); err != nil {
				return err
			}
		case s.settings.ToOutlookOff && !l.Wanted.Version.IsZero():
			// Looked at again now and then: nobody tells when it is switched on.
			if err := s.put(ctx, l, func(l *store.Link) { l.DueAt = s.Now().Add(sweepAge) }); err != nil {
				return err
			}
		case series[l.OutlookSeen.Series]:
			// The etag of one is that of all: after the other (R11).
		default:
			if of := l.OutlookSeen.Series; of != "" {
				series[of] = true
				if err := s.freshen(ctx, l); err != nil {
					return err
				}
			}
			sends = append(sends, l.Appointment)
		}
	}
	for len(sends) > 0 {
		n := min(len(sends), s.batchSize())
		if err := s.drain(ctx, sends[:n]); err != nil {
			return err
		}
		sends = sends[n:]
	}
	return nil
}

// creates reports whether the link is to get an event.
func creates(l *store.Link) bool {
	return l.OutlookSeen.EventID == "" && !l.Wanted.Absent && !l.Wanted.Version.IsZero()
}

// maxBirths is after how many failures a birth keeps nobody waiting any more:
// should the board answer another Guid after all, rename removes the twin.
const maxBirths = 5

// birthPatience is likewise for how long after it was tried, while the board is not
// asked at all.
const birthPatience = 2 * time.Minute

// birthsOpen tells until when new links wait: while the board was asked to make
// an appointment of an event and has not answered, what it announces may be that
// very event, under a Guid of its own, and already moved by a planner. Zero =
// they need not wait.
func (s *session) birthsOpen(ctx context.Context, due []*store.Link) (time.Time, error) {
	if s.settings.ToBoardOff || !slices.ContainsFunc(due, creates) {
		return time.Time{}, nil
	}
	links, _, err := s.Store.DueLinks(ctx, s.mailbox, s.Now().Add(baselineAge), listSize)
	if err != nil {
		return time.Time{}, err
	}
	var wait time.Time
	for _, l := range links {
		if l.BoardSent == nil || l.BoardSent.Op != opUpsert || boardKnows(l) || l.Attempts > maxBirths {
			continue
		}
		if waitsForBoard(l) {
			if at := l.BoardSent.At.Add(birthPatience); at.After(s.Now()) && wait.Before(at) {
				wait = at
			}
			continue
		}
		for _, at := range []time.Time{s.Now(), l.DueAt} {
			if at = at.Add(time.Second); wait.Before(at) {
				wait = at
			}
		}
	}
	return wait, nil
}

// fullBatch is how many writes one call carries (graph.md B8).
const fullBatch = 20

func (s *session) batchSize() int {
	if n := s.row.BatchSize; n > 0 && n < fullBatch {
		return n
	}
	return fullBatch
}

// drain stores the intents of some links and carries them out, in one call if
// they fit into one.
func (s *session) drain(ctx context.Context, appointments []string) error {
	now := s.Now()
	if err := s.lower(ctx); err != nil {
		return err
	}
	links, errs := s.Store.UpdateLinks(ctx, s.mailbox, appointments, func(l *store.Link) error {
		plan(l, now)
		if l.Sent != nil {
			l.DueAt = now
		}
		return nil
	})
	var open []*store.Link
	var writes []calendar.Write
	for i, l := range links {
		if errs[i] != nil {
			return errs[i]
		}
		if err := s.leftAlone(ctx, l, now); err != nil {
			return err
		}
		if l.Sent != nil && l.Sent.At.Equal(now) {
			open = append(open, l)
			w := write(l, s.mailbox)
			if w.Op == calendar.Create {
				w.Reminder = s.settings.ReminderMinutes
			}
			writes = append(writes, w)
		}
	}
	open, writes, err := s.fillCategories(ctx, open, writes)
	if err != nil {
		return err
	}
	if err := s.ensureCategories(ctx, open); err != nil {
		return err
	}
	for len(writes) > 0 {
		n := max(1, s.Fits(writes))
		if err := s.call(ctx, open[:n], writes[:n]); err != nil {
			return err
		}
		open, writes = open[n:], writes[n:]
	}
	return nil
}

// call does one call and puts each outcome away; one item's fault is its own (R15).
func (s *session) call(ctx context.Context, links []*store.Link, writes []calendar.Write) error {
	results, err := s.Calendar.Apply(ctx, s.mailbox, writes)
	if err != nil {
		return s.callFailed(ctx, links, err)
	}
	if s.row.BatchSize > 0 {
		if err := s.save(ctx, func(t *store.Target) { t.BatchSize = grow(t.BatchSize) }); err != nil {
			return err
		}
	}
	outcome := make(map[string]calendar.Result, len(links))
	sent := make(map[string]*store.Sent, len(links))
	ids := make([]string, len(links))
	for i, l := range links {
		outcome[l.Appointment], sent[l.Appointment], ids[i] = results[i], l.Sent, l.Appointment
	}
	stored, errs := s.Store.UpdateLinks(ctx, s.mailbox, ids, func(l *store.Link) error {
		r, mine := outcome[l.Appointment], sent[l.Appointment]
		// Another worker may have resolved it since. An event that was made is
		// taken all the same, never dropped (R12).
		lost := calendar.Op(mine.Op) == calendar.Create && l.OutlookSeen.EventID == "" && l.Generation == mine.Generation
		if !sameSent(l.Sent, mine) && !lost || l.ETag == "" {
			return nil
		}
		if deleted := calendar.Op(mine.Op) == calendar.Delete && gone(r.Err); r.Err == nil || deleted {
			landed(l, *mine, r.Event, s.Now())
			proceed(l, s.Now())
		}
		return nil
	})
	var later error
	for i, l := range links {
		if errs[i] != nil {
			return errs[i]
		}
		r := results[i]
		s.recordWrite(l, r.Err, len(links))
		if r.Err == nil && l.OutlookSeen.Series != "" {
			s.wrote[l.OutlookSeen.Series] = true
		}
		if r.Err == nil || !sameSent(stored[i].Sent, l.Sent) {
			delete(s.conflicts, l.Appointment)
			continue
		}
		if err := s.refused(ctx, l, r.Err); err != nil {
			later = err
		}
	}
	return later
}

// refused deals with one write that did not succeed.
func (s *session) refused(ctx context.Context, l *store.Link, err error) error {
	f := fault.Of(err)
	switch {
	case f.Reason == fault.Conflict && l.Sent.Op != string(calendar.Create):
		return s.conflict(ctx, l, err)
	case gone(err):
		// The event is gone though we did not see it go: prove it like any other
		// (R27). One that is there all the same is left for later.
		if s.conflicts[l.Appointment]++; s.conflicts[l.Appointment] >= maxConflicts {
			delete(s.conflicts, l.Appointment)
			again := *f
			again.Kind = fault.Transient
			return s.linkFailed(ctx, l, &again, false)
		}
		return s.put(ctx, l, func(l *store.Link) {
			l.Sent = nil
			l.Inbound = &store.Inbound{Removed: true, Found: s.Now()}
			l.DueAt = s.Now()
		})
	}
	return s.linkFailed(ctx, l, err, f.Ambiguous)
}

// conflict: somebody wrote the event since we saw it. Read it, merge, go on; a
// third time in a row is left for later (R11).
func (s *session) conflict(ctx context.Context, l *store.Link, err error) error {
	s.conflicts[l.Appointment]++
	if s.conflicts[l.Appointment] >= maxConflicts {
		delete(s.conflicts, l.Appointment)
		return s.linkFailed(ctx, l, err, false)
	}
	e, err := s.Calendar.Event(ctx, s.mailbox, l.OutlookSeen.EventID)
	if err != nil && !gone(err) {
		return s.linkFailed(ctx, l, err, false)
	}
	lost := gone(err)
	if !lost && e.Type == calendar.Master {
		return s.put(ctx, l, func(l *store.Link) { madeSeries(l, s.Now()) })
	}
	if !lost {
		// Deleting writes, too: what stands in Deleted Items is not to be written (R27).
		there, err := s.inView(ctx, e)
		if err != nil {
			return s.linkFailed(ctx, l, err, false)
		}
		lost = !there
	}
	return s.put(ctx, l, func(l *store.Link) {
		l.Sent = nil
		if !lost && e.Modified.Before(l.OutlookSeen.Modified) {
			l.OutlookSeen.Modified = e.Modified // a GET is no late state (R18): the mailbox's clock went back
		}
		finding(l, calendar.Item{Event: e, Removed: lost}, s.Now())
		l.DueAt = s.Now()
	})
}

// callFailed: the call as a whole failed, so every item's outcome is as unknown
// as the call's. The next batch is half as large (R15).
func (s *session) callFailed(ctx context.Context, links []*store.Link, err error) error {
	f := fault.Of(err)
	if len(links) > 1 && f.Reason != fault.RateLimit && !f.WholeTarget {
		half := max(1, len(links)/2)
		if err := s.save(ctx, func(t *store.Target) { t.BatchSize = half }); err != nil {
			return err
		}
	}
	var later error
	for _, l := range links {
		s.recordWrite(l, err, len(links))
		kind := *f
		if len(links) > 1 {
			kind.Kind = fault.Transient // of which item it is true is not known
		}
		if err := s.linkFailed(ctx, l, &kind, f.Ambiguous); err != nil {
			later = err
		}
	}
	return later
}

func grow(size int) int {
	if size*2 >= fullBatch {
		return 0
	}
	return size * 2
}

// assignedHere are the numbers of the mailbox's resources that a has assigned,
// those that were switched off too: switching off deletes nothing.
func (s *session) assignedHere(a appointment.Appointment) []string {
	var out []string
	for _, r := range s.all {
		if slices.ContainsFunc(a.Assignees, func(x appointment.Assignee) bool { return x.No == r.No }) {
			out = append(out, r.No)
		}
	}
	return out
}
