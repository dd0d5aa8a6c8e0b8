// Package category says which Outlook category stands for a category or a time
// marker of the board, and which of Outlook's colours comes nearest to the
// board's. It decides from its arguments alone; what is written where is
// shared/exchange.
package category

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// Label is a category or a time marker of the board.
type Label struct {
	Name  string // the board's key; the display name where only that is known
	Shown string // the display name, if it is another
	Color string // "#RRGGBB", may be empty
}

// IsZero reports that there is none.
func (l Label) IsZero() bool { return l.Name == "" && l.Shown == "" }

// is reports whether a link's name means the label.
func (l Label) is(name string) bool {
	return name != "" && (strings.EqualFold(l.Name, name) || strings.EqualFold(l.Shown, name))
}

// Link joins a label of the board to an Outlook category.
type Link struct {
	// Dime is the name or display name on the board, without regard to case.
	Dime string `json:"dime"`
	// Outlook is the category's name; empty = it is not shown in Outlook.
	Outlook string `json:"outlook"`
}

// What becomes of labels without a link.
const (
	Same = "same" // the Outlook category has the label's name
	None = "none" // it is not shown
)

// Links is what administrators have decided. The zero value shows each category
// under its own name, and no time markers.
type Links struct {
	Categories  []Link `json:"categories,omitempty"`
	TimeMarkers []Link `json:"timeMarkers,omitempty"`
	// OtherCategories and OtherTimeMarkers say what becomes of labels without a
	// link: Same or None; empty = Same for categories, None for time markers.
	OtherCategories  string `json:"otherCategories,omitempty"`
	OtherTimeMarkers string `json:"otherTimeMarkers,omitempty"`
}

// maxName is the longest name of a category that Outlook takes.
const maxName = 255

// Parse reads links as JSON; the empty text is the zero value. The error lists
// all that is wrong, for people.
func Parse(text string) (Links, error) {
	var l Links
	if strings.TrimSpace(text) == "" {
		return l, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Links{}, fmt.Errorf(`the category links are not JSON like {"categories":[{"dime":"SERVICE","outlook":"Service"}],"timeMarkers":[]}: %w`, err)
	}
	return l, l.Check()
}

// Check says all that is wrong, for people.
func (l Links) Check() error {
	var problems []error
	for _, list := range []struct {
		what   string
		links  []Link
		others string
	}{{"category", l.Categories, l.OtherCategories}, {"time marker", l.TimeMarkers, l.OtherTimeMarkers}} {
		seen := map[string]bool{}
		for i, k := range list.links {
			name := strings.ToLower(appointment.Line(k.Dime))
			switch {
			case name == "":
				problems = append(problems, fmt.Errorf("link %d of the %s list names no %s of the board", i+1, list.what, list.what))
			case seen[name]:
				problems = append(problems, fmt.Errorf("the %s %q has two links", list.what, k.Dime))
			case strings.ContainsAny(k.Outlook, ";,"):
				problems = append(problems, fmt.Errorf("the Outlook category %q of the %s %q holds a comma or semicolon, which Outlook does not allow", k.Outlook, list.what, k.Dime))
			case len(k.Outlook) > maxName:
				problems = append(problems, fmt.Errorf("the Outlook category of the %s %q is longer than %d characters", list.what, k.Dime, maxName))
			case k.Outlook != appointment.Line(k.Outlook):
				problems = append(problems, fmt.Errorf("the Outlook category %q of the %s %q has blanks at its ends or line breaks", k.Outlook, list.what, k.Dime))
			}
			seen[name] = true
		}
		if o := list.others; o != "" && o != Same && o != None {
			problems = append(problems, fmt.Errorf("what becomes of other %s labels is %q, but may be %q or %q", list.what, o, Same, None))
		}
	}
	return errors.Join(problems...)
}

// Outlook returns the CategoryList that stands for an appointment's labels. It is
// not known (ok false) if one of them that is shown is not: then nothing changes (R9).
func (l Links) Outlook(categoryOf, timeMarker *Label) (list string, ok bool) {
	a, aOK := outlook(l.Categories, cmp.Or(l.OtherCategories, Same), categoryOf)
	b, bOK := outlook(l.TimeMarkers, cmp.Or(l.OtherTimeMarkers, None), timeMarker)
	return appointment.CategoryList([]string{a, b}), aOK && bOK
}

// ColorOf returns the board's colour of what an Outlook category stands for; ""
// if it stands for neither label.
func (l Links) ColorOf(name string, categoryOf, timeMarker *Label) string {
	if a, ok := outlook(l.Categories, cmp.Or(l.OtherCategories, Same), categoryOf); ok && categoryOf != nil && strings.EqualFold(a, name) {
		return categoryOf.Color
	}
	if b, ok := outlook(l.TimeMarkers, cmp.Or(l.OtherTimeMarkers, None), timeMarker); ok && timeMarker != nil && strings.EqualFold(b, name) {
		return timeMarker.Color
	}
	return ""
}

func outlook(links []Link, others string, label *Label) (name string, ok bool) {
	if others == None && len(links) == 0 {
		return "", true // whatever it is
	}
	if label == nil {
		return "", false
	}
	if label.IsZero() {
		return "", true
	}
	for _, k := range links {
		if label.is(appointment.Line(k.Dime)) {
			return k.Outlook, true
		}
	}
	if others == None {
		return "", true
	}
	// A comma would be two categories to Outlook.
	return appointment.Line(strings.NewReplacer(",", " ", ";", " ").Replace(cmp.Or(label.Shown, label.Name))), true
}

// Board returns the names that the board is told for a CategoryList of an event:
// linked ones by the board's name, all others as they are.
func (l Links) Board(list string) string {
	var out []string
	for _, name := range appointment.CategoryNames(list) {
		i := slices.IndexFunc(l.Categories, func(k Link) bool { return k.Outlook != "" && strings.EqualFold(k.Outlook, name) })
		if i >= 0 {
			name = l.Categories[i].Dime
		}
		out = append(out, name)
	}
	return appointment.CategoryList(out)
}
