// Package signin chooses how a connector signs in: by nothing, a password, NTLM, or
// OAuth2 client credentials, as its Config says. Kinds of back offices open their
// wire.Client with what it returns and know no ways themselves.
//
// A password that is refused is not sent again by it: on-premises servers lock
// accounts after some refusals. The secret is read for every request, from the
// vault's memory; after a refusal the vault is asked again, and only another
// password is tried, once.
package signin

import (
	"errors"
	"fmt"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Way is how one connector signs in.
type Way struct {
	// Authorize is for wire.Options; nil = the connector signs in by nothing.
	Authorize wire.Authorizer
	// Tokens is where the tokens come from; nil unless it is OAuth2 or the app's identity.
	Tokens *oauth.Source
	// HTTP1 is for wire.Options: the way binds a sign-in to its connection.
	HTTP1 bool
}

// Choose returns the way of a connector; it makes no call. tokens is the one of the
// whole program. What is wrong with the configuration is a *fault.Error with a DSCFG code.
func Choose(c backoffice.Config, d backoffice.Deps, tokens *oauth.Tokens) (Way, error) {
	switch c.Auth {
	case backoffice.NoAuth, "":
		return Way{}, nil
	case backoffice.Basic, backoffice.NTLM, backoffice.Windows:
		if d.Secret == nil || c.Login == "" {
			return Way{}, misconfigured(backoffice.CodeMissingField,
				"login or password is missing: an empty login once stood for the account of a Windows service, which does not exist here; enter user and password, or a web service access key")
		}
		if c.Auth == backoffice.Basic {
			return Way{Authorize: basic(c.Login, d)}, nil
		}
		return Way{Authorize: windows(c, d), HTTP1: true}, nil
	case backoffice.Entra, backoffice.OAuthBody, backoffice.OAuthBasic, backoffice.Identity:
		source, err := tokens.Source(c, d)
		if err != nil {
			return Way{}, err
		}
		return Way{Authorize: source.Authorizer(), Tokens: source}, nil
	}
	return Way{}, misconfigured(backoffice.CodeSystemType, fmt.Sprintf("this connector can not sign in by %q", string(c.Auth)))
}

func misconfigured(code, text string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "connector: sign in", Code: code, WholeTarget: true, Err: errors.New(text)}
}
