package target

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
)

func TestBackoff(t *testing.T) {
	for n, limit := range map[int]time.Duration{0: 2 * time.Second, 3: 16 * time.Second, 9: 15 * time.Minute, 100: 15 * time.Minute} {
		if d := Backoff("a", n, nil); d > limit || d < limit*2/3 {
			t.Errorf("after %d failures %v, want between two thirds of %v and all of it", n, d, limit)
		}
	}
	if d := Backoff("a", 0, &fault.Error{RetryAfter: time.Hour}); d != time.Hour {
		t.Errorf("asked for an hour: %v", d)
	}
}
