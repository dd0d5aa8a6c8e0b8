package graphsim

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	namedProperty  = regexp.MustCompile(`(?i)^([a-z]+) (\{[0-9a-f-]{36}\}) (name|id) (.+)$`)
	taggedProperty = regexp.MustCompile(`(?i)^[a-z]+ 0x[0-9a-f]{1,8}$`)
)

// canonicalProperty writes type, GUID and keyword of a property id in one letter case; the name keeps its own.
func canonicalProperty(id string) propertyID {
	m := namedProperty.FindStringSubmatch(id)
	if m == nil {
		return propertyID(strings.ToLower(id))
	}
	return propertyID(strings.ToLower(m[1]+" "+m[2]+" "+m[3]) + " " + m[4])
}

// Property returns the value of the extended property with the id, as Graph compares ids.
func (e Event) Property(id string) (string, bool) {
	for k, v := range e.Properties {
		if canonicalProperty(k) == canonicalProperty(id) {
			return v, true
		}
	}
	return "", false
}

// applyProperties sets the named extended properties and leaves the others; a null value removes one.
func applyProperties(e *Event, raw json.RawMessage) *graphError {
	var list []struct {
		ID    string
		Value *string
	}
	if err := into("singleValueExtendedProperties", raw, &list); err != nil {
		return err
	}
	for _, p := range list {
		if !namedProperty.MatchString(p.ID) && !taggedProperty.MatchString(p.ID) {
			return badRequest("ErrorInvalidProperty", "The extended property id '%s' is not valid; it needs the form 'String {GUID} Name name'.", p.ID)
		}
		maps.DeleteFunc(e.Properties, func(k, _ string) bool { return canonicalProperty(k) == canonicalProperty(p.ID) })
		if p.Value == nil {
			continue
		}
		if e.Properties == nil {
			e.Properties = map[string]string{}
		}
		e.Properties[p.ID] = *p.Value
	}
	return nil
}

// propertyScopes lets filters see the extended properties, in the order of their ids.
func (e *Event) propertyScopes() []scope {
	var out []scope
	for _, id := range slices.Sorted(maps.Keys(e.Properties)) {
		out = append(out, func(path string) any {
			switch strings.ToLower(path) {
			case "id":
				return propertyID(id)
			case "value":
				return e.Properties[id]
			}
			return nil
		})
	}
	return out
}
