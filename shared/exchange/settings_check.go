package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/merge"
)

// The most that the settings take.
const (
	maxDays     = 730
	maxReminder = 14 * 24 * 60 // minutes
)

// ParseSettings reads the settings as an administrator writes them, strictly:
// every key and value that nobody knows is an error that says what is allowed.
func ParseSettings(data []byte) (Settings, error) {
	var s Settings
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			return Settings{}, fmt.Errorf("there is no setting %s", name)
		}
		return Settings{}, errors.New("this is not the JSON of the Exchange settings: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.More() {
		return Settings{}, errors.New("there is something after the settings")
	}
	return s, s.Check()
}

// Check returns all that is wrong with the settings, in words for whoever set them.
func (s Settings) Check() error {
	_, problems := s.safe()
	for _, x := range []struct {
		name       string
		value, max int
	}{{"daysBack", s.DaysBack, maxDays}, {"daysAhead", s.DaysAhead, maxDays}} {
		if x.value < 0 || x.value > x.max {
			problems = append(problems, fmt.Sprintf("%s is %d, and must be 1 to %d, or 0 for the default", x.name, x.value, x.max))
		}
	}
	var errs []error
	for _, p := range problems {
		errs = append(errs, errors.New(p))
	}
	return errors.Join(errs...)
}

// safe returns the settings with the safest choice for each value that nobody
// knows, and what it did: the plan is protected, and less flows rather than more.
func (s Settings) safe() (Settings, []string) {
	var problems []string
	switch s.Wins {
	case "", merge.Board, merge.Outlook:
	default:
		problems = append(problems, fmt.Sprintf("wins is %q, and must be board or outlook: the board wins", s.Wins))
		s.Wins = merge.Board
	}
	switch s.ResourcesMay {
	case "", MayChange, MayTime, MayNothing:
	default:
		problems = append(problems, fmt.Sprintf("resourcesMay is %q, and must be change, time or nothing: nothing is assumed", s.ResourcesMay))
		s.ResourcesMay = MayNothing
	}
	if m := s.ReminderMinutes; m != nil && (*m < 0 || *m > maxReminder) {
		problems = append(problems, fmt.Sprintf("reminderMinutes is %d, and must be 0 to %d: no reminders", *m, maxReminder))
		s.ReminderMinutes = nil
	}
	var more []string
	s.Preferences, more = s.Preferences.safe()
	return s, append(problems, more...)
}

// Choices are what somebody lets flow back from a calendar to the board; what is
// nil was not said.
type Choices struct {
	// OptIn: whether anything flows back at all.
	OptIn *bool `json:"optIn,omitempty"`
	// ShowAs are those of free, tentative, busy, oof, workingElsewhere and unknown
	// that flow back; an empty list is none of them.
	ShowAs []string `json:"showAs,omitzero"`
	// Sensitivity are those of normal, personal, private and confidential.
	Sensitivity []string `json:"sensitivity,omitzero"`
	// Details: whether the words of private and confidential events are shown, if
	// these flow back; without, the board shows MaskedSubject in their place.
	Details *bool `json:"details,omitempty"`
}

// The values that can be chosen, as Graph spells them.
var (
	allShowAs      = []string{"free", "tentative", "busy", "oof", "workingElsewhere", "unknown"}
	allSensitivity = []string{"normal", "personal", "private", "confidential"}
)

// Check returns all that is wrong with the choices, in words for whoever made them.
func (c Choices) Check() error {
	_, problems := c.safe()
	var errs []error
	for _, p := range problems {
		errs = append(errs, errors.New(p))
	}
	return errors.Join(errs...)
}

// safe drops what can not be chosen: it does not flow.
func (c Choices) safe() (Choices, []string) {
	var problems []string
	known := func(name string, chosen, all []string) []string {
		if chosen == nil {
			return nil
		}
		out := []string{}
		for _, v := range chosen {
			if !slices.Contains(all, v) {
				problems = append(problems, fmt.Sprintf("%s holds %q, and may hold %s", name, v, strings.Join(all, ", ")))
			} else if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		return out
	}
	c.ShowAs = known("showAs", c.ShowAs, allShowAs)
	c.Sensitivity = known("sensitivity", c.Sensitivity, allSensitivity)
	return c, problems
}
