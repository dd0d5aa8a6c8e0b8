package graphsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A scope resolves a property path of one entity to a string, bool, time.Time, propertyID or
// []scope (a collection; the path "" of an element is the element itself). nil = absent.
type scope func(path string) any

// predicate is a compiled $filter.
type predicate func(scope) bool

// propertyID is the id of an extended property: type and GUID compare without regard to case, the
// name exactly, where all other strings compare without regard to case.
type propertyID string

// parseFilter compiles the part of the OData filter language that Graph takes here: and, or, not,
// the six comparisons, contains, startswith, endswith and any. Properties that are not allowed are an error.
func parseFilter(src string, allowed ...string) (predicate, error) {
	tokens, err := tokenize(src)
	if err != nil {
		return nil, err
	}
	p := &filterParser{tokens: tokens, allowed: allowed}
	pred, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.peek() != "" {
		return nil, fmt.Errorf("unexpected %q", p.peek())
	}
	return pred, nil
}

// tokenize splits into names, quoted strings (with their opening quote kept as a mark) and punctuation.
func tokenize(src string) ([]string, error) {
	var out []string
	for i := 0; i < len(src); {
		switch ch := src[i]; {
		case ch == ' ':
			i++
		case strings.IndexByte("(),:", ch) >= 0:
			out = append(out, string(ch))
			i++
		case ch == '\'':
			var b strings.Builder
			for i++; ; i++ {
				if i >= len(src) {
					return nil, fmt.Errorf("there is an unterminated string literal")
				}
				if src[i] == '\'' {
					if i+1 < len(src) && src[i+1] == '\'' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(src[i])
			}
			i++
			out = append(out, "'"+b.String())
		default:
			start := i
			for i < len(src) && strings.IndexByte(" (),'", src[i]) < 0 && (src[i] != ':' || startsWithDigit(src[start:])) {
				i++
			}
			out = append(out, src[start:i])
		}
	}
	return out, nil
}

func startsWithDigit(s string) bool { return s[0] >= '0' && s[0] <= '9' }

type filterParser struct {
	tokens  []string
	allowed []string
	bound   []string // variables of the enclosing lambdas
}

func (p *filterParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *filterParser) next() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *filterParser) take(want string) bool {
	if strings.EqualFold(p.peek(), want) {
		p.next()
		return true
	}
	return false
}

func (p *filterParser) expect(want string) error {
	if got := p.next(); got != want {
		return fmt.Errorf("expected %q, found %q", want, got)
	}
	return nil
}

func (p *filterParser) or() (predicate, error) {
	left, err := p.and()
	for err == nil && p.take("or") {
		var right predicate
		l := left
		right, err = p.and()
		left = func(s scope) bool { return l(s) || right(s) }
	}
	return left, err
}

func (p *filterParser) and() (predicate, error) {
	left, err := p.unary()
	for err == nil && p.take("and") {
		var right predicate
		l := left
		right, err = p.unary()
		left = func(s scope) bool { return l(s) && right(s) }
	}
	return left, err
}

func (p *filterParser) unary() (predicate, error) {
	if p.take("not") {
		inner, err := p.unary()
		return func(s scope) bool { return !inner(s) }, err
	}
	if p.take("(") {
		inner, err := p.or()
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	}
	word := p.next()
	if f, isFunc := textFunctions[strings.ToLower(word)]; isFunc {
		return p.function(f)
	}
	if coll, isAny := cutLambda(word); isAny {
		return p.any(coll)
	}
	return p.comparison(word)
}

var textFunctions = map[string]func(s, part string) bool{
	"contains": strings.Contains, "startswith": strings.HasPrefix, "endswith": strings.HasSuffix,
}

func (p *filterParser) function(f func(s, part string) bool) (predicate, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	path := p.next()
	if err := p.check(path); err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	lit, isText := strings.CutPrefix(p.next(), "'")
	if !isText {
		return nil, fmt.Errorf("a function takes a string")
	}
	lit = strings.ToLower(lit)
	return func(s scope) bool {
		v, _ := s(path).(string)
		return f(strings.ToLower(v), lit)
	}, p.expect(")")
}

func cutLambda(word string) (string, bool) {
	if i := len(word) - len("/any"); i > 0 && strings.EqualFold(word[i:], "/any") {
		return word[:i], true
	}
	return "", false
}

func (p *filterParser) any(coll string) (predicate, error) {
	if err := p.check(coll); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	name := p.next()
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	p.bound = append(p.bound, name)
	inner, err := p.or()
	if err != nil {
		return nil, err
	}
	p.bound = p.bound[:len(p.bound)-1]
	return func(s scope) bool {
		elements, _ := s(coll).([]scope)
		return slices.ContainsFunc(elements, func(e scope) bool {
			return inner(func(path string) any {
				if path == name {
					return e("")
				}
				if rest, isBound := strings.CutPrefix(path, name+"/"); isBound {
					return e(rest)
				}
				return s(path)
			})
		})
	}, p.expect(")")
}

func (p *filterParser) comparison(path string) (predicate, error) {
	if err := p.check(path); err != nil {
		return nil, err
	}
	op := strings.ToLower(p.next())
	test, known := comparisons[op]
	if !known {
		return nil, fmt.Errorf("unknown operator %q after %s", op, path)
	}
	lit := p.next()
	if lit == "" {
		return nil, fmt.Errorf("there is no value to compare %s with", path)
	}
	return func(s scope) bool {
		order, comparable := compare(s(path), lit)
		return comparable && test(order)
	}, nil
}

var comparisons = map[string]func(int) bool{
	"eq": func(o int) bool { return o == 0 }, "ne": func(o int) bool { return o != 0 },
	"lt": func(o int) bool { return o < 0 }, "le": func(o int) bool { return o <= 0 },
	"gt": func(o int) bool { return o > 0 }, "ge": func(o int) bool { return o >= 0 },
}

// compare orders a value against a literal token; the second result says whether they compare at all.
func compare(v any, lit string) (int, bool) {
	text := strings.TrimPrefix(lit, "'")
	switch v := v.(type) {
	case nil:
		if lit == "null" {
			return 0, true
		}
		return 1, true
	case string:
		return strings.Compare(strings.ToLower(v), strings.ToLower(text)), true
	case propertyID:
		return strings.Compare(string(canonicalProperty(string(v))), string(canonicalProperty(text))), true
	case bool:
		return strings.Compare(fmt.Sprint(v), strings.ToLower(text)), true
	case time.Time:
		t, ok := parseInstant(text)
		return v.Compare(t), ok
	}
	return 0, false
}

// check refuses a property that can not be filtered on.
func (p *filterParser) check(path string) error {
	root, _, _ := strings.Cut(path, "/")
	if slices.Contains(p.bound, root) || slices.ContainsFunc(p.allowed, func(a string) bool { return strings.EqualFold(a, path) }) {
		return nil
	}
	return fmt.Errorf("the property %q can not be filtered on; these can: %s", path, strings.Join(p.allowed, ", "))
}
