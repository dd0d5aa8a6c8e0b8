package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/rules"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// RulesView is the rules as they stand.
type RulesView struct {
	Text string `json:"text"` // as it was written
	// Version changes with every save; SaveRules takes it, so that two people do
	// not overwrite each other.
	Version  string          `json:"version"`
	Rules    []rules.Rule    `json:"rules"`
	Problems []rules.Problem `json:"problems,omitempty"`
}

// Rules returns the rules as they stand.
func (d *Desk) Rules(ctx context.Context) (RulesView, error) {
	text, etag, err := d.value(ctx, routing.RulesName)
	if err != nil {
		return RulesView{}, err
	}
	set, problems := rules.Parse(text)
	return RulesView{Text: text, Version: etag, Rules: set.Rules(), Problems: problems}, nil
}

// ProblemsError is why rules are not saved: each problem with its place.
type ProblemsError []rules.Problem

func (e ProblemsError) Error() string {
	var lines []string
	for _, p := range e {
		if !p.Warning {
			lines = append(lines, p.String())
		}
	}
	return "the rules were not saved: " + strings.Join(lines, "; ")
}

// ErrChangedMeanwhile: somebody else has saved since; look again.
var ErrChangedMeanwhile = errors.New("somebody else has changed this meanwhile: look at it again, and save once more")

// SaveRules stores new rules, unless there is anything wrong with them
// (ProblemsError); warnings are returned and stop nothing. version is that of the
// view they were made from ("" = whatever is there). They apply within half a
// minute to what changes, and within minutes to what is there.
func (d *Desk) SaveRules(ctx context.Context, who, text, version string) (warnings []rules.Problem, err error) {
	set, problems := rules.Parse(text)
	if !rules.Usable(problems) {
		return problems, ProblemsError(problems)
	}
	changed, err := d.saveValue(ctx, routing.RulesName, text, version)
	if err != nil || !changed {
		return problems, err
	}
	err = d.audit(ctx, who, "rules.save", routing.RulesName, fmt.Sprintf("%d rules", len(set.Rules())))
	return problems, errors.Join(err, d.nudgeAll(ctx))
}

// RuleTry says what rules would do.
type RuleTry struct {
	Problems []rules.Problem `json:"problems,omitempty"`
	// Judged is how many appointments of the window were judged; Complete is false
	// if there are more of them.
	Judged   int  `json:"judged"`
	Complete bool `json:"complete"`
	// Leave would leave Outlook, Come would come; Stay and Away would go on as they
	// are; Own were born in Outlook, and are never taken away.
	Leave int `json:"leave"`
	Come  int `json:"come"`
	Stay  int `json:"stay"`
	Away  int `json:"away"`
	Own   int `json:"own"`
	// Unclear can not be judged: they would go on as they are.
	Unclear int `json:"unclear"`
	// ByRule counts what fails, by the rule's name.
	ByRule map[string]int `json:"byRule"`
	// Examples are some of those that would leave or come.
	Examples []RuleExample `json:"examples,omitempty"`
}

// RuleExample is one appointment that would leave or come.
type RuleExample struct {
	Appointment string    `json:"appointment"`
	Start       time.Time `json:"start"`
	Comes       bool      `json:"comes"`
	Rule        string    `json:"rule,omitempty"`
	Message     string    `json:"message,omitempty"`
}

// Bounds of a try, which a person waits for.
const (
	tryLimit    = 2000
	tryExamples = 10
)

// TryRules says what the rules would do to the appointments of the window that
// mailboxes are linked with, before anything is saved. It changes nothing.
func (d *Desk) TryRules(ctx context.Context, text string) (RuleTry, error) {
	set, problems := rules.Parse(text)
	try := RuleTry{Problems: problems, ByRule: map[string]int{}, Complete: true}
	if !rules.Usable(problems) {
		return try, ProblemsError(problems)
	}
	settings, err := (&settingsCache{}).get(ctx, d.Store, d.Now(), d.Log)
	if err != nil {
		return try, err
	}
	window := settings.Window(d.Now())
	targets, err := d.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return try, err
	}
	seen := map[string]bool{}
	for _, t := range targets {
		links, err := d.Store.Links(ctx, t.ID)
		if err != nil {
			return try, err
		}
		for _, l := range links {
			start, end, ok := l.Wanted.Content.Times()
			if seen[l.Appointment] || !ok || !window.Overlaps(start, end) || l.Wanted.Absent && l.Wanted.Held == "" {
				continue
			}
			if len(seen) == tryLimit {
				try.Complete = false
				return try, nil
			}
			seen[l.Appointment] = true
			if err := d.tryOne(ctx, &try, set, l, start); err != nil {
				return try, err
			}
		}
	}
	return try, nil
}

func (d *Desk) tryOne(ctx context.Context, try *RuleTry, set *rules.Set, l *store.Link, start time.Time) error {
	head, err := d.Store.Head(ctx, l.Appointment)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	try.Judged++
	o := set.Evaluate(head.Graph)
	held := len(head.Held) > 0
	if !o.Passes && o.Broken == "" {
		try.ByRule[o.Rule]++
	}
	switch {
	case o.Broken != "":
		try.Unclear++
		return nil
	case o.Passes && held:
		try.Come++
	case o.Passes:
		try.Stay++
		return nil
	case held:
		try.Away++
		return nil
	case l.Origin == store.Outlook:
		try.Own++
		return nil
	default:
		try.Leave++
	}
	if len(try.Examples) < tryExamples {
		try.Examples = append(try.Examples, RuleExample{Appointment: l.Appointment, Start: start, Comes: o.Passes, Rule: o.Rule, Message: o.Message})
	}
	return nil
}

// TryRulesOn says what the rules say of one appointment, by its Guid.
func (d *Desk) TryRulesOn(ctx context.Context, text, guid string) (rules.Outcome, []rules.Problem, error) {
	set, problems := rules.Parse(text)
	head, err := d.Store.Head(ctx, strings.ToLower(strings.TrimSpace(guid)))
	if errors.Is(err, store.ErrNotFound) {
		return rules.Outcome{}, problems, errors.New("this appointment is not known: the Guid may be wrong, or the board has not announced it yet")
	}
	if err != nil {
		return rules.Outcome{}, problems, err
	}
	return set.Evaluate(head.Graph), problems, nil
}

// value is a stored text; "" if there is none.
func (d *Desk) value(ctx context.Context, name string) (text, etag string, err error) {
	text, etag, err = d.Store.Value(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return "", "", nil
	}
	return text, etag, err
}

// saveValue stores a text; changed is false if it stood there already.
func (d *Desk) saveValue(ctx context.Context, name, text, version string) (changed bool, err error) {
	was, etag, err := d.value(ctx, name)
	switch {
	case err != nil:
		return false, err
	case was == text:
		return false, nil
	case version != "" && version != etag:
		return false, ErrChangedMeanwhile
	}
	_, err = d.Store.SwapValue(ctx, name, text, etag)
	if errors.Is(err, store.ErrConflict) {
		return false, ErrChangedMeanwhile
	}
	return err == nil, err
}

// nudgeAll lets every mailbox be read soon, when all instances have taken note of
// what was saved: spread, so that the board is not asked for all at once.
func (d *Desk) nudgeAll(ctx context.Context) error {
	targets, err := d.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	targets = slices.DeleteFunc(targets, func(t *store.Target) bool { return !t.Participates })
	span := min(time.Duration(len(targets))*time.Second/2, sweepAge/2)
	for _, t := range targets {
		at := d.Now().Add(settingsAge + 5*time.Second + target.Spread(t.ID, span))
		if err := d.Bus.NudgeAt(ctx, at, bus.Nudge{Kind: bus.Read, Target: t.ID, Reason: reasonWebsite, At: at}); err != nil {
			return err
		}
	}
	return nil
}
