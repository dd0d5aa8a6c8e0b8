package dimescheduler

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

func TestAllDayFlagOfTheBoard(t *testing.T) {
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`"StartDate":"2027-03-27T00:00:00","EndDate":"2027-03-29T00:00:00","IsAllDay":true`:           "2027-03-27/2027-03-29 Europe/Brussels",
		`"StartDate":"2027-03-27T08:00:00","EndDate":"2027-03-27T17:00:00","isAllDayEvent":"1"`:       "2027-03-27/2027-03-28 Europe/Brussels",
		`"StartDate":"2027-03-26T23:00:00Z","EndDate":"2027-03-27T22:59:59Z","isAllDay":true`:         "2027-03-27/2027-03-28 Europe/Brussels",
		`"StartDate":"2027-03-27T00:00:00","EndDate":"2027-03-28T00:00:00","IsAllDay":false`:          "2027-03-26T23:00:00Z/2027-03-27T23:00:00Z",
		`"StartDate":"2027-03-27T00:00:00","EndDate":"2027-03-28T00:00:00"`:                           "2027-03-26T23:00:00Z/2027-03-27T23:00:00Z",
		`"StartDate":"2027-03-27T00:00:00","EndDate":"2027-03-28T00:00:00","IsAllDayEvent":"perhaps"`: "",
	} {
		a, problem := decodeAppointment([]byte(`{"AppointmentGuid":"0f5b0b3e-6f0a-4a2b-9a7e-012345678901",`+body+`}`), brussels)
		if got := a.Content[appointment.When]; got != want || (problem != "") != (want == "") {
			t.Errorf("%s: %q, %s; want %q", body, got, problem, want)
		}
		if problem != "" {
			continue
		}
		again, err := EncodeChange(a)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := decodeAppointment(again, brussels); b.Content[appointment.When] != want {
			t.Errorf("%s comes back as %q", body, b.Content[appointment.When])
		}
	}
}

// FuzzWallTime: what a wall time is read as shows that wall time, or a later one
// if there is none such; of two, the first is the earlier.
func FuzzWallTime(f *testing.F) {
	zones := []string{"UTC", "Europe/Brussels", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Pacific/Auckland"}
	for _, s := range []string{"2027-03-28T02:30:00", "2026-10-25T02:30:00", "2027-03-14T02:30:00", "2026-11-01T01:30:00", "2026-10-04T02:15:00", "2027-04-04T01:45:00", "2026-12-01", "nonsense"} {
		for i := range zones {
			f.Add(s, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, s string, zone uint8) {
		wall, ok := parseWall(s)
		if !ok || wall.Year() < 1970 || wall.Year() > 2100 {
			t.Skip()
		}
		loc, err := time.LoadLocation(zones[int(zone)%len(zones)])
		if err != nil {
			t.Fatal(err)
		}
		const clock = "2006-01-02T15:04:05.999999999"
		all := readings(wall, loc)
		for i, at := range all {
			shown := at.In(loc).Format(clock)
			if want := wall.Format(clock); shown < want || shown != want && len(all) > 1 {
				t.Errorf("%s in %s is read as %s", want, loc, shown)
			}
			if i > 0 && !all[i-1].Before(at) {
				t.Errorf("%s in %s: %v", wall, loc, all)
			}
		}
		if d := all[0].Sub(wall).Abs(); d > 15*time.Hour {
			t.Errorf("%s in %s is %s off", wall, loc, d)
		}
	})
}
