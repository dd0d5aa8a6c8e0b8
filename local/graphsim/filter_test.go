package graphsim

import "testing"

// No filter, however broken, brings the parser down; what parses can be evaluated.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"mail eq 'x'", "not (a/any(p:p eq 'x') or b ne null)", "start/dateTime ge 2026-11-24T09:00:00Z", "(((", "'", "a/any(", "mail eq 'o''x' and",
		"singleValueExtendedProperties/Any(ep: ep/id eq 'String {6b9b3c1e-5a5f-4a5c-9d5e-0d7a4c6f2b11} Name n' and contains(ep/value,'v'))",
	} {
		f.Add(seed)
	}
	e := &Event{Subject: "x", Properties: map[string]string{"String 0x1": "v"}}
	f.Fuzz(func(t *testing.T, src string) {
		if p, err := parseFilter(src, eventFilters...); err == nil {
			p(e.scope)
		}
	})
}
