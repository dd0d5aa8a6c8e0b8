package actions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Set is all actions of the installation, and the hosts that they may lead to.
type Set struct {
	Hosts   []string `json:"hosts"`
	Actions []Action `json:"actions"`
}

// Desk is what administrators may do with actions. Every method is safe twice, but for
// Send, which sends each time.
type Desk struct {
	Store interface {
		store.Values
		Head(ctx context.Context, appointment string) (*store.Head, error)
		Audit(ctx context.Context, e store.AuditEntry) error
	}
	Board interface {
		UpsertActionURL(ctx context.Context, a dimescheduler.ActionURL) error
	}
	Sender Sender
	Now    func() time.Time
}

// setName is the name of the value that holds the Set.
const setName = "actions"

// Mistake is what a person has to correct.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// Actions returns what is kept.
func (d *Desk) Actions(ctx context.Context) (Set, error) {
	s, _, err := store.ReadValue[Set](ctx, d.Store, setName)
	return s, err
}

func (d *Desk) change(ctx context.Context, edit func(*Set) error) error {
	return store.ChangeValue(ctx, d.Store, setName, edit)
}

// SaveHosts replaces the list of hosts: names, or "*." and a domain for all below it.
// One that an action needs can not be taken off.
func (d *Desk) SaveHosts(ctx context.Context, who string, hosts []string) error {
	var clean []string
	for _, h := range hosts {
		h = strings.ToLower(strings.TrimSpace(h))
		switch bare := strings.TrimPrefix(h, "*."); {
		case h == "":
			continue
		case strings.ContainsAny(bare, "/*@?# \\") || !strings.Contains(bare, ".") && !strings.HasPrefix(bare, "localhost"):
			return Mistake(fmt.Sprintf("%q is not a host: write a name as erp.contoso.com, or *.contoso.com for all below it, without https:// and slashes.", h))
		}
		clean = append(clean, h)
	}
	err := d.change(ctx, func(s *Set) error {
		s.Hosts = clean
		for _, a := range s.Actions {
			if problems := a.Check(clean); len(problems) > 0 {
				return Mistake(fmt.Sprintf("The action %q would not work any more: %s.", a.Description, strings.Join(problems, "; ")))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.audit(ctx, who, "actions.hosts", "actions", fmt.Sprintf("%d hosts", len(clean)))
}

// Save stores an action, a new one if it has no ID, and enters it into the board. It
// returns the ID. An action that is stored and could not be entered is an error that
// says so: saving it again tries again.
func (d *Desk) Save(ctx context.Context, who string, a Action) (string, error) {
	a.URL, a.Description = strings.TrimSpace(a.URL), strings.TrimSpace(a.Description)
	if a.Description == "" {
		return "", Mistake("Give the action a description: it is what people choose it by.")
	}
	err := d.change(ctx, func(s *Set) error {
		if problems := a.Check(s.Hosts); len(problems) > 0 {
			return Mistake("The action can not be saved: " + strings.Join(problems, "; ") + ".")
		}
		for i := range s.Actions {
			if a.ID != "" && s.Actions[i].ID == a.ID {
				s.Actions[i] = a
				return nil
			}
		}
		if a.ID == "" {
			a.ID = strings.ToLower(rand.Text()[:10])
		}
		s.Actions = append(s.Actions, a)
		return nil
	})
	if err != nil {
		return "", err
	}
	if err := d.audit(ctx, who, "actions.save", a.ID, a.Description); err != nil {
		return a.ID, err
	}
	if err := d.Board.UpsertActionURL(ctx, entry(a)); err != nil {
		return a.ID, fmt.Errorf("the action is saved here, but the board did not take it; save it again later: %w", err)
	}
	return a.ID, nil
}

// urlTypes and requestTypes are the board's numbers (facts B.7).
var (
	urlTypes     = map[Scope]int{PlanningBoard: 0, Appointment: 1, Task: 2, Map: 3}
	requestTypes = map[Request]int{GET: 1, POST: 2}
)

func entry(a Action) dimescheduler.ActionURL {
	return dimescheduler.ActionURL{
		SourceApp: a.SourceApp, SourceType: a.SourceType, URLType: urlTypes[a.Scope], RequestType: requestTypes[a.Request],
		URL: a.URL, Description: a.Description, Default: a.Default,
	}
}

// Delete removes an action here. The board's API can not take one away: there a
// person has to do it.
func (d *Desk) Delete(ctx context.Context, who, id string) error {
	err := d.change(ctx, func(s *Set) error {
		var kept []Action
		for _, a := range s.Actions {
			if a.ID != id {
				kept = append(kept, a)
			}
		}
		s.Actions = kept
		return nil
	})
	if err != nil {
		return err
	}
	return d.audit(ctx, who, "actions.delete", id, "")
}

// Offer is an action as it is offered for an item, its address filled.
type Offer struct {
	Action  Action
	Address string // empty if it can not be filled
	Problem string // why it can not
}

// Offers returns the actions of the scope appointment that fit an appointment, each
// filled from what the board last said of it.
func (d *Desk) Offers(ctx context.Context, guid string) ([]Offer, error) {
	s, err := d.Actions(ctx)
	if err != nil {
		return nil, err
	}
	head, err := d.Store.Head(ctx, guid)
	if err != nil {
		return nil, err
	}
	v, app, kind, err := ValuesOf(head.Graph, head.Operation)
	if err != nil {
		return nil, err
	}
	var out []Offer
	for _, a := range s.Actions {
		if !a.Fits(Appointment, app, kind) {
			continue
		}
		o := Offer{Action: a}
		if o.Address, err = a.Fill(s.Hosts, v); err != nil {
			o.Problem = err.Error()
		}
		out = append(out, o)
	}
	return out, nil
}

// Preview fills an action that is not saved yet from an appointment.
func (d *Desk) Preview(ctx context.Context, a Action, guid string) (string, error) {
	s, err := d.Actions(ctx)
	if err != nil {
		return "", err
	}
	head, err := d.Store.Head(ctx, guid)
	if errors.Is(err, store.ErrNotFound) {
		return "", Mistake("There is no appointment with this Guid here.")
	}
	if err != nil {
		return "", err
	}
	v, _, _, err := ValuesOf(head.Graph, head.Operation)
	if err != nil {
		return "", err
	}
	address, err := a.Fill(s.Hosts, v)
	if err != nil {
		return "", Mistake(err.Error())
	}
	return address, nil
}

// Send carries out a POST action for an appointment: its graph, as JSON, to the
// action's address. It returns the status that came back.
func (d *Desk) Send(ctx context.Context, who, id, guid string) (status int, err error) {
	offers, err := d.Offers(ctx, guid)
	if err != nil {
		return 0, err
	}
	for _, o := range offers {
		switch {
		case o.Action.ID != id:
			continue
		case o.Problem != "":
			return 0, Mistake(o.Problem)
		case o.Action.Request != POST:
			return 0, Mistake("This action is opened in the browser, not sent.")
		}
		head, err := d.Store.Head(ctx, guid)
		if err != nil {
			return 0, err
		}
		if status, err = d.Sender.Send(ctx, o.Address, head.Graph); err != nil {
			return 0, err
		}
		return status, d.audit(ctx, who, "actions.send", guid, fmt.Sprintf("%s: HTTP %d", o.Action.Description, status))
	}
	return 0, store.ErrNotFound
}

func (d *Desk) audit(ctx context.Context, who, action, object, text string) error {
	return d.Store.Audit(ctx, store.AuditEntry{Who: who, Action: action, Object: object, Text: text, At: d.Now()})
}
