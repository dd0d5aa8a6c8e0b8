// Package graphwebhook is the function that Microsoft Graph calls when
// something has changed in a mailbox; it has the mailbox read.
package graphwebhook

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/graphhook"
)

// Handler returns the function; verifier gives what checks the clientState of
// one request's items.
func Handler(verifier func(context.Context) (graphhook.Verifier, error), nudger graphhook.Nudger, log *slog.Logger) http.Handler {
	return graphhook.Hook{
		Reason:   "graphwebhook",
		Verifier: verifier,
		Bus:      nudger,
		Wake:     func(string) bus.Nudge { return bus.Nudge{Kind: bus.Read} },
		Log:      log,
	}
}
