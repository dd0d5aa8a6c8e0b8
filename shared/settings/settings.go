// Package settings turns the app settings (environment variables) into a typed
// configuration and says everything that is wrong with them at once.
//
// Outside LOCAL_MODE plain http is refused, and so are Graph and login
// addresses that are not Microsoft's; inside it both are allowed towards
// loopback addresses only. What people edit while the app runs (rules,
// connectors, switches) is no setting: it lives in the store.
package settings

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
	_ "time/tzdata" // the zone of the board must load wherever the app runs

	"github.com/dime-scheduler/connectors/shared/secret"
)

// Settings is the configuration of the app. No text of it shows a connection string.
type Settings struct {
	// Local is LOCAL_MODE.
	Local bool
	// PublicURL is where Graph calls back, without a slash at its end.
	PublicURL string
	// IdentityClientID names the user-assigned managed identity; empty in
	// LOCAL_MODE if nothing uses it.
	IdentityClientID string
	ServiceBus       ServiceBus
	Tables           Tables
	Vault            Vault
	Graph            Graph
	Board            Board
	Schedules        Schedules
	Portal           Portal

	localCA *x509.CertPool
}

// Portal says who may open the web portal.
type Portal struct {
	// SignIn: the platform's sign-in (Easy Auth) is on, so that what it says of who
	// asks can be believed.
	SignIn bool
	Admins []string // e-mail addresses or object ids
}

// ServiceBus says how to reach the namespace: by ConnectionString, or by
// Namespace with the managed identity ClientID. Exactly one of the two is set.
type ServiceBus struct {
	ConnectionString secret.Secret
	Namespace        string // host name
	ClientID         string

	Appointments, Mailboxes, Backoffice string // queue names
}

// Tables says how to reach Table Storage; exactly one of the two is set.
type Tables struct {
	ConnectionString secret.Secret
	URL              string
}

// Vault is the Key Vault and the names of the secrets that the app itself needs.
type Vault struct {
	URL         string
	Graph       string // the client secret; only read if Graph.Auth is AuthSecret
	Board       string // the API key of the board
	ClientState string // the keys of clientState
}

// Auth is how the app signs in to Graph.
type Auth string

const (
	AuthSecret    Auth = "secret"    // app registration with a client secret from the vault
	AuthFederated Auth = "federated" // app registration that trusts the managed identity
	AuthIdentity  Auth = "identity"  // the managed identity itself has the app roles
)

// Graph says how to reach Microsoft Graph.
type Graph struct {
	URL       string // with its version, without a slash at its end
	Authority string // without a slash at its end
	Auth      Auth
	TenantID  string
	ClientID  string
}

// Board says how to reach the Dime.Scheduler API.
type Board struct {
	URL  string // without a slash at its end
	Zone *time.Location
}

// Schedules are the NCRONTAB expressions of the timers. The Functions host
// reads the same settings; they are here to be checked and shown.
type Schedules struct{ Renewal, Sweep, Resource, Redrive string }

// TLS returns the TLS configuration for an address: the system's roots (nil),
// or in LOCAL_MODE, for a loopback address, the local world's certificate
// authority, so that this one vouches for nothing else.
func (s Settings) TLS(address string) *tls.Config {
	if s.localCA == nil || !isLoopbackURL(address) {
		return nil
	}
	return &tls.Config{RootCAs: s.localCA, MinVersion: tls.VersionTLS12}
}

// Problem is one thing that is wrong with the settings.
type Problem struct {
	Setting string
	Text    string // what is wrong; holds no value that may be a secret
	Remedy  string // what to do about it
}

func (p *Problem) Error() string {
	return fmt.Sprintf("setting %s %s; %s", p.Setting, p.Text, p.Remedy)
}
