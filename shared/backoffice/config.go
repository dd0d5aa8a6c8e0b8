package backoffice

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/dime-scheduler/connectors/shared/secret"
)

// Type is the kind of a back office (facts B.1).
type Type string

const (
	BusinessCentral Type = "bc"
	NAV             Type = "nav"
	Webhook         Type = "webhook"
)

// API is how it is spoken to.
type API string

const (
	REST         API = "rest"         // Business Central API page; a webhook
	SOAPPage     API = "soapPage"     // page web service "Appointment"
	SOAPCodeunit API = "soapCodeunit" // a customer's own codeunit
	ODataAction  API = "odataAction"  // an unbound action of a customer's own codeunit
)

// Auth is how we sign in there.
type Auth string

const (
	NoAuth Auth = "none"
	Basic  Auth = "basic" // user and password, or web service access key
	NTLM   Auth = "ntlm"
	// Windows is NTLM too: Kerberos needs a domain controller that a function app
	// does not reach, and is refused with a clear message.
	Windows Auth = "windows"
	// Entra is the OAuth2 client credentials flow with the credentials in the body,
	// against the login tenant named in Login; OAuthBody and OAuthBasic are the same
	// flow, with the credentials in the body or in the Authorization header.
	Entra      Auth = "entra"
	OAuthBody  Auth = "oauth2Body"
	OAuthBasic Auth = "oauth2Basic"
	// Identity is the app's own managed identity: Business Central online, and
	// webhooks that take Entra tokens. There is no login and no password.
	Identity Auth = "identity"
)

// Config is the configuration of one connector, as decoded and validated from its
// record. It holds no secret: Secret names the one in Key Vault.
type Config struct {
	ID          string // stable; also the id of its targets
	Name        string
	Description string
	SourceApp   string // selects it: the job's source app, letter case aside
	SourceType  string // narrows it, letter case aside; empty = any
	Send        bool   // "send appointments to back office"
	Operations  []Operation
	URI         string
	Type        Type
	API         API
	Auth        Auth
	// Login is the user, the domain user, or for OAuth2 the tenant id. ClientID is
	// the OAuth2 client.
	Login, ClientID string
	Secret          string // name in Key Vault of the password or client secret
	// TokenURL and Scope override what follows from the type, for OAuth2.
	TokenURL, Scope string
	// Shards is how many sessions it has, fixed when it is created: order is kept
	// per job, and each shard has one delivery under way.
	Shards int
	// Fields maps our field names to those of the back office; empty = as the back
	// office's metadata names them.
	Fields map[string]string
	// Headers are added to every request (webhook), never secrets.
	Headers map[string]string
	// Signing is the name in Key Vault of the key that signs a webhook's requests;
	// empty = they are not signed.
	Signing string
	// CA is a bundle of PEM certificates to trust besides the system's; Pin the hex
	// SHA-256 of the one certificate to accept. Empty = as usual.
	CA, Pin string
	// AllowHTTP: plain http is accepted, also with credentials.
	AllowHTTP bool
	// ReadStatus: ask the back office later what it made of each delivery.
	ReadStatus bool
	// SkipEchoes: what a back office of this source app has changed itself
	// (SentFromBackOffice) is not sent to it, once it has been told of the
	// appointment: the first time joins its document with the appointment.
	SkipEchoes bool
	// Repeat is how an insert is sent again whose outcome is unknown and which the
	// back office does not show: Update (the default) or nothing else that could double.
	Repeat Operation
	// Timeout of one call; 0 = DefaultTimeout.
	Timeout time.Duration
	// Method is the codeunit's or action's method (SOAPCodeunit, ODataAction).
	Method string
}

// DefaultTimeout is that of the incumbent's SOAP channel (facts B.6, DSBC004).
const DefaultTimeout = time.Minute

// Deps is what a kind gets besides its Config.
type Deps struct {
	// Secret returns the connector's password or client secret; Rejected tells that
	// the other side refused it, so that a rotated one is read at once.
	Secret   func(ctx context.Context) (secret.Secret, error)
	Rejected func()
	// Signing returns the webhook's signing key; called only if Config.Signing names one.
	Signing func(ctx context.Context) (secret.Secret, error)
	// Token returns a token of the app's own identity for a scope (Auth Identity);
	// nil = the app has none here.
	Token func(ctx context.Context, scope string) (string, error)
	// HTTP is the transport below everything, for tests and LOCAL_MODE; nil = the default.
	HTTP http.RoundTripper
	// AuthorityURL is the base of Entra's token endpoints, "https://login.microsoftonline.com".
	AuthorityURL string
	Now          func() time.Time
	Log          *slog.Logger
}

// Kind opens connectors of one type. Open makes no call: what is wrong with the
// Config is an error with a stable code (DSCFG...), what is wrong with the other
// side is found by Test and Deliver.
type Kind interface {
	Open(ctx context.Context, d Deps, c Config) (Connector, error)
}

// KindFunc is a function as a Kind.
type KindFunc func(ctx context.Context, d Deps, c Config) (Connector, error)

// Open calls f.
func (f KindFunc) Open(ctx context.Context, d Deps, c Config) (Connector, error) { return f(ctx, d, c) }

// Registry maps each type and API to the kind that opens it. shared/app has the one
// of this program: adding a back office is a package and a line there.
type Registry map[Key]Kind

// Key of a Registry.
type Key struct {
	Type Type
	API  API
}
