package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/bc"
	"github.com/dime-scheduler/connectors/shared/backoffice/custom"
	"github.com/dime-scheduler/connectors/shared/backoffice/nav"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/webhook"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/funchost"
	"github.com/dime-scheduler/connectors/shared/settings"
)

// kinds lists every kind of back office: adding one is a package and a line here
// (docs/adding-a-back-office.md).
func kinds() backoffice.Registry {
	tokens := oauth.New()
	return backoffice.Registry{
		{Type: backoffice.BusinessCentral, API: backoffice.REST}:         bc.REST(tokens),
		{Type: backoffice.BusinessCentral, API: backoffice.SOAPPage}:     nav.Page(tokens),
		{Type: backoffice.NAV, API: backoffice.SOAPPage}:                 nav.Page(tokens),
		{Type: backoffice.BusinessCentral, API: backoffice.SOAPCodeunit}: custom.Codeunit(tokens),
		{Type: backoffice.NAV, API: backoffice.SOAPCodeunit}:             custom.Codeunit(tokens),
		{Type: backoffice.BusinessCentral, API: backoffice.ODataAction}:  custom.Action(tokens),
		{Type: backoffice.Webhook, API: backoffice.REST}:                 webhook.Kind(tokens),
	}
}

// wireBackoffice connects the parts of the back offices.
func (a *App) wireBackoffice(s settings.Settings, id *identity, board backoffice.Board, log *slog.Logger) {
	nudges := a.Bus.Backoffice()
	a.backOffices = &backoffice.Directory{
		Store: a.store, Registry: kinds(), Vault: a.vault, AuthorityURL: s.Graph.Authority, Token: id.token, Now: a.now, Log: log,
	}
	a.Backoffice = &backoffice.Worker{
		Store: a.store, Connectors: a.backOffices, Board: board, Bus: nudges, Decode: a.decodeGraph, Now: a.now, Log: log,
		Invocation: func(ctx context.Context) string { return funchost.InvocationOf(ctx).ID },
	}
	a.Connectors = &backoffice.Desk{Store: a.store, Directory: a.backOffices, Secrets: a.vault, Bus: nudges, Now: a.now, Log: log}
	a.Router.Connectors, a.Router.Backoffice = a.backOffices, nudges
	if s.Local {
		a.backOffices.HTTP = transport(s, s.Graph.Authority) // trusts the local world's certificate
	}
}

// decodeGraph reads an appointment graph; times without a zone are in the board's.
func (a *App) decodeGraph(graph []byte) (appointment.Appointment, error) {
	c, err := dimescheduler.DecodeChange(graph, string(appointment.Update), 0, time.Time{}, a.zone)
	return c.Appointment, err
}

// token is one of the app's own identity.
func (id *identity) token(ctx context.Context, scope string) (string, error) {
	if id.app == nil {
		return "", backoffice.ErrNoIdentity
	}
	t, err := id.app.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	return t.Token, err
}

// redrive is all that looks after overdue targets.
type redrive []interface {
	Run(ctx context.Context) error
}

// Run does each of its parts, whatever becomes of the others.
func (r redrive) Run(ctx context.Context) error {
	var failed []error
	for _, part := range r {
		failed = append(failed, part.Run(ctx))
	}
	return errors.Join(failed...)
}
