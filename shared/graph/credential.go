package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// CredentialOptions say as whom the application signs in. There is no chain of
// guesses: Auth names the one way.
type CredentialOptions struct {
	// Auth is the setting GRAPH_AUTH: "secret" (an app registration with a client
	// secret), "federated" (an app registration that trusts the managed identity,
	// no secret) or "identity" (the managed identity itself has the app roles).
	Auth string
	// TenantID and ClientID name the app registration; not used by "identity".
	TenantID, ClientID string
	// Authority is the address of Entra ID; "" = https://login.microsoftonline.com.
	// Plain http is accepted for "secret" and a loopback address only.
	Authority string
	// Secret returns the client secret. It is asked again after Entra has refused
	// the last one or Graph a token, so that a rotation needs no restart.
	Secret func(context.Context) (string, error)
	// Refused, if set, is called when Entra has refused a secret, before Secret is
	// asked again: a cache in front of the vault drops it then.
	Refused func()
	// IdentityClientID is the user-assigned managed identity (AZURE_CLIENT_ID); "" = the system-assigned one.
	IdentityClientID string
	// Transport makes the connections to the authority; nil = the default.
	Transport http.RoundTripper
}

// logins are the authorities of Microsoft's clouds, each with the audience of
// the tokens by which a managed identity vouches for an app registration.
// https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
var logins = map[string]string{
	"login.microsoftonline.com":        "api://AzureADTokenExchange",
	"login.microsoftonline.us":         "api://AzureADTokenExchangeUSGov",
	"login.partner.microsoftonline.cn": "api://AzureADTokenExchangeChina",
	"login.chinacloudapi.cn":           "api://AzureADTokenExchangeChina",
	"login.windows.net":                "api://AzureADTokenExchange",
	"login.microsoft.com":              "api://AzureADTokenExchange",
}

// Credential returns the credential for Options.Credential. It makes no call.
func Credential(o CredentialOptions) (azcore.TokenCredential, error) {
	if o.Authority == "" {
		o.Authority = "https://login.microsoftonline.com"
	}
	authority, err := address(o.Authority)
	if err != nil {
		return nil, fmt.Errorf("graph: authority: %w", err)
	}
	if o.Auth != "identity" && (o.TenantID == "" || o.ClientID == "") {
		return nil, fmt.Errorf("graph: credential %q needs the tenant and the client id of the app registration", o.Auth)
	}
	switch o.Auth {
	case "secret":
		if o.Secret == nil {
			return nil, errors.New("graph: credential \"secret\" needs the client secret")
		}
		return &renewing{secret: o.Secret, refused: o.Refused, build: func(secret string) (azcore.TokenCredential, error) {
			if authority.Scheme == "http" {
				return &loopbackCredential{authority: authority, tenant: o.TenantID, client: o.ClientID, secret: secret, transport: o.Transport}, nil
			}
			return azidentity.NewClientSecretCredential(o.TenantID, o.ClientID, secret, &azidentity.ClientSecretCredentialOptions{
				ClientOptions: clientOptions(o, authority), DisableInstanceDiscovery: logins[authority.Host] == "",
			})
		}}, nil
	case "federated":
		if authority.Scheme == "http" {
			return nil, errors.New("graph: credential \"federated\" needs an https authority")
		}
		return federated(o, authority)
	case "identity":
		return managedIdentity(o.IdentityClientID)
	}
	return nil, fmt.Errorf("graph: credential %q is unknown: write secret, federated or identity", o.Auth)
}

func clientOptions(o CredentialOptions, authority *url.URL) azcore.ClientOptions {
	c := azcore.ClientOptions{
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: strings.TrimRight(authority.String(), "/") + "/"},
		Retry: policy.RetryOptions{MaxRetries: -1}, // the caller tries again, later
	}
	if o.Transport != nil {
		c.Transport = &http.Client{Transport: o.Transport}
	}
	return c
}

func managedIdentity(clientID string) (*azidentity.ManagedIdentityCredential, error) {
	o := &azidentity.ManagedIdentityCredentialOptions{}
	if clientID != "" {
		o.ID = azidentity.ClientID(clientID)
	}
	return azidentity.NewManagedIdentityCredential(o)
}

func federated(o CredentialOptions, authority *url.URL) (azcore.TokenCredential, error) {
	identity, err := managedIdentity(o.IdentityClientID)
	if err != nil {
		return nil, err
	}
	audience := logins[authority.Host]
	if audience == "" {
		audience = "api://AzureADTokenExchange"
	}
	vouch := func(ctx context.Context) (string, error) {
		token, err := identity.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
		return token.Token, err
	}
	return &renewing{
		secret: func(context.Context) (string, error) { return "", nil },
		build: func(string) (azcore.TokenCredential, error) {
			return azidentity.NewClientAssertionCredential(o.TenantID, o.ClientID, vouch, &azidentity.ClientAssertionCredentialOptions{
				ClientOptions: clientOptions(o, authority), DisableInstanceDiscovery: logins[authority.Host] == "",
			})
		},
	}, nil
}

// renewing is a credential that is built again, with a secret that is fetched
// again, after a failure; building it again also empties its cache of tokens.
type renewing struct {
	secret  func(context.Context) (string, error)
	refused func()
	build   func(secret string) (azcore.TokenCredential, error)

	mu    sync.Mutex
	inner azcore.TokenCredential
	used  string // the secret that inner was built with
}

// GetToken implements azcore.TokenCredential. If the secret is refused and the
// vault has another by now, that one is tried at once.
func (r *renewing) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	inner, used, err := r.current(ctx)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	token, err := inner.GetToken(ctx, o)
	if err == nil || noToken(ctx, err).Reason != fault.Auth {
		return token, err
	}
	if r.refused != nil {
		r.refused()
	}
	r.drop(inner)
	again, fresh, fetchErr := r.current(ctx)
	if fetchErr != nil {
		return azcore.AccessToken{}, fetchErr
	}
	if fresh == used {
		r.drop(again) // so that the next call asks the vault first
		return azcore.AccessToken{}, err
	}
	if token, err = again.GetToken(ctx, o); err != nil {
		r.drop(again)
	}
	return token, err
}

// Forget drops the token: the next one is new.
func (r *renewing) Forget() { r.drop(nil) }

// drop forgets inner, unless another goroutine has replaced it; nil = whatever it is.
func (r *renewing) drop(inner azcore.TokenCredential) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if inner == nil || r.inner == inner {
		r.inner, r.used = nil, ""
	}
}

func (r *renewing) current(ctx context.Context) (inner azcore.TokenCredential, used string, err error) {
	r.mu.Lock()
	inner, used = r.inner, r.used
	r.mu.Unlock()
	if inner != nil {
		return inner, used, nil
	}
	// Outside of the lock, as the vault may take its time; two at once do no harm.
	if used, err = r.secret(ctx); err != nil {
		return nil, "", fmt.Errorf("client secret: %w", err)
	}
	if inner, err = r.build(used); err != nil {
		return nil, "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inner, r.used = inner, used
	return inner, used, nil
}
