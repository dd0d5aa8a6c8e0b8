// Package signin chooses how a connector signs in: by nothing, a password, or
// OAuth2 client credentials, as its Config says. Kinds of back offices open their
// wire.Client with what it returns and know no ways themselves.
//
// A password that is refused is not sent again by it: on-premises servers lock
// accounts after some refusals. The secret is read for every request, from the
// vault's memory, so that a rotated one is used at once.
package signin

import (
	"errors"
	"fmt"
	"net/http"

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
	case backoffice.Basic:
		if d.Secret == nil || c.Login == "" {
			return Way{}, misconfigured(backoffice.CodeMissingField, "login or password is missing")
		}
		return Way{Authorize: basic(c.Login, d)}, nil
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

// basic puts user and password, or web service access key, on each request.
func basic(login string, d backoffice.Deps) wire.Authorizer {
	return func(transport func() http.RoundTripper) http.RoundTripper {
		return &password{login: login, d: d, next: transport()}
	}
}

type password struct {
	login string
	d     backoffice.Deps
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (p *password) RoundTrip(r *http.Request) (*http.Response, error) {
	value, err := p.d.Secret(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	out := r.Clone(r.Context())
	out.SetBasicAuth(p.login, value.Reveal())
	answer, err := p.next.RoundTrip(out)
	if err == nil && answer.StatusCode == http.StatusUnauthorized && p.d.Rejected != nil {
		p.d.Rejected()
	}
	return answer, err
}
