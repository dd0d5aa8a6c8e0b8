// Package rules is the rule engine: it decides from the graph of an appointment
// whether it is sent to Outlook.
//
// The shape of the rules and their expressions are those that Dime.Scheduler
// publishes (documentation, Exchange integration, "Rule engine"): workflows with
// rules, each with a name, an error message and an expression such as
//
//	appointment.Category <> NULL AND appointment.Category.Name == "SERVICE"
//
// All rules must pass. The expressions are translated, checked against the known
// graph (schema.go) and run by github.com/expr-lang/expr, without any of its
// functions: they can neither loop nor call out, and time and memory are bounded.
//
// Guarantees: navigation through NULL gives NULL; values of different types are
// unequal, and neither is less; nothing of this is an error. What is wrong with a
// rule is said when it is parsed, with its place in the customer's own text. A
// rule that can not be evaluated says neither yes nor no (Outcome.Broken).
//
// It does no I/O, and does not know what follows from its answer: that is
// shared/routing.
package rules
