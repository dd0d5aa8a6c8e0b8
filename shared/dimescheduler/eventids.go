package dimescheduler

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// eventIDKeys are the keys under which the board may show the ids of an
// appointment's events. Guess: it takes ExchangeId and ICalUId with
// mboc_upsertExchangeAppointment (facts A.8); whether its answers show them, and
// where in the graph, is not known, so both are looked for anywhere in it, in any
// letter case.
var eventIDKeys = []string{"exchangeid", "icaluid"}

// eventIDs returns the ids of events in an appointment's JSON, sorted; most have none.
func eventIDs(body []byte) []string {
	lower := bytes.ToLower(body)
	if !slices.ContainsFunc(eventIDKeys, func(k string) bool { return bytes.Contains(lower, []byte(`"`+k+`"`)) }) {
		return nil
	}
	var graph any
	if json.Unmarshal(body, &graph) != nil {
		return nil // said elsewhere
	}
	var out []string
	var walk func(v any, key string)
	walk = func(v any, key string) {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				walk(inner, strings.ToLower(k))
			}
		case []any:
			for _, inner := range v {
				walk(inner, key)
			}
		case string:
			if v != "" && slices.Contains(eventIDKeys, key) {
				out = append(out, v)
			}
		}
	}
	walk(graph, "")
	slices.Sort(out)
	return slices.Compact(out)
}
