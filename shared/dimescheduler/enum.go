package dimescheduler

import (
	"strconv"
	"strings"
)

// enum is one of the board's enumerations: its number and its name on the
// board for each canonical value of ours.
type enum []struct {
	number    int64
	canonical string
	names     []string // of the board, in lower case
}

// importances: Importance enum of the .NET SDK (facts A.8, C.4).
var importances = enum{
	{0, "normal", []string{"medium", "normal"}},
	{1, "high", []string{"high"}},
	{2, "low", []string{"low"}},
}

// showAs: ShowAs enum of the .NET SDK ("match Exchange integer values").
// Guess: Office stands for Outlook's busy, by its position in the list.
var showAs = enum{
	{1, "free", []string{"free"}},
	{2, "tentative", []string{"tentative"}},
	{3, "busy", []string{"office", "busy"}},
	{4, "oof", []string{"outofoffice", "oof"}},
	{5, "workingElsewhere", []string{"workingelsewhere"}},
	{6, "unknown", []string{"unknown"}},
}

// sensitivities: Sensitivity enum of the .NET SDK.
var sensitivities = enum{
	{1, "normal", []string{"normal"}},
	{2, "personal", []string{"personal"}},
	{3, "private", []string{"private"}},
	{4, "confidential", []string{"confidential"}},
}

// number returns the board's number of a canonical value.
func (e enum) number(canonical string) (int64, bool) {
	for _, x := range e {
		if x.canonical == canonical {
			return x.number, true
		}
	}
	return 0, false
}

// enumerated reads a number, a number as text, or a name. A number that is not
// in the list is unknown and no mistake: a newer board may know more, and the
// rest of the message is worth having.
func (r *reader) enumerated(name string, v value, e enum) (canonical string, known bool) {
	s, ok := r.text(name, v)
	if s = strings.ToLower(strings.TrimSpace(s)); !ok || s == "" {
		return "", false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	for _, x := range e {
		if err == nil && x.number == n {
			return x.canonical, true
		}
		for _, name := range x.names {
			if err != nil && name == s {
				return x.canonical, true
			}
		}
	}
	if err != nil {
		r.fail("%s is neither a number nor a name of the enumeration", name)
	}
	return "", false
}
