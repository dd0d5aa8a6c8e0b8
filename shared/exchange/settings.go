package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/merge"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Settings are the switches of the Exchange connector that administrators turn
// while it runs. The zero value is a safe start: the board reaches Outlook, and
// of a calendar nothing flows back before its person, or an administrator, has
// said so.
type Settings struct {
	// ToOutlookOff and ToBoardOff stop one direction; the other goes on.
	ToOutlookOff bool `json:"toOutlookOff,omitempty"`
	ToBoardOff   bool `json:"toBoardOff,omitempty"`
	// DaysBack and DaysAhead are the range that is read from Outlook; 0 = the default.
	DaysBack  int `json:"daysBack,omitempty"`
	DaysAhead int `json:"daysAhead,omitempty"`
	// ReleaseAll lets every mailbox be written without a person looking at its
	// preview first.
	ReleaseAll bool `json:"releaseAll,omitempty"`
	// Wins decides conflicts; empty = the board.
	Wins merge.Side `json:"wins,omitempty"`

	// SameForAll: Preferences hold for everybody, and what people have chosen for
	// themselves is not asked. What an administrator has fixed for one of them is.
	SameForAll bool `json:"sameForAll,omitempty"`
	// Preferences are those of whoever has said nothing.
	Preferences Choices `json:"preferences,omitzero"`
	// ResourcesMay is what resources may do in Outlook to what was planned on the
	// board; empty = change it.
	ResourcesMay Permission `json:"resourcesMay,omitempty"`
	// ReminderMinutes lets Outlook remind of events that we create, so long before
	// they start; nil = no reminder. Those of existing events are the person's own.
	ReminderMinutes *int `json:"reminderMinutes,omitempty"`
}

// Permission is what resources may do to planned appointments, in Outlook.
type Permission string

const (
	MayChange  Permission = "change"  // everything flows, and the planner is told
	MayTime    Permission = "time"    // their time flows, all else is restored
	MayNothing Permission = "nothing" // all is restored
)

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
	text  string // as last read, to complain of each only once
	value Settings
}

const settingsAge = 30 * time.Second

// get never fails for what the row says: while it can not be read nothing flows
// in either direction, and a value that nobody knows counts as the safest one.
func (c *settingsCache) get(ctx context.Context, values store.Values, now time.Time, log *slog.Logger) (Settings, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.read.IsZero() && now.Sub(c.read) < settingsAge && !now.Before(c.read) {
		return c.value, nil
	}
	text, _, err := values.Value(ctx, settingsName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Settings{}, err
	}
	value, problems := readSettings(text)
	if text != c.text {
		for _, p := range problems {
			log.WarnContext(ctx, "the Exchange settings are not in order", "problem", p)
		}
	}
	c.value, c.text, c.read = value, text, now
	return value, nil
}

// readSettings reads the row as far as it makes sense, and says what does not.
func readSettings(text string) (Settings, []string) {
	var s Settings
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return Settings{ToOutlookOff: true, ToBoardOff: true},
			[]string{"the row " + settingsName + " of the table settings is not the JSON of these settings: nothing flows until it is mended"}
	}
	return s.safe()
}
