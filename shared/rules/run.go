package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// env is what a program sees.
type env struct{ Appointment any }

// options are those of every program: our functions only.
var options = []expr.Option{
	expr.Env(env{}), expr.AsBool(), expr.DisableAllBuiltins(), expr.MaxNodes(maxNodes),
	expr.Function("truth", func(p ...any) (any, error) { return truth(p[0]), nil }, new(func(any) bool)),
	expr.Function("equal", func(p ...any) (any, error) { return equal(p[0], p[1]), nil }, new(func(any, any) bool)),
	expr.Function("less", func(p ...any) (any, error) { c, ok := compare(p[0], p[1]); return ok && c < 0, nil }, new(func(any, any) bool)),
	expr.Function("atmost", func(p ...any) (any, error) { c, ok := compare(p[0], p[1]); return ok && c <= 0, nil }, new(func(any, any) bool)),
	expr.Function("get", func(p ...any) (any, error) { return get(p[0], p[1].(string)), nil }, new(func(any, string) any)),
	texts("has", strings.Contains), texts("starts", strings.HasPrefix), texts("ends", strings.HasSuffix),
	expr.Function("same", func(p ...any) (any, error) { return equal(folded(p[0], p[2]), folded(p[1], p[2])), nil }, new(func(any, any, bool) bool)),
	change("lower", strings.ToLower), change("upper", strings.ToUpper), change("trim", strings.TrimSpace),
	expr.Function("size", func(p ...any) (any, error) { return size(p[0]), nil }, new(func(any) any)),
	expr.Function("some", func(p ...any) (any, error) { l, _ := p[0].([]any); return len(l) > 0, nil }, new(func(any) bool)),
	expr.Function("blank", func(p ...any) (any, error) { return p[0] == nil || p[0] == "", nil }, new(func(any) bool)),
	expr.Function("white", func(p ...any) (any, error) {
		s, ok := p[0].(string)
		return p[0] == nil || ok && strings.TrimSpace(s) == "", nil
	}, new(func(any) bool)),
}

func texts(name string, f func(s, part string) bool) expr.Option {
	return expr.Function(name, func(p ...any) (any, error) {
		s, ok := folded(p[0], p[2]).(string)
		part, too := folded(p[1], p[2]).(string)
		return ok && too && f(s, part), nil
	}, new(func(any, any, bool) bool))
}

func change(name string, f func(string) string) expr.Option {
	return expr.Function(name, func(p ...any) (any, error) {
		if s, ok := p[0].(string); ok {
			return f(s), nil
		}
		return nil, nil
	}, new(func(any) any))
}

// folded returns a text without regard to case, if that is asked for.
func folded(v, fold any) any {
	if s, ok := v.(string); ok && fold == true {
		return strings.ToLower(s)
	}
	return v
}

// passes runs the rule. Its errors are of expr's own bounds, and of nothing else.
func (r rule) passes(appointment any) (ok bool, err error) {
	if r.program == nil {
		return false, errors.New("the rule is broken")
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the rule panicked: %v", p)
		}
	}()
	v, err := vm.Run(r.program, env{appointment})
	if err != nil {
		return false, err
	}
	return v == true, nil
}

// readGraph reads the graph with its keys in lower case.
func readGraph(graph []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(graph, []byte("\xef\xbb\xbf"))))
	d.UseNumber() // an id of 64 bits does not fit a float
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, errors.New("null")
	}
	return lowered(v), nil
}

func lowered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			k = strings.ToLower(k)
			if old, twice := out[k]; twice && old != nil && x == nil {
				continue
			}
			out[k] = lowered(x)
		}
		return out
	case []any:
		for i, x := range v {
			v[i] = lowered(x)
		}
	}
	return v
}

// get navigates: the first of the names that is there. The flat form has the name
// itself where the graph has a category or time marker with its name.
func get(v any, names string) any {
	for _, name := range strings.Split(names, "|") {
		x := v
		for _, step := range strings.Split(name, ".") {
			if _, flat := x.(string); flat && (step == "name" || step == "displayname") {
				continue
			}
			m, _ := x.(map[string]any)
			x = m[step]
		}
		if x != nil {
			return x
		}
	}
	return nil
}

// truth is what a value means to AND, OR and NOT: NULL and what is no yes-or-no is no.
func truth(v any) bool {
	b, _ := bit(v)
	return b
}

// bit reads a yes-or-no; back offices write 0 and 1 for it as well.
func bit(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case json.Number:
		return v != "0", v == "0" || v == "1"
	case int:
		return v != 0, v == 0 || v == 1
	}
	return false, false
}

func equal(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	_, aBool := a.(bool)
	_, bBool := b.(bool)
	if aBool || bBool {
		x, ok := bit(a)
		y, too := bit(b)
		return ok && too && x == y
	}
	c, ok := compare(a, b)
	return ok && c == 0
}

// compare orders two numbers, two dates or two texts (by their characters, as
// C# does for ==); ok is false for anything else.
func compare(a, b any) (order int, ok bool) {
	if x, isText := a.(string); isText {
		y, too := b.(string)
		if !too {
			return 0, false
		}
		if s, isDate := instant(x); isDate {
			if t, isDate := instant(y); isDate {
				return s.Compare(t), true
			}
		}
		return strings.Compare(x, y), true
	}
	x, xOK := integer(a)
	y, yOK := integer(b)
	if xOK && yOK {
		return sign(x < y, x > y), true
	}
	f, fOK := float(a)
	g, gOK := float(b)
	return sign(f < g, f > g), fOK && gOK
}

func sign(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// instant reads a date as the board and people write it; without a zone it is
// taken as it stands.
func instant(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02") || s[4] != '-' {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func size(v any) any {
	switch v := v.(type) {
	case string:
		return len([]rune(v))
	case []any:
		return len(v)
	}
	return nil
}
