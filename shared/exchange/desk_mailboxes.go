package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Overview is the state of the whole connector.
type Overview struct {
	// TakePart is how many resources take part: the number that is licensed.
	TakePart  int             `json:"takePart"`
	Waiting   int             `json:"waiting"`   // mailboxes that wait for their release
	Suspended int             `json:"suspended"` // mailboxes that can not be reached
	Questions int             `json:"questions"` // of resources that were turned off, see TurnOff
	Mailboxes []MailboxState  `json:"mailboxes"`
	Resources []ResourceState `json:"resources"`
}

// MailboxState is where a mailbox stands.
type MailboxState struct {
	ID           string        `json:"id"`
	Email        string        `json:"email"`
	Resources    []string      `json:"resources"`
	Participates bool          `json:"participates"`
	Phase        string        `json:"phase"` // new, previewed, adopting, released
	Preview      store.Preview `json:"preview"`
	ReleasedBy   string        `json:"releasedBy,omitempty"`
	ReleasedAt   time.Time     `json:"releasedAt,omitzero"`
	LastRead     time.Time     `json:"lastRead,omitzero"`
	Leaving      store.Leaving `json:"leaving,omitempty"` // ordered, and not carried out yet
	Suspended    time.Time     `json:"suspended,omitzero"`
	Code         string        `json:"code,omitempty"`    // why it can not be reached
	Problem      string        `json:"problem,omitempty"` // the same in a sentence
	Do           string        `json:"do,omitempty"`      // what to do about it
}

// ResourceState is whether a resource takes part, and why not.
type ResourceState struct {
	No         string         `json:"no"`
	Name       string         `json:"name"`
	Email      string         `json:"email"`
	TakesPart  bool           `json:"takesPart"`
	Flag       bool           `json:"flag"` // the board's own
	Override   store.Override `json:"override,omitempty"`
	OverrideBy string         `json:"overrideBy,omitempty"`
	OverrideAt time.Time      `json:"overrideAt,omitzero"`
	Mailbox    string         `json:"mailbox,omitempty"`
	Problem    string         `json:"problem,omitempty"`
	Do         string         `json:"do,omitempty"`
	// Left are the mailboxes of which is asked whether future events stay or go.
	Left []string `json:"left,omitempty"`
}

// Mailboxes returns where every mailbox and every resource stands.
func (d *Desk) Mailboxes(ctx context.Context) (Overview, error) {
	targets, err := d.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return Overview{}, err
	}
	resources, err := d.Store.Resources(ctx)
	if err != nil {
		return Overview{}, err
	}
	var out Overview
	has := map[string]*store.Target{}
	users := map[string][]string{}
	for _, t := range targets {
		has[t.ID] = t
	}
	for _, r := range resources {
		state := resourceState(r, has)
		out.Resources = append(out.Resources, state)
		out.Questions += len(state.Left)
		if r.Exchange {
			out.TakePart++
		}
		if r.Mailbox != "" {
			users[r.Mailbox] = append(users[r.Mailbox], r.No)
		}
	}
	for _, t := range targets {
		m := mailboxState(t, users[t.ID])
		out.Mailboxes = append(out.Mailboxes, m)
		if m.Participates && t.Phase.Waits() {
			out.Waiting++
		}
		if !m.Suspended.IsZero() && m.Participates {
			out.Suspended++
		}
	}
	return out, nil
}

func resourceState(r *store.Resource, has map[string]*store.Target) ResourceState {
	return ResourceState{
		No: r.No, Name: r.Name, Email: r.Email, TakesPart: r.Exchange, Flag: r.Flag, Mailbox: r.Mailbox,
		Override: r.Override, OverrideBy: r.OverrideBy, OverrideAt: r.OverrideAt,
		Problem: r.Problem, Do: advice[r.Problem], Left: openQuestions(r, has),
	}
}

// openQuestions are the mailboxes that the resource has left and nobody else uses.
func openQuestions(r *store.Resource, has map[string]*store.Target) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.Left)), func(id string) bool {
		return has[id] == nil || has[id].Participates || has[id].Leaving != ""
	})
}

func mailboxState(t *store.Target, resources []string) MailboxState {
	m := MailboxState{
		ID: t.ID, Email: t.Email, Resources: resources, Participates: t.Participates, Phase: string(t.Phase), Preview: t.Preview,
		ReleasedBy: t.ReleasedBy, ReleasedAt: t.ReleasedAt, LastRead: t.LastRead, Leaving: t.Leaving, Suspended: t.SuspendedSince,
	}
	if t.Phase == store.PhaseReleased {
		m.Phase = "released"
	}
	if !t.SuspendedSince.IsZero() {
		c := Explain(t.SuspendedCode)
		m.Code, m.Problem, m.Do = c.ID, c.Sentence, c.Do
	}
	return m
}

// Preview returns what the release of a mailbox would do, as last read: the rows,
// and At zero if it has not been read yet.
func (d *Desk) Preview(ctx context.Context, mailbox string) (PreviewRows, error) {
	if _, err := d.knownMailbox(ctx, mailbox); err != nil {
		return PreviewRows{}, err
	}
	var rows PreviewRows
	text, _, err := d.Store.Value(ctx, previewName(mailbox))
	if errors.Is(err, store.ErrNotFound) {
		return rows, nil
	}
	if err != nil {
		return rows, err
	}
	return rows, json.Unmarshal([]byte(text), &rows)
}

// Refresh reads the preview of a mailbox that waits for its release anew, soon.
func (d *Desk) Refresh(ctx context.Context, who, mailbox string) error {
	t, err := d.knownMailbox(ctx, mailbox)
	if err != nil {
		return err
	}
	if !t.Phase.Waits() || !t.Participates {
		return fmt.Errorf("mailbox %s does not wait for a release: there is nothing to preview", mailbox)
	}
	return errors.Join(d.wakeMailbox(ctx, mailbox), d.audit(ctx, who, "preview", "mailbox "+mailbox, ""))
}

// Release lets a mailbox be written: its events are adopted, and both directions
// begin. One that is released already stays so. It is refused while nobody can
// know what it would do.
func (d *Desk) Release(ctx context.Context, who, mailbox string) error {
	t, err := d.knownMailbox(ctx, mailbox)
	switch {
	case err != nil:
		return err
	case !t.Participates:
		return fmt.Errorf("mailbox %s takes no part: switch its resource on first", mailbox)
	case t.Phase == store.PhaseNew:
		return fmt.Errorf("mailbox %s has not been previewed yet: wait for its preview, and look at it", mailbox)
	case !t.Phase.Waits():
		return nil
	}
	_, err = d.swapMailbox(ctx, mailbox, func(t *store.Target) {
		if t.Phase == store.PhasePreviewed && t.Participates {
			t.Phase, t.ReleasedBy, t.ReleasedAt, t.Due = store.PhaseAdopting, who, d.Now(), d.Now()
		}
	})
	if err != nil {
		return err
	}
	return errors.Join(d.wakeMailbox(ctx, mailbox), d.audit(ctx, who, "release", "mailbox "+mailbox, "the mailbox is released"))
}

// SetTakesPart says whether a resource takes part, whatever the board's flag says
// (on, off), or leaves it to the board (board). It has its effect at once. What
// becomes of future events when it is off is asked, see TurnOff.
func (d *Desk) SetTakesPart(ctx context.Context, who, resource, wanted string) error {
	override, ok := map[string]store.Override{"on": store.OverrideOn, "off": store.OverrideOff, "board": store.OverrideNone}[strings.ToLower(wanted)]
	if !ok {
		return fmt.Errorf("%q is none of on, off and board", wanted)
	}
	if _, err := d.knownResource(ctx, resource); err != nil {
		return err
	}
	_, err := d.Store.UpdateResource(ctx, resource, func(r *store.Resource) {
		if r.Override != override {
			r.Override, r.OverrideBy, r.OverrideAt = override, who, d.Now()
		}
	})
	if err != nil {
		return err
	}
	noted := d.audit(ctx, who, "takes part", "resource "+resource, strings.ToLower(wanted))
	sync := &ResourceSync{Store: d.Store, Board: d.Board, Calendar: d.Calendar, Bus: d.Bus, Now: d.Now, Log: d.Log}
	if err := sync.Only(ctx, resource); err != nil {
		d.Log.WarnContext(ctx, "the board's resources could not be read: the change has its effect with the next synchronisation", "error", err)
	}
	return noted
}

// TurnOff answers what becomes of the events of a resource that takes no part any
// more: keep lets all of them stay as they are, remove deletes those that lie
// ahead, were made by the board and have no attendees. Events that were made in
// Outlook, and what is over, stay in any case.
func (d *Desk) TurnOff(ctx context.Context, who, resource, answer string) error {
	leaving := store.Leaving(strings.ToLower(answer))
	if leaving != store.LeavingKeep && leaving != store.LeavingRemove {
		return fmt.Errorf("%q is none of keep and remove", answer)
	}
	r, err := d.knownResource(ctx, resource)
	if err != nil {
		return err
	}
	if len(r.Left) == 0 {
		return fmt.Errorf("resource %s has left no mailbox: there is nothing to decide", resource)
	}
	for _, id := range slices.Sorted(maps.Keys(r.Left)) {
		ordered, err := d.swapMailbox(ctx, id, func(t *store.Target) {
			if !t.Participates { // else another resource goes on with it
				t.Leaving, t.LeavingBy, t.LeavingAt, t.Due, t.Probe = leaving, who, d.Now(), d.Now(), time.Time{}
			}
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && ordered.Leaving != "" {
			if err := d.wakeMailbox(ctx, id); err != nil {
				return err
			}
		}
	}
	left := maps.Clone(r.Left)
	_, err = d.Store.UpdateResource(ctx, resource, func(r *store.Resource) {
		for id := range left {
			delete(r.Left, id)
		}
	})
	if err != nil {
		return err
	}
	return d.audit(ctx, who, "turn off", "resource "+resource, string(leaving))
}

func (d *Desk) wakeMailbox(ctx context.Context, mailbox string) error {
	return d.Bus.Nudge(ctx, bus.Nudge{Kind: bus.Subscribe, Target: mailbox, Reason: reasonWebsite, At: d.Now()})
}

func (d *Desk) knownMailbox(ctx context.Context, id string) (*store.Target, error) {
	t, err := d.Store.Target(ctx, store.Mailbox, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no mailbox %q: %w", id, err)
	}
	return t, err
}

func (d *Desk) knownResource(ctx context.Context, no string) (*store.Resource, error) {
	r, err := d.Store.Resource(ctx, no)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no resource %q: %w", no, err)
	}
	return r, err
}

// swapMailbox swaps a mailbox's row, whoever else writes it.
func (d *Desk) swapMailbox(ctx context.Context, id string, change func(*store.Target)) (*store.Target, error) {
	for {
		t, err := d.Store.Target(ctx, store.Mailbox, id)
		if err != nil {
			return nil, err
		}
		change(t)
		if err = d.Store.SwapTarget(ctx, t); !errors.Is(err, store.ErrConflict) {
			return t, err
		}
	}
}
