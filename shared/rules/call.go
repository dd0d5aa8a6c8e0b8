package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// method is one of C# that the dialect has, on a value of one of the kinds.
type method struct {
	name     string
	on       []kind
	args     int  // besides a StringComparison
	compares bool // takes a StringComparison
	property bool // can stand without parentheses
	function string
	result   kind
}

// methods by their names in lower case.
var methods = func() map[string]method {
	out := map[string]method{}
	for _, m := range []method{
		{name: "Contains", on: []kind{text}, args: 1, compares: true, function: "has", result: boolean},
		{name: "StartsWith", on: []kind{text}, args: 1, compares: true, function: "starts", result: boolean},
		{name: "EndsWith", on: []kind{text}, args: 1, compares: true, function: "ends", result: boolean},
		{name: "Equals", on: []kind{text, number, boolean}, args: 1, compares: true, function: "same", result: boolean},
		{name: "ToLower", on: []kind{text}, function: "lower", result: text},
		{name: "ToLowerInvariant", on: []kind{text}, function: "lower", result: text},
		{name: "ToUpper", on: []kind{text}, function: "upper", result: text},
		{name: "ToUpperInvariant", on: []kind{text}, function: "upper", result: text},
		{name: "Trim", on: []kind{text}, function: "trim", result: text},
		{name: "Length", on: []kind{text, list}, property: true, function: "size", result: number},
		{name: "Count", on: []kind{list}, property: true, function: "size", result: number},
		{name: "Any", on: []kind{list}, function: "some", result: boolean},
	} {
		out[strings.ToLower(m.name)] = m
	}
	return out
}()

func (m method) fits(k kind) bool {
	for _, on := range m.on {
		if k == on || k == unknown || k == null || on == text && k == date {
			return true
		}
	}
	return false
}

func (m method) code(x, args string) string { return m.function + "(" + x + args + ")" }

// call translates a method.
func (c *compiler) call(n *ast.CallNode) term {
	callee, ok := n.Callee.(*ast.MemberNode)
	if !ok {
		c.problem(c.at(n.Callee), "there are no functions here; texts have Contains, StartsWith, EndsWith, ToLower, ToUpper, Trim, lists have Any and Count", false)
		return term{code: "nil", kind: unknown, at: c.at(n)}
	}
	name, at, _ := c.property(callee)
	if id, ok := callee.Node.(*ast.IdentifierNode); ok && strings.EqualFold(id.Value, prefix+"string") {
		return c.static(n, name, at)
	}
	x := c.build(callee.Node)
	out := term{code: "nil", kind: unknown, at: x.at}
	m, ok := methods[strings.ToLower(name)]
	switch {
	case !ok:
		c.problem(at, "the method `"+name+"` is not supported; texts have Contains, StartsWith, EndsWith, Equals, ToLower, ToUpper, Trim, lists have Any and Count", false)
		return out
	case !m.fits(x.kind):
		c.problem(at, "a "+string(x.kind)+" has no method "+m.name, false)
		return out
	case m.name == "Length":
		c.problem(at, "write Length without parentheses", false)
		return out
	}
	args, fold := n.Arguments, "false"
	if m.compares && len(args) == m.args+1 {
		fold, ok = comparison(args[m.args])
		if !ok {
			c.problem(c.at(args[m.args]), "only StringComparison.Ordinal and StringComparison.OrdinalIgnoreCase are known here", false)
			return out
		}
		args = args[:m.args]
	}
	if len(args) != m.args {
		c.problem(at, fmt.Sprintf("%s takes %d values, here are %d", m.name, m.args, len(n.Arguments)), false)
		return out
	}
	var code strings.Builder
	for _, a := range args {
		arg := c.build(a)
		if m.name != "Equals" && !arg.kind.mayBe(text) {
			c.problem(arg.at, m.name+" takes a text, here is a "+string(arg.kind), false)
		}
		code.WriteString("," + arg.code)
	}
	if m.compares {
		code.WriteString("," + fold)
	}
	out.code, out.kind = m.code(x.code, code.String()), m.result
	return out
}

// comparison reads StringComparison.OrdinalIgnoreCase and the like.
func comparison(n ast.Node) (ignoreCase string, ok bool) {
	m, ok := n.(*ast.MemberNode)
	if !ok {
		return "", false
	}
	id, isID := m.Node.(*ast.IdentifierNode)
	p, isName := m.Property.(*ast.StringNode)
	if !isID || !isName || !strings.EqualFold(id.Value, prefix+"StringComparison") {
		return "", false
	}
	switch strings.ToLower(strings.TrimPrefix(p.Value, prefix)) {
	case "ordinalignorecase", "invariantcultureignorecase", "currentcultureignorecase":
		return "true", true
	case "ordinal", "invariantculture", "currentculture":
		return "false", true
	}
	return "", false
}

// static translates string.IsNullOrEmpty and string.IsNullOrWhiteSpace.
func (c *compiler) static(n *ast.CallNode, name string, at int) term {
	out := term{code: "nil", kind: boolean, at: c.at(n)}
	function, ok := map[string]string{"isnullorempty": "blank", "isnullorwhitespace": "white"}[strings.ToLower(name)]
	if !ok || len(n.Arguments) != 1 {
		c.problem(at, "of string only IsNullOrEmpty(...) and IsNullOrWhiteSpace(...) are supported", false)
		return out
	}
	x := c.build(n.Arguments[0])
	if !x.kind.mayBe(text) {
		c.problem(x.at, name+" takes a text, here is a "+string(x.kind), false)
	}
	out.code, out.at = function+"("+x.code+")", x.at
	return out
}
