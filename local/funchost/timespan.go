package funchost

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeSpan is a duration as .NET writes it: [-][days.]hh:mm:ss[.fraction], or a whole number of days. The number -1
// stands for "unbounded", as in functionTimeout.
type timeSpan struct {
	time.Duration
	set bool // false while host.json does not name it
}

var spanForm = regexp.MustCompile(`^(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?$`)

func parseTimeSpan(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if days, err := strconv.Atoi(text); err == nil {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	part := spanForm.FindStringSubmatch(text)
	if part == nil {
		return 0, fmt.Errorf("%q is no time span; write hh:mm:ss", text)
	}
	number := func(i int) time.Duration { n, _ := strconv.Atoi(part[i]); return time.Duration(n) }
	if number(3) > 23 || number(4) > 59 || number(5) > 59 {
		return 0, fmt.Errorf("%q is no time span: hours end at 23, minutes and seconds at 59", text)
	}
	d := number(2)*24*time.Hour + number(3)*time.Hour + number(4)*time.Minute + number(5)*time.Second
	if part[6] != "" {
		ticks, _ := strconv.Atoi((part[6] + "000000")[:7])
		d += time.Duration(ticks) * 100 * time.Nanosecond
	}
	if part[1] == "-" {
		d = -d
	}
	return d, nil
}

func (s *timeSpan) UnmarshalJSON(data []byte) error {
	text := string(data)
	if len(data) > 0 && data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	d, err := parseTimeSpan(text)
	s.Duration, s.set = d, true
	return err
}

// or returns the span, or what counts when host.json does not name it.
func (s timeSpan) or(otherwise time.Duration) time.Duration {
	if s.set {
		return s.Duration
	}
	return otherwise
}
