package rules

import (
	"errors"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// maxNodes bounds a translated expression.
const maxNodes = 4000

// compile translates an expression and has expr compile it; the program is nil
// if a problem is more than a warning.
func compile(expression string) (*vm.Program, []Problem) {
	if n := len([]rune(expression)); n > maxExpression {
		return nil, []Problem{{Text: "the expression is too long"}}
	}
	expression = strings.ToValidUTF8(expression, "\uFFFD")
	c := &compiler{text: expression}
	tokens, bad := scan(expression)
	if bad != nil {
		c.problem(bad.at, bad.text, false)
		return nil, c.problems
	}
	c.join(tokens)
	tree, err := parser.Parse(c.code)
	if err != nil {
		c.syntax(err)
		return nil, c.problems
	}
	whole := c.build(tree.Node)
	if Usable(c.problems) && !whole.kind.mayBe(boolean) {
		c.problem(whole.at, "the expression is a "+string(whole.kind)+", but a rule says yes or no: compare it with something", false)
	}
	if !Usable(c.problems) {
		return nil, c.problems
	}
	program, err := expr.Compile("truth("+whole.code+")", options...)
	if err != nil {
		c.problem(0, "the expression can not be compiled", false)
		return nil, c.problems
	}
	return program, c.problems
}

// compiler holds the translation of one expression.
type compiler struct {
	text     string // the customer's
	code     string // of the dialect, in expr's words
	tokens   []token
	starts   []int // where each token begins in code, in characters
	problems []Problem
}

func (c *compiler) join(tokens []token) {
	var b strings.Builder
	at := 0
	for _, t := range tokens {
		c.starts = append(c.starts, at)
		b.WriteString(t.out)
		b.WriteByte(' ')
		at += len([]rune(t.out)) + 1
	}
	c.tokens, c.code = tokens, b.String()
}

// source returns the token at a place of the code; ok is false behind the last.
func (c *compiler) source(at int) (t token, ok bool) {
	for i := len(c.starts) - 1; i >= 0; i-- {
		if c.starts[i] > at {
			continue
		}
		if t = c.tokens[i]; at >= c.starts[i]+len([]rune(t.out)) && i == len(c.starts)-1 {
			break
		}
		return t, true
	}
	return token{at: len([]rune(c.text))}, false
}

func (c *compiler) problem(at int, sentence string, warning bool) {
	runes := []rune(c.text)
	line, column := place(c.text, len(string(runes[:min(at, len(runes))])))
	c.problems = append(c.problems, Problem{Line: line, Column: column, Text: sentence, Warning: warning})
}

// syntax reports what expr's parser did not understand, in the customer's words.
func (c *compiler) syntax(err error) {
	var where *file.Error
	if !errors.As(err, &where) {
		c.problem(0, "the expression can not be read", false)
		return
	}
	switch t, ok := c.source(where.From); {
	case !ok || t.text == "" && t.at >= len([]rune(strings.TrimRight(c.text, " \t\r\n"))):
		c.problem(len([]rune(c.text)), "the expression is not complete: something is missing at its end", false)
	case t.text == "":
		c.problem(t.at, "NOT stands before nothing", false)
	default:
		c.problem(t.at, "`"+t.text+"` can not stand here", false)
	}
}

// term is a translated part of an expression.
type term struct {
	code string
	kind kind
	of   *object // of an object, or of a list's elements; nil = not known
	at   int     // in the customer's text
	// literal is the text that was written as such.
	literal *string
}

func (c *compiler) at(n ast.Node) int {
	t, _ := c.source(n.Location().From)
	return t.at
}

// build translates what the parser has read. What it does not know is refused.
func (c *compiler) build(n ast.Node) term {
	at := c.at(n)
	switch n := n.(type) {
	case *ast.NilNode:
		return term{code: "nil", kind: null, at: at}
	case *ast.BoolNode:
		return term{code: n.String(), kind: boolean, at: at}
	case *ast.IntegerNode:
		return term{code: n.String(), kind: number, at: at}
	case *ast.FloatNode:
		return term{code: n.String(), kind: number, at: at}
	case *ast.StringNode:
		return term{code: quote(n.Value), kind: text, at: at, literal: &n.Value}
	case *ast.UnaryNode:
		return c.unary(n, at)
	case *ast.BinaryNode:
		return c.binary(n, at)
	case *ast.IdentifierNode:
		return c.root(strings.TrimPrefix(n.Value, prefix), at)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.CallNode:
		return c.call(n)
	}
	c.problem(at, "this is not supported in a rule", false)
	return term{code: "nil", kind: unknown, at: at}
}

func (c *compiler) unary(n *ast.UnaryNode, at int) term {
	x := c.build(n.Node)
	if n.Operator == "-" {
		return term{code: "-" + x.code, kind: number, at: at}
	}
	return term{code: "!" + c.truth(x), kind: boolean, at: at}
}

// truth makes a Boolean of what stands with AND, OR and NOT.
func (c *compiler) truth(x term) string {
	if !x.kind.mayBe(boolean) {
		c.problem(x.at, "this is a "+string(x.kind)+", but AND, OR and NOT join what is true or false: compare it with something", false)
	}
	return "truth(" + x.code + ")"
}

func (c *compiler) binary(n *ast.BinaryNode, at int) term {
	l, r := c.build(n.Left), c.build(n.Right)
	out := term{kind: boolean, at: l.at}
	switch n.Operator {
	case "&&", "||":
		out.code = "(" + c.truth(l) + n.Operator + c.truth(r) + ")"
		return out
	case "==":
		out.code = "equal(" + l.code + "," + r.code + ")"
	case "!=":
		out.code = "!equal(" + l.code + "," + r.code + ")"
	case "<":
		out.code = "less(" + l.code + "," + r.code + ")"
	case ">":
		out.code = "less(" + r.code + "," + l.code + ")"
	case "<=":
		out.code = "atmost(" + l.code + "," + r.code + ")"
	case ">=":
		out.code = "atmost(" + r.code + "," + l.code + ")"
	default:
		c.problem(at, "this is not supported in a rule", false)
		out.code = "false"
		return out
	}
	c.comparable(n.Operator, l, r)
	return out
}

// comparable warns of comparisons whose result is always the same. The kinds are
// those that we know the board by; so it is no error.
func (c *compiler) comparable(op string, l, r term) {
	for _, x := range []struct{ date, other term }{{l, r}, {r, l}} {
		if x.date.kind == date && x.other.literal != nil {
			if _, ok := instant(*x.other.literal); !ok {
				c.problem(x.other.at, `this is no date; write it as "2026-12-31" or "2026-12-31T08:00:00"`, false)
			}
			return
		}
	}
	order := op != "==" && op != "!="
	switch {
	case l.kind == unknown || r.kind == unknown, l.kind == r.kind && !order:
	case l.kind == null || r.kind == null:
		if order {
			c.problem(l.at, "nothing is less or greater than NULL: this is never true", true)
		}
	case order && (l.kind == boolean || l.kind == structure || l.kind == list):
		c.problem(l.at, "a "+string(l.kind)+" is neither less nor greater than anything: this is never true", true)
	case l.kind != r.kind && !(l.kind.textual() && r.kind.textual()):
		c.problem(l.at, "a "+string(l.kind)+" is compared with a "+string(r.kind)+": they are never equal", true)
	}
}

func (c *compiler) root(name string, at int) term {
	if strings.EqualFold(name, "appointment") {
		return term{code: "Appointment", kind: structure, of: schema, at: at}
	}
	hint := "every field begins with appointment, as in appointment.Category.Name; texts stand in quotation marks"
	if _, ok := schema.field(name); ok {
		hint = "write appointment." + name
	} else if near(name, []string{"appointment"}) != "" {
		hint = "did you mean appointment?"
	}
	c.problem(at, "`"+name+"` is not known: "+hint, false)
	return term{code: "nil", kind: unknown, at: at}
}

// member translates one step of a navigation.
func (c *compiler) member(n *ast.MemberNode) term {
	name, at, ok := c.property(n)
	x := c.build(n.Node)
	if !ok {
		c.problem(at, "this is not supported in a rule", false)
		return term{code: "nil", kind: unknown, at: x.at}
	}
	out := term{kind: unknown, at: x.at}
	step := field{names: []string{strings.ToLower(name)}}
	switch {
	case x.kind == structure && x.of != nil:
		known, ok := x.of.field(name)
		switch guess := near(name, x.of.names()); {
		case ok:
			step, out.kind, out.of = known, known.kind, known.of
		case guess != "":
			c.problem(at, "`"+name+"` is not a field of "+x.of.name+": did you mean "+guess+"?", false)
		default:
			c.problem(at, "`"+name+"` is not a field of "+x.of.name+" that we know: where the board does not send it, it is NULL", true)
		}
	case x.kind == unknown || x.kind == structure:
		if m, ok := methods[strings.ToLower(name)]; ok && m.property {
			return term{code: m.code(x.code, ""), kind: m.result, at: x.at}
		}
	default:
		if m, ok := methods[strings.ToLower(name)]; ok && m.property && m.fits(x.kind) {
			return term{code: m.code(x.code, ""), kind: m.result, at: x.at}
		}
		c.problem(at, "`"+name+"`: a "+string(x.kind)+" has no such field", false)
	}
	out.code = "get(" + x.code + "," + quote(strings.Join(step.names, "|")) + ")"
	return out
}

// property returns the name of the step, and its place.
func (c *compiler) property(n *ast.MemberNode) (name string, at int, ok bool) {
	at = c.at(n.Property)
	p, ok := n.Property.(*ast.StringNode)
	if !ok {
		return "", at, false
	}
	return strings.TrimPrefix(p.Value, prefix), at, true
}

func quote(s string) string { return (&ast.StringNode{Value: s}).String() }
