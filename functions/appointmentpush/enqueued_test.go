package appointmentpush

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

// A message that returns from the dead letters is as old as its first delivery.
func TestRule_R5_AReturnedMessageKeepsItsTime(t *testing.T) {
	first := time.Date(2026, 11, 23, 9, 0, 0, 123, time.UTC)
	later := first.Add(time.Hour)
	for property, want := range map[string]time.Time{first.Format(time.RFC3339Nano): first, "": later, "junk": later} {
		var got time.Time
		stop := errors.New("decoded")
		h := Handler(func(_ []byte, _ string, _ int64, enqueued time.Time) (appointment.Change, error) {
			got = enqueued
			return appointment.Change{}, stop
		}, nil)
		err := h(context.Background(), funchost.Message{Enqueued: later, Properties: map[string]string{bus.PropertyFirstEnqueued: property}})
		if !errors.Is(err, stop) || !got.Equal(want) {
			t.Errorf("property %q: enqueued %v, %v, want %v", property, got, err, want)
		}
	}
}
