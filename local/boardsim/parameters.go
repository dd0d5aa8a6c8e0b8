package boardsim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// kind is the type of a parameter; on the wire all are strings.
type kind int

const (
	text    kind = iota
	integer      // int64
	flag         // True, False, 1, 0
	decimal      // with a point
	instant      // see parseTime
	guid
)

// parameter is one parameter of a procedure.
type parameter struct {
	kind kind
	max  int // characters of a text; 0 = no limit
}

type parameters map[string]parameter

// with returns a copy that has more.
func (p parameters) with(more parameters) parameters {
	all := parameters{}
	for _, each := range []parameters{p, more} {
		for name, spec := range each {
			all[name] = spec
		}
	}
	return all
}

// check refuses a value that the type can not hold. The empty string is a value
// of every type: nothing.
func (p parameter) check(value string, zone *time.Location) error {
	if value == "" {
		return nil
	}
	var err error
	switch p.kind {
	case text:
		if n := utf8.RuneCountInString(value); p.max > 0 && n > p.max {
			return fmt.Errorf("%d characters, at most %d fit", n, p.max)
		}
		return nil
	case integer:
		_, err = strconv.ParseInt(value, 10, 64)
	case flag:
		_, err = strconv.ParseBool(strings.ToLower(value))
	case decimal:
		_, err = strconv.ParseFloat(value, 64)
	case instant:
		_, err = parseTime(value, zone)
	case guid:
		if !guidPattern.MatchString(value) {
			err = errors.New("no guid")
		}
	}
	if err != nil {
		return fmt.Errorf("%q can not be converted", value)
	}
	return nil
}

// timeLayouts are the forms that the vendor's SDKs and documentation use.
var timeLayouts = []string{"2006-01-02 15:04:05Z07:00", time.RFC3339Nano, "2006-01-02T15:04:05.9999999", "2006-01-02T15:04", "2006-01-02"}

// parseTime reads a time; one without a zone is in zone.
func parseTime(value string, zone *time.Location) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, value, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", value)
}

// arguments are the checked values of one request; null is as good as absent.
type arguments struct {
	zone   *time.Location
	values map[string]string
}

func (a arguments) text(name string) string { return a.values[name] }

// integer returns 0 for nothing.
func (a arguments) integer(name string) int64 {
	n, _ := strconv.ParseInt(a.values[name], 10, 64)
	return n
}

func (a arguments) flag(name string) bool {
	on, _ := strconv.ParseBool(strings.ToLower(a.values[name]))
	return on
}

// The setters leave the target as it is when the argument is absent; all but
// setText also when it is empty.

func (a arguments) setText(name string, target *string) {
	if value, sent := a.values[name]; sent {
		*target = value
	}
}

func (a arguments) setInt(name string, target *int) {
	if a.values[name] != "" {
		*target = int(a.integer(name))
	}
}

func (a arguments) setFlag(name string, target *bool) {
	if a.values[name] != "" {
		*target = a.flag(name)
	}
}

func (a arguments) setTime(name string, target *time.Time) {
	if value := a.values[name]; value != "" {
		*target, _ = parseTime(value, a.zone)
	}
}
