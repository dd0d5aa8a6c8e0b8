// Command functions is the custom handler: one program that runs all functions
// of the app under the Azure Functions host. It wires and registers; what the
// functions do is in their packages, and what those call in shared.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/dime-scheduler/connectors/functions/appointmentintake"
	"github.com/dime-scheduler/connectors/functions/appointmentpush"
	"github.com/dime-scheduler/connectors/functions/backofficepush"
	"github.com/dime-scheduler/connectors/functions/graphlifecycle"
	"github.com/dime-scheduler/connectors/functions/graphwebhook"
	"github.com/dime-scheduler/connectors/functions/health"
	"github.com/dime-scheduler/connectors/functions/mailboxsweep"
	"github.com/dime-scheduler/connectors/functions/mailboxsync"
	"github.com/dime-scheduler/connectors/functions/portal"
	"github.com/dime-scheduler/connectors/functions/redrive"
	"github.com/dime-scheduler/connectors/functions/resourcesync"
	"github.com/dime-scheduler/connectors/functions/subscriptionrenewal"
	"github.com/dime-scheduler/connectors/shared/app"
	"github.com/dime-scheduler/connectors/shared/funchost"
	"github.com/dime-scheduler/connectors/shared/graphhook"
	dependencies "github.com/dime-scheduler/connectors/shared/health"
	"github.com/dime-scheduler/connectors/shared/settings"
)

// version is stamped by infra/pack.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if len(os.Args) > 1 {        // a person, not the host
		os.Exit(examine(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(run(ctx, os.Getenv, os.Stdout, os.Stderr))
}

// functions registers every function of the app. Names, bindings, methods and
// routes are those of functions/<name>/function.json.
func functions(a *app.App, d *app.Doctor, log *slog.Logger) *funchost.App {
	f := funchost.New(funchost.Options{Log: log, Park: a.Park})
	verifier := func(ctx context.Context) (graphhook.Verifier, error) { return a.Keys(ctx) }

	// from the board
	f.HTTP("appointmentintake", "POST", "appointments/{operation}", appointmentintake.Handler(a.Decode, a.Bus, log))
	f.Queue("appointmentpush", "msg", appointmentpush.Handler(a.Decode, a.Router))

	// from and to Outlook
	f.HTTP("graphwebhook", "POST", "graph/notifications", graphwebhook.Handler(verifier, a.Bus, log))
	f.HTTP("graphlifecycle", "POST", "graph/lifecycle", graphlifecycle.Handler(verifier, a.Bus, log))
	f.Queue("mailboxsync", "msg", mailboxsync.Handler(a.Mailbox))

	// to the back offices
	f.Queue("backofficepush", "msg", backofficepush.Handler(a.Backoffice))

	// the nets, by the schedules of the settings
	f.Timer("subscriptionrenewal", "timer", subscriptionrenewal.Handler(a.Renewal))
	f.Timer("mailboxsweep", "timer", mailboxsweep.Handler(a.Sweep))
	f.Timer("resourcesync", "timer", resourcesync.Handler(a.Resources))
	f.Timer("redrive", "timer", redrive.Handler(a.Redrive))

	// for people
	f.HTTP("health", "GET", "health", health.Handler(a.Health, d))
	f.HTTP("portal", "GET", "portal/{*path}", portal.Handler(a.Portal))
	f.HTTP("portal", "POST", "portal/{*path}", portal.Handler(a.Portal))
	return f
}

// run serves the functions until ctx ends, and returns the exit code.
func run(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) int {
	log := funchost.NewLogger(stdout, stderr, slog.LevelInfo).With("version", version)

	// Until the app has started, health says why it has not.
	starting := &dependencies.Startup{Version: version}
	doctor := &app.Doctor{Getenv: getenv, Version: version, Log: log}
	early := funchost.New(funchost.Options{Log: log})
	early.HTTP("health", "GET", "health", health.Handler(starting, doctor))

	var running atomic.Pointer[app.App]
	start := func(ctx context.Context) (_ *funchost.App, err error) {
		defer func() { starting.Failed(err) }()
		s, err := settings.Load(getenv)
		if err != nil {
			return nil, err
		}
		a, err := app.New(ctx, s, doctor, log)
		if err != nil {
			return nil, err
		}
		running.Store(a)
		return functions(a, doctor, log), nil
	}
	code := funchost.Server{Log: log, Early: early, Start: start}.Serve(ctx, getenv)
	if a := running.Load(); a != nil {
		a.Close()
	}
	return code
}
