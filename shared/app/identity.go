package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/settings"
)

// identity is as whom the app acts: in Azure a user-assigned managed identity,
// towards all that the deployment created; towards Graph what GRAPH_AUTH says.
// Nothing is guessed: each way is named by a setting.
type identity struct {
	app        azcore.TokenCredential // for Table Storage and Key Vault
	serviceBus azcore.TokenCredential // nil if a connection string is used
}

func newIdentity(s settings.Settings) (*identity, error) {
	id := &identity{}
	var err error
	switch {
	case s.IdentityClientID != "":
		if id.app, err = managed(s.IdentityClientID); err != nil {
			return nil, err
		}
	case s.Local:
		id.app = localToken{}
	}
	if s.ServiceBus.Namespace != "" {
		id.serviceBus = id.app
		if c := s.ServiceBus.ClientID; c != "" && c != s.IdentityClientID {
			if id.serviceBus, err = managed(c); err != nil {
				return nil, err
			}
		}
	}
	return id, nil
}

func managed(clientID string) (azcore.TokenCredential, error) {
	c, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ID: azidentity.ClientID(clientID)})
	if err != nil {
		return nil, fmt.Errorf("managed identity (setting AZURE_CLIENT_ID): %w", err)
	}
	return c, nil
}

// localToken is for LOCAL_MODE without an identity, where only loopback
// addresses are called: their simulators take any token.
type localToken struct{}

func (localToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "local", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// transport makes the connections to an address, trusting the local world's
// certificate in LOCAL_MODE and nothing unusual otherwise.
func transport(s settings.Settings, address string) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32
	if c := s.TLS(address); c != nil {
		t.TLSClientConfig = c
	}
	return t
}

func (id *identity) vault(s settings.Settings) (*secret.Vault, error) {
	return secret.NewVault(secret.Options{
		URL: s.Vault.URL, Credential: id.app, Local: s.TLS(s.Vault.URL) != nil, HTTPClient: &http.Client{Transport: transport(s, s.Vault.URL)},
	})
}

func (id *identity) graph(s settings.Settings, vault *secret.Vault, version string) (*graph.Client, error) {
	credential, err := graph.Credential(graph.CredentialOptions{
		Auth: string(s.Graph.Auth), TenantID: s.Graph.TenantID, ClientID: s.Graph.ClientID, Authority: s.Graph.Authority,
		IdentityClientID: s.IdentityClientID, Transport: transport(s, s.Graph.Authority),
		Secret: func(ctx context.Context) (string, error) {
			v, err := vault.Get(ctx, s.Vault.Graph)
			return v.Reveal(), err
		},
		Refused: func() { vault.Invalidate(s.Vault.Graph) },
	})
	if err != nil {
		return nil, err
	}
	return graph.New(graph.Options{BaseURL: s.Graph.URL, Credential: credential, Transport: transport(s, s.Graph.URL), Version: version})
}

func (id *identity) tables(s settings.Settings) (*aztables.ServiceClient, error) {
	options := &aztables.ClientOptions{}
	if !s.Tables.ConnectionString.IsZero() {
		c, err := aztables.NewServiceClientFromConnectionString(s.Tables.ConnectionString.Reveal(), options)
		if err != nil {
			return nil, fmt.Errorf("setting TABLES_CONNECTION_STRING is not a connection string of Table Storage")
		}
		return c, nil
	}
	c, err := aztables.NewServiceClient(strings.TrimRight(s.Tables.URL, "/"), id.app, options)
	if err != nil {
		return nil, fmt.Errorf("setting TABLES_URL: %w", err)
	}
	return c, nil
}
