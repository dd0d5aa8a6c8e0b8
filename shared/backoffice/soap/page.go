package soap

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
)

// now is read where no clock is handed in: for Retry-After given as a date.
var now = time.Now

// Format writes a value in the lexical form of XML Schema; times are UTC with a Z,
// as a time without an offset would be read in the server's own zone.
func Format(c fields.Cell) string {
	switch v := c.Value.(type) {
	case string:
		return fields.Printable(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case json.Number:
		return decimal(v)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		if c.Column.Type == fields.Date {
			return v.UTC().Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339)
	}
	return ""
}

// decimal writes a number without an exponent, which xsd:decimal does not know.
func decimal(n json.Number) string {
	s := n.String()
	if !strings.ContainsAny(s, "eE") {
		return s
	}
	f, err := n.Float64()
	if err != nil {
		return s
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// Same reports whether the text of a reply shows a cell's value.
func Same(c fields.Cell, text string) bool {
	switch v := c.Value.(type) {
	case time.Time:
		t, err := ParseTime(text)
		if c.Column.Type == fields.Date {
			return err == nil && t.Format(time.DateOnly) == v.UTC().Format(time.DateOnly)
		}
		return err == nil && t.Truncate(time.Second).Equal(v.Truncate(time.Second))
	case bool:
		return text == strconv.FormatBool(v) || v && text == "1" || !v && text == "0"
	case string:
		// Code fields are stored in capitals and without blanks at their ends; a guid
		// may come back in braces.
		return strings.EqualFold(strings.Trim(text, " {}"), strings.Trim(v, " {}"))
	}
	return strings.TrimSpace(text) == Format(c)
}

// ParseTime reads an xsd:dateTime or xsd:date. Without an offset it is UTC: that
// is how we send it, and what servers answer.
func ParseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UTC(), err
}

// Cells writes cells as elements.
func Cells(cells []fields.Cell) []Element {
	var out []Element
	for _, c := range cells {
		out = append(out, Leaf(c.Column.Name, Format(c)))
	}
	return out
}

// Wrap writes lines as what a record holds of a part.
func (p Part) Wrap(lines [][]Element) []Element {
	var out []Element
	for _, l := range lines {
		name := p.Line
		if name == "" {
			name = p.Element
		}
		out = append(out, Element{Name: name, Children: l})
	}
	if p.Line == "" || len(out) == 0 {
		return out
	}
	return []Element{{Name: p.Element, Children: out}}
}

// Lines returns the lines of a part that stand in a record.
func (p Part) Lines(record Element) []Element {
	if p.Line == "" {
		return record.All(p.Element)
	}
	list, _ := record.Child(p.Element)
	return list.All(p.Line)
}

// Create inserts a record and returns it as the server shows it afterwards.
func (c *Client) Create(ctx context.Context, s *Service, record []Element, header http.Header) (Element, error) {
	return c.write(ctx, s, "Create", record, header)
}

// Update changes the record whose Key is the first of its elements.
func (c *Client) Update(ctx context.Context, s *Service, record []Element, header http.Header) (Element, error) {
	return c.write(ctx, s, "Update", record, header)
}

func (c *Client) write(ctx context.Context, s *Service, operation string, record []Element, header http.Header) (Element, error) {
	result, err := c.Call(ctx, s, operation, []Element{{Name: s.Record, Children: s.sort(record)}}, header)
	if err != nil {
		return Element{}, err
	}
	row, _ := result.Child(s.Record)
	return row, nil
}

// sort puts a record's elements into the order of the WSDL.
func (s *Service) sort(record []Element) []Element {
	out := make([]Element, 0, len(record))
	for _, e := range record {
		if e.Name == "Key" {
			out = append(out, e)
		}
	}
	for _, name := range s.Order {
		for _, e := range record {
			if e.Name == name && name != "Key" {
				out = append(out, e)
			}
		}
	}
	return out
}

// Filter is one condition of ReadMultiple.
type Filter struct{ Field, Criteria string }

const (
	pageSize = 100
	maxPages = 20
)

// Read returns the records that meet all filters, oldest first as the server
// orders them. It reads no more than 2000 records; complete says whether these are all.
func (c *Client) Read(ctx context.Context, s *Service, filters []Filter) (rows []Element, complete bool, err error) {
	bookmark := ""
	for range maxPages {
		var arguments []Element
		for _, f := range filters {
			arguments = append(arguments, Element{Name: "filter", Children: []Element{Leaf("Field", f.Field), Leaf("Criteria", quote(f.Criteria))}})
		}
		if bookmark != "" {
			arguments = append(arguments, Leaf("bookmarkKey", bookmark))
		}
		arguments = append(arguments, Leaf("setSize", strconv.Itoa(pageSize)))
		result, err := c.Call(ctx, s, "ReadMultiple", arguments, nil)
		if err != nil {
			return nil, false, harmless(err)
		}
		list, ok := result.Child("ReadMultiple_Result")
		if !ok {
			list = result
		}
		page := list.All(s.Record)
		rows = append(rows, page...)
		if len(page) < pageSize {
			return rows, true, nil
		}
		if bookmark = page[len(page)-1].Value("Key"); bookmark == "" {
			return rows, false, nil
		}
	}
	return rows, false, nil
}

// quote makes a filter of a value that holds signs of the filter language.
func quote(value string) string {
	if !strings.ContainsAny(value, "|&<>=*?@()'.\"") {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", "''") + "'"
}
