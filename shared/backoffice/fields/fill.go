package fields

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Cell is a value in the type of its column: string (Text, UUID, Choice), int64,
// json.Number (Decimal), bool, or time.Time in UTC (DateTime, Date).
type Cell struct {
	Column Column
	// Field is ours that it comes from.
	Field Field
	Value any
}

// Unfit says that a row can not be told to this back office; its text names
// fields and never values.
type Unfit struct {
	Field, Column string
	Text          string
}

func (u *Unfit) Error() string {
	return fmt.Sprintf("%q does not fit into %q: %s", u.Field, u.Column, u.Text)
}

// Fill turns a row into cells, in the order of the columns. A field without a
// column is left out, and so is one that the row does not know. A value that the
// column does not take is an *Unfit.
func (m Mapping) Fill(row Row) ([]Cell, error) {
	var cells []Cell
	for _, j := range m.Joins {
		if j.Column.Name == "" {
			continue
		}
		value, known := m.value(j, row)
		if !known {
			continue
		}
		v, problem := convert(value, j)
		if problem != "" {
			return nil, &Unfit{Field: j.Name, Column: j.Column.Name, Text: problem}
		}
		cells = append(cells, Cell{Column: j.Column, Field: j.Field, Value: v})
	}
	order := map[string]int{}
	for i, c := range m.Columns {
		order[c.Name] = i
	}
	slices.SortStableFunc(cells, func(a, b Cell) int { return order[a.Column.Name] - order[b.Column.Name] })
	return cells, nil
}

// value returns a row's value for a join. The appointment's id is the board's
// number or its guid, whichever the column takes. Guess: a text takes the
// number if there is a column for the guid besides, else the guid.
func (m Mapping) value(j Join, row Row) (any, bool) {
	if m.Part == Header && j.Name == AppointmentID {
		_, both := m.Column(GUID)
		switch t := j.Column.Type; {
		case t == Integer || t == Decimal || t == Text && both && row[AppointmentID] != nil:
		default:
			v, ok := row[GUID]
			return v, ok
		}
	}
	v, ok := row[j.Name]
	return v, ok
}

// ID returns the column that tells an appointment from all others, and the
// value that it has for this row.
func (m Mapping) ID(row Row) (Cell, error) {
	for _, name := range []string{GUID, AppointmentID} {
		for _, j := range m.Joins {
			if j.Name != name || j.Column.Name == "" {
				continue
			}
			value, known := m.value(j, row)
			if !known {
				continue
			}
			if v, problem := convert(value, j); problem == "" {
				return Cell{Column: j.Column, Field: j.Field, Value: v}, nil
			}
		}
	}
	return Cell{}, &Unfit{Field: AppointmentID, Text: "the board has not told the id that this back office asks for"}
}

// choices are how values are called where the column is a list of names.
var choices = map[string]map[string][]string{
	DatabaseAction: {
		"I": {"I", "Insert", "Create"}, "U": {"U", "Update", "Modify"}, "D": {"D", "Delete"},
	},
	Importance: {"0": {"Normal", "Medium", "0"}, "1": {"High", "1"}, "2": {"Low", "2"}},
}

func convert(v any, j Join) (out any, problem string) {
	c := j.Column
	switch c.Type {
	case Integer:
		return integer(v)
	case Decimal:
		return decimal(v)
	case Boolean:
		if b, ok := v.(bool); ok {
			return b, ""
		}
		if b, ok := flag(v).(bool); ok {
			return b, ""
		}
		return nil, "the field takes yes or no"
	case DateTime, Date:
		if t, ok := v.(time.Time); ok {
			return t.UTC(), ""
		}
		if t, ok := instant(lexical(v)); ok {
			return t, ""
		}
		return nil, "the field takes a time"
	case Choice:
		return choice(lexical(v), j)
	case UUID:
		return lexical(v), ""
	}
	return text(lexical(v), j)
}

func integer(v any) (any, string) {
	n, err := strconv.ParseInt(lexical(v), 10, 64)
	if b, ok := v.(bool); ok {
		n, err = 0, nil
		if b {
			n = 1
		}
	}
	if err != nil {
		return nil, "the field takes a whole number"
	}
	return n, ""
}

func decimal(v any) (any, string) {
	s := lexical(v)
	var n json.Number
	if json.Unmarshal([]byte(s), &n) != nil || n == "" {
		return nil, "the field takes a number"
	}
	return n, ""
}

func choice(s string, j Join) (any, string) {
	names := choices[j.Name][s]
	if names == nil {
		names = []string{s}
	}
	for _, name := range names {
		for _, c := range j.Column.Choices {
			if Normal(c) == Normal(name) {
				return c, ""
			}
		}
	}
	return nil, "none of the names that the field takes (" + strings.Join(j.Column.Choices, ", ") + ") means it"
}

// Mark ends a text that was cut.
const Mark = "…"

func text(s string, j Join) (any, string) {
	s = Printable(s)
	limit := j.Column.MaxLength
	if limit <= 0 || Length(s) <= limit {
		return s, ""
	}
	if !j.Cut {
		return nil, fmt.Sprintf("it is longer than %d characters, and a part of it would name something else", limit)
	}
	return Shorten(s, limit), ""
}

// Length counts as Business Central does: UTF-16 code units.
func Length(s string) int { return len(utf16.Encode([]rune(s))) }

// Shorten cuts a text to a length, with a Mark at its end.
func Shorten(s string, limit int) string {
	if Length(s) <= limit {
		return s
	}
	n := 0
	for i, r := range s {
		w := utf16.RuneLen(r)
		if n+w > limit-1 {
			return strings.TrimRight(s[:i], " \t\r\n") + Mark
		}
		n += w
	}
	return s
}

// Printable drops what XML 1.0 does not allow and what no field can show: control
// characters but tab and line ends, surrogates, and the two non-characters.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return r
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

func lexical(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	return ""
}
