// Package graphlifecycle is the function that Microsoft Graph calls when
// something has happened to a subscription; it has the mailbox's worker look
// after it. Sorting out repeated events is the worker's.
package graphlifecycle

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/graphhook"
)

// Handler returns the function; verifier gives what checks the clientState of
// one request's items.
func Handler(verifier func(context.Context) (graphhook.Verifier, error), nudger graphhook.Nudger, log *slog.Logger) http.Handler {
	return graphhook.Hook{Reason: "graphlifecycle", Verifier: verifier, Bus: nudger, Wake: wake, Log: log}
}

// wake says what an event asks for
// (https://learn.microsoft.com/graph/change-notifications-lifecycle-events).
func wake(event string) bus.Nudge {
	switch strings.ToLower(event) {
	case "reauthorizationrequired": // it is about to end: renew it
		return bus.Nudge{Kind: bus.Subscribe}
	case "subscriptionremoved": // Graph has ended it: make a new one, read the gap
		return bus.Nudge{Kind: bus.Subscribe, Missing: true}
	}
	return bus.Nudge{Kind: bus.Read} // "missed", and what Graph may add: look
}
