package dimescheduler

import (
	"strings"
	"time"
)

// wallForms are times without an offset: wall time in the board's zone.
// time.Parse takes a fraction of the second after each of them.
var wallForms = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// parseWall reads a wall time; as if it were UTC, for the zone is not looked at yet.
func parseWall(s string) (wall time.Time, ok bool) {
	for _, form := range wallForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// readings are the instants at which the clocks of the zone show the wall time,
// the earlier first: one, or two where clocks are set back. A time that is skipped
// when they are set forward is read as if they had not been set yet, as calendars
// do (RFC 5545, 3.3.5): 02:30 is 03:30 then. Go's own reading depends on which
// side of Greenwich the zone lies.
func readings(wall time.Time, zone *time.Location) []time.Time {
	_, before := wall.Add(-36 * time.Hour).In(zone).Zone()
	_, after := wall.Add(36 * time.Hour).In(zone).Zone()
	var out []time.Time
	for _, offset := range []int{max(before, after), min(before, after)} {
		t := wall.Add(-time.Duration(offset) * time.Second)
		if _, o := t.In(zone).Zone(); o == offset && (len(out) == 0 || !out[0].Equal(t)) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		out = append(out, wall.Add(-time.Duration(before)*time.Second))
	}
	return out
}

// sensible returns an end that does not lie before the start where the clocks are
// to blame for it: a start that was skipped lies later than it says, and an end
// in the hour that occurs twice may be meant the second time.
func (r *reader) sensible(start, end time.Time, startText, endText value) time.Time {
	if !end.Before(start) {
		return end
	}
	from, ok1 := parseWall(bare(r, startText))
	to, ok2 := parseWall(bare(r, endText))
	if !ok1 || !ok2 {
		return end
	}
	if !to.Before(from) {
		return start.Add(to.Sub(from))
	}
	if all := readings(to, r.location()); !all[len(all)-1].Before(start) {
		return all[len(all)-1]
	}
	return end
}

func bare(r *reader, v value) string {
	s, _ := r.text("", v)
	return strings.TrimSpace(s)
}
