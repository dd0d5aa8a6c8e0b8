package signin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/ntlm"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// basic puts user and password, or web service access key, on each request.
func basic(login string, d backoffice.Deps) wire.Authorizer {
	return func(transport func() http.RoundTripper) http.RoundTripper {
		next := transport()
		return &password{d: d, send: func(r *http.Request, value string) (*http.Response, error) {
			out := r.Clone(r.Context())
			out.SetBasicAuth(login, value)
			return next.RoundTrip(out)
		}}
	}
}

// passwordKey is where the pool's credentials are found in a request's context.
type passwordKey struct{}

// windows signs in by NTLM, with a connection for each shard and one for looks
// besides deliveries.
func windows(c backoffice.Config, d backoffice.Deps) wire.Authorizer {
	return func(transport func() http.RoundTripper) http.RoundTripper {
		pool := ntlm.NewPool(max(c.Shards, 1)+1, transport, func(ctx context.Context) (ntlm.Credentials, error) {
			value, _ := ctx.Value(passwordKey{}).(string)
			return ntlm.Credentials{User: c.Login, Password: value}, nil
		})
		return &password{d: d, send: func(r *http.Request, value string) (*http.Response, error) {
			answer, err := pool.RoundTrip(r.WithContext(context.WithValue(r.Context(), passwordKey{}, value)))
			if refused, ok := errors.AsType[*ntlm.Refused](err); ok {
				return nil, &fault.Error{Kind: fault.Transient, Reason: fault.Auth, Op: "connector: sign in", Code: backoffice.CodeBCUnauthorized, WholeTarget: true, Err: refused}
			}
			return answer, err
		}}
	}
}

// password reads the password for each request.
type password struct {
	d    backoffice.Deps
	send func(r *http.Request, password string) (*http.Response, error)
}

// RoundTrip implements http.RoundTripper.
func (p *password) RoundTrip(r *http.Request) (*http.Response, error) {
	tried, err := p.d.Secret(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	answer, err := p.send(r, tried.Reveal())
	if err != nil || answer.StatusCode != http.StatusUnauthorized {
		return answer, err
	}
	if p.d.Rejected != nil {
		p.d.Rejected()
	}
	newer, err := p.d.Secret(r.Context())
	if err != nil || newer.Reveal() == tried.Reveal() {
		return answer, nil // the refusal says more
	}
	again, ok := replay(r)
	if !ok {
		return answer, nil
	}
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	_ = answer.Body.Close()
	return p.send(again, newer.Reveal())
}

// replay returns the request with a fresh body: what was refused was not carried
// out, so that it may be sent again.
func replay(r *http.Request) (*http.Request, bool) {
	again := r.Clone(r.Context())
	if r.Body == nil || r.Body == http.NoBody {
		return again, true
	}
	if r.GetBody == nil {
		return nil, false
	}
	body, err := r.GetBody()
	again.Body = body
	return again, err == nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// Advice says what to look at when a connector is refused (status 401), or what
// may stand in its way later; "" if there is nothing to say. It reads the
// password to see what letters it has.
func Advice(ctx context.Context, c backoffice.Config, d backoffice.Deps, refused bool) string {
	var out []string
	switch c.Auth {
	case backoffice.Basic:
		if refused {
			out = append(out, "user and password, or web service access key, were refused: check both, whether the key has expired, and that the server instance's credential type is NavUserPassword (or UserName, then with DOMAIN\\user as login)")
		}
		value := ""
		if d.Secret != nil {
			if s, err := d.Secret(ctx); err == nil {
				value = s.Reveal()
			}
		}
		if strings.IndexFunc(c.Login+value, func(r rune) bool { return r > 126 }) >= 0 {
			out = append(out, "login or password has letters outside of ASCII, which Business Central and NAV do not take with basic authentication: give the user another password, or use a web service access key")
		}
	case backoffice.NTLM, backoffice.Windows:
		if refused {
			out = append(out, "user and password were refused: the login has the form DOMAIN\\user, and the user has to be a Windows user of the back office. "+
				"A server that demands Extended Protection (channel binding) or whose domain forbids NTLM refuses this too. Do not try often: the domain may lock the account")
		}
	case backoffice.NoAuth:
		if refused {
			out = append(out, "the server asks who we are: choose a way to sign in")
		}
	default:
		if refused {
			out = append(out, "the token was refused: register the application on the page Microsoft Entra applications, enabled and with permission sets; on-premises ValidAudiences has to name https://api.businesscentral.dynamics.com")
		}
	}
	return strings.Join(out, "; ")
}
