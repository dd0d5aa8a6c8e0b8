package funchost

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// schedule is an NCRONTAB expression: six fields with seconds first, or five without; always UTC.
type schedule struct{ spec *cron.SpecSchedule }

var (
	sixFields  = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	fiveFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
)

const anyDay = 1 << 63 // robfig's mark of a field that was written *

func parseSchedule(text string) (schedule, error) {
	parser := sixFields
	switch n := len(strings.Fields(text)); n {
	case 6:
	case 5:
		parser = fiveFields
	default:
		return schedule{}, fmt.Errorf("schedule %q has %d fields; NCRONTAB has six: second minute hour day month weekday", text, n)
	}
	parsed, err := parser.Parse("TZ=UTC " + text)
	if err != nil {
		return schedule{}, fmt.Errorf("schedule %q: %w", text, err)
	}
	spec := *parsed.(*cron.SpecSchedule)
	// With a day and a weekday named, cron takes either and NCRONTAB wants both; the mark makes robfig want both.
	spec.Dom |= anyDay
	return schedule{&spec}, nil
}

// next is the first occurrence after t.
func (s schedule) next(t time.Time) time.Time { return s.spec.Next(t.UTC()) }

// subMinute says whether two occurrences are less than a minute apart. The host does not monitor such schedules.
func (s schedule) subMinute() bool {
	return s.spec.Second&(s.spec.Second-1)&^anyDay != 0
}
