package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Problem is something wrong with the rules, for the person who edits them.
type Problem struct {
	// Workflow and Rule are empty if the text as a whole is meant.
	Workflow, Rule string
	// Line and Column, from 1, are those of the rule's expression as it was
	// written, or of the whole text; 0 = no place to show.
	Line, Column int
	Text         string // a sentence
	// Warning: the rules can be used all the same.
	Warning bool
}

func (p Problem) String() string {
	var where []string
	if p.Workflow != "" {
		where = append(where, "workflow "+p.Workflow)
	}
	if p.Rule != "" {
		where = append(where, "rule "+p.Rule)
	}
	if p.Line > 0 {
		where = append(where, fmt.Sprintf("line %d, column %d", p.Line, p.Column))
	}
	if len(where) == 0 {
		return p.Text
	}
	return strings.Join(where, ", ") + ": " + p.Text
}

// Limits of what is read as rules.
const (
	maxFile       = 256 << 10
	maxRules      = 200
	maxExpression = 4000 // characters
)

// node is a workflow or a rule of the text. encoding/json matches the keys
// without regard to case, as the configuration of .NET does.
type node struct {
	Name         string `json:"Name"`
	Enabled      *bool  `json:"Enabled"`
	ErrorMessage string `json:"ErrorMessage"`
	Expression   string `json:"Expression"`
	Rules        []node `json:"Rules"`
}

// Parse reads rules: {"Rules": [workflows]}, the list alone, or a whole
// appsettings.json, of which the section Rules is taken; comments and commas
// after the last element are allowed, as they are there. An empty text has no
// rules. The set is never nil: if the problems are more than warnings (Usable), it
// holds what could be read, and the rest as broken rules.
func Parse(text string) (set *Set, problems []Problem) {
	if strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) == "" {
		return &Set{}, nil
	}
	nodes, problem := readNodes(text)
	if problem != nil {
		return Unreadable(text), []Problem{*problem}
	}
	set = &Set{}
	parts := []string{dialect}
	add := func(workflow string, n node, index int) {
		if n.Enabled != nil && !*n.Enabled {
			return
		}
		r := rule{workflow: workflow, name: n.Name, message: strings.TrimSpace(n.ErrorMessage)}
		report := func(p Problem) {
			p.Workflow, p.Rule = workflow, r.name
			problems = append(problems, p)
		}
		if r.name == "" {
			r.name = fmt.Sprintf("#%d", index+1)
		}
		if r.message == "" {
			r.message = "The rule " + r.name + " is not met."
			report(Problem{Text: "it has no ErrorMessage; people will read: " + r.message, Warning: true})
		}
		switch {
		case len(n.Rules) > 0:
			report(Problem{Text: "it holds rules of its own: rules can not be nested, write them beside it"})
		case strings.TrimSpace(n.Expression) == "":
			report(Problem{Text: "it has no Expression"})
		default:
			var found []Problem
			r.program, found = compile(n.Expression)
			for _, p := range found {
				report(p)
			}
		}
		set.rules = append(set.rules, r)
		parts = append(parts, workflow, r.name, r.message, n.Expression)
	}
	for i, n := range nodes {
		switch {
		case n.Expression != "" || n.Rules == nil:
			add("", n, i) // a rule without a workflow around it
		case n.Enabled == nil || *n.Enabled:
			for j, inner := range n.Rules {
				add(n.Name, inner, j)
			}
		}
	}
	if len(set.rules) > maxRules {
		problems = append(problems, Problem{Text: fmt.Sprintf("there are %d rules, at most %d are taken", len(set.rules), maxRules)})
		return Unreadable(text), problems
	}
	if len(set.rules) > 0 {
		set.fingerprint = digest(parts...)
	}
	return set, problems
}

// Usable reports whether none of the problems is more than a warning.
func Usable(problems []Problem) bool {
	for _, p := range problems {
		if !p.Warning {
			return false
		}
	}
	return true
}

func readNodes(text string) ([]node, *Problem) {
	if len(text) > maxFile {
		return nil, &Problem{Text: fmt.Sprintf("the text is larger than %d KiB", maxFile>>10)}
	}
	clean := bytes.TrimPrefix(plainJSON([]byte(text)), []byte("\xef\xbb\xbf"))
	shift := len(text) - len(clean)
	fail := func(err error) *Problem { return jsonProblem(text, shift, err) }
	body := bytes.TrimSpace(clean)
	var nodes []node
	if len(body) > 0 && body[0] == '[' {
		if err := json.Unmarshal(clean, &nodes); err != nil {
			return nil, fail(err)
		}
		return nodes, nil
	}
	var file struct {
		Rules *[]node `json:"Rules"`
		node
	}
	if err := json.Unmarshal(clean, &file); err != nil {
		return nil, fail(err)
	}
	if file.Rules == nil {
		return nil, &Problem{Text: `there is no section "Rules" in it; without rules, leave the text empty`}
	}
	return *file.Rules, nil
}

func jsonProblem(text string, shift int, err error) *Problem {
	p := &Problem{Text: "it is not JSON"}
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
		p.Text = "it is not JSON: " + syntax.Error()
	case errors.As(err, &kind):
		offset = kind.Offset
		p.Text = fmt.Sprintf("%s is a %s here; rules are a list of workflows, each with a Name and a list of Rules with Name, ErrorMessage and Expression", fieldName(kind.Field), kind.Value)
	default:
		return p
	}
	at := min(max(int(offset)-1, 0)+shift, len(text))
	p.Line, p.Column = place(text, at)
	return p
}

func fieldName(path string) string {
	if path == "" {
		return "what is expected to be a list or an object"
	}
	return path
}

// place returns line and column, from 1 and in characters, of a byte of the text.
func place(text string, at int) (line, column int) {
	before := text[:at]
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// plainJSON returns the text with comments, and commas before a closing bracket,
// replaced by blanks, so that every place stays where it is.
func plainJSON(text []byte) []byte {
	out := bytes.Clone(text)
	comma := -1 // a comma of which it is open whether anything follows
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"':
			comma = -1
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '/':
			for ; i < len(out) && out[i] != '\n'; i++ {
				out[i] = ' '
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '*':
			for ; i < len(out) && !bytes.HasPrefix(out[i:], []byte("*/")); i++ {
				blank(out, i)
			}
			for end := min(i+2, len(out)); i < end; i++ {
				out[i] = ' '
			}
			i--
		case c == ',':
			comma = i
		case (c == '}' || c == ']') && comma >= 0:
			out[comma], comma = ' ', -1
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			comma = -1
		}
	}
	return out
}

func blank(out []byte, i int) {
	if out[i] != '\n' {
		out[i] = ' '
	}
}
