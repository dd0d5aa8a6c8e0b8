package graphsim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Recurrence is the pattern and range of a series.
type Recurrence struct {
	Type       string // daily, weekly, absoluteMonthly, relativeMonthly, absoluteYearly, relativeYearly
	Interval   int    // 0 = 1
	DaysOfWeek []string
	FirstDay   string // of the week; "" = sunday
	DayOfMonth int
	Month      int    // of the yearly patterns
	Index      string // of the relative ones: first, second, third, fourth, last; "" = first
	RangeType  string // noEnd, endDate, numbered
	StartDate  string // 2006-01-02
	EndDate    string
	Count      int
	TimeZone   string // "" = the start's
}

type recurrenceJSON struct {
	Pattern struct {
		Type           string   `json:"type"`
		Interval       int      `json:"interval"`
		Month          int      `json:"month"`
		DayOfMonth     int      `json:"dayOfMonth"`
		DaysOfWeek     []string `json:"daysOfWeek,omitempty"`
		FirstDayOfWeek string   `json:"firstDayOfWeek"`
		Index          string   `json:"index,omitempty"`
	} `json:"pattern"`
	Range struct {
		Type                string `json:"type"`
		StartDate           string `json:"startDate"`
		EndDate             string `json:"endDate,omitempty"`
		RecurrenceTimeZone  string `json:"recurrenceTimeZone"`
		NumberOfOccurrences int    `json:"numberOfOccurrences"`
	} `json:"range"`
}

func applyRecurrence(e *Event, raw json.RawMessage) *graphError {
	var j *recurrenceJSON
	if err := into("recurrence", raw, &j); err != nil {
		return err
	}
	if j == nil {
		e.Recurrence = nil
		return nil
	}
	p, g := j.Pattern, j.Range
	e.Recurrence = &Recurrence{
		Type: p.Type, Interval: p.Interval, DaysOfWeek: p.DaysOfWeek, FirstDay: p.FirstDayOfWeek, DayOfMonth: p.DayOfMonth,
		Month: p.Month, Index: p.Index,
		RangeType: g.Type, StartDate: g.StartDate, EndDate: g.EndDate, Count: g.NumberOfOccurrences, TimeZone: g.RecurrenceTimeZone,
	}
	return nil
}

func (r *Recurrence) render() any {
	var j recurrenceJSON
	j.Pattern.Type, j.Pattern.Interval, j.Pattern.DaysOfWeek = r.Type, r.Interval, r.DaysOfWeek
	j.Pattern.DayOfMonth, j.Pattern.FirstDayOfWeek, j.Pattern.Month, j.Pattern.Index = r.DayOfMonth, r.FirstDay, r.Month, r.Index
	fill(&j.Pattern.Index, "first")
	j.Range.Type, j.Range.StartDate, j.Range.EndDate = r.RangeType, r.StartDate, r.EndDate
	j.Range.RecurrenceTimeZone, j.Range.NumberOfOccurrences = r.TimeZone, r.Count
	fill(&j.Range.EndDate, "0001-01-01")
	return j
}

// check completes the recurrence of e from its start and refuses what is wrong or not modelled.
func (r *Recurrence) check(e *Event) *graphError {
	fill(&r.TimeZone, e.StartZone)
	loc, err := loadZone(r.TimeZone)
	if err != nil {
		return err
	}
	first := inZone(e.Start, loc, e.AllDay)
	r.Interval = max(r.Interval, 1)
	fill(&r.FirstDay, "sunday")
	fill(&r.StartDate, first.Format(time.DateOnly))
	fill(&r.RangeType, "noEnd")
	switch r.Type {
	case "daily":
	case "weekly", "relativeMonthly", "relativeYearly":
		if len(r.DaysOfWeek) == 0 {
			r.DaysOfWeek = []string{strings.ToLower(first.Weekday().String())}
		}
		if r.Type != "weekly" && r.Index != "" && !slices.Contains(indexes, r.Index) {
			return badRequest("ErrorPropertyValidationFailure", "The index of the recurrence is not valid.")
		}
	case "absoluteMonthly", "absoluteYearly":
		if r.DayOfMonth == 0 {
			r.DayOfMonth = first.Day()
		}
	default:
		return badRequest("ErrorPropertyValidationFailure", "The type '%s' of the recurrence is not valid.", r.Type)
	}
	if strings.HasSuffix(r.Type, "Yearly") && r.Month == 0 {
		r.Month = int(first.Month())
	}
	if _, err := time.Parse(time.DateOnly, r.StartDate); err != nil {
		return badRequest("ErrorPropertyValidationFailure", "The startDate of the recurrence is not valid.")
	}
	switch r.RangeType {
	case "noEnd":
	case "endDate":
		if _, err := time.Parse(time.DateOnly, r.EndDate); err != nil {
			return badRequest("ErrorPropertyValidationFailure", "The endDate of the recurrence is not valid.")
		}
	case "numbered":
		if r.Count < 1 {
			return badRequest("ErrorPropertyValidationFailure", "The numberOfOccurrences of the recurrence is not valid.")
		}
	default:
		return badRequest("ErrorPropertyValidationFailure", "The range of the recurrence is not valid.")
	}
	return nil
}

// matches says whether the pattern has an occurrence on the day.
func (r *Recurrence) matches(first, day time.Time) bool {
	switch r.Type {
	case "daily":
		return days(first, day)%r.Interval == 0
	case "weekly":
		start := 0
		for d := range 7 {
			if strings.EqualFold(time.Weekday(d).String(), r.FirstDay) {
				start = d
			}
		}
		week := func(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())-start+7)%7) }
		named := slices.ContainsFunc(r.DaysOfWeek, func(n string) bool { return strings.EqualFold(n, day.Weekday().String()) })
		return named && days(week(first), week(day))/7%r.Interval == 0
	case "absoluteMonthly":
		return day.Day() == min(r.DayOfMonth, daysIn(day)) && months(first, day)%r.Interval == 0
	case "relativeMonthly":
		return day.Day() == r.relative(day) && months(first, day)%r.Interval == 0
	case "absoluteYearly":
		return int(day.Month()) == r.Month && day.Day() == min(r.DayOfMonth, daysIn(day)) && (day.Year()-first.Year())%r.Interval == 0
	case "relativeYearly":
		return int(day.Month()) == r.Month && day.Day() == r.relative(day) && (day.Year()-first.Year())%r.Interval == 0
	}
	return false
}

var indexes = []string{"first", "second", "third", "fourth", "last"}

// relative is the day of the month on which a relative pattern falls: the first, second, ... or last
// of those that are one of the named days of the week; 0 = none.
func (r *Recurrence) relative(day time.Time) int {
	var those []int
	for d := 1; d <= daysIn(day); d++ {
		weekday := time.Date(day.Year(), day.Month(), d, 0, 0, 0, 0, time.UTC).Weekday().String()
		if slices.ContainsFunc(r.DaysOfWeek, func(n string) bool { return strings.EqualFold(n, weekday) }) {
			those = append(those, d)
		}
	}
	i := max(0, slices.Index(indexes, r.Index))
	switch {
	case len(those) == 0:
		return 0
	case r.Index == "last":
		return those[len(those)-1]
	}
	return those[min(i, len(those)-1)]
}

func daysIn(day time.Time) int {
	return time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func months(first, day time.Time) int {
	return (day.Year()-first.Year())*12 + int(day.Month()) - int(first.Month())
}

func days(a, b time.Time) int { return int(b.Sub(a) / (24 * time.Hour)) }

// longestSeries bounds the expansion of a series without an end, in days.
const longestSeries = 30 * 366

// slots are the original starts of the series before the given time, oldest first.
func (e *Event) slots(before time.Time) []time.Time {
	r := e.Recurrence
	first, err := time.Parse(time.DateOnly, r.StartDate)
	loc, zoneErr := loadZone(r.TimeZone)
	if err != nil || zoneErr != nil {
		return nil
	}
	wall := inZone(e.Start, loc, e.AllDay)
	var out []time.Time
	for n := range longestSeries {
		day := first.AddDate(0, 0, n)
		if r.RangeType == "endDate" && day.Format(time.DateOnly) > r.EndDate || r.RangeType == "numbered" && len(out) >= r.Count {
			break
		}
		at := stored(time.Date(day.Year(), day.Month(), day.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, loc), e.AllDay)
		if !at.Before(before) {
			break
		}
		if r.matches(first, day) {
			out = append(out, at)
		}
	}
	return out
}
