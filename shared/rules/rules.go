package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/expr-lang/expr/vm"
)

// Set is what Parse has read. It is safe for concurrent use; a nil Set has no
// rules, and every appointment passes.
type Set struct {
	rules       []rule
	fingerprint string
}

type rule struct {
	workflow, name, message string
	program                 *vm.Program // nil = broken
}

// Rule is a rule as people know it.
type Rule struct {
	Workflow, Name, Message string
	// Broken: it has a problem that is no warning and decides nothing.
	Broken bool
}

// Rules returns the rules that are on, in their order.
func (s *Set) Rules() []Rule {
	if s == nil {
		return nil
	}
	out := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		out[i] = Rule{r.workflow, r.name, r.message, r.program == nil}
	}
	return out
}

// dialect is raised when the same expression gets another meaning: appointments
// are then judged anew.
const dialect = "1"

// Fingerprint tells two sets apart; it is empty if there are no rules.
func (s *Set) Fingerprint() string {
	if s == nil {
		return ""
	}
	return s.fingerprint
}

// Unreadable is the set of a text that is no set of rules at all: a rule that
// can not be evaluated, so that nothing is sent or removed because of it.
func Unreadable(text string) *Set {
	return &Set{rules: []rule{{name: "the rules"}}, fingerprint: digest("unreadable", text)}
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%q;", p)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Outcome is what the rules say of an appointment: it passes, or a rule fails,
// or none fails and one could not be evaluated.
type Outcome struct {
	Passes bool
	// Workflow and Rule name the rule that failed or could not be evaluated.
	Workflow, Rule string
	// Message says why it is not sent, for people: the failing rule's ErrorMessage.
	Message string
	// Broken says why the rule could not be evaluated; empty = it could. Then
	// nothing may be concluded: the appointment is neither sent nor removed
	// because of the rules.
	Broken string
}

// Evaluate judges an appointment by its graph, JSON with the keys in any letter
// case. A rule that fails decides, whatever else is broken.
func (s *Set) Evaluate(graph []byte) Outcome {
	if s == nil || len(s.rules) == 0 {
		return Outcome{Passes: true}
	}
	appointment, err := readGraph(graph)
	if err != nil {
		return Outcome{Rule: s.rules[0].name, Workflow: s.rules[0].workflow, Broken: "the appointment's data can not be read"}
	}
	passed := Outcome{Passes: true}
	for _, r := range s.rules {
		o := Outcome{Workflow: r.workflow, Rule: r.name}
		switch ok, err := r.passes(appointment); {
		case err != nil:
			if passed.Broken == "" {
				o.Broken = "the rule can not be evaluated"
				passed = o
			}
		case !ok:
			o.Message = r.message
			return o
		}
	}
	return passed
}
