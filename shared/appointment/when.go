package appointment

import (
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a Functions host has no zones
)

// A When is canonical in one of two forms: Interval, two instants, or Days, an
// all-day range. Days are dates and no instants: a holiday of 2 and 3 March is
// these two days in whatever zone. But the board has no dates, so Days name the
// zone in which they become instants, from midnight to midnight; ParseInterval
// and Times read both forms as instants.

// Interval returns the canonical form of a time range: both ends in UTC to the
// second, as Exchange keeps no fractions that people could see.
func Interval(start, end time.Time) string {
	return instant(start) + "/" + instant(end)
}

func instant(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// Days returns the canonical form of the dates from first up to and not with
// after, of which only the calendar date counts. zone is the IANA name of the
// zone in which they become instants; empty = UTC.
func Days(first, after time.Time, zone string) string {
	s := first.Format(time.DateOnly) + "/" + after.Format(time.DateOnly)
	if zone == "" || zone == "UTC" {
		return s
	}
	return s + " " + zone
}

// Dates reads what Days wrote: both dates as midnight UTC, and the zone (empty =
// UTC). ok is false for an Interval and for everything else.
func Dates(when string) (first, after time.Time, zone string, ok bool) {
	a, rest, _ := strings.Cut(when, "/")
	b, zone, _ := strings.Cut(rest, " ")
	first, err1 := time.Parse(time.DateOnly, a)
	after, err2 := time.Parse(time.DateOnly, b)
	return first, after, zone, err1 == nil && err2 == nil && first.Before(after)
}

// InZone returns Days as those of another zone: the same dates, other instants.
// An Interval is returned as it is.
func InZone(when, zone string) string {
	if first, after, _, ok := Dates(when); ok {
		return Days(first, after, zone)
	}
	return when
}

// WholeDays returns the range as Days of the zone, if both its ends are midnight
// there and it is at least a day long.
func WholeDays(when, zone string) (days string, ok bool) {
	start, end, err := ParseInterval(when)
	loc, err2 := Location(zone)
	if err != nil || err2 != nil {
		return "", false
	}
	first, after := start.In(loc), end.In(loc)
	if !first.Equal(midnight(first, loc)) || !after.Equal(midnight(after, loc)) || !first.Before(after) {
		return "", false
	}
	return Days(first, after, zone), true
}

// Covering returns the dates of the zone that the range touches, one at least.
func Covering(start, end time.Time, loc *time.Location) string {
	first, after := start.In(loc), end.In(loc)
	if !after.Equal(midnight(after, loc)) || !first.Before(after) {
		after = after.AddDate(0, 0, 1)
	}
	if first.Format(time.DateOnly) >= after.Format(time.DateOnly) {
		after = first.AddDate(0, 0, 1)
	}
	return Days(first, after, loc.String())
}

// midnight is the first moment of the day in the zone: where the clocks are set
// forward at midnight it is one o'clock.
func midnight(day time.Time, loc *time.Location) time.Time {
	y, m, d := day.Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	if t.Day() != d { // the gap was read with the offset after it
		_, before := t.Add(-time.Hour).Zone()
		_, after := t.Add(3 * time.Hour).Zone()
		t = t.Add(time.Duration(after-before) * time.Second)
	}
	return t
}

// ParseInterval reads what Interval or Days wrote, as instants in UTC.
func ParseInterval(s string) (start, end time.Time, err error) {
	if first, after, zone, ok := Dates(s); ok {
		loc, err := Location(zone)
		if err != nil {
			return start, end, err
		}
		return midnight(first, loc).UTC(), midnight(after, loc).UTC(), nil
	}
	a, b, ok := strings.Cut(s, "/")
	if !ok {
		return start, end, fmt.Errorf("interval %q has no slash", s)
	}
	if start, err = time.Parse(time.RFC3339, a); err != nil {
		return start, end, fmt.Errorf("start of interval: %w", err)
	}
	if end, err = time.Parse(time.RFC3339, b); err != nil {
		return start, end, fmt.Errorf("end of interval: %w", err)
	}
	return start, end, nil
}

// Times returns start and end in UTC; ok is false if the content has none.
func (c Content) Times() (start, end time.Time, ok bool) {
	start, end, err := ParseInterval(c[When])
	return start, end, err == nil
}

// AllDay reports whether the content's time is a range of dates.
func (c Content) AllDay() bool {
	_, _, _, ok := Dates(c[When])
	return ok
}

// Same reports whether two values of a field say the same though they may be
// written differently: a When of dates and one of instants that begin and end
// together, or the same dates in two zones.
func Same(f Field, a, b string) bool {
	if a == b || f != When {
		return a == b
	}
	first1, after1, _, days1 := Dates(a)
	first2, after2, _, days2 := Dates(b)
	if days1 && days2 {
		return first1.Equal(first2) && after1.Equal(after2)
	}
	s1, e1, err1 := ParseInterval(a)
	s2, e2, err2 := ParseInterval(b)
	return err1 == nil && err2 == nil && s1.Equal(s2) && e1.Equal(e2)
}

// locations keeps the zones that were loaded: the standard library reads its
// files anew each time. Only names that it knows are kept, so it is bounded.
var locations sync.Map

// Location loads a zone by its IANA name; empty = UTC.
func Location(name string) (*time.Location, error) {
	if loc, ok := locations.Load(name); ok {
		return loc.(*time.Location), nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("there is no time zone %q", name)
	}
	locations.Store(name, loc)
	return loc, nil
}
