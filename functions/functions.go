// Command functions is the custom handler: one program that runs all functions
// of the app under the Azure Functions host. It wires and registers; what the
// functions do is in their packages, and what those call in shared.
package main

import (
	"context"
	"log/slog"

	"github.com/dime-scheduler/connectors/functions/appointmentintake"
	"github.com/dime-scheduler/connectors/functions/appointmentpush"
	"github.com/dime-scheduler/connectors/functions/graphlifecycle"
	"github.com/dime-scheduler/connectors/functions/graphwebhook"
	"github.com/dime-scheduler/connectors/functions/health"
	"github.com/dime-scheduler/connectors/functions/mailboxsweep"
	"github.com/dime-scheduler/connectors/functions/mailboxsync"
	"github.com/dime-scheduler/connectors/functions/redrive"
	"github.com/dime-scheduler/connectors/functions/resourcesync"
	"github.com/dime-scheduler/connectors/functions/subscriptionrenewal"
	"github.com/dime-scheduler/connectors/shared/funchost"
	"github.com/dime-scheduler/connectors/shared/graphhook"
)

// parts are what the functions call.
type parts struct {
	decode  appointmentpush.Decode
	router  appointmentpush.Router
	mailbox mailboxsync.Worker
	bus     interface {
		graphhook.Nudger
		appointmentintake.Sender
	}
	// verifier returns what checks clientState, with the keys of this moment.
	verifier  func(context.Context) (graphhook.Verifier, error)
	renewal   subscriptionrenewal.Renewal
	sweep     mailboxsweep.Sweep
	resources resourcesync.Sync
	redrive   redrive.Redrive
	health    health.Checker
}

// functions registers every function of the app. Names, bindings, methods and
// routes are those of functions/<name>/function.json.
func functions(o funchost.Options, log *slog.Logger, p parts) *funchost.App {
	a := funchost.New(o)

	// from the board
	a.HTTP("appointmentintake", "POST", "appointments/{operation}", appointmentintake.Handler(appointmentintake.Decode(p.decode), p.bus, log))
	a.Queue("appointmentpush", "msg", appointmentpush.Handler(p.decode, p.router))

	// from and to Outlook
	a.HTTP("graphwebhook", "POST", "graph/notifications", graphwebhook.Handler(p.verifier, p.bus, log))
	a.HTTP("graphlifecycle", "POST", "graph/lifecycle", graphlifecycle.Handler(p.verifier, p.bus, log))
	a.Queue("mailboxsync", "msg", mailboxsync.Handler(p.mailbox))

	// the nets, by the schedules of the settings
	a.Timer("subscriptionrenewal", "timer", subscriptionrenewal.Handler(p.renewal))
	a.Timer("mailboxsweep", "timer", mailboxsweep.Handler(p.sweep))
	a.Timer("resourcesync", "timer", resourcesync.Handler(p.resources))
	a.Timer("redrive", "timer", redrive.Handler(p.redrive))

	// for people
	a.HTTP("health", "GET", "health", health.Handler(p.health))
	return a
}
