package exchange

import (
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// maxShift is how far the occurrences of a series may move in one edit of its
// pattern and still be the same appointments to their planner: from any day to
// any other of a fortnight, or of half a month.
const maxShift = 16 * 24 * time.Hour

// paired is what became of the links of a series when it was read again.
type paired struct {
	kept  map[string]calendar.Event // by appointment
	lost  []*store.Link             // those in the window whose occurrence is shown no more
	fresh []calendar.Event          // those that no link has
}

// pair finds the occurrence of each link of a series: first the one with the same
// place in the pattern, for ids change with every edit of it and times with every
// move (graph.md E19); then, among those that are left over, the nearest in time,
// with the same subject before others. Only a link in the window can be lost, for
// what lies outside is not shown.
func pair(links []*store.Link, shown []calendar.Event, window calendar.Window) paired {
	out := paired{kept: map[string]calendar.Event{}}
	fresh := slices.Clone(shown)
	take := func(l *store.Link, is func(calendar.Event) bool) bool {
		i := slices.IndexFunc(fresh, is)
		if i >= 0 {
			out.kept[l.Appointment] = fresh[i]
			fresh = slices.Delete(fresh, i, i+1)
		}
		return i >= 0
	}
	left := slices.Clone(links)
	left = slices.DeleteFunc(left, func(l *store.Link) bool {
		place := placeOf(l)
		return take(l, func(e calendar.Event) bool { return !e.Original.IsZero() && e.Original.Equal(place) })
	})
	left = slices.DeleteFunc(left, func(l *store.Link) bool {
		return take(l, func(e calendar.Event) bool { return e.ID == l.OutlookSeen.EventID })
	})
	left = slices.DeleteFunc(left, func(l *store.Link) bool { // what can not be seen is not missed
		start, end, ok := l.OutlookSeen.Content.Times()
		return !ok || !window.Overlaps(start, end)
	})
	for _, sameSubject := range []bool{true, false} {
		for {
			l, e := nearest(left, fresh, sameSubject)
			if l < 0 {
				break
			}
			out.kept[left[l].Appointment] = fresh[e]
			left, fresh = slices.Delete(left, l, l+1), slices.Delete(fresh, e, e+1)
		}
	}
	out.lost, out.fresh = left, fresh
	return out
}

// placeOf is the link's place in the pattern; of an event that has only now become
// a series, its start.
func placeOf(l *store.Link) time.Time {
	if !l.OutlookSeen.Original.IsZero() {
		return l.OutlookSeen.Original
	}
	if first, _, _, days := appointment.Dates(l.OutlookSeen.Content[appointment.When]); days {
		return first
	}
	start, _, _ := l.OutlookSeen.Content.Times()
	return start
}

// nearest returns the two that lie the least apart, -1 if none are near.
func nearest(links []*store.Link, events []calendar.Event, sameSubject bool) (link, event int) {
	link, event = -1, -1
	least := maxShift + 1
	for i, l := range links {
		at, _, ok := l.OutlookSeen.Content.Times()
		if !ok {
			continue
		}
		for j, e := range events {
			start, _, ok := e.Content.Times()
			same := l.OutlookSeen.Content[appointment.Subject] == e.Content[appointment.Subject]
			if apart := start.Sub(at).Abs(); ok && apart < least && (same || !sameSubject) {
				link, event, least = i, j, apart
			}
		}
	}
	return link, event
}
