package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// entra is a token endpoint that accepts one secret, or an assertion.
type entra struct {
	*httptest.Server
	valid  atomic.Value // the secret
	down   atomic.Bool
	tokens atomic.Int32
}

func newEntra(t *testing.T, start func(http.Handler) *httptest.Server) *entra {
	e := &entra{}
	e.valid.Store("one")
	e.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
			answer(w, 200, fmt.Sprintf(`{"issuer": "%[1]s/tenant/v2.0", "authorization_endpoint": "%[1]s/a", "token_endpoint": "%[1]s/tenant/oauth2/v2.0/token"}`, e.URL))
		case r.URL.Path != "/tenant/oauth2/v2.0/token":
			t.Errorf("unexpected request %s", r.URL)
		case e.down.Load():
			w.Header().Set("Retry-After", "7")
			answer(w, 503, `{}`)
		case r.PostFormValue("client_secret") == e.valid.Load(), r.PostFormValue("client_assertion") == "assertion":
			if r.PostFormValue("client_id") != "client" || !strings.Contains(r.PostFormValue("scope"), "scope/.default") {
				t.Errorf("form %v", r.PostForm)
			}
			answer(w, 200, fmt.Sprintf(`{"token_type": "Bearer", "expires_in": 3600, "access_token": "token-%d"}`, e.tokens.Add(1)))
		default:
			answer(w, 401, `{"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys for app 'jan' are expired.", "error_codes": [7000222]}`)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

func get(t *testing.T, c azcore.TokenCredential) (string, *fault.Error) {
	t.Helper()
	token, err := (&tokenSource{c}).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"scope/.default"}})
	if err != nil {
		return "", fault.Of(err)
	}
	return token.Token, nil
}

// The same for azidentity over https and for the local world's plain http.
func TestSecretIsFetchedAgainWhenRefused(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"https": httptest.NewTLSServer, "loopback http": httptest.NewServer} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t, start)
			var vault atomic.Value
			vault.Store("one")
			var refused, asked atomic.Int32
			c, err := Credential(CredentialOptions{
				Auth: "secret", TenantID: "tenant", ClientID: "client", Authority: e.URL, Transport: e.Client().Transport,
				Secret:  func(context.Context) (string, error) { asked.Add(1); return vault.Load().(string), nil },
				Refused: func() { refused.Add(1) },
			})
			if err != nil {
				t.Fatal(err)
			}
			expect := func(want string, wantAsked int32) {
				t.Helper()
				if token, f := get(t, c); f != nil || token != want || asked.Load() != wantAsked {
					t.Errorf("%q, %v; the secret was asked for %d times", token, f, asked.Load())
				}
			}
			expect("token-1", 1)
			expect("token-1", 1) // cached
			c.(interface{ Forget() }).Forget()
			expect("token-2", 2)

			// The secret expires before anybody has put a new one into the vault.
			e.valid.Store("two")
			c.(interface{ Forget() }).Forget()
			_, f := get(t, c)
			if f == nil || f.Reason != fault.Auth || f.Kind != fault.Transient || !f.WholeTarget || f.Code != "AADSTS7000222" || strings.Contains(f.Error(), "jan") {
				t.Fatalf("%+v", f)
			}
			if refused.Load() != 1 {
				t.Errorf("refused %d times", refused.Load())
			}
			vault.Store("two")
			expect("token-3", asked.Load()+1)
			if refused.Load() != 1 {
				t.Errorf("the dead secret was tried again: refused %d times", refused.Load())
			}

			// It is rotated while this program holds the old one: found out within one call.
			e.valid.Store("three")
			vault.Store("three")
			c.(*renewing).inner = nil // the token has expired, but the secret is remembered
			if c.(*renewing).inner, err = c.(*renewing).build("two"); err != nil {
				t.Fatal(err)
			}
			c.(*renewing).used = "two"
			expect("token-4", asked.Load()+1)
		})
	}
}

func TestTokenFaults(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"https": httptest.NewTLSServer, "loopback http": httptest.NewServer} {
		t.Run(name, func(t *testing.T) {
			e := newEntra(t, start)
			e.down.Store(true)
			o := CredentialOptions{Auth: "secret", TenantID: "tenant", ClientID: "client", Authority: e.URL, Transport: e.Client().Transport,
				Secret: func(context.Context) (string, error) { return "one", nil }}
			c, err := Credential(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, f := get(t, c); f == nil || f.Reason != fault.Unavailable || !f.WholeTarget || f.Ambiguous {
				t.Errorf("down: %+v", f)
			}
			e.Close()
			if _, f := get(t, c); f == nil || f.Reason != fault.Unavailable || !f.WholeTarget {
				t.Errorf("unreachable: %+v", f)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = (&tokenSource{c}).GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"scope/.default"}})
			if f := fault.Of(err); f.Reason != fault.Canceled || f.WholeTarget {
				t.Errorf("cancelled: %+v", f)
			}
			o.Secret = func(context.Context) (string, error) {
				return "", &fault.Error{Kind: fault.Transient, Reason: fault.NotFound, Op: "vault", Code: "SecretNotFound"}
			}
			if c, err = Credential(o); err != nil {
				t.Fatal(err)
			}
			if _, f := get(t, c); f == nil || f.Code != "SecretNotFound" {
				t.Errorf("no secret: %+v", f)
			}
			o.Secret = func(context.Context) (string, error) { return "", errors.New("hunter2") }
			if c, err = Credential(o); err != nil {
				t.Fatal(err)
			}
			if _, f := get(t, c); f == nil || f.Reason != fault.Auth || strings.Contains(f.Error(), "hunter2") {
				t.Errorf("unclassified: %+v", f)
			}
		})
	}
}

// App Service hands the tokens of its identity out at an address in the environment.
func managedIdentityEndpoint(t *testing.T, wantResource string) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Header.Get("X-IDENTITY-HEADER") != "header" || q.Get("client_id") != "identity" || q.Get("resource") != wantResource {
			t.Errorf("%s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token": "assertion", "expires_on": "4102444800", "resource": "x", "token_type": "Bearer"}`)
	}))
	t.Cleanup(srv.Close)
	t.Setenv("IDENTITY_ENDPOINT", srv.URL)
	t.Setenv("IDENTITY_HEADER", "header")
}

func TestManagedIdentity(t *testing.T) {
	t.Run("federated", func(t *testing.T) {
		managedIdentityEndpoint(t, "api://AzureADTokenExchange")
		e := newEntra(t, httptest.NewTLSServer)
		c, err := Credential(CredentialOptions{Auth: "federated", TenantID: "tenant", ClientID: "client", Authority: e.URL,
			Transport: e.Client().Transport, IdentityClientID: "identity"})
		if err != nil {
			t.Fatal(err)
		}
		if token, f := get(t, c); f != nil || token != "token-1" {
			t.Errorf("%q, %v", token, f)
		}
	})
	t.Run("identity", func(t *testing.T) {
		managedIdentityEndpoint(t, "scope")
		c, err := Credential(CredentialOptions{Auth: "identity", IdentityClientID: "identity"})
		if err != nil {
			t.Fatal(err)
		}
		if token, f := get(t, c); f != nil || token != "assertion" {
			t.Errorf("%q, %v", token, f)
		}
	})
}

func TestCredentialRefusesBadOptions(t *testing.T) {
	secret := func(context.Context) (string, error) { return "", nil }
	for name, o := range map[string]CredentialOptions{
		"no way":               {TenantID: "t", ClientID: "c"},
		"unknown way":          {Auth: "password", TenantID: "t", ClientID: "c"},
		"no tenant":            {Auth: "secret", ClientID: "c", Secret: secret},
		"no client":            {Auth: "federated", TenantID: "t"},
		"no secret":            {Auth: "secret", TenantID: "t", ClientID: "c"},
		"http to another host": {Auth: "secret", TenantID: "t", ClientID: "c", Secret: secret, Authority: "http://login.example"},
		"federated over http":  {Auth: "federated", TenantID: "t", ClientID: "c", Authority: "http://127.0.0.1:1"},
	} {
		if _, err := Credential(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
