package graphsim

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// occurrenceMark joins the id of a series and the place of an occurrence in it.
const occurrenceMark = "FRAAgI"

func (e *Event) occurrenceSuffix(at time.Time) string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], uint64(e.generation)<<36|uint64(at.Unix()/60)&(1<<36-1))
	return occurrenceMark + base64.URLEncoding.EncodeToString(raw[2:])
}

// occurrence is the occurrence or exception of a series at an original start.
func (e *Event) occurrence(at time.Time) *Event {
	if x, changed := e.exceptions[at.Unix()]; changed {
		x = x.clone()
		x.MutableID = e.MutableID + e.occurrenceSuffix(at) // follows its series
		return x
	}
	o := e.clone()
	suffix := e.occurrenceSuffix(at)
	o.ID, o.MutableID, o.ICalUID = e.ID+suffix, e.MutableID+suffix, e.ICalUID+suffix
	o.Type, o.SeriesMasterID, o.OriginalStart, o.TransactionID = "occurrence", e.ID, at, ""
	o.Recurrence, o.exceptions, o.cancelled = nil, nil, nil
	o.Start, o.End = at, e.endOf(at)
	return o
}

// endOf keeps the wall-clock duration of the series across a change of daylight saving.
func (e *Event) endOf(start time.Time) time.Time {
	loc, err := loadZone(e.Recurrence.TimeZone)
	if err != nil || e.AllDay {
		return start.Add(e.End.Sub(e.Start))
	}
	s, t := e.Start.In(loc), e.End.In(loc)
	shift := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC).
		Sub(time.Date(s.Year(), s.Month(), s.Day(), s.Hour(), s.Minute(), s.Second(), 0, time.UTC))
	n := start.In(loc)
	w := time.Date(n.Year(), n.Month(), n.Day(), n.Hour(), n.Minute(), n.Second(), 0, time.UTC).Add(shift)
	return time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, loc).UTC()
}

// occurrences expands a series into the window: occurrences and exceptions by start.
func (e *Event) occurrences(from, to time.Time) []*Event {
	var out []*Event
	for _, at := range e.slots(to) {
		if e.cancelled[at.Unix()] || e.exceptions[at.Unix()] != nil {
			continue
		}
		if o := e.occurrence(at); o.overlaps(from, to) {
			out = append(out, o)
		}
	}
	for _, x := range e.exceptionList() {
		if x.overlaps(from, to) {
			out = append(out, x)
		}
	}
	sortEvents(out)
	return out
}

func (e *Event) exceptionList() []*Event {
	var out []*Event
	for _, at := range slices.Sorted(maps.Keys(e.exceptions)) {
		out = append(out, e.occurrence(time.Unix(at, 0).UTC()))
	}
	return out
}

// exceptionByID returns the stored exception with the immutable id, to be altered in a clone only.
func (e *Event) exceptionByID(id string) (*Event, bool) {
	for _, x := range e.exceptions {
		if x.ID == id {
			return x, true
		}
	}
	return nil, false
}

func (e *Event) cancelledStarts() []time.Time {
	var out []time.Time
	for _, at := range slices.Sorted(maps.Keys(e.cancelled)) {
		out = append(out, time.Unix(at, 0).UTC())
	}
	return out
}

// repattern starts the occurrences anew if next has other times or another pattern than e: they get
// new ids, and exceptions and cancellations are dropped, as Exchange does. A series dragged to
// another day begins on that day.
func (e *Event) repattern(next *Event) {
	if next.Recurrence == nil {
		next.exceptions, next.cancelled = nil, nil
		return
	}
	if e.Recurrence != nil && e.Start.Equal(next.Start) && e.End.Equal(next.End) && e.AllDay == next.AllDay && e.Recurrence.equal(next.Recurrence) {
		return
	}
	if e.Recurrence != nil && e.Recurrence.StartDate == next.Recurrence.StartDate && !e.Start.Equal(next.Start) {
		if loc, err := loadZone(next.Recurrence.TimeZone); err == nil {
			next.Recurrence.StartDate = inZone(next.Start, loc, next.AllDay).Format(time.DateOnly)
		}
	}
	next.generation = e.generation + 1
	next.exceptions, next.cancelled = nil, nil
}

func (r *Recurrence) equal(o *Recurrence) bool {
	a, b := *r, *o
	same := slices.Equal(a.DaysOfWeek, b.DaysOfWeek)
	a.DaysOfWeek, b.DaysOfWeek = nil, nil
	return same && a.Type == b.Type && a.Interval == b.Interval && a.FirstDay == b.FirstDay && a.DayOfMonth == b.DayOfMonth && a.Month == b.Month && a.Index == b.Index &&
		a.RangeType == b.RangeType && a.StartDate == b.StartDate && a.EndDate == b.EndDate && a.Count == b.Count && a.TimeZone == b.TimeZone
}

// except stores x as the exception of the series at x.OriginalStart. The series changes with it. The caller
// has checked the neighbours. Locked.
func (s *Server) except(b *mailbox, master, x *Event) *Event {
	next := master.clone()
	if next.exceptions == nil {
		next.exceptions = map[int64]*Event{}
	}
	x.complete()
	x.ChangeKey, x.Modified = s.newChangeKey(), s.now()
	next.exceptions[x.OriginalStart.Unix()] = x
	s.update(b, next, x.ID)
	return x
}

// cancelOccurrence deletes one occurrence of a series: it leaves no tombstone. Locked.
func (s *Server) cancelOccurrence(b *mailbox, master *Event, at time.Time) {
	next := master.clone()
	if next.cancelled == nil {
		next.cancelled = map[int64]bool{}
	}
	next.cancelled[at.Unix()] = true
	delete(next.exceptions, at.Unix())
	s.update(b, next, master.ID)
}

// checkNeighbours refuses an exception that starts on or beyond the day of the occurrence before or after it.
func (e *Event) checkNeighbours(x *Event) *graphError {
	var before, after *Event
	for _, at := range e.slots(x.OriginalStart.AddDate(1, 0, 0)) {
		if e.cancelled[at.Unix()] || at.Equal(x.OriginalStart) {
			continue
		}
		if at.Before(x.OriginalStart) {
			before = e.occurrence(at)
		} else if after == nil {
			after = e.occurrence(at)
		}
	}
	day := func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }
	if before != nil && !day(x.Start).After(day(before.Start)) || after != nil && !day(x.Start).Before(day(after.Start)) {
		return badRequest("ErrorOccurrenceCrossingBoundary", "Modified occurrence is crossing or overlapping adjacent occurrence.")
	}
	return nil
}

// find resolves an id, immutable or mutable, to an event of the mailbox; of an occurrence the
// series is returned too. Locked.
func (b *mailbox) find(id string) (e, master *Event) {
	root, suffix := id, ""
	if len(id) > idLength {
		root, suffix = id[:idLength], id[idLength:]
	}
	if immutable, isMutable := b.mutable[root]; isMutable {
		root = immutable
	}
	e = b.events[root]
	if e == nil || suffix == "" {
		return e, nil
	}
	if e.Recurrence == nil {
		return nil, nil
	}
	raw, err := base64.URLEncoding.DecodeString(suffix[min(len(suffix), len(occurrenceMark)):])
	if err != nil || len(raw) != 6 {
		return nil, nil
	}
	place := binary.BigEndian.Uint64(append([]byte{0, 0}, raw...))
	at := time.Unix(int64(place&(1<<36-1))*60, 0).UTC()
	isSlot := slices.ContainsFunc(e.slots(at.Add(time.Second)), at.Equal)
	if !isSlot || e.cancelled[at.Unix()] || e.occurrenceSuffix(at) != suffix {
		return nil, nil
	}
	return e.occurrence(at), e
}
