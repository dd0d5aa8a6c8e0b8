package exchange

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// A series is on the board as its occurrences in the window, each an appointment
// of its own whose link names the series and the place in its pattern. A round
// says of occurrences little, and nothing of those that were deleted (graph.md
// B5): that a series is named in it means that the whole of it is read again.

// seriesNews is what a round says of a series.
type seriesNews struct {
	// doubt: the series was called removed, or a complete list lacked it.
	doubt bool
	// single is the event that the series has become.
	single *calendar.Event
}

// sortOut takes what is about series out of a round: they are read as a whole.
// What remains are single events, and removals of them.
func (s *session) sortOut(ctx context.Context, round calendar.Round, items []calendar.Item, known map[string]*store.Link, window calendar.Window) ([]calendar.Item, map[string]*seriesNews, error) {
	series := map[string]*seriesNews{}
	news := func(id string) *seriesNews {
		if series[id] == nil {
			series[id] = &seriesNews{}
		}
		return series[id]
	}
	var rest []calendar.Item
	for _, it := range items {
		l := known[it.ID]
		switch {
		case it.Type == calendar.Master:
			news(it.ID)
		case it.Series != "":
			news(it.Series)
		case l != nil && l.OutlookSeen.Series != "":
			news(l.OutlookSeen.Series).doubt = true
		case l == nil:
			links, err := s.roundLinks(ctx)
			if err != nil {
				return nil, nil, err
			}
			if !slices.ContainsFunc(links, func(l *store.Link) bool { return l.OutlookSeen.Series == it.ID }) {
				rest = append(rest, it)
			} else if news(it.ID).doubt = it.Removed; !it.Removed {
				news(it.ID).single = &it.Event
			}
		default:
			rest = append(rest, it)
		}
	}
	if !round.Full {
		return rest, series, nil
	}
	links, err := s.roundLinks(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range links {
		id := l.OutlookSeen.Series
		start, end, ok := l.OutlookSeen.Content.Times()
		if id != "" && l.OutlookSeen.EventID != "" && ok && window.Overlaps(start, end) && series[id] == nil {
			news(id).doubt = true
		}
	}
	return rest, series, nil
}

// roundLinks returns the links of the mailbox as the round found them.
func (s *session) roundLinks(ctx context.Context) ([]*store.Link, error) {
	if s.links == nil {
		links, err := s.Store.Links(ctx, s.mailbox)
		if err != nil {
			return nil, err
		}
		s.links = links
	}
	return s.links, nil
}

// readSeries reads the series of which a round spoke, and returns by series the
// appointments whose occurrence is not shown any more.
func (s *session) readSeries(ctx context.Context, series map[string]*seriesNews, window calendar.Window, began time.Time) (map[string][]string, error) {
	lost := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(series)) {
		missed, err := s.readOne(ctx, id, *series[id], window, began)
		if err != nil {
			return nil, err
		}
		if len(missed) > 0 {
			lost[id] = missed
		}
	}
	return lost, nil
}

// readOne brings the links of one series up to date with what it shows in the
// window. The links are read first: what the list lacks was there before it.
func (s *session) readOne(ctx context.Context, id string, news seriesNews, window calendar.Window, began time.Time) (lost []string, err error) {
	links, err := s.roundLinks(ctx)
	if err != nil {
		return nil, err
	}
	links = slices.DeleteFunc(slices.Clone(links), func(l *store.Link) bool { return !ofSeries(l, id) })
	shown, readable, err := s.shown(ctx, id, news, window)
	if err != nil || !readable {
		return nil, err
	}
	p := pair(links, shown, window)
	for _, e := range p.fresh {
		l, err := s.adopt(ctx, e, began)
		if err != nil {
			return nil, err
		}
		if l != nil {
			p.kept[l.Appointment] = e
		}
	}
	err = s.update(ctx, slices.Sorted(maps.Keys(p.kept)), func(l *store.Link) error {
		if e := p.kept[l.Appointment]; l.ETag != "" && (ofSeries(l, id) || l.OutlookSeen.EventID == e.ID) {
			l.OutlookSeen.EventID, l.OutlookSeen.Series, l.OutlookSeen.Original = e.ID, e.Series, e.Original
			finding(l, calendar.Item{Event: e}, began)
		}
		return nil
	})
	for _, l := range p.lost {
		lost = append(lost, l.Appointment)
	}
	return lost, errors.Join(err, s.unusable(ctx, slices.Collect(maps.Values(p.kept)), began))
}

// ofSeries reports whether the link's event is an occurrence of the series, or is
// the event that has become the series.
func ofSeries(l *store.Link, id string) bool {
	return l.OutlookSeen.EventID != "" && (l.OutlookSeen.Series == id || l.OutlookSeen.EventID == id)
}

// shown returns what a series shows in the window. A series that is gone shows
// nothing; readable is false for one of which nothing can be concluded.
func (s *session) shown(ctx context.Context, id string, news seriesNews, window calendar.Window) (list []calendar.Event, readable bool, err error) {
	if news.single != nil {
		return []calendar.Event{*news.single}, true, nil
	}
	delete(s.seriesGone, id)
	list, err = s.Calendar.Instances(ctx, s.mailbox, id, window.Padded(windowMargin))
	if err != nil && !gone(err) && fault.Is(err, fault.Invalid) {
		var e calendar.Event
		if e, err = s.Calendar.Event(ctx, s.mailbox, id); err == nil && e.Type == calendar.Single {
			list = []calendar.Event{e}
		} else if err == nil {
			return nil, false, s.Store.PutDelta(ctx, store.Delta{Mailbox: s.mailbox, Event: id, Kind: "series",
				Text: "a recurring event that Outlook does not expand: it is left alone", At: s.Now()})
		}
	}
	there := err == nil
	if there && news.doubt && len(list) > 0 {
		// It may lie in Deleted Items, where it still can be read (R27).
		if there, err = s.inView(ctx, list[0]); err != nil {
			return nil, false, err
		}
	}
	switch {
	case err != nil && !gone(err):
		return nil, false, err
	case !there:
		s.seriesGone[id] = true
		return nil, true, nil
	}
	return list, true, nil
}

// suspect notes that the occurrences of these links are not shown any more. Each
// is proved like any other (R27).
func (s *session) suspect(ctx context.Context, appointments []string, began time.Time) error {
	return s.update(ctx, appointments, func(l *store.Link) error {
		if l.OutlookSeen.EventID != "" && l.Sent == nil {
			l.Inbound = &store.Inbound{Removed: true, Inferred: true, Found: began}
			l.DueAt = began
		}
		return nil
	})
}

// doubtful deals with an occurrence whose id leads nowhere, or with an event that
// a person has made a series. That is no proof that it is gone: an edit of the
// pattern gives all of them other ids. The series is read again; what it does not
// show then is gone.
func (s *session) doubtful(ctx context.Context, l *store.Link, series string, doubt bool) error {
	s.paired[l.Appointment] = true
	window := s.window(s.Now())
	if start, end, ok := l.OutlookSeen.Content.Times(); ok {
		window.Start = earlier(window.Start, start.Add(-maxShift))
		window.End = later(window.End, end.Add(maxShift))
	}
	s.links, s.former = nil, nil
	lost, err := s.readOne(ctx, series, seriesNews{doubt: doubt}, window, s.Now())
	if err != nil && !isOurs(fault.Of(err)) {
		return s.linkFailed(ctx, l, err, false)
	}
	if err != nil {
		return err
	}
	if err := s.suspect(ctx, lost, s.Now()); err != nil {
		return err
	}
	return s.put(ctx, l, func(l *store.Link) { // it was not found under another id
		if l.Inbound != nil && l.Inbound.Removed {
			l.Inbound.Inferred, l.DueAt = true, s.Now()
		}
	})
}

// madeSeries notes of a link whose event a person has made a series, which the
// round that will tell has not told yet, that its place in it is to be found.
// Nothing may be written before: the id is that of the whole series now, and
// what is meant for one appointment would be done to all of the person's events.
func madeSeries(l *store.Link, now time.Time) {
	l.Sent = nil
	l.Inbound = &store.Inbound{Removed: true, Found: now}
	l.DueAt = now
}

// freshen reads an occurrence before it is written, if another of its series was
// written in this session: their etag is one.
func (s *session) freshen(ctx context.Context, l *store.Link) error {
	next := *l
	if plan(&next, s.Now()); next.Sent == nil || l.OutlookSeen.EventID == "" || !s.wrote[l.OutlookSeen.Series] {
		return nil
	}
	e, err := s.Calendar.Event(ctx, s.mailbox, l.OutlookSeen.EventID)
	if err != nil && !gone(err) {
		return s.linkFailed(ctx, l, err, false)
	}
	return s.put(ctx, l, func(l *store.Link) {
		finding(l, calendar.Item{Event: e, Removed: err != nil}, s.Now())
		l.DueAt = s.Now()
	})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
