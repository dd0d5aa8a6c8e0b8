package exchange

import (
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
)

// windowMargin is how much more than the window is asked for on both sides. Who
// is in it is decided here, once, with one rule for single events, occurrences
// and the board's list: how a calendar cuts at its edges, and in which zone it
// takes all-day events, makes no difference then (graph.md E14).
const windowMargin = 24 * time.Hour

// window returns the range that is synchronised now: that of the last baseline. It
// slides once a day, with the next one, and so does a change of the settings. What
// it leaves behind stays as it is on both sides, linked: it is not deleted, and
// what people do to it is still carried. What it reaches is born or found again.
func (s *session) window(now time.Time) calendar.Window {
	if s.row.WindowStart.IsZero() {
		return s.settings.Window(now)
	}
	return calendar.Window{Start: s.row.WindowStart, End: s.row.WindowEnd}
}
