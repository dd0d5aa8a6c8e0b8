package erpsim

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pageCall carries out one call of the page service. Locked.
func (s *Server) pageCall(c *call, co *company, op *node) (*node, *problem) {
	name := s.opts.SOAP.Service
	switch op.name.Local {
	case "Create":
		return s.pageWrite(c, co, op, func(values map[string]any, lines map[string][]map[string]any) (*Row, *problem) {
			if s.opts.SOAP.LinesLater {
				lines = nil
			}
			return s.insert(co, c.user, values, lines[resourcePart], lines[fieldValuePart])
		})
	case "Update":
		row, p := s.rowByKey(co, op.child(name).value("Key"))
		if p != nil {
			return nil, p
		}
		return s.pageWrite(c, co, op, func(values map[string]any, lines map[string][]map[string]any) (*Row, *problem) {
			return row, s.pageChange(row, values, lines)
		})
	case "Delete":
		row, p := s.rowByKey(co, op.value("Key"))
		if p != nil {
			return nil, p
		}
		if !c.mayWrite {
			return nil, noPermission("Delete")
		}
		co.rows = slices.DeleteFunc(co.rows, func(r *Row) bool { return r == row })
		return &node{children: []*node{leaf("Delete_Result", "true")}}, nil
	case "ReadMultiple":
		if !c.mayRead {
			return nil, noPermission("Read")
		}
		return s.pageRead(co, op)
	}
	return nil, &problem{500, "", "NavNCLInvalidRequestException", "The operation is not modelled."}
}

// pageWrite reads the record of a call, writes it, and answers with it.
func (s *Server) pageWrite(c *call, co *company, op *node, write func(map[string]any, map[string][]map[string]any) (*Row, *problem)) (*node, *problem) {
	if !c.mayWrite {
		return nil, noPermission("Insert")
	}
	record := op.child(s.opts.SOAP.Service)
	if record == nil || len(op.children) != 1 {
		return nil, deserialization()
	}
	values, lines, p := s.readRecord(record)
	if p != nil {
		return nil, p
	}
	row, p := write(values, lines)
	if p != nil {
		return nil, p
	}
	return &node{children: []*node{s.record(row)}}, nil
}

// pageChange changes a row; lines without a Key are new. All or nothing.
func (s *Server) pageChange(row *Row, values map[string]any, lines map[string][]map[string]any) *problem {
	before := row.clone()
	p := s.modify(row, values)
	for _, part := range s.soapParts() {
		for _, l := range lines[part.name] {
			if p == nil {
				p = s.insertLine(row, part.lines(row), part.columns, l)
			}
		}
	}
	if p != nil {
		*row = before
	}
	return p
}

func deserialization() *problem {
	return &problem{500, "", "NavUnknownTypeException", "The formatter threw an exception while trying to deserialize the message: unknown type."}
}

// readRecord reads a record's fields and lines. The order is that of the WSDL:
// the server's deserializer does not see what comes too late.
func (s *Server) readRecord(record *node) (values map[string]any, lines map[string][]map[string]any, p *problem) {
	values, lines = map[string]any{}, map[string][]map[string]any{}
	columns := s.allColumns()
	order := []string{"Key"}
	for _, c := range columns {
		order = append(order, soapName(c.Name))
	}
	for _, part := range s.soapParts() {
		order = append(order, part.name)
	}
	last := -1
	for _, e := range record.children {
		i := slices.Index(order, e.name.Local)
		if i <= last {
			return nil, nil, deserialization()
		}
		last = i
		if i == 0 {
			continue
		}
		if i <= len(columns) {
			if !columns[i-1].ReadOnly {
				if p := readValue(values, columns[i-1], e); p != nil {
					return nil, nil, p
				}
			}
			continue
		}
		part := s.soapParts()[i-1-len(columns)]
		for _, l := range e.children {
			if l.name.Local != s.lineType(part.name) {
				return nil, nil, deserialization()
			}
			line := map[string]any{}
			for _, f := range l.children {
				k := slices.IndexFunc(part.columns, func(c Column) bool { return soapName(c.Name) == f.name.Local })
				if k < 0 {
					return nil, nil, deserialization()
				}
				if p := readValue(line, part.columns[k], f); p != nil {
					return nil, nil, p
				}
			}
			lines[part.name] = append(lines[part.name], line)
		}
	}
	return values, lines, nil
}

func readValue(values map[string]any, c Column, e *node) *problem {
	text := e.text
	if c.Type == Option {
		i := slices.IndexFunc(c.Members, func(m string) bool { return option(m) == text })
		if i < 0 {
			return deserialization()
		}
		text = c.Members[i]
	}
	v, ok := c.Parse(text)
	if !ok {
		return wrongValue(c.Name)
	}
	values[c.Name] = v
	return nil
}

// key of a row, as opaque as the real one; it changes with each change of the row.
func key(r *Row) string {
	return "28;" + base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(r.Entry))) + ";" + strconv.Itoa(r.Version) + ";"
}

func (s *Server) rowByKey(co *company, k string) (*Row, *problem) {
	parts := strings.Split(k, ";")
	if len(parts) != 4 {
		return nil, badRequest("The key is not valid.")
	}
	entry, err := base64.StdEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, badRequest("The key is not valid.")
	}
	row := co.row(func(r *Row) bool { return strconv.Itoa(r.Entry) == string(entry) })
	switch {
	case row == nil:
		return nil, notFound("The Dime DS Appointment does not exist. Identification fields and values: Entry No.='" + string(entry) + "'")
	case key(row) != k:
		return nil, entityChanged()
	}
	return row, nil
}

// record shows a row.
func (s *Server) record(r *Row) *node {
	n := leaf(s.opts.SOAP.Service, "")
	n.children = append(n.children, leaf("Key", key(r)))
	for _, c := range s.allColumns() {
		n.children = append(n.children, leaf(soapName(c.Name), soapText(c, r.value(c))))
	}
	for _, part := range s.soapParts() {
		list := leaf(part.name, "")
		for i, l := range *part.lines(r) {
			line := leaf(s.lineType(part.name), "")
			line.children = append(line.children, leaf("Key", fmt.Sprintf("%s%d;", key(r), i)))
			for _, c := range part.columns {
				line.children = append(line.children, leaf(soapName(c.Name), soapText(c, l.Values[c.Name])))
			}
			list.children = append(list.children, line)
		}
		if len(list.children) > 0 {
			n.children = append(n.children, list)
		}
	}
	return n
}

func soapText(c Column, v any) string {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() {
			return "0001-01-01T00:00:00"
		}
		if c.Type == Date {
			return v.Format(time.DateOnly)
		}
		return v.Format("2006-01-02T15:04:05.999Z07:00")
	case string:
		if c.Type == Option {
			return option(v)
		}
		return v
	}
	return fmt.Sprint(v)
}

// pageRead lists rows: filters by equality, in quotes where the value needs them.
func (s *Server) pageRead(co *company, op *node) (*node, *problem) {
	s.due(co)
	rows := slices.Clone(co.rows)
	size := 0
	for _, e := range op.children {
		switch e.name.Local {
		case "filter":
			i := slices.IndexFunc(s.allColumns(), func(c Column) bool { return soapName(c.Name) == e.value("Field") })
			if i < 0 {
				return nil, deserialization()
			}
			c := s.allColumns()[i]
			want, ok := criterion(e.value("Criteria"))
			v, parsed := c.Parse(want)
			if !ok || !parsed {
				return nil, &problem{500, "", "NavFilterException", "The filter is not valid."}
			}
			rows = slices.DeleteFunc(rows, func(r *Row) bool { return r.value(c) != v })
		case "bookmarkKey":
			entry := strings.Split(e.text, ";")
			if i := slices.IndexFunc(rows, func(r *Row) bool { return len(entry) > 1 && strings.Split(key(r), ";")[1] == entry[1] }); i >= 0 {
				rows = rows[i+1:]
			}
		case "setSize":
			size, _ = strconv.Atoi(strings.TrimSpace(e.text))
		default:
			return nil, deserialization()
		}
	}
	if size > 0 && len(rows) > size {
		rows = rows[:size]
	}
	list := leaf("ReadMultiple_Result", "")
	for _, r := range rows {
		list.children = append(list.children, s.record(r))
	}
	return &node{children: []*node{list}}, nil
}

// criterion reads a filter that stands for one value; others are not modelled.
func criterion(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return strings.ReplaceAll(s[1:len(s)-1], "''", "'"), true
	}
	return s, !strings.ContainsAny(s, "|&<>=*?@()")
}

// sortedKeys is for stable answers.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
