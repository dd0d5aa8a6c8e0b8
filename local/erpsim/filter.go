package erpsim

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// filterColumns are those that $filter, $select and $orderby know.
func (s *Server) filterColumns() []Column {
	return append([]Column{{Name: SystemID, Type: GUID, Property: "id"}}, s.allColumns()...)
}

// parseFilter reads "a eq 1 and b ge 2": comparisons joined by "and". The ERP
// does not know "or" across fields.
func (s *Server) parseFilter(filter string) (func(*Row) bool, *problem) {
	var all []func(*Row) bool
	words, ok := filterWords(filter)
	if !ok {
		return nil, &problem{400, "BadRequest", "", "Syntax error in $filter."}
	}
	for len(words) > 0 {
		if len(words) < 3 {
			return nil, &problem{400, "BadRequest", "", "Syntax error in $filter."}
		}
		test, p := s.comparison(words[0], words[1], words[2])
		if p != nil {
			return nil, p
		}
		all = append(all, test)
		words = words[3:]
		if len(words) > 0 {
			if words[0] != "and" {
				return nil, &problem{501, "BadRequest_MethodNotImplemented", "", "An error occurred while reading the filter: '" + words[0] + "' is not supported here."}
			}
			words = words[1:]
			if len(words) == 0 {
				return nil, &problem{400, "BadRequest", "", "Syntax error in $filter."}
			}
		}
	}
	return func(r *Row) bool {
		return !slices.ContainsFunc(all, func(test func(*Row) bool) bool { return !test(r) })
	}, nil
}

// filterWords splits at blanks outside of quotes.
func filterWords(s string) (words []string, ok bool) {
	var b strings.Builder
	quoted := false
	for _, r := range s {
		if r == '\'' {
			quoted = !quoted
		}
		if r == ' ' && !quoted {
			if b.Len() > 0 {
				words = append(words, b.String())
				b.Reset()
			}
			continue
		}
		b.WriteRune(r)
	}
	if b.Len() > 0 {
		words = append(words, b.String())
	}
	return words, !quoted
}

func (s *Server) comparison(property, operator, literal string) (func(*Row) bool, *problem) {
	c, ok := columnOf(s.filterColumns(), property)
	if !ok {
		return nil, badRequest("Could not find a property named '" + property + "' on type 'Microsoft.NAV.appointment'.")
	}
	inner, isText := strings.CutPrefix(literal, "'")
	if isText {
		literal = strings.ReplaceAll(strings.TrimSuffix(inner, "'"), "''", "'")
	}
	if needsQuotes := c.Type == Text || c.Type == Code || c.Type == Option; needsQuotes != isText {
		return nil, badRequest("A binary operator with incompatible types was detected for '" + property + "'.")
	}
	want, ok := c.Parse(strings.ReplaceAll(literal, "_x0020_", " "))
	if !ok {
		return nil, wrongValue(c.Name)
	}
	judge := map[string]func(int) bool{
		"eq": func(n int) bool { return n == 0 }, "ne": func(n int) bool { return n != 0 },
		"lt": func(n int) bool { return n < 0 }, "le": func(n int) bool { return n <= 0 },
		"gt": func(n int) bool { return n > 0 }, "ge": func(n int) bool { return n >= 0 },
	}[operator]
	if judge == nil {
		return nil, &problem{501, "BadRequest_MethodNotImplemented", "", "The operator '" + operator + "' is not supported."}
	}
	return func(r *Row) bool { return judge(compare(r.value(c), want)) }, nil
}

// compare orders two values of one column.
func compare(a, b any) int {
	switch a := a.(type) {
	case int64:
		b, _ := b.(int64)
		return cmp.Compare(a, b)
	case float64:
		b, _ := b.(float64)
		return cmp.Compare(a, b)
	case time.Time:
		b, _ := b.(time.Time)
		return a.Compare(b)
	case bool:
		if a == b {
			return 0
		}
		if !a {
			return -1
		}
		return 1
	}
	return strings.Compare(text(a), text(b))
}

// sort orders rows by "property [asc|desc]".
func (s *Server) sort(rows []*Row, order string) *problem {
	words := strings.Fields(order)
	c, ok := columnOf(s.filterColumns(), words[0])
	if !ok {
		return badRequest("Could not find a property named '" + words[0] + "' on type 'Microsoft.NAV.appointment'.")
	}
	down := len(words) > 1 && words[1] == "desc"
	slices.SortStableFunc(rows, func(a, b *Row) int {
		n := compare(a.value(c), b.value(c))
		if down {
			return -n
		}
		return n
	})
	return nil
}
