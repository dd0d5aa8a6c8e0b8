package appointment_test

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

func instantOf(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestDaysAreInstantsInTheirZone(t *testing.T) {
	for when, want := range map[string][2]string{
		"2026-03-02/2026-03-04":                     {"2026-03-02T00:00:00Z", "2026-03-04T00:00:00Z"},
		"2026-03-02/2026-03-04 America/Los_Angeles": {"2026-03-02T08:00:00Z", "2026-03-04T08:00:00Z"},
		"2026-03-28/2026-03-30 Europe/Brussels":     {"2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z"}, // 47 hours
		"2026-03-02/2026-03-03 Pacific/Kiritimati":  {"2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z"},
		"2027-04-30/2027-05-01 Africa/Cairo":        {"2027-04-29T22:00:00Z", "2027-04-30T21:00:00Z"}, // the first hour of the 30th is skipped
		"2026-09-06/2026-09-07 America/Santiago":    {"2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"}, // so is that of the 6th
		"2027-04-03/2027-04-05 America/Santiago":    {"2027-04-03T03:00:00Z", "2027-04-05T04:00:00Z"}, // the last of the 3rd occurs twice
	} {
		start, end, err := appointment.ParseInterval(when)
		if err != nil || !start.Equal(instantOf(t, want[0])) || !end.Equal(instantOf(t, want[1])) {
			t.Errorf("%s is %s to %s, %v; want %s", when, start, end, err, want)
		}
		_, _, zone, _ := appointment.Dates(when)
		if got, ok := appointment.WholeDays(appointment.Interval(start, end), zone); !ok || got != when {
			t.Errorf("%s comes back as %q, %t", when, got, ok)
		}
		if !appointment.Same(appointment.When, when, appointment.Interval(start, end)) {
			t.Errorf("%s is not the same as its instants", when)
		}
	}
	for _, when := range []string{"", "/", "2026-03-02", "2026-03-04/2026-03-02", "2026-03-02/2026-03-02", "2026-03-02/2026-03-04T00:00:00Z", "2026-02-30/2026-03-04"} {
		if _, _, _, ok := appointment.Dates(when); ok {
			t.Errorf("%q are days", when)
		}
	}
	if _, _, err := appointment.ParseInterval("2026-03-02/2026-03-04 Mars/Olympus"); err == nil {
		t.Error("a zone that does not exist is taken")
	}
}

func TestCoveringTakesTheDaysThatAreTouched(t *testing.T) {
	brussels, err := appointment.Location("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{
		{"2026-03-02T08:00:00Z", "2026-03-02T16:00:00Z", "2026-03-02/2026-03-03 Europe/Brussels"},
		{"2026-03-01T23:00:00Z", "2026-03-02T23:00:00Z", "2026-03-02/2026-03-03 Europe/Brussels"},
		{"2026-03-01T23:00:00Z", "2026-03-02T22:59:59Z", "2026-03-02/2026-03-03 Europe/Brussels"},
		{"2026-03-01T23:00:00Z", "2026-03-01T23:00:00Z", "2026-03-02/2026-03-03 Europe/Brussels"},
		{"2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-28/2026-03-30 Europe/Brussels"},
	} {
		if got := appointment.Covering(instantOf(t, c[0]), instantOf(t, c[1]), brussels); got != c[2] {
			t.Errorf("%s to %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

var fuzzZones = []string{"", "Europe/Brussels", "America/New_York", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia",
	"Pacific/Kiritimati", "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca", "Europe/Dublin", "Asia/Tehran", "Antarctica/Troll"}

// FuzzDays: dates become instants and dates again, in any zone, on any day.
func FuzzDays(f *testing.F) {
	for i := range fuzzZones {
		f.Add(int32(20_000+i*17), uint8(1), uint8(i))
		f.Add(int32(20_540), uint8(i), uint8(i))
	}
	f.Fuzz(func(t *testing.T, day int32, length, zone uint8) {
		name := fuzzZones[int(zone)%len(fuzzZones)]
		first := time.Unix(int64(day%200_000)*86_400, 0).UTC()
		if length == 0 || first.Year() < 1970 || first.Year() > 2100 {
			t.Skip()
		}
		if name == "Pacific/Apia" && first.Year() < 2012 {
			t.Skip() // it left out a whole day in 2011, which has no midnight
		}
		when := appointment.Days(first, first.AddDate(0, 0, int(length)), name)
		start, end, err := appointment.ParseInterval(when)
		if err != nil || !start.Before(end) {
			t.Fatalf("%s is %s to %s, %v", when, start, end, err)
		}
		if got, ok := appointment.WholeDays(appointment.Interval(start, end), name); !ok || got != when {
			t.Errorf("%s comes back as %q, %t", when, got, ok)
		}
	})
}

// FuzzWhen: whatever stands in a table is read, or is an error.
func FuzzWhen(f *testing.F) {
	for _, s := range []string{"", "2026-03-02/2026-03-04 Europe/Brussels", "2026-03-02T08:00:00Z/2026-03-02T09:00:00Z", "2026-03-02/2026-03-04 ../../etc/passwd", "a/b c"} {
		f.Add(s, "2026-03-02/2026-03-04")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if appointment.Same(appointment.When, a, b) != appointment.Same(appointment.When, b, a) {
			t.Errorf("%q and %q are the same one way only", a, b)
		}
		appointment.InZone(a, b)
		if days, ok := appointment.WholeDays(a, b); ok {
			if _, _, _, ok := appointment.Dates(days); !ok {
				t.Errorf("%q of %q are no days", days, a)
			}
		}
	})
}
