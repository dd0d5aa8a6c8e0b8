package backoffice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

// Settings are the switches of all back offices that administrators turn while it
// runs. The zero value is a good start.
type Settings struct {
	// RetryHours is for how long a delivery that fails is tried again by itself; 0 = 72.
	RetryHours int `json:"retryHours,omitempty"`
	// SilentPlanner: planners are not notified of deliveries that failed for good.
	SilentPlanner bool `json:"silentPlanner,omitempty"`
}

const settingsName = "backoffice"

// defaultTTL covers a long weekend. Guess: the incumbent's is not published.
const defaultTTL = 72 * time.Hour

func (s Settings) ttl() time.Duration {
	if s.RetryHours > 0 {
		return time.Duration(s.RetryHours) * time.Hour
	}
	return defaultTTL
}

func readSettings(ctx context.Context, values store.Values) (s Settings, err error) {
	text, _, err := values.Value(ctx, settingsName)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("the row %q of the settings table is not the JSON of the back-office settings: %w", settingsName, err)
	}
	return s, nil
}
