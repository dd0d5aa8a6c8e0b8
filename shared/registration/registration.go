// Package registration enters into the board what this installation is: the webhook
// subscriptions by which a board without access to Service Bus announces its changes
// to appointmentintake, and, for its list, the connectors to back offices.
//
// Guarantees: what is about to be registered is noted before the board is called, so
// that after a crash or a lost answer it is known that the board may have it, and
// said that only there it can be removed (a subscription that is registered twice is
// harmless: both announce the same change, which counts once). A function key and a password never
// enter a table, an error or a log; a connector's password is never given to the
// board.
package registration

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Board is what is asked of the board.
type Board interface {
	CreateHook(ctx context.Context, op appointment.Operation, sourceApp, name string, address secret.Secret) (string, error)
	DeleteHook(ctx context.Context, op appointment.Operation, id string) error
	UpsertConnector(ctx context.Context, e dimescheduler.ConnectorEntry) error
}

// Desk is what administrators may do. Every method is safe twice.
type Desk struct {
	Store interface {
		store.Values
		Audit(ctx context.Context, e store.AuditEntry) error
	}
	Board Board
	// PublicURL is the app's own address.
	PublicURL string
	Now       func() time.Time
}

// Hook is one webhook subscription: one operation of one source app.
type Hook struct {
	SourceApp string                `json:"sourceApp"`
	Operation appointment.Operation `json:"operation"`
	// ID is the board's; empty as long as the board has not answered.
	ID string    `json:"id,omitempty"`
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Open reports whether the board has not answered: it may have the subscription or not.
func (h Hook) Open() bool { return h.ID == "" }

// hooksName is the name of the value that lists the subscriptions.
const hooksName = "board-hooks"

// hookName is how the board lists our subscriptions.
const hookName = "Dime.Scheduler connectors"

var operations = []appointment.Operation{appointment.Create, appointment.Update, appointment.Delete}

// Hooks returns what is registered, ordered by source app and operation.
func (d *Desk) Hooks(ctx context.Context) ([]Hook, error) {
	hooks, _, err := store.ReadValue[[]Hook](ctx, d.Store, hooksName)
	return hooks, err
}

// change edits the list by swap.
func (d *Desk) change(ctx context.Context, edit func([]Hook) []Hook) error {
	return store.ChangeValue(ctx, d.Store, hooksName, func(hooks *[]Hook) error {
		*hooks = edit(*hooks)
		slices.SortStableFunc(*hooks, func(a, b Hook) int {
			return strings.Compare(a.SourceApp+"\n"+string(a.Operation), b.SourceApp+"\n"+string(b.Operation))
		})
		return nil
	})
}

// Mistake is what a person has to correct.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// maxSourceApp is the longest that the board takes (facts B.1).
const maxSourceApp = 30

// Register has the board announce all changes of a source app's appointments to this
// app. key is a function key of this app: it becomes part of the address that the
// board keeps, and is kept nowhere here. Registering again replaces what the board
// has, as after a change of the key.
func (d *Desk) Register(ctx context.Context, who, sourceApp string, key secret.Secret) error {
	sourceApp = strings.TrimSpace(sourceApp)
	switch {
	case sourceApp == "" || len([]rune(sourceApp)) > maxSourceApp:
		return Mistake("Give the source app, in the letters that the board uses (at most 30 characters).")
	case key.IsZero():
		return Mistake("Give a function key of this app (az functionapp keys list): the board calls an address that only it may know.")
	}
	old, err := d.Hooks(ctx)
	if err != nil {
		return err
	}
	for _, op := range operations {
		if err := d.register(ctx, who, sourceApp, op, key); err != nil {
			return fmt.Errorf("%s is not registered: %w", strings.ToLower(string(op)), err)
		}
	}
	// The new ones work: those before them go. A board that changes what it has instead
	// of adding to it answers with the same id: that one stays.
	now, err := d.Hooks(ctx)
	if err != nil {
		return err
	}
	for _, h := range old {
		if h.SourceApp != sourceApp || h.Open() || h.ID == unknownID {
			continue
		}
		forget := d.remove
		if slices.ContainsFunc(now, func(x Hook) bool { return x != h && x.ID == h.ID && x.Operation == h.Operation }) {
			forget = d.drop
		}
		if err := forget(ctx, h); err != nil {
			return fmt.Errorf("the subscriptions are registered, but an older one could not be removed: %w", err)
		}
	}
	return d.audit(ctx, who, "hooks.register", sourceApp, "the board announces its changes to this app")
}

func (d *Desk) register(ctx context.Context, who, sourceApp string, op appointment.Operation, key secret.Secret) error {
	h := Hook{SourceApp: sourceApp, Operation: op, By: who, At: d.Now().UTC()}
	open := func(x Hook) bool { return x.SourceApp == sourceApp && x.Operation == op && x.Open() }
	err := d.change(ctx, func(hooks []Hook) []Hook {
		for i := range hooks {
			if open(hooks[i]) {
				hooks[i].ID = unknownID // of an attempt whose answer was lost
			}
		}
		return append(hooks, h)
	})
	if err != nil {
		return err
	}
	address := d.PublicURL + "/api/appointments/" + strings.ToLower(string(op)) + "?code=" + url.QueryEscape(key.Reveal())
	id, err := d.Board.CreateHook(ctx, op, sourceApp, hookName, secret.New(address))
	if err != nil && !fault.Of(err).Ambiguous {
		return errors.Join(err, d.change(ctx, func(hooks []Hook) []Hook { return slices.DeleteFunc(hooks, open) }))
	}
	if err != nil {
		return err
	}
	return d.change(ctx, func(hooks []Hook) []Hook {
		i := slices.IndexFunc(hooks, open)
		if i < 0 {
			hooks, i = append(hooks, h), len(hooks)
		}
		if hooks[i].ID = id; id == "" {
			hooks[i].ID = unknownID
		}
		return hooks
	})
}

// unknownID stands for the id of a subscription that the board did not tell, or whose
// answer was lost: if it is there, it can not be removed from here.
const unknownID = "?"

func (d *Desk) remove(ctx context.Context, h Hook) error {
	if h.ID != unknownID {
		if err := d.Board.DeleteHook(ctx, h.Operation, h.ID); err != nil {
			return err
		}
	}
	return d.drop(ctx, h)
}

// drop takes a subscription off the list only.
func (d *Desk) drop(ctx context.Context, h Hook) error {
	return d.change(ctx, func(hooks []Hook) []Hook {
		return slices.DeleteFunc(hooks, func(x Hook) bool { return x == h })
	})
}

// Unregister takes back what Register has made for a source app. left are those that
// have to be removed on the board by hand, as it never told their id.
func (d *Desk) Unregister(ctx context.Context, who, sourceApp string) (left []Hook, err error) {
	hooks, err := d.Hooks(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range hooks {
		switch {
		case h.SourceApp != sourceApp:
			continue
		case h.ID == unknownID || h.Open():
			left = append(left, h)
		}
		if h.Open() {
			err = d.drop(ctx, h)
		} else {
			err = d.remove(ctx, h)
		}
		if err != nil {
			return left, err
		}
	}
	return left, d.audit(ctx, who, "hooks.unregister", sourceApp, "the board no longer announces its changes to this app")
}

// PushConnector enters a connector into the board's own list, so that planners see
// that it exists. It is entered as one that the board does not send to: this app
// does, and what both sent would be doubled. Its password stays here.
func (d *Desk) PushConnector(ctx context.Context, who string, c store.ConnectorRecord) error {
	e := dimescheduler.ConnectorEntry{
		Name: c.Name, Description: c.Description, SourceApp: c.SourceApp, SourceType: c.SourceType, URI: c.URI, Login: c.Login,
		Type: types[c.Type], AuthType: auths[c.Auth], APIType: apis[c.API],
	}
	if len([]rune(e.Login)) > maxLogin {
		e.Login = "" // the board has no room for it, and no use
	}
	if err := d.Board.UpsertConnector(ctx, e); err != nil {
		return err
	}
	return d.audit(ctx, who, "connector.push", c.ID, "entered into the board's list")
}

const maxLogin = 50

// The board's numbers for our words (facts B.1). What it has no number for is what
// comes nearest.
var (
	types = map[string]int{"bc": dimescheduler.ConnectorBC, "nav": dimescheduler.ConnectorNAV, "webhook": dimescheduler.ConnectorWebhook}
	auths = map[string]int{
		"none": dimescheduler.AuthNone, "basic": dimescheduler.AuthBasic, "ntlm": dimescheduler.AuthNTLM, "windows": dimescheduler.AuthWindows,
		"entra": dimescheduler.AuthEntra, "oauth2Body": dimescheduler.AuthOAuthBody, "oauth2Basic": dimescheduler.AuthOAuthBasic,
	}
	apis = map[string]int{"rest": dimescheduler.APIREST, "odataAction": dimescheduler.APIREST, "soapPage": dimescheduler.APISOAP, "soapCodeunit": dimescheduler.APISOAP}
)

func (d *Desk) audit(ctx context.Context, who, action, object, text string) error {
	return d.Store.Audit(ctx, store.AuditEntry{Who: who, Action: action, Object: object, Text: text, At: d.Now()})
}
