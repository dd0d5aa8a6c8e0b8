package exchange

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/google/uuid"
)

// read runs one delta round: all pages, every finding into its link, and only
// then the delta link (R16). A failed page ends it and nothing has changed (R17).
func (s *session) read(ctx context.Context, full bool) error {
	began := s.Now()
	window := s.window(began)
	link := s.row.DeltaLink
	choices, err := s.choices(ctx)
	if err != nil {
		return err
	}
	anew := choices != s.row.Filter
	baseline := full || anew || link == "" || began.Sub(s.row.LastBaseline) > s.baselinePeriod()
	if baseline {
		link, window = "", s.settings.Window(began)
	}
	round, err := s.Calendar.Delta(ctx, s.mailbox, link, window.Padded(windowMargin))
	if errors.Is(err, calendar.ErrResync) {
		baseline, window = true, s.settings.Window(began)
		round, err = s.Calendar.Delta(ctx, s.mailbox, "", window.Padded(windowMargin))
	}
	if err != nil {
		return err
	}
	s.span = window
	if err := s.keep(ctx, round, window, began); err != nil {
		return err
	}
	if anew {
		if err := s.wake(ctx, began); err != nil {
			return err
		}
	}
	err = s.save(ctx, func(t *store.Target) {
		t.DeltaLink = round.DeltaLink
		t.LastRead, t.Filter = began, choices
		t.Round++
		if !t.BookedRead.After(began) {
			t.BookedRead = time.Time{}
		}
		if round.Full {
			t.WindowStart, t.WindowEnd = window.Start, window.End
		}
	})
	if err != nil {
		return err
	}
	if !baseline {
		return s.rejudge(ctx, window)
	}
	return s.compareBoard(ctx, window, began)
}

// keep stores what a round found in the links.
func (s *session) keep(ctx context.Context, round calendar.Round, window calendar.Window, began time.Time) error {
	items := newest(round.Items)
	s.links, s.former = nil, nil
	known, err := s.knownLinks(ctx, round, items)
	if err != nil {
		return err
	}
	items, series, err := s.sortOut(ctx, round, items, known, window)
	if err != nil {
		return err
	}
	var changed []string
	var shown []calendar.Event
	found := map[string]calendar.Item{} // by appointment
	for _, it := range items {
		l := known[it.ID]
		if l == nil && !it.Removed {
			if l, err = s.adopt(ctx, it.Event, began); err != nil {
				return err
			}
		}
		if l != nil {
			changed = append(changed, l.Appointment)
			found[l.Appointment] = it
			if !it.Removed {
				shown = append(shown, it.Event)
			}
		}
	}
	if err := s.unusable(ctx, shown, began); err != nil {
		return err
	}
	if err := s.aligned(ctx, round, items); err != nil {
		return err
	}
	err = s.update(ctx, changed, func(l *store.Link) error {
		// Another worker may have given the event to another link meanwhile.
		if it := found[l.Appointment]; l.ETag != "" && l.OutlookSeen.EventID == it.ID {
			finding(l, it, began)
		}
		return nil
	})
	if err != nil {
		return err
	}
	lost, err := s.readSeries(ctx, series, window, began)
	if err != nil {
		return err
	}
	if round.Full {
		return s.missing(ctx, items, lost, window, began)
	}
	return s.suspect(ctx, slices.Concat(slices.Collect(maps.Values(lost))...), began)
}

// wake is for the first read after what flows back was chosen anew: findings that
// were kept while they could not flow are due, and what the window does not show
// any more, or not yet, and has left the filter by that choice, leaves the board too.
func (s *session) wake(ctx context.Context, now time.Time) error {
	links, err := s.Store.Links(ctx, s.mailbox)
	if err != nil {
		return err
	}
	f, err := s.flowsBack(ctx)
	if err != nil {
		return err
	}
	var kept []string
	for _, l := range links {
		if l.Inbound != nil && l.DueAt.After(now) || f.shutsOut(l) {
			kept = append(kept, l.Appointment)
		}
	}
	return s.update(ctx, kept, func(l *store.Link) error {
		if f.shutsOut(l) {
			seen := l.OutlookSeen
			l.Inbound = &store.Inbound{
				ETag: seen.ETag, Modified: seen.Modified, ICalUID: seen.ICalUID, Content: seen.Content.Wordless(),
				Attendees: seen.Attendees, Organizer: seen.Organizer, Found: now,
				Flow: f.judge(calendar.Event{Content: seen.Content}),
			}
		}
		if l.Inbound != nil {
			l.DueAt = now
		}
		return nil
	})
}

// newest keeps one item of each id, the last (graph.md B5), in order.
func newest(items []calendar.Item) []calendar.Item {
	last := make(map[string]int, len(items))
	for i, it := range items {
		last[it.ID] = i
	}
	out := make([]calendar.Item, 0, len(last))
	for i, it := range items {
		if last[it.ID] == i {
			out = append(out, it)
		}
	}
	return out
}

// manyItems is from how many items on all links of the mailbox are read at once.
const manyItems = 20

// knownLinks finds the links of the items, by event id.
func (s *session) knownLinks(ctx context.Context, round calendar.Round, items []calendar.Item) (map[string]*store.Link, error) {
	known := make(map[string]*store.Link, len(items))
	if round.Full || len(items) > manyItems {
		links, err := s.roundLinks(ctx)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if id := l.OutlookSeen.EventID; id != "" {
				known[id] = l
			}
		}
		return known, nil
	}
	for _, it := range items {
		l, err := s.Store.LinkByEvent(ctx, s.mailbox, it.ID)
		if err == nil {
			known[it.ID] = l
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return known, nil
}

// adopt finds or makes the link of an event that none has: it is one that we
// created and lost sight of (R13), or it was born in Outlook (R26). Nil if it
// is nothing to keep.
func (s *session) adopt(ctx context.Context, e calendar.Event, began time.Time) (*store.Link, error) {
	removed, err := s.wasRemoved(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	if removed {
		return s.comeBack(ctx, e, began)
	}
	if guid, generation, ok := ours(s.mailbox, e.TransactionID); ok {
		return s.reclaim(ctx, e, guid, generation, began)
	}
	return s.born(ctx, e, began)
}

// wasRemoved reports whether the event once belonged to a link and was removed
// from it. The links are read for it once a round, and only if a round holds an
// event that no link has.
func (s *session) wasRemoved(ctx context.Context, id string) (bool, error) {
	if s.former == nil {
		links, err := s.roundLinks(ctx)
		if err != nil {
			return false, err
		}
		s.former = map[string]bool{}
		for _, l := range links {
			if f := l.OutlookSeen.Former; f != "" {
				s.former[f] = true
			}
		}
	}
	return s.former[id], nil
}

// comeBack deals with an event that was removed and is shown again. Delta lags,
// and may show a state from before the removal; only if the calendar shows it
// now has a person brought it back, and it is theirs then (R34).
func (s *session) comeBack(ctx context.Context, e calendar.Event, began time.Time) (*store.Link, error) {
	now, err := s.Calendar.Event(ctx, s.mailbox, e.ID)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	there, err := s.inView(ctx, now)
	if err != nil || !there {
		return nil, err
	}
	return s.born(ctx, now, began)
}

// born makes the link of an event that a person made, under the Guid that we
// shall propose to the board (R25); nil if it does not become an appointment.
func (s *session) born(ctx context.Context, e calendar.Event, began time.Time) (*store.Link, error) {
	if start, end, ok := e.Content.Times(); ok && !s.span.Overlaps(start, end) {
		return nil, nil // the window has not reached it yet
	}
	if !s.bornHere(e) {
		return nil, s.unaligned(ctx, e, began)
	}
	return s.Store.UpdateLink(ctx, s.mailbox, s.newGuid(), func(l *store.Link) error {
		l.Origin = store.Outlook
		l.State = store.Pending
		l.OutlookSeen = store.OutlookSeen{EventID: e.ID, ETag: e.ETag, Modified: e.Modified, ICalUID: e.ICalUID, Series: e.Series, Original: e.Original}
		return nil
	})
}

func (s *session) newGuid() string {
	if s.NewGuid != nil {
		return s.NewGuid()
	}
	return uuid.NewString()
}

// bornHere reports whether an unknown event becomes an appointment of the board.
func (s *session) bornHere(e calendar.Event) bool {
	_, _, timed := e.Content.Times()
	return timed && (e.Type == calendar.Single || e.Series != "") && !s.settings.ToBoardOff && shows(e)
}

// unaligned lists an event that can not become an appointment, with no content
// of it (R19). What the filter keeps back is not listed at all.
func (s *session) unaligned(ctx context.Context, e calendar.Event, began time.Time) error {
	if s.settings.ToBoardOff || !shows(e) {
		return nil
	}
	return s.unusable(ctx, []calendar.Event{e}, began)
}

// unusable lists events of whose time nothing can be made, for a person to look
// at: what else they show is carried all the same (graph.md E17).
func (s *session) unusable(ctx context.Context, events []calendar.Event, began time.Time) error {
	for _, e := range events {
		if _, _, ok := e.Content.Times(); ok || !shows(e) {
			continue
		}
		err := s.Store.PutDelta(ctx, store.Delta{Mailbox: s.mailbox, Event: e.ID, At: began, Kind: "time",
			Text: "the event has no usable start and end"})
		if err != nil {
			return err
		}
	}
	return nil
}

// reclaim gives an event that carries our transactionId to its link: the link
// takes it if it has none and something is, or may be, wanted; else the event
// is a second or unwanted one and goes (R13).
func (s *session) reclaim(ctx context.Context, e calendar.Event, guid string, generation int, began time.Time) (*store.Link, error) {
	took, theirs := false, false
	l, err := s.Store.UpdateLink(ctx, s.mailbox, guid, func(l *store.Link) error {
		took = l.OutlookSeen.EventID == "" && l.State != store.Gone && (l.Generation == generation || l.ETag == "")
		if took {
			l.Generation = generation
			take(l, e)
		}
		theirs = !took && l.OutlookSeen.Series == e.ID
		return nil
	})
	if err != nil {
		return nil, err
	}
	if theirs { // of our event a person made a series, and of that one event again
		return s.born(ctx, e, began)
	}
	if took || l.OutlookSeen.EventID == e.ID {
		return l, nil
	}
	return nil, s.deleteSecond(ctx, e, guid)
}

// deleteSecond removes an event that we created and that no link wants, at once
// and before the delta link advances: after a crash it is found again.
func (s *session) deleteSecond(ctx context.Context, e calendar.Event, guid string) error {
	if e.Attendees > 0 {
		d := store.Delta{Mailbox: s.mailbox, Event: e.ID, Kind: "second", Text: "a second event of an appointment has attendees and was left alone", At: s.Now()}
		d.Start, d.End, _ = e.Content.Times()
		return s.Store.PutDelta(ctx, d)
	}
	results, err := s.Calendar.Apply(ctx, s.mailbox, []calendar.Write{{Op: calendar.Delete, ID: e.ID, ETag: e.ETag}})
	if err != nil {
		return err
	}
	if err := results[0].Err; err != nil && !gone(err) {
		return err
	}
	s.record(guid, "delete", "Success", "", "a second event of the appointment was removed")
	return nil
}

// missing infers deletions from a complete list: a linked event that should be
// in the window and is not there. It is only a suspicion, proved by a GET later
// (R27), and capped (R28), where a series counts once: of series holds the
// appointments whose occurrences are missed.
func (s *session) missing(ctx context.Context, items []calendar.Item, series map[string][]string, window calendar.Window, began time.Time) error {
	links, err := s.Store.Links(ctx, s.mailbox)
	if err != nil {
		return err
	}
	listed := make(map[string]bool, len(items))
	for _, it := range items {
		listed[it.ID] = !it.Removed
	}
	found := suspects{side: heldOutlook, of: maps.Clone(series)}
	if found.of == nil {
		found.of = map[string][]string{}
	}
	linked, counted := 0, map[string]bool{}
	for _, l := range links {
		id := l.OutlookSeen.EventID
		if id == "" {
			continue
		}
		if of := l.OutlookSeen.Series; of != "" {
			if !counted[of] {
				counted[of] = true
				linked++
			}
			continue
		}
		linked++
		start, end, ok := l.OutlookSeen.Content.Times()
		if ok && window.Overlaps(start, end) && !listed[id] && l.Inbound == nil && l.Sent == nil && l.Updated.Before(began) {
			found.of[l.Appointment] = []string{l.Appointment}
		}
	}
	found.linked = linked
	lost, err := s.capped(ctx, found, links, began)
	if err != nil {
		return err
	}
	var single, occurrences []string
	for _, id := range lost {
		if of, ok := series[id]; ok {
			occurrences = append(occurrences, of...)
		} else {
			single = append(single, id)
		}
	}
	if err := s.suspect(ctx, occurrences, began); err != nil {
		return err
	}
	return s.update(ctx, single, func(l *store.Link) error {
		if l.OutlookSeen.EventID != "" && l.Inbound == nil && l.Sent == nil && l.Updated.Before(began) {
			unhold(l, heldOutlook)
			l.Inbound = &store.Inbound{Removed: true, Inferred: true, Found: began}
			l.DueAt = began
		}
		return nil
	})
}

// update changes links, having lowered Due first (R1).
func (s *session) update(ctx context.Context, appointments []string, change func(*store.Link) error) error {
	if len(appointments) == 0 {
		return nil
	}
	if err := s.lower(ctx); err != nil {
		return err
	}
	_, errs := s.Store.UpdateLinks(ctx, s.mailbox, appointments, change)
	return errors.Join(errs...)
}

// lower makes redrive look soon, should this invocation not live to see its end.
func (s *session) lower(ctx context.Context) error {
	soon := s.Now().Add(dueSoon)
	if due := s.row.Due; !due.IsZero() && !due.After(soon) {
		return nil
	}
	return s.save(ctx, func(t *store.Target) { t.Due = soon })
}

// announce tells the queue what was read from the board, if it is news (R10).
func (s *session) announce(ctx context.Context, changes ...bus.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return s.Bus.Send(ctx, changes...)
}
