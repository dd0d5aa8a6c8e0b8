package oauth_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

const tenant = "5a2d3b6c-7c1e-4c55-9d0b-0f2a8f6f1e77"

// world is a token server and a vault with one secret.
type world struct {
	*testing.T
	sim   *erpsim.Server
	front *httptest.Server
	c     backoffice.Config
	d     backoffice.Deps

	mu       sync.Mutex
	now      time.Time
	secret   string
	next     string // read after Rejected
	rejected int
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), secret: "good;+%"}
	w.sim = erpsim.New(erpsim.Options{Tenant: tenant, Now: w.clock, Apps: map[string]erpsim.App{
		"app": {Secrets: []string{"good;+%", "newer"}, Expired: []string{"old"}}, "bare": {Secrets: []string{"s"}, NoConsent: true},
	}})
	w.front = httptest.NewServer(w.sim)
	t.Cleanup(w.front.Close)
	t.Cleanup(w.sim.Close)
	w.c = backoffice.Config{ID: "bc", Type: backoffice.BusinessCentral, API: backoffice.REST, Auth: backoffice.Entra, Login: tenant, ClientID: "app", Secret: "bc-secret",
		URI: w.front.URL + "/v2.0/" + tenant + "/prod/api/dimeSoftware/dimeScheduler/v1.0/companies", AllowHTTP: true}
	w.d = backoffice.Deps{AuthorityURL: w.front.URL, Now: w.clock,
		Secret: func(context.Context) (secret.Secret, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return secret.New(w.secret), nil
		},
		Rejected: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.rejected++
			if w.next != "" {
				w.secret = w.next
			}
		}}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) source(t *oauth.Tokens) *oauth.Source {
	w.Helper()
	s, err := t.Source(w.c, w.d)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) tokens() int { return w.sim.Calls()["token"] }

func TestManyCallersShareOneRequest(t *testing.T) {
	w := newWorld(t)
	w.sim.SetTokenFault(func(int) *erpsim.FaultResponse { time.Sleep(50 * time.Millisecond); return nil })
	cache := oauth.New()
	var wg sync.WaitGroup
	for range 40 {
		s := w.source(cache) // as many connectors
		wg.Go(func() {
			if v, err := s.Token(t.Context()); err != nil || v == "" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w.tokens() != 1 {
		t.Errorf("%d requests for one token", w.tokens())
	}
}

func TestRenewsEarlyAndLivesThroughAnOutage(t *testing.T) {
	w := newWorld(t)
	s := w.source(oauth.New())
	first, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.advance(54 * time.Minute)
	if v, _ := s.Token(t.Context()); v != first {
		t.Error("replaced a token that is good for minutes")
	}
	w.advance(2 * time.Minute)
	w.sim.SetTokenFault(func(int) *erpsim.FaultResponse {
		return &erpsim.FaultResponse{Status: 503, Code: "temporarily_unavailable", RetryAfter: "9"}
	})
	if v, err := s.Token(t.Context()); v != first || err != nil {
		t.Errorf("the old token is good still: %v", err)
	}
	w.advance(5 * time.Minute)
	_, err = s.Token(t.Context())
	if f := fault.Of(err); f.Reason != fault.Unavailable || f.RetryAfter != 9*time.Second || f.Ambiguous || !f.WholeTarget {
		t.Errorf("%v", err)
	}
	w.sim.SetTokenFault(nil)
	if v, err := s.Token(t.Context()); err != nil || v == first {
		t.Errorf("no new token: %v", err)
	}
}

func TestRotatedSecretIsReadAtOnce(t *testing.T) {
	w := newWorld(t)
	w.secret, w.next = "old", "newer"
	if _, err := w.source(oauth.New()).Token(t.Context()); err != nil || w.rejected != 1 {
		t.Errorf("%v, %d rejected", err, w.rejected)
	}
}

// Two connectors with the same client share a token only under the same secret.
func TestWrongSecretDoesNotRideAlong(t *testing.T) {
	w := newWorld(t)
	cache := oauth.New()
	if _, err := w.source(cache).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.c.Secret, w.secret = "another", "wrong"
	if _, err := w.source(cache).Token(t.Context()); err == nil {
		t.Error("a wrong secret got a token")
	}
}

func TestWhatToChange(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*world)
		code   string
		reason fault.Reason
		says   string
	}{
		{"wrong secret", func(w *world) { w.secret = "bad-secret" }, "DSCFG008", fault.Auth, "secret's value"},
		{"expired secret", func(w *world) { w.secret = "old" }, "DSCFG008", fault.Auth, "has expired: make a new one"},
		{"unknown client", func(w *world) { w.c.ClientID = "other" }, "DSCFG008", fault.Auth, "no application with this client id"},
		{"unknown tenant", func(w *world) { w.c.Login = "contoso.example" }, "DSCFG008", fault.Auth, "no such tenant"},
		{"wrong scope", func(w *world) { w.c.Scope = "https://else/.default" }, "DSCFG008", fault.Auth, "scope is wrong"},
		{"no token server", func(w *world) { w.c.TokenURL = w.front.URL + "/nothing" }, "DSCFG007", fault.Invalid, "no token server"},
		{"throttled", func(w *world) {
			w.sim.SetTokenFault(func(int) *erpsim.FaultResponse { return &erpsim.FaultResponse{Status: 429, Code: "x"} })
		}, "DSHTTP001", fault.RateLimit, "pause"},
		{"broken", func(w *world) {
			w.sim.SetTokenFault(func(int) *erpsim.FaultResponse { return &erpsim.FaultResponse{Cut: true} })
		}, "DSBC005", fault.Unavailable, "can not be reached"},
		{"html", func(w *world) {
			w.sim.SetTokenFault(func(int) *erpsim.FaultResponse {
				return &erpsim.FaultResponse{Body: "<html>sign in</html>", ContentType: "text/html"}
			})
		}, "DSBC005", fault.Unavailable, "does not answer as one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			_, err := w.source(oauth.New()).Token(t.Context())
			f := fault.Of(err)
			if err == nil || f.Code != tc.code || f.Reason != tc.reason || !f.WholeTarget || f.Kind != fault.Transient || f.Ambiguous {
				t.Errorf("%v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), w.secret)) {
				t.Errorf("says %q", err)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*world)
		code   string
	}{
		{"common", func(w *world) { w.c.Login = "common" }, "DSCFG006"},
		{"no tenant", func(w *world) { w.c.Login = "" }, "DSCFG006"},
		{"a path", func(w *world) { w.c.Login = "../x" }, "DSCFG006"},
		{"no client", func(w *world) { w.c.ClientID = "" }, "DSCFG006"},
		{"no identity", func(w *world) { w.c.Auth = backoffice.Identity }, "DSCFG005"},
		{"basic", func(w *world) { w.c.Auth = backoffice.Basic }, "DSCFG005"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			if _, err := oauth.New().Source(w.c, w.d); err == nil || fault.Of(err).Code != tc.code {
				t.Errorf("%v, want %s", err, tc.code)
			}
		})
	}
}

// A refused token is replaced once, and the request with its body sent again.
func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	for _, style := range []backoffice.Auth{backoffice.OAuthBody, backoffice.OAuthBasic} {
		t.Run(string(style), func(t *testing.T) {
			w := newWorld(t)
			w.c.Auth = style
			source := w.source(oauth.New())
			client, err := wire.Open(w.c, w.d, wire.Options{Authorize: source.Authorizer()})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			get := func() int {
				t.Helper()
				r, err := client.Do(t.Context(), wire.Request{Op: "test", Method: "GET"})
				if err != nil {
					t.Fatal(err)
				}
				return r.Status
			}
			if got := get(); got != 200 {
				t.Fatalf("%d", got)
			}
			w.sim.RevokeTokens()
			if got := get(); got != 200 || w.tokens() != 2 {
				t.Errorf("%d after %d tokens", got, w.tokens())
			}
			w.sim.SetApps(map[string]erpsim.App{"app": {Secrets: []string{w.secret}, Unregistered: true}})
			if got := get(); got != 401 || w.tokens() != 3 {
				t.Errorf("%d after %d tokens: one re-token, then the refusal stands", got, w.tokens())
			}
		})
	}
}

// The body of the refused request is sent again whole.
func TestRepeatsTheBody(t *testing.T) {
	w := newWorld(t)
	var bodies []string
	back := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(raw))
		if len(bodies) == 1 {
			rw.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(back.Close)
	w.c.URI = back.URL
	client, err := wire.Open(w.c, w.d, wire.Options{Authorize: w.source(oauth.New()).Authorizer()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if r, err := client.Do(t.Context(), wire.Request{Op: "test", Method: "POST", Body: []byte("payload")}); err != nil || r.Status != 200 {
		t.Fatalf("%v %v", r, err)
	}
	if len(bodies) != 2 || bodies[1] != "payload" {
		t.Errorf("%q", bodies)
	}
}

func TestClaims(t *testing.T) {
	w := newWorld(t)
	for client, roles := range map[string]int{"app": 2, "bare": 0} {
		w.c.ClientID, w.c.Secret = client, client
		w.secret = map[string]string{"app": "newer", "bare": "s"}[client]
		v, err := w.source(oauth.New()).Fresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, ok := oauth.ReadClaims(v)
		if !ok || len(c.Roles) != roles || c.Tenant != tenant || c.Expires.IsZero() || c.Audience == "" {
			t.Errorf("%s: %+v", client, c)
		}
	}
	if _, ok := oauth.ReadClaims("opaque"); ok {
		t.Error("an opaque token has no claims")
	}
}

func TestIdentity(t *testing.T) {
	w := newWorld(t)
	w.c.Auth, w.c.ClientID, w.c.Secret = backoffice.Identity, "", ""
	asked := ""
	w.d.Token = func(_ context.Context, scope string) (string, error) { asked = scope; return "mine", nil }
	if v, err := w.source(oauth.New()).Token(t.Context()); v != "mine" || err != nil || asked != oauth.BusinessCentralScope {
		t.Errorf("%q %v for %q", v, err, asked)
	}
}
