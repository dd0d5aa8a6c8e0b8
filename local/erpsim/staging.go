package erpsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Line is one row of a sub-table: a resource or a field value.
type Line struct {
	ID     string // SystemId
	Values map[string]any
}

// Row is one row of the staging table.
type Row struct {
	Entry    int    // "Entry No."
	ID       string // SystemId
	Version  int    // counts its changes; the ETag
	Received time.Time
	User     string // who sent it
	// Values hold every column by its AL name, as Column.Parse returns them.
	Values      map[string]any
	Resources   []Line
	FieldValues []Line
	Status      string // "New", "Processed", "Error"
	Error       string
	Processed   int // how often it was worked on
}

// Text returns a column as text; "" if it has none.
func (r Row) Text(column string) string { return text(r.Values[column]) }

// ResourceNos returns the numbers of its resources in order.
func (r Row) ResourceNos() []string {
	var out []string
	for _, l := range r.Resources {
		out = append(out, text(l.Values[ResourceNo]))
	}
	return out
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

func (r *Row) etag() string { return fmt.Sprintf(`W/"%s;%d"`, r.ID[:8], r.Version) }

func (r *Row) clone() Row {
	c := *r
	c.Values = maps.Clone(r.Values)
	c.Resources, c.FieldValues = cloneLines(r.Resources), cloneLines(r.FieldValues)
	return c
}

func cloneLines(lines []Line) []Line {
	out := slices.Clone(lines)
	for i := range out {
		out[i].Values = maps.Clone(out[i].Values)
	}
	return out
}

// company is one company with its staging table and what became of it.
type company struct {
	id, name  string
	rows      []*Row
	nextEntry int
	documents []Document
	nextDoc   int
}

func (c *company) row(match func(*Row) bool) *Row {
	if i := slices.IndexFunc(c.rows, match); i >= 0 {
		return c.rows[i]
	}
	return nil
}

// insert adds a staging row; values hold what the caller has set, by AL name.
// All or nothing, as one call is one transaction. Locked.
func (s *Server) insert(c *company, user string, values map[string]any, resources, fieldValues []map[string]any) (*Row, *problem) {
	full, p := fit(s.opts.Columns, values)
	if p != nil {
		return nil, p
	}
	c.nextEntry++
	r := &Row{Entry: c.nextEntry, ID: s.guid(), Version: 1, Received: s.now().Truncate(time.Millisecond), User: user, Values: full, Status: statusWaiting}
	for _, v := range resources {
		if p := s.insertLine(r, &r.Resources, s.opts.ResourceColumns, v); p != nil {
			return nil, p
		}
	}
	for _, v := range fieldValues {
		if p := s.insertLine(r, &r.FieldValues, s.opts.FieldValueColumns, v); p != nil {
			return nil, p
		}
	}
	r.Version = 1
	c.rows = append(c.rows, r)
	return r, nil
}

// insertLine adds a row to a sub-table of r. The first column is the line's key. Locked.
func (s *Server) insertLine(r *Row, lines *[]Line, columns []Column, values map[string]any) *problem {
	full, p := fit(columns, values)
	if p != nil {
		return p
	}
	key := columns[0].Name
	if !s.opts.RepeatedLines && slices.ContainsFunc(*lines, func(l Line) bool { return l.Values[key] == full[key] }) {
		return &problem{400, "Internal_EntityWithSameKeyExists", "NavCSideDuplicateKeyException",
			"The record already exists. Identification fields and values: Entry No.='" + fmt.Sprint(r.Entry) + "'," + key + "='" + text(full[key]) + "'"}
	}
	*lines = append(*lines, Line{ID: s.guid(), Values: full})
	return nil
}

// modify changes columns of a row. Locked.
func (s *Server) modify(r *Row, values map[string]any) *problem {
	all := maps.Clone(r.Values)
	maps.Copy(all, values)
	full, p := fit(s.opts.Columns, all)
	if p != nil {
		return p
	}
	r.Values = full
	r.Version++
	return nil
}

// fit checks values against the columns and fills in the zeros.
func fit(columns []Column, values map[string]any) (map[string]any, *problem) {
	full := map[string]any{}
	for _, c := range columns {
		v, set := values[c.Name]
		if !set {
			v = c.zero()
		}
		if c.tooLong(v) {
			return nil, tooLong(c.Name)
		}
		full[c.Name] = v
	}
	return full, nil
}

// value returns a column of a row, its own ones included.
func (r *Row) value(c Column) any {
	switch c.Name {
	case EntryNo:
		return int64(r.Entry)
	case SystemID:
		return r.ID
	case Status:
		return r.Status
	case ErrorMessage:
		return r.Error
	case Received:
		return r.Received
	}
	return r.Values[c.Name]
}

// allColumns are the table's, those that the ERP fills included.
func (s *Server) allColumns() []Column { return append(ownColumns(), s.opts.Columns...) }

// columnOf finds a column by its name on the API page.
func columnOf(columns []Column, property string) (Column, bool) {
	i := slices.IndexFunc(columns, func(c Column) bool { return c.property() == property })
	if i < 0 {
		return Column{}, false
	}
	return columns[i], true
}

// find returns a company by name or id; "" is the first one. Names are case-sensitive. Locked.
func (s *Server) find(name string) (*company, *problem) {
	for _, c := range s.companies {
		if name == "" || c.name == name || strings.EqualFold(c.id, strings.Trim(name, "{}")) {
			return c, nil
		}
	}
	return nil, noCompany(name)
}
