package erpsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// restSet lists rows, or inserts one.
func (s *Server) restSet(r *restRequest, co *company) *answer {
	switch r.method() {
	case http.MethodGet:
		if !r.mayRead {
			return refuseREST(noPermission("Read"))
		}
		s.due(co)
		return s.list(r, co)
	case http.MethodPost:
		if !r.mayWrite {
			return refuseREST(noPermission("Insert"))
		}
		return s.post(r, co)
	}
	return refuseREST(noMethod())
}

func noMethod() *problem {
	return &problem{http.StatusMethodNotAllowed, "BadRequest_MethodNotAllowed", "", "Method Not Allowed."}
}

// post inserts a row, with its children if the page declares parts.
func (s *Server) post(r *restRequest, co *company) *answer {
	in, p := decodeObject(r.body)
	if p != nil {
		return refuseREST(p)
	}
	var children [2][]map[string]any
	if !s.opts.HideNavigation {
		for i, part := range []struct {
			name    string
			columns []Column
		}{{s.opts.ResourcePart, s.opts.ResourceColumns}, {s.opts.FieldValuePart, s.opts.FieldValueColumns}} {
			raw, ok := in[part.name]
			if !ok || part.name == "-" {
				continue
			}
			delete(in, part.name)
			if children[i], p = decodeLines(raw, part.columns); p != nil {
				return refuseREST(p)
			}
		}
	}
	values, p := decodeValues(in, s.opts.Columns)
	if p != nil {
		return refuseREST(p)
	}
	row, p := s.insert(co, r.user, values, children[0], children[1])
	if p != nil {
		return refuseREST(p)
	}
	a := answerJSON(http.StatusCreated, s.rowObject(row, nil))
	a.header.Set("Location", s.location(r, co, row))
	a.header.Set("ETag", row.etag())
	return a
}

// restRow reads, changes or deletes one row.
func (s *Server) restRow(r *restRequest, co *company) *answer {
	row := s.rowOf(r, co)
	if row == nil {
		return refuseREST(&problem{404, "Internal_RecordNotFound", "", "The record is not found."})
	}
	match := r.r.Header.Get("If-Match")
	switch r.method() {
	case http.MethodGet:
		if !r.mayRead {
			return refuseREST(noPermission("Read"))
		}
		s.due(co)
		out := s.rowObject(row, nil)
		s.expand(r, row, out)
		return answerJSON(http.StatusOK, out)
	case http.MethodPatch, http.MethodDelete:
		if !r.mayWrite {
			return refuseREST(noPermission("Modify"))
		}
		if match == "" {
			return refuseREST(badRequest("The If-Match header is missing."))
		}
		if match != "*" && match != row.etag() {
			return refuseREST(entityChanged())
		}
		if r.method() == http.MethodDelete {
			co.rows = slices.DeleteFunc(co.rows, func(x *Row) bool { return x == row })
			return newAnswer(http.StatusNoContent, "", nil)
		}
		in, p := decodeObject(r.body)
		if p != nil {
			return refuseREST(p)
		}
		values, p := decodeValues(in, s.opts.Columns)
		if p == nil {
			p = s.modify(row, values)
		}
		if p != nil {
			return refuseREST(p)
		}
		return answerJSON(http.StatusOK, s.rowObject(row, nil))
	}
	return refuseREST(noMethod())
}

// expand adds the parts that $expand names, or all of them for "*".
func (s *Server) expand(r *restRequest, row *Row, out object) {
	wanted := strings.Split(r.r.URL.Query().Get("$expand"), ",")
	for _, part := range []struct {
		name    string
		lines   []Line
		columns []Column
	}{{s.opts.ResourcePart, row.Resources, s.opts.ResourceColumns}, {s.opts.FieldValuePart, row.FieldValues, s.opts.FieldValueColumns}} {
		if slices.Contains(wanted, part.name) && !s.opts.HideNavigation {
			out[part.name] = lineObjects(part.lines, part.columns)
		}
	}
}

// restPart lists the children of a row, or inserts one.
func (s *Server) restPart(r *restRequest, co *company, lines func(*Row) *[]Line, columns []Column) *answer {
	row := s.rowOf(r, co)
	if row == nil {
		return refuseREST(&problem{404, "Internal_RecordNotFound", "", "The record is not found."})
	}
	switch r.method() {
	case http.MethodGet:
		return answerJSON(http.StatusOK, object{"value": lineObjects(*lines(row), columns)})
	case http.MethodPost:
		if !r.mayWrite {
			return refuseREST(noPermission("Insert"))
		}
		in, p := decodeObject(r.body)
		if p != nil {
			return refuseREST(p)
		}
		values, p := decodeValues(in, columns)
		if p == nil {
			p = s.insertLine(row, lines(row), columns, values)
		}
		if p != nil {
			return refuseREST(p)
		}
		all := lineObjects(*lines(row), columns)
		return answerJSON(http.StatusCreated, all[len(all)-1])
	}
	return refuseREST(noMethod())
}

// rowObject is a row as JSON; only = nil means every property.
func (s *Server) rowObject(row *Row, only []string) object {
	out := object{"@odata.etag": row.etag()}
	put := func(property string, v any) {
		if only == nil || slices.Contains(only, property) {
			out[property] = v
		}
	}
	put("id", row.ID)
	for _, c := range s.allColumns() {
		put(c.property(), encode(c, row.value(c)))
	}
	return out
}

func lineObjects(lines []Line, columns []Column) []object {
	out := []object{}
	for _, l := range lines {
		o := object{"id": l.ID}
		for _, c := range columns {
			o[c.property()] = encode(c, l.Values[c.Name])
		}
		out = append(out, o)
	}
	return out
}

// encode is a value as the APIs write it; AL's 0DT is the year 1.
func encode(c Column, v any) any {
	t, ok := v.(time.Time)
	switch {
	case !ok && c.Type == Option:
		return memberName(text(v))
	case !ok:
		return v
	case c.Type == Date:
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02T15:04:05.999Z")
}

// memberName is an option member as an enum of the EDM; blanks are coded.
func memberName(s string) string { return strings.ReplaceAll(s, " ", "_x0020_") }

func decodeObject(body []byte) (map[string]json.RawMessage, *problem) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(body, &in); err != nil || in == nil {
		return nil, badRequest("The request body is not valid JSON.")
	}
	return in, nil
}

func decodeLines(raw json.RawMessage, columns []Column) ([]map[string]any, *problem) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, badRequest("The value of a collection is not an array.")
	}
	var out []map[string]any
	for _, in := range list {
		values, p := decodeValues(in, columns)
		if p != nil {
			return nil, p
		}
		out = append(out, values)
	}
	return out, nil
}

// decodeValues reads properties into columns; an unknown one is refused.
func decodeValues(in map[string]json.RawMessage, columns []Column) (map[string]any, *problem) {
	out := map[string]any{}
	for property, raw := range in {
		c, ok := columnOf(columns, property)
		if !ok || c.ReadOnly {
			return nil, badRequest("The property '" + property + "' does not exist on type 'Microsoft.NAV.appointment'. Make sure to only use property names that are defined by the type.")
		}
		v, p := decodeValue(c, raw)
		if p != nil {
			return nil, p
		}
		out[c.Name] = v
	}
	return out, nil
}

func decodeValue(c Column, raw json.RawMessage) (any, *problem) {
	quoted := len(raw) > 0 && raw[0] == '"'
	var lexical string
	switch c.Type {
	case Integer, BigInteger, Decimal, Boolean:
		if quoted {
			return nil, badRequest("Cannot convert a value to target type of '" + c.property() + "' because of conflict between input format string/number and parameter 'IEEE754Compatible'.")
		}
		lexical = string(raw)
	default:
		if err := json.Unmarshal(raw, &lexical); err != nil || !quoted {
			return nil, badRequest("Cannot convert the literal of '" + c.property() + "' to the expected type.")
		}
	}
	if c.Type == Option {
		lexical = strings.ReplaceAll(lexical, "_x0020_", " ")
	}
	if c.Type == DateTime {
		if _, err := time.Parse(time.RFC3339Nano, lexical); err != nil {
			return nil, badRequest("Cannot convert the literal '" + lexical + "' to the expected type 'Edm.DateTimeOffset'.")
		}
	}
	if strings.ContainsFunc(lexical, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		return nil, badRequest("Invalid character in '" + c.property() + "'.")
	}
	v, ok := c.Parse(lexical)
	if !ok {
		return nil, wrongValue(c.Name)
	}
	return v, nil
}

// list answers GET on the set with $filter, $select, $orderby, $top and $skip.
func (s *Server) list(r *restRequest, co *company) *answer {
	q := r.r.URL.Query()
	match, p := s.parseFilter(q.Get("$filter"))
	if p != nil {
		return refuseREST(p)
	}
	rows := slices.DeleteFunc(slices.Clone(co.rows), func(row *Row) bool { return !match(row) })
	if order := q.Get("$orderby"); order != "" {
		if p := s.sort(rows, order); p != nil {
			return refuseREST(p)
		}
	}
	skip, top := number(q.Get("$skip"), 0), number(q.Get("$top"), 20000)
	rows = rows[min(skip, len(rows)):]
	rows = rows[:min(top, len(rows))]
	var only []string
	if sel := q.Get("$select"); sel != "" {
		only = strings.Split(sel, ",")
		for _, property := range only {
			if _, ok := columnOf(s.filterColumns(), property); !ok {
				return refuseREST(badRequest("Could not find a property named '" + property + "' on type 'Microsoft.NAV.appointment'."))
			}
		}
	}
	list := []object{}
	for _, row := range rows {
		o := s.rowObject(row, only)
		s.expand(r, row, o)
		list = append(list, o)
	}
	return answerJSON(http.StatusOK, object{"@odata.context": fmt.Sprintf("%s/$metadata#companies(%s)/%s", r.api, co.id, s.opts.Page), "value": list})
}

func number(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return n
	}
	return otherwise
}
