package dimescheduler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value is a JSON value as the board wrote it; nil = the key was not there.
type value = json.RawMessage

func isNull(v value) bool { return len(v) == 0 || string(bytes.TrimSpace(v)) == "null" }

// reader turns the board's loosely typed values (numbers as text, times without
// zone) into typed ones. It keeps the first problem, which names the field and
// never shows its value: it may be anybody's data.
type reader struct {
	zone    *time.Location
	problem string
}

func (r *reader) location() *time.Location {
	if r.zone == nil {
		return time.UTC
	}
	return r.zone
}

func (r *reader) fail(format string, args ...any) {
	if r.problem == "" {
		r.problem = fmt.Sprintf(format, args...)
	}
}

// text reads a text or a number; known is false if there is none.
func (r *reader) text(name string, v value) (s string, known bool) {
	if isNull(v) {
		return "", false
	}
	if v[0] == '"' {
		if err := json.Unmarshal(v, &s); err != nil {
			r.fail("%s is not a JSON text", name)
			return "", false
		}
		return s, true
	}
	if v[0] == '-' || v[0] >= '0' && v[0] <= '9' {
		return string(v), true
	}
	r.fail("%s is neither a text nor a number", name)
	return "", false
}

// maxKey is a generous bound for what names something; the board's own longest is 255.
const maxKey = 255

// key reads a text that names something: no blanks around it, bounded, one line.
func (r *reader) key(name string, v value) string {
	s, _ := r.text(name, v)
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > maxKey {
		r.fail("%s is longer than %d characters", name, maxKey)
		return ""
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == utf8.RuneError }) {
		r.fail("%s holds control characters", name)
		return ""
	}
	return s
}

func (r *reader) integer(name string, v value) (n int64, known bool) {
	s, ok := r.text(name, v)
	if s = strings.TrimSpace(s); !ok || s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.fail("%s is not a whole number", name)
		return 0, false
	}
	return n, true
}

func (r *reader) boolean(name string, v value) bool {
	if isNull(v) {
		return false
	}
	switch strings.ToLower(strings.Trim(string(v), `" `)) {
	case "true", "1":
		return true
	case "false", "0", "":
		return false
	}
	r.fail("%s is neither true nor false", name)
	return false
}

// zonedForms name an offset; the others are wall time in the board's zone
// (walltime.go). time.Parse takes a fraction of the second after each of them.
var zonedForms = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"}

// Times outside of these years are mistakes: Outlook's calendar ends there.
const (
	firstYear = 1601
	lastYear  = 4500
)

// instant reads a time and returns it in UTC; of a wall time that occurs twice
// the first. .NET's DateTime.MinValue stands for "none".
func (r *reader) instant(name string, v value) (t time.Time, known bool) {
	s, ok := r.text(name, v)
	if s = strings.TrimSpace(s); !ok || s == "" || strings.HasPrefix(s, "0001-01-01") {
		return time.Time{}, false
	}
	t, err := parseTime(s, r.location())
	switch {
	case err != nil:
		r.fail("%s is not a time in ISO 8601", name)
		return time.Time{}, false
	case t.Year() < firstYear || t.Year() > lastYear:
		r.fail("%s lies outside of the years %d to %d", name, firstYear, lastYear)
		return time.Time{}, false
	}
	return t, true
}

func parseTime(s string, zone *time.Location) (time.Time, error) {
	for _, form := range zonedForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	if wall, ok := parseWall(s); ok {
		return readings(wall, zone)[0], nil
	}
	return time.Time{}, fmt.Errorf("no known form of time")
}

var guidForm = regexp.MustCompile(`^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$`)

// guid reads a GUID in any of .NET's usual forms and returns the one with
// dashes in lower case; "" if there is none or it is all zeros.
func (r *reader) guid(name string, v value) string {
	s, ok := r.text(name, v)
	if s = strings.TrimSpace(s); !ok || s == "" {
		return ""
	}
	g, ok := canonicalGuid(s)
	if !ok {
		r.fail("%s is not a GUID", name)
		return ""
	}
	if strings.Trim(g, "0-") == "" {
		return ""
	}
	return g
}

func canonicalGuid(s string) (string, bool) {
	m := guidForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return "", false
	}
	return strings.Join(m[1:], "-"), true
}
