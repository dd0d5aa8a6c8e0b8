package fields

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
)

// Type is the kind of value that a column takes.
type Type string

const (
	Text     Type = "text"
	Integer  Type = "integer"
	Decimal  Type = "decimal"
	Boolean  Type = "boolean"
	DateTime Type = "date and time"
	Date     Type = "date"
	UUID     Type = "guid"
	Choice   Type = "choice" // one of Column.Choices
)

// Column is a field of the back office, as its metadata describes it.
type Column struct {
	Name      string
	Type      Type
	MaxLength int      // characters of a text; 0 = the metadata does not say
	Choices   []string // the names of a Choice, as they are sent
	// Mandatory: the metadata says that a row needs it.
	Mandatory bool
}

// How a field found its column.
type How string

const (
	ByName   How = "name"    // the names are the same but for their spelling
	Synonym  How = "synonym" // Field.Also
	ByHand   How = "mapped"  // Config.Fields
	NotSent  How = "not sent"
	NoColumn How = "missing" // there is no such column, or none that the mapping names
)

// Join says where one of our fields goes.
type Join struct {
	Field
	Part   Part
	How    How
	Column Column // zero unless there is one
	// Wanted is the column that Config.Fields names, where there is none of that name.
	Wanted string
}

// Mapping is how one part is told to a back office.
type Mapping struct {
	Part  Part
	Joins []Join // one per field, in the order of the card
	// Columns are all that the back office has there, in its own order, which is
	// also the order in which cells are written.
	Columns []Column
	answers map[string]Column
}

// Off is the value in Config.Fields that says that a field is not sent.
const Off = "-"

// Match joins our fields of a part with the columns. byHand is Config.Fields: our
// name, in any spelling, for a field of the lines with the part before it
// ("resources.Source App") or without; its value is a column's name, with
// ":100" after it a length that the metadata does not tell, or Off.
func Match(p Part, columns []Column, byHand map[string]string) Mapping {
	m := Mapping{Part: p, Columns: slices.Clone(columns), answers: map[string]Column{}}
	taken := map[string]bool{}
	for _, f := range known[p] {
		m.Joins = append(m.Joins, m.byHand(Join{Field: f, Part: p, How: NoColumn}, byHand))
	}
	for _, j := range m.Joins {
		taken[j.Column.Name] = true
	}
	// Names come before synonyms, so that no synonym takes the column of another field.
	for _, how := range []How{ByName, Synonym} {
		for i, j := range m.Joins {
			if j.How != NoColumn || j.Wanted != "" {
				continue
			}
			names := []string{j.Name}
			if how == Synonym {
				names = j.Also
			}
			if c, ok := find(m.Columns, names); ok && !taken[c.Name] {
				m.Joins[i].How, m.Joins[i].Column, taken[c.Name] = how, c, true
			}
		}
	}
	if p == Header {
		for _, f := range answers {
			if c, ok := find(m.Columns, append([]string{f.Name}, f.Also...)); ok {
				m.answers[f.Name] = c
			}
		}
	}
	return m
}

func (m *Mapping) byHand(j Join, byHand map[string]string) Join {
	wanted, ok := lookUp(byHand, j.Part, j.Name)
	if !ok {
		return j
	}
	if wanted == Off {
		j.How = NotSent
		return j
	}
	name, length := wanted, 0
	if before, after, found := strings.Cut(wanted, ":"); found {
		if n, err := strconv.Atoi(strings.TrimSpace(after)); err == nil && n > 0 {
			name, length = strings.TrimSpace(before), n
		}
	}
	i := slices.IndexFunc(m.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		i = slices.IndexFunc(m.Columns, func(c Column) bool { return Normal(c.Name) == Normal(name) })
	}
	if i < 0 {
		j.Wanted = name
		return j
	}
	if length > 0 {
		m.Columns[i].MaxLength = length
	}
	j.How, j.Column = ByHand, m.Columns[i]
	return j
}

func lookUp(byHand map[string]string, p Part, name string) (string, bool) {
	plain, qualified := Normal(name), Normal(string(p)+name)
	value, found := "", false
	for k, v := range byHand {
		switch Normal(k) {
		case qualified:
			return strings.TrimSpace(v), true
		case plain:
			value, found = strings.TrimSpace(v), true
		}
	}
	return value, found
}

func find(columns []Column, names []string) (Column, bool) {
	for _, name := range names {
		for _, c := range columns {
			if Normal(c.Name) == Normal(name) || Normal(c.Name) == Normal(strings.ReplaceAll(name, "Back Office", "Backoffice")) {
				return c, true
			}
		}
	}
	return Column{}, false
}

// Column returns the column of a field; ok is false if it goes nowhere.
func (m Mapping) Column(field string) (c Column, ok bool) {
	for _, j := range m.Joins {
		if j.Name == field && j.Column.Name != "" {
			return j.Column, true
		}
	}
	c, ok = m.answers[field]
	return c, ok
}

// Problems says, in words for an administrator, what keeps deliveries from
// making sense: a required field without a column, a mapping to a column that
// is not there. It is empty if all is well.
func (m Mapping) Problems() []string {
	var out []string
	for _, j := range m.Joins {
		switch {
		case j.Wanted != "":
			out = append(out, fmt.Sprintf("%s: %q is mapped to %q, which is not there; correct the field mapping", m.Part, j.Name, j.Wanted))
		case j.Required && j.How == NotSent:
			out = append(out, fmt.Sprintf("%s: %q is switched off in the field mapping, but nothing works without it", m.Part, j.Name))
		case j.Required && j.How == NoColumn:
			out = append(out, fmt.Sprintf("%s: no field for %q was found; name it in the field mapping", m.Part, j.Name))
		}
	}
	return out
}

// Uses shows mappings to an administrator, in the order of the card.
func Uses(mappings ...Mapping) []backoffice.FieldUse {
	out := []backoffice.FieldUse{}
	for _, m := range mappings {
		for _, j := range m.Joins {
			out = append(out, backoffice.FieldUse{
				Part: string(m.Part), Field: j.Name, Required: j.Required, How: string(j.How), Wanted: j.Wanted,
				Property: j.Column.Name, Type: string(j.Column.Type), MaxLength: j.Column.MaxLength,
			})
		}
	}
	return out
}
