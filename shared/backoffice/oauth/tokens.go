package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// BusinessCentralScope is what a token for Business Central is asked for with,
// online and on-premises (facts B1).
const BusinessCentralScope = "https://api.businesscentral.dynamics.com/.default"

const (
	// early is how long before its end a token is replaced.
	early = 5 * time.Minute
	// patience bounds one request for a token, which serves everybody who waits.
	patience = 30 * time.Second
	// shortest is taken for the life of a token that does not tell.
	shortest = 10 * time.Minute
)

// Tokens keeps access tokens. The zero value is not usable; see New. It is safe
// for concurrent use.
type Tokens struct {
	flights singleflight.Group

	mu   sync.Mutex
	kept map[key]held
}

// key is what tells tokens apart: the token address holds the tenant. Two
// connectors share a token only if they name the same secret, so that a wrong
// secret never rides on somebody else's token.
type key struct{ address, client, scope, secret, style string }

// held is a token, when to replace it, and its end.
type held struct {
	value       string
	renew, ends time.Time
}

// New returns an empty Tokens: one for the whole program.
func New() *Tokens { return &Tokens{kept: map[key]held{}} }

// Source gives one connector its tokens.
type Source struct {
	tokens *Tokens
	d      backoffice.Deps
	key    key
	style  oauth2.AuthStyle
	http   *http.Client
	// identity: the app's own, which keeps its tokens itself.
	identity bool
}

// Source returns the tokens of a connector; it makes no call. What is wrong with
// the configuration is a *fault.Error with a DSCFG code.
func (t *Tokens) Source(c backoffice.Config, d backoffice.Deps) (*Source, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Source{tokens: t, d: d, key: key{scope: c.Scope, client: c.ClientID, secret: c.Secret, style: string(c.Auth)}}
	if s.key.scope == "" && c.Type != backoffice.Webhook {
		s.key.scope = BusinessCentralScope
	}
	switch c.Auth {
	case backoffice.Identity:
		if d.Token == nil {
			return nil, misconfigured(backoffice.CodeSystemType, "the app has no identity of its own here: enter tenant, client id and client secret")
		}
		s.identity = true
		return s, nil
	case backoffice.OAuthBasic:
		s.style = oauth2.AuthStyleInHeader
	case backoffice.Entra, backoffice.OAuthBody:
		s.style = oauth2.AuthStyleInParams
	default:
		return nil, misconfigured(backoffice.CodeSystemType, "the connector does not sign in by OAuth2")
	}
	if c.ClientID == "" || d.Secret == nil {
		return nil, misconfigured(backoffice.CodeOAuthCredentials, "client id or client secret is missing")
	}
	address, err := tokenAddress(c, d)
	if err != nil {
		return nil, err
	}
	s.key.address = address
	s.http = &http.Client{
		Transport: d.HTTP, // nil: the default, with the system's roots
		Timeout:   patience,
		// The secret goes to the address that was configured, and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// tokenAddress is the connector's own, or Entra's of the tenant in Login. The
// tenants "common" and "organizations" give no tokens to applications (facts B1).
func tokenAddress(c backoffice.Config, d backoffice.Deps) (string, error) {
	if c.TokenURL != "" {
		return c.TokenURL, nil
	}
	tenant := strings.ToLower(strings.TrimSpace(c.Login))
	switch {
	case tenant == "":
		return "", misconfigured(backoffice.CodeOAuthCredentials, "the login is missing: for OAuth2 it is the directory (tenant) id")
	case tenant == "common", tenant == "organizations", tenant == "consumers", strings.ContainsAny(tenant, "/?#%\\ "):
		return "", misconfigured(backoffice.CodeOAuthCredentials, "the login is not a directory (tenant) id")
	case d.AuthorityURL == "":
		return "", misconfigured(backoffice.CodeMissingField, "the address of the login service is not set (setting AUTHORITY_URL)")
	}
	return strings.TrimSuffix(d.AuthorityURL, "/") + "/" + tenant + "/oauth2/v2.0/token", nil
}

// Token returns an access token. The error is a *fault.Error of the whole target;
// nothing has been sent to the back office then.
func (s *Source) Token(ctx context.Context) (string, error) {
	if s.identity {
		value, err := s.d.Token(ctx, s.key.scope)
		if err != nil {
			return "", identityFault(ctx, err)
		}
		return value, nil
	}
	now := s.d.Now()
	t := s.tokens.look(s.key)
	if now.Before(t.renew) {
		return t.value, nil
	}
	value, err := s.shared(ctx)
	if err != nil && now.Before(t.ends) && fault.Of(err).Reason != fault.Auth {
		return t.value, nil // the login service is down, and the old token is good still
	}
	return value, err
}

// Fresh asks the server, whatever is kept: to test the credentials as they are now.
func (s *Source) Fresh(ctx context.Context) (string, error) {
	if s.identity {
		return s.Token(ctx)
	}
	return s.shared(ctx)
}

// Refused drops a token that the back office refused, unless it has been replaced.
func (s *Source) Refused(value string) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if s.tokens.kept[s.key].value == value {
		delete(s.tokens.kept, s.key)
	}
}

func (t *Tokens) look(k key) held {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept[k]
}

// shared waits for the one request that is under way for this key, or makes it. A
// caller that gives up does not stop it for the others.
func (s *Source) shared(ctx context.Context) (string, error) {
	id := strings.Join([]string{s.key.address, s.key.client, s.key.scope, s.key.secret, s.key.style}, "\x00")
	flight := s.tokens.flights.DoChan(id, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return s.ask(ctx)
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", interrupted(ctx)
	}
}

// ask gets a token and keeps it. A secret that the server refuses is read again,
// and if it has been rotated, the new one is tried, once.
func (s *Source) ask(ctx context.Context) (string, error) {
	value, err := s.d.Secret(ctx)
	if err != nil {
		return "", err
	}
	t, err := s.retrieve(ctx, value)
	if refusesSecret(err) {
		if s.d.Rejected != nil {
			s.d.Rejected()
		}
		if newer, readErr := s.d.Secret(ctx); readErr == nil && !newer.Equal(value) {
			t, err = s.retrieve(ctx, newer)
		}
	}
	if err != nil {
		return "", classify(ctx, err, s.d.Now())
	}
	life := shortest
	if !t.Expiry.IsZero() {
		life = time.Until(t.Expiry) // the library has added it to the machine's clock
	}
	ends := s.d.Now().Add(life)
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	s.tokens.kept[s.key] = held{value: t.AccessToken, renew: ends.Add(-min(early, life/2)), ends: ends}
	return t.AccessToken, nil
}

func (s *Source) retrieve(ctx context.Context, value secret.Secret) (*oauth2.Token, error) {
	c := clientcredentials.Config{
		ClientID: s.key.client, ClientSecret: value.Reveal(), TokenURL: s.key.address, AuthStyle: s.style,
	}
	if s.key.scope != "" {
		c.Scopes = []string{s.key.scope}
	}
	t, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, s.http))
	if err == nil && t.AccessToken == "" {
		err = errors.New("no token")
	}
	return t, err
}
