package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/merge"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Settings are the switches of the Exchange connector that administrators turn
// while it runs. The zero value is a good start: both directions on, the board
// wins, the window as below.
type Settings struct {
	// ToOutlookOff and ToBoardOff stop one direction; the other goes on.
	ToOutlookOff bool `json:"toOutlookOff,omitempty"`
	ToBoardOff   bool `json:"toBoardOff,omitempty"`
	// DaysBack and DaysAhead are the range that is read from Outlook; 0 = the default.
	DaysBack  int `json:"daysBack,omitempty"`
	DaysAhead int `json:"daysAhead,omitempty"`
	// Wins decides conflicts; empty = the board.
	Wins merge.Side `json:"wins,omitempty"`
}

// The default range; the vendor's own is not published (facts: UNKNOWN).
const (
	defaultDaysBack  = 30
	defaultDaysAhead = 180
)

// settingsName is the name of the row in the store's values.
const settingsName = "exchange"

// Window returns the range around now, whole days in UTC.
func (s Settings) Window(now time.Time) calendar.Window {
	back, ahead := s.DaysBack, s.DaysAhead
	if back <= 0 {
		back = defaultDaysBack
	}
	if ahead <= 0 {
		ahead = defaultDaysAhead
	}
	today := now.UTC().Truncate(24 * time.Hour)
	return calendar.Window{Start: today.AddDate(0, 0, -back), End: today.AddDate(0, 0, ahead+1)}
}

// settingsCache reads the settings at most twice a minute.
type settingsCache struct {
	mu    sync.Mutex
	read  time.Time
	value Settings
}

const settingsAge = 30 * time.Second

func (c *settingsCache) get(ctx context.Context, values store.Values, now time.Time) (Settings, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.read.IsZero() && now.Sub(c.read) < settingsAge && !now.Before(c.read) {
		return c.value, nil
	}
	text, _, err := values.Value(ctx, settingsName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Settings{}, err
	}
	var s Settings
	if err == nil {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return Settings{}, fmt.Errorf("the row %q of the settings table is not the JSON of the Exchange settings: %w", settingsName, err)
		}
	}
	c.value, c.read = s, now
	return s, nil
}
