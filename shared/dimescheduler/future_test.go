package dimescheduler

import (
	"testing"
	"time"
)

// A LastModifiedDate that lies ahead (a typo, a wrong clock) would make every
// later change of the appointment look old, for as long as it lies ahead.
func TestRule_R6_ATimeThatLiesAheadDoesNotCount(t *testing.T) {
	enqueued := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for date, want := range map[string]time.Time{
		"2226-11-23T09:00:00Z": enqueued,
		"2026-11-23T09:30:00Z": enqueued.Add(30 * time.Minute), // clocks differ
		"2026-11-23T08:00:00Z": enqueued.Add(-time.Hour),
	} {
		c, err := DecodeChange([]byte(`{"AppointmentGuid":"6f1c2f4e-1111-4222-8333-444455556666","LastModifiedDate":"`+date+`","Assignments":[]}`), "Update", 7, enqueued, time.UTC)
		if err != nil || !c.Version.Modified.Equal(want) {
			t.Errorf("%s: version %v, %v, want %v", date, c.Version, err, want)
		}
	}
}
