package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// MaskedSubject stands on the board for the words of an event that its owner
// lets be seen without them. It never reaches a calendar of that person (R22).
const MaskedSubject = "Private appointment"

// mask is what the board shows in place of an event's words.
var mask = appointment.Content{appointment.Subject: MaskedSubject, appointment.Body: "", appointment.Importance: "normal"}

// The defaults of whoever has said nothing, where the settings say nothing
// either. What blocks nobody's time does not show on a planning board, nor do
// meetings that were cancelled or declined, which count as free. Nor does a value
// that is newer than this program, which reads as unknown.
var (
	defaultShowAs      = []string{"tentative", "busy", "oof", "workingElsewhere"}
	defaultSensitivity = []string{"normal", "personal"}
)

const (
	defaultOptIn   = false
	defaultDetails = false
)

// filter is what flows back from one mailbox, after everything that was set and
// chosen. It is computed in effective, and nowhere else.
type filter struct {
	on                  bool // anything flows at all
	showAs, sensitivity map[string]bool
	details             bool // the words of private and confidential events, too
}

// effective returns what follows from the settings and from what was chosen for
// the resources of a mailbox: where several share it, the strictest wins. rows
// holds nil for a resource of which nothing was said; without rows nothing flows.
func effective(s Settings, rows []*store.Preferences) filter {
	f := filter{on: len(rows) > 0, details: true, showAs: set(allShowAs), sensitivity: set(allSensitivity)}
	for _, row := range rows {
		c := resolved(s, row)
		f.on = f.on && *c.OptIn
		f.details = f.details && *c.Details
		only(f.showAs, c.ShowAs)
		only(f.sensitivity, c.Sensitivity)
	}
	return f
}

// resolved returns the choices that hold for one resource: nothing in them is nil.
func resolved(s Settings, row *store.Preferences) Choices {
	var said Choices
	if row != nil && (row.Fixed || !s.SameForAll) {
		said = choicesOf(row)
	}
	optIn, details := defaultOptIn, defaultDetails
	return Choices{
		OptIn:       cmp.Or(said.OptIn, s.Preferences.OptIn, &optIn),
		Details:     cmp.Or(said.Details, s.Preferences.Details, &details),
		ShowAs:      firstList(said.ShowAs, s.Preferences.ShowAs, defaultShowAs),
		Sensitivity: firstList(said.Sensitivity, s.Preferences.Sensitivity, defaultSensitivity),
	}
}

func firstList(lists ...[]string) []string {
	for _, l := range lists {
		if l != nil {
			return l
		}
	}
	return nil
}

func set(values []string) map[string]bool {
	out := map[string]bool{}
	for _, v := range values {
		out[v] = true
	}
	return out
}

func only(of map[string]bool, values []string) {
	for v := range of {
		if !slices.Contains(values, v) {
			delete(of, v)
		}
	}
}

// The texts of a preferences row.
const (
	yes  = "yes"
	no   = "no"
	none = "none"
)

// choicesOf reads a row; a text that nobody knows counts as the safest choice.
func choicesOf(p *store.Preferences) Choices {
	flag := func(s string) *bool {
		if s == "" {
			return nil
		}
		v := s == yes
		return &v
	}
	list := func(s string) []string {
		switch s {
		case "":
			return nil
		case none:
			return []string{}
		}
		return strings.Split(s, ",")
	}
	c, _ := Choices{OptIn: flag(p.OptIn), Details: flag(p.Details), ShowAs: list(p.ShowAs), Sensitivity: list(p.Sensitivity)}.safe()
	return c
}

// put writes the choices into a row.
func (c Choices) put(p *store.Preferences) {
	flag := func(v *bool) string {
		switch {
		case v == nil:
			return ""
		case *v:
			return yes
		}
		return no
	}
	list := func(values []string) string {
		if values != nil && len(values) == 0 {
			return none
		}
		return strings.Join(values, ",")
	}
	p.OptIn, p.Details = flag(c.OptIn), flag(c.Details)
	p.ShowAs, p.Sensitivity = list(c.ShowAs), list(c.Sensitivity)
}

// judge says how much of an event may be seen. A meeting that was cancelled or
// declined counts as free.
func (f filter) judge(e calendar.Event) appointment.Flow {
	showAs, shown := e.Content[appointment.ShowAs]
	sensitivity, known := e.Content[appointment.Sensitivity]
	if !shown && !known {
		return appointment.Unclear
	}
	if e.Cancelled || e.Declined {
		showAs = "free"
	}
	switch {
	case !f.on, !f.showAs[showAs], !f.sensitivity[sensitivity]:
		return appointment.Withheld
	case f.details || sensitivity == "normal" || sensitivity == "personal":
		return appointment.Open
	}
	return appointment.Masked
}

// shutsOut reports whether the event of a link, as it was last seen, shows more on
// the board than the filter lets it now.
func (f filter) shutsOut(l *store.Link) bool {
	if l.OutlookSeen.EventID == "" || l.Inbound != nil || l.Sent != nil || l.State == store.Hidden || l.State == store.Released {
		return false
	}
	flow := f.judge(calendar.Event{Content: l.OutlookSeen.Content})
	return flow != appointment.Unclear && strict[flow] > strict[l.Flow]
}

// fingerprint tells two filters apart.
func (f filter) fingerprint() string {
	var chosen []string
	for _, v := range slices.Concat(allShowAs, allSensitivity) {
		if f.showAs[v] || f.sensitivity[v] {
			chosen = append(chosen, v)
		}
	}
	return fmt.Sprintf("on=%t details=%t %s", f.on, f.details, strings.Join(chosen, ","))
}

// flowsBack returns the mailbox's filter, read once a session.
func (s *session) flowsBack(ctx context.Context) (filter, error) {
	if s.back != nil {
		return *s.back, nil
	}
	var rows []*store.Preferences
	for _, r := range s.resources {
		row, err := s.Store.Preferences(ctx, r.No)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return filter{}, err
		}
		rows = append(rows, row)
	}
	f := effective(s.settings, rows)
	s.back = &f
	return f, nil
}

// choices is the fingerprint of all that decides what a full read brings about:
// when it is another than at the last one the calendar is read anew.
func (s *session) choices(ctx context.Context) (string, error) {
	f, err := s.flowsBack(ctx)
	return fmt.Sprintf("%s off=%t", f.fingerprint(), s.settings.ToBoardOff), err
}
