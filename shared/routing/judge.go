package routing

import (
	"context"
	"errors"
	"strings"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/rules"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Stable codes of what the rules have done.
const (
	CodeRule       = "DSEX035" // a rule says that it is not sent
	CodeRuleBroken = "DSEX036" // a rule can not be evaluated
)

// judge lets the rules say for which mailboxes the appointment is wanted after
// all; next.Targets holds where it is assigned. It changes targets of mailboxes
// only: what goes to back offices is not theirs to decide.
//
// A rule that can not be evaluated changes nothing: what stands in Outlook stays
// and is kept up to date, what was held back stays so, and an appointment that is
// new is sent, for a broken rule must not cost an appointment.
//
// What was born in Outlook is a person's own: the rules do not take it out of the
// calendar in which it was made.
func (r *Router) judge(ctx context.Context, p Policy, head, next *store.Head) (outcome rules.Outcome, err error) {
	next.Judged, next.Held = p.Fingerprint(), map[string]string{}
	outcome.Passes = true
	if next.Operation != appointment.Delete && len(mailboxTargets(next)) > 0 {
		outcome = p.Rules.Evaluate(next.Graph)
	}
	if outcome.Passes {
		return outcome, nil
	}
	for _, target := range mailboxTargets(next) {
		if !next.Targets[target] {
			continue
		}
		before, held := head.Held[target]
		if outcome.Broken != "" {
			if held {
				next.Targets[target], next.Held[target] = false, before
			}
			continue
		}
		own, err := r.bornAt(ctx, target, next.Appointment)
		if err != nil {
			return outcome, err
		}
		if !own {
			next.Targets[target], next.Held[target] = false, outcome.Message
		}
	}
	return outcome, nil
}

// explain records what the rules have done, for people.
func (r *Router) explain(ctx context.Context, head, next *store.Head, c appointment.Change, outcome rules.Outcome) {
	switch {
	case outcome.Broken != "" && (head.Judged != next.Judged || head.ETag == ""): // once for an appointment and a set of rules
		r.skip(ctx, c, CodeRuleBroken, "rule "+named(outcome)+" can not be evaluated and decides nothing: "+outcome.Broken)
	case outcome.Broken == "" && len(next.Held) > 0:
		r.skip(ctx, c, CodeRule, outcome.Message)
	}
}

// turned reports whether the rules say another thing of a mailbox than its link
// knows: a change that speaks for one resource can be one of the whole appointment.
func (r *Router) turned(ctx context.Context, mailbox string, head *store.Head) (bool, error) {
	l, err := r.Store.Link(ctx, mailbox, head.Appointment)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && l.Wanted.Held != head.Held[MailboxTarget(mailbox)], err
}

func named(o rules.Outcome) string {
	if o.Workflow == "" {
		return o.Rule
	}
	return o.Workflow + " / " + o.Rule
}

// bornAt reports whether the appointment was born in this mailbox.
func (r *Router) bornAt(ctx context.Context, target, guid string) (bool, error) {
	l, err := r.Store.Link(ctx, strings.TrimPrefix(target, mailboxPrefix), guid)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && l.Origin == store.Outlook, err
}

// categorise puts the Outlook categories into what is wanted.
func categorise(p Policy, next *store.Head, c appointment.Change) appointment.Change {
	if list, ok := p.Categories(next.Graph); ok {
		next.Categories = list
		c.Appointment.Content = c.Appointment.Content.With(appointment.Content{appointment.Categories: list})
	}
	return c
}
