// Package app is the composition root: it builds every part of the system from
// the settings, in order, and is the only package that may import everything.
// It holds no rules; what the parts do is in their packages.
package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/dime-scheduler/connectors/shared/actions"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/funchost"
	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/health"
	"github.com/dime-scheduler/connectors/shared/portal"
	"github.com/dime-scheduler/connectors/shared/registration"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/settings"
	"github.com/dime-scheduler/connectors/shared/store"
)

// App is all that the functions call.
type App struct {
	Bus        *bus.Sender
	Router     *routing.Router
	Mailbox    *exchange.Worker
	Renewal    *exchange.Renewal
	Sweep      *exchange.Sweep
	Resources  *exchange.ResourceSync
	Backoffice *backoffice.Worker
	Redrive    redrive
	Exchange   *exchange.Desk
	Connectors *backoffice.Desk
	Actions    *actions.Desk
	Board      *registration.Desk
	Portal     *portal.Portal
	Health     *health.Monitor

	store       store.Store
	vault       *secret.Vault
	graph       *graph.Client
	backOffices *backoffice.Directory
	zone        *time.Location
	keys        string // name of the secret with the clientState keys
	now         func() time.Time
}

// New builds the app. It connects to Table Storage, to create its tables; all
// else connects when it is first used. On an error nothing is left open.
func New(ctx context.Context, s settings.Settings, d *Doctor, log *slog.Logger) (_ *App, err error) {
	version := d.Version
	a := &App{zone: s.Board.Zone, keys: s.Vault.ClientState, now: time.Now}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	identity, err := newIdentity(s)
	if err != nil {
		return nil, err
	}
	if a.vault, err = identity.vault(s); err != nil {
		return nil, err
	}
	if a.graph, err = identity.graph(s, a.vault, version); err != nil {
		return nil, err
	}
	tables, err := identity.tables(s)
	if err != nil {
		return nil, err
	}
	if a.store, err = store.OpenTables(ctx, tables, store.Options{}); err != nil {
		return nil, fmt.Errorf("table storage can not be opened (settings TABLES_URL, TABLES_CONNECTION_STRING): %w", err)
	}
	a.Bus, err = bus.NewSender(bus.Options{
		ConnectionString: s.ServiceBus.ConnectionString, Namespace: s.ServiceBus.Namespace, Credential: identity.serviceBus,
		Appointments: s.ServiceBus.Appointments, Mailboxes: s.ServiceBus.Mailboxes, Backoffice: s.ServiceBus.Backoffice,
	})
	if err != nil {
		return nil, err
	}
	a.wire(s, identity, version, log)
	a.Portal, err = portal.New(portal.Options{
		Store: a.store, Exchange: a.Exchange, Backoffice: a.Connectors, Actions: a.Actions, Board: a.Board, Trust: s.Portal.SignIn, Local: s.Local, Admins: s.Portal.Admins,
		PublicURL: s.PublicURL, Doctor: d.Examine, Version: version, Now: a.now, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// wire connects the parts with each other.
func (a *App) wire(s settings.Settings, id *identity, version string, log *slog.Logger) {
	board := dimescheduler.New(dimescheduler.Options{
		BaseURL: s.Board.URL, Zone: s.Board.Zone, HTTPClient: &http.Client{Transport: transport(s, s.Board.URL)},
		Key:         func(ctx context.Context) (secret.Secret, error) { return a.vault.Get(ctx, s.Vault.Board) },
		KeyRejected: func() { a.vault.Invalidate(s.Vault.Board) },
	})
	notifications, lifecycle := s.PublicURL+"/api/graph/notifications", s.PublicURL+"/api/graph/lifecycle"

	// What works by itself asks the board by way of its service, which turns it away
	// while the board is down; what a person does in the portal asks it directly.
	service := &exchange.BoardService{Board: board, Store: a.store, Bus: a.Bus, Now: a.now, Log: log}

	policies := &routing.Policies{Values: a.store, Now: a.now, Log: log}
	a.Router = &routing.Router{Policies: policies, Store: a.store, Board: service, Bus: a.Bus, Now: a.now, Log: log}
	a.Mailbox = &exchange.Worker{
		Store: a.store, Calendar: a.graph, Fits: graph.Fits, Board: service, Bus: a.Bus, Keys: a.Keys,
		Policies: policies, NotificationURL: notifications, LifecycleURL: lifecycle, Zone: s.Board.Zone, Now: a.now, Log: log,
	}
	a.Exchange = &exchange.Desk{Store: a.store, Calendar: a.graph, Board: board, Bus: a.Bus, Now: a.now, Log: log}
	a.Actions = &actions.Desk{Store: a.store, Board: board, Sender: actions.HTTP{}, Now: a.now}
	a.Board = &registration.Desk{Store: a.store, Board: board, PublicURL: s.PublicURL, Now: a.now}
	a.Renewal = &exchange.Renewal{Store: a.store, Calendar: a.graph, Bus: a.Bus, Keys: a.Keys, NotificationURL: notifications, Now: a.now, Log: log}
	a.Sweep = &exchange.Sweep{Store: a.store, Bus: a.Bus, Now: a.now, Log: log}
	a.Resources = &exchange.ResourceSync{Store: a.store, Board: service, Calendar: a.graph, Bus: a.Bus, Now: a.now, Log: log}
	a.wireBackoffice(s, id, service, log)
	a.Redrive = redrive{&exchange.Redrive{Store: a.store, Bus: a.Bus, DeadLetters: (&deadLetters{a.Bus.DeadLetters(), a.store, service, log}).empty, Now: a.now, Log: log},
		&backoffice.Redrive{Store: a.store, Bus: a.Bus.Backoffice(), Now: a.now, Log: log}}
	a.Health = &health.Monitor{Version: version, Log: log, Lag: a.lag, Parked: a.parked, Suspended: a.suspended, TakePart: a.takePart, Probes: []health.Probe{
		{Name: "tables", Ask: a.store.Ping},
		{Name: "serviceBus", Ask: a.Bus.Ping},
		{Name: "keyVault", Ask: func(ctx context.Context) error { _, err := a.Keys(ctx); return err }},
	}}
}

// Decode reads a message of the appointments queue; times without a zone are
// in the board's.
func (a *App) Decode(body []byte, changeType string, sequence int64, enqueued time.Time) (appointment.Change, error) {
	return dimescheduler.DecodeChange(body, changeType, sequence, enqueued, a.zone)
}

// Keys returns the keys of clientState, as the vault has them now.
func (a *App) Keys(ctx context.Context) (exchange.Keys, error) {
	text, err := a.vault.Get(ctx, a.keys)
	if err != nil {
		return nil, err
	}
	keys, err := exchange.ParseKeys(text.Reveal())
	if err != nil {
		return nil, fmt.Errorf("key vault secret %s: %w", a.keys, err)
	}
	return keys, nil
}

// Park keeps a message that can not be used, for people to look at.
func (a *App) Park(ctx context.Context, function string, m funchost.Message, reason error) error {
	return a.store.Park(ctx, &store.Parked{
		ID: fmt.Sprintf("%s-%d-%s", function, m.SequenceNumber, digest(m.Body)), Queue: function, MessageID: m.MessageID,
		Reason: reason.Error(), Body: m.Body, Properties: m.Properties, At: a.now(),
	})
}

// digest keeps two messages apart whose sequence numbers are the same, as those
// of a queue that was made anew.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:6])
}

// lag is for how long the mailbox or connector has been due that is due the longest.
func (a *App) lag(ctx context.Context) (time.Duration, error) {
	now := a.now()
	var longest time.Duration
	for _, kind := range []store.TargetKind{store.Mailbox, store.Connector} {
		due, err := a.store.DueTargets(ctx, kind, now)
		if err != nil {
			return 0, err
		}
		for _, t := range due {
			if kind == store.Mailbox && (!t.Participates || t.Phase.Waits()) {
				continue
			}
			longest = max(longest, now.Sub(t.Due))
		}
	}
	return longest, nil
}

// suspended counts the suspended targets by their code: mailboxes, connectors, and
// Graph or the board as a whole. Those that follow a service are counted with it.
func (a *App) suspended(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for _, kind := range []store.TargetKind{store.Mailbox, store.Connector, store.Service} {
		targets, err := a.store.Targets(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			if !t.SuspendedSince.IsZero() {
				out[t.SuspendedCode]++
			}
		}
	}
	return out, nil
}

// parked is how many messages wait for a person, up to 100.
func (a *App) parked(ctx context.Context) (int, error) {
	messages, err := a.store.ParkedMessages(ctx, 100)
	return len(messages), err
}

// takePart is how many resources take part with a calendar.
func (a *App) takePart(ctx context.Context) (int, error) {
	resources, err := a.store.Resources(ctx)
	n := 0
	for _, r := range resources {
		if r.Exchange {
			n++
		}
	}
	return n, err
}

// Close ends what the app holds open. It waits for no work.
func (a *App) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if a.Bus != nil {
		_ = a.Bus.Close(ctx) // the process ends: there is nothing left to lose
	}
	if a.backOffices != nil {
		a.backOffices.Close()
	}
	if a.vault != nil {
		a.vault.Close()
	}
	if a.graph != nil {
		a.graph.Close()
	}
}

// deadLetters is redrive's look at the queues' dead letters.
type deadLetters struct {
	box   bus.DeadLetters
	store store.Journal
	board interface {
		Suspended(ctx context.Context) (since, resumed time.Time, err error)
	}
	log *slog.Logger
}

// empty returns the dead letters of the appointments queue (R5); one that has
// died for the last time is parked and an alarm, unless it has died while the board
// could not be asked: a doubtful change (R8) waits for that. Dead nudges are discarded.
func (d *deadLetters) empty(ctx context.Context) error {
	since, resumed, err := d.board.Suspended(ctx)
	if err != nil {
		return err
	}
	done, err := d.box.ReturnAppointments(ctx, func(ctx context.Context, l bus.DeadLetter) (bus.Verdict, error) {
		switch {
		case !l.Alarm:
			return bus.Return, nil
		case !since.IsZero():
			return bus.Leave, nil
		case l.Enqueued.Before(resumed):
			return bus.Again, nil
		}
		d.log.ErrorContext(ctx, "an appointment message has died for the last time and is parked", "message_id", l.Change.MessageID, "reason", l.Reason)
		err := d.store.Park(ctx, &store.Parked{
			ID: fmt.Sprintf("dead-%d-%s", l.Change.First, digest(l.Change.Body)), Queue: "appointments", MessageID: l.Change.MessageID,
			Reason: "dead letter, returned " + fmt.Sprint(l.Change.Redriven) + " times: " + l.Reason,
			Body:   l.Change.Body, Properties: map[string]string{bus.PropertyChangeType: string(l.Change.Operation)}, At: time.Now(),
		})
		return bus.Done, err
	})
	nudges, discarded := d.box.DiscardNudges(ctx)
	if done.Returned+done.Done+nudges > 0 {
		d.log.WarnContext(ctx, "dead letters", "returned", done.Returned, "parked", done.Done, "nudges_discarded", nudges)
	}
	return errors.Join(err, discarded)
}
