package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Errors of choosing, for people.
var (
	ErrFixed      = errors.New("an administrator has decided what flows back from this calendar")
	ErrSameForAll = errors.New("the same holds for everybody in this installation; an administrator can change it")
	ErrNoResource = errors.New("there is no such resource")
)

// PreferencesView is what people see of what flows back from a resource's calendar.
type PreferencesView struct {
	Resource string `json:"resource"`
	// Said is what was chosen for it; what is missing was not said.
	Said Choices `json:"said"`
	// Effective is what holds for its calendar after everything that was set and
	// chosen: complete, and of all who share the mailbox the strictest.
	Effective Choices `json:"effective"`
	// SharedWith are the other resources that take part with the same mailbox.
	SharedWith []string `json:"sharedWith,omitempty"`
	// Off: the way to the board is switched off for the whole installation.
	Off bool `json:"off,omitempty"`
	// Fixed: an administrator has decided for this resource. Own: the person can choose.
	Fixed     bool      `json:"fixed,omitempty"`
	Own       bool      `json:"own"`
	ChangedBy string    `json:"changedBy,omitempty"`
	Changed   time.Time `json:"changed,omitzero"`
}

// Preferences returns what was chosen for a resource and what follows from it, or
// ErrNoResource.
func (d *Desk) Preferences(ctx context.Context, resource string) (PreferencesView, error) {
	r, err := d.resource(ctx, resource)
	if err != nil {
		return PreferencesView{}, err
	}
	view, err := d.Settings(ctx)
	if err != nil {
		return PreferencesView{}, err
	}
	row, err := d.preferences(ctx, resource)
	if err != nil {
		return PreferencesView{}, err
	}
	v := PreferencesView{Resource: resource, Off: view.Settings.ToBoardOff, Own: !view.Settings.SameForAll}
	rows := []*store.Preferences{row}
	if row != nil {
		v.Said, v.Fixed, v.ChangedBy, v.Changed = choicesOf(row), row.Fixed, row.ChangedBy, row.Changed
		v.Own = v.Own && !row.Fixed
	}
	if r.Mailbox != "" {
		others, err := d.Store.ResourcesOf(ctx, r.Mailbox)
		if err != nil {
			return PreferencesView{}, err
		}
		for _, o := range others {
			if o.No == resource || !o.Exchange {
				continue
			}
			v.SharedWith = append(v.SharedWith, o.No)
			theirs, err := d.preferences(ctx, o.No)
			if err != nil {
				return PreferencesView{}, err
			}
			rows = append(rows, theirs)
		}
	}
	v.Effective = effective(view.Settings, rows).choices()
	return v, nil
}

// SetPreferences lets the person of a resource choose what flows back. Choices
// that make no sense, ErrFixed, ErrSameForAll and ErrNoResource store nothing.
func (d *Desk) SetPreferences(ctx context.Context, who, resource string, c Choices) error {
	view, err := d.Settings(ctx)
	if err != nil {
		return err
	}
	if view.Settings.SameForAll {
		return ErrSameForAll
	}
	return d.choose(ctx, who, resource, c, func(p *store.Preferences) error {
		if p.Fixed {
			return ErrFixed
		}
		return nil
	})
}

// FixPreferences lets an administrator choose for a resource. With fixed the
// person can not change it, and it holds also where the same holds for all.
func (d *Desk) FixPreferences(ctx context.Context, who, resource string, c Choices, fixed bool) error {
	return d.choose(ctx, who, resource, c, func(p *store.Preferences) error {
		p.Fixed = fixed
		return nil
	})
}

// choose stores choices and lets the mailbox follow them.
func (d *Desk) choose(ctx context.Context, who, resource string, c Choices, allow func(*store.Preferences) error) error {
	if err := c.Check(); err != nil {
		return err
	}
	r, err := d.resource(ctx, resource)
	if err != nil {
		return err
	}
	for {
		p, err := d.preferences(ctx, resource)
		if err != nil {
			return err
		}
		if p == nil {
			p = &store.Preferences{Resource: resource}
		}
		if err := allow(p); err != nil {
			return err
		}
		c.put(p)
		p.ChangedBy, p.Changed = who, d.Now()
		if err := d.Store.SwapPreferences(ctx, p); err == nil {
			break
		} else if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	if err := d.audit(ctx, who, "preferences", resource, "what flows back from the calendar: "+c.String()); err != nil {
		return err
	}
	if r.Mailbox == "" {
		return nil
	}
	return d.Bus.Nudge(ctx, bus.Nudge{Kind: bus.Read, Target: r.Mailbox, Reason: "preferences", At: d.Now()})
}

func (d *Desk) resource(ctx context.Context, no string) (*store.Resource, error) {
	r, err := d.Store.Resource(ctx, no)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: %q", ErrNoResource, no)
	}
	return r, err
}

// preferences is a resource's row; nil if nothing was said.
func (d *Desk) preferences(ctx context.Context, resource string) (*store.Preferences, error) {
	p, err := d.Store.Preferences(ctx, resource)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return p, err
}

// choices are the filter in the words of whoever chose.
func (f filter) choices() Choices {
	list := func(all []string, chosen map[string]bool) []string {
		out := []string{}
		for _, v := range all {
			if chosen[v] {
				out = append(out, v)
			}
		}
		return out
	}
	return Choices{OptIn: &f.on, Details: &f.details, ShowAs: list(allShowAs, f.showAs), Sensitivity: list(allSensitivity, f.sensitivity)}
}

// String says what was chosen, for the audit log.
func (c Choices) String() string {
	var p store.Preferences
	c.put(&p)
	var out []string
	for _, x := range [][2]string{{"opt-in", p.OptIn}, {"show as", p.ShowAs}, {"sensitivity", p.Sensitivity}, {"details", p.Details}} {
		if x[1] != "" {
			out = append(out, x[0]+" "+x[1])
		}
	}
	if len(out) == 0 {
		return "the defaults"
	}
	return strings.Join(out, "; ")
}
