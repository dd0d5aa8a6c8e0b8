package bc

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// timeLayout is an instant as the API takes it, with its offset: without one it
// would be read in a zone of the server's (facts B6).
const timeLayout = "2006-01-02T15:04:05.999Z"

// plain is a cell's value as JSON.
func plain(c fields.Cell) any {
	t, ok := c.Value.(time.Time)
	switch {
	case !ok:
		return c.Value
	case c.Column.Type == fields.Date:
		return t.Format(time.DateOnly)
	}
	return t.UTC().Format(timeLayout)
}

func object(cells []fields.Cell) map[string]any {
	out := map[string]any{}
	for _, c := range cells {
		out[c.Column.Name] = plain(c)
	}
	return out
}

// payload is a delivery as the page takes it.
type payload struct {
	header map[string]any
	// lines are the rows of each of schema.parts.
	lines [][]map[string]any
}

// payload turns a record into JSON objects. What does not fit is permanent, for
// only another state of the appointment, or another mapping, changes it.
func (s *schema) payload(op string, r fields.Record) (payload, error) {
	cells, err := s.header.Fill(r.Header)
	if err != nil {
		return payload{}, unfit(op, err)
	}
	out := payload{header: object(cells)}
	for _, part := range s.parts {
		lines := []map[string]any{}
		for _, row := range r.Lines(part.Part) {
			cells, err := part.Fill(row)
			if err != nil {
				return payload{}, unfit(op, err)
			}
			lines = append(lines, object(cells))
		}
		out.lines = append(out.lines, lines)
	}
	return out, nil
}

func unfit(op string, err error) error {
	return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Code: backoffice.CodeSchema, Err: backoffice.Said(err.Error())}
}

// body is what is POSTed: the header, and the lines of the parts that go with it.
func (s *schema) body(p payload) ([]byte, error) {
	all := map[string]any{}
	for k, v := range p.header {
		all[k] = v
	}
	for i, part := range s.parts {
		if part.deep && len(p.lines[i]) > 0 {
			all[part.name] = p.lines[i]
		}
	}
	return json.Marshal(all)
}

// stored is a row as the API shows it.
type stored map[string]json.RawMessage

// readRow reads one row; ok is false if it is none.
func (s *schema) readRow(body []byte) (stored, bool) {
	var row stored
	if json.Unmarshal(body, &row) != nil || row == nil {
		return nil, false
	}
	return row, s.isRow(row)
}

// isRow: it has the key, or at least one of the columns, of the page.
func (s *schema) isRow(row stored) bool {
	if row.text(s.key.Name) != "" {
		return true
	}
	for _, c := range s.header.Columns {
		if _, ok := row[c.Name]; ok {
			return true
		}
	}
	return false
}

// text is a property as text; "" if it is absent, null or no scalar.
func (r stored) text(name string) string {
	raw, ok := r[name]
	if !ok || name == "" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if t := string(raw); t != "null" && !strings.HasPrefix(t, "{") && !strings.HasPrefix(t, "[") {
		return t
	}
	return ""
}

// column is one of our fields of the row, as text.
func (r stored) column(m fields.Mapping, field string) string {
	c, ok := m.Column(field)
	if !ok {
		return ""
	}
	return r.text(c.Name)
}

// instant reads a time of the API; ok is false for none and for the year 1.
func instant(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), t.Year() > 1
		}
	}
	return time.Time{}, false
}

// literal is a value in a URL of OData, as a key or in a filter.
func literal(c fields.Column, v any) string {
	switch t, isTime := v.(time.Time); {
	case isTime && c.Type == fields.Date:
		return t.Format(time.DateOnly)
	case isTime:
		return t.UTC().Format(timeLayout)
	case c.Type == fields.Text || c.Type == fields.Choice:
		return "'" + strings.ReplaceAll(fmt.Sprint(v), "'", "''") + "'"
	}
	return fmt.Sprint(v)
}

// query writes OData's options; a blank is %20, which everybody understands.
func query(pairs ...string) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i]+"="+strings.ReplaceAll(url.QueryEscape(pairs[i+1]), "+", "%20"))
		}
	}
	return strings.Join(out, "&")
}
