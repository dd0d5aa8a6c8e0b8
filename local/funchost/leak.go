package funchost

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// leak copies the top-level fields of a body that is a JSON object into the metadata, over the message's own values
// and without regard to case: what the host does to each trigger value that is a string. Arrays and nulls stay
// out, objects stay objects, everything else becomes text, and text that looks like a date is rewritten.
func leak(o *object, body string) {
	trimmed := strings.TrimSpace(body)
	if !strings.HasPrefix(trimmed, "{") || !json.Valid([]byte(trimmed)) {
		return
	}
	fields := json.NewDecoder(strings.NewReader(trimmed))
	if _, err := fields.Token(); err != nil {
		return
	}
	for fields.More() {
		name, err := fields.Token()
		if err != nil {
			return
		}
		var value json.RawMessage
		if err := fields.Decode(&value); err != nil {
			return
		}
		key, _ := name.(string)
		if strings.HasSuffix(strings.ToLower(key), "trigger") {
			continue
		}
		switch value[0] {
		case '[', 'n':
		case '{':
			var compact bytes.Buffer
			if json.Compact(&compact, value) == nil {
				o.setFold(key, compact.String())
			}
		case 't':
			o.setFold(key, twice("True"))
		case 'f':
			o.setFold(key, twice("False"))
		case '"':
			var text string
			if json.Unmarshal(value, &text) == nil {
				o.setFold(key, twice(rewriteDate(text)))
			}
		default:
			o.setFold(key, twice(number(string(value))))
		}
	}
}

// number writes a number as .NET's invariant culture does: integers as they are, others in the shortest form that
// reads back as the same double.
func number(text string) string {
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	form := byte('f')
	if size := math.Abs(v); size >= 1e15 || size != 0 && size < 1e-4 {
		form = 'E'
	}
	return strconv.FormatFloat(v, form, -1, 64)
}

var isoDate = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$`)

// rewriteDate turns an ISO date into the form of .NET's invariant culture, in local time if it names an offset.
func rewriteDate(text string) string {
	if !isoDate.MatchString(text) {
		return text
	}
	const form = "01/02/2006 15:04:05"
	for _, layout := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(form)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05-07:00", "2006-01-02T15:04:05-0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Local().Format(form)
		}
	}
	return text
}
