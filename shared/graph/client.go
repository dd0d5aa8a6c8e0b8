package graph

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	abs "github.com/microsoft/kiota-abstractions-go"
	azauth "github.com/microsoft/kiota-authentication-azure-go"
	khttp "github.com/microsoft/kiota-http-go"
	kjson "github.com/microsoft/kiota-serialization-json-go"
	msgraph "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/subscriptions"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

const (
	defaultBaseURL  = "https://graph.microsoft.com/v1.0"
	defaultTimeout  = 30 * time.Second
	defaultPageSize = 100
)

// Options say how to reach Graph. Credential is required; the zero value of the
// rest is the global cloud with sensible limits.
type Options struct {
	// BaseURL holds the version too, "https://graph.microsoft.com/v1.0". Plain
	// http is accepted for localhost, 127.0.0.1 and [::1] only.
	BaseURL    string
	Credential azcore.TokenCredential
	// Scopes of the token; nil = <host>/.default, for a loopback host that of the global cloud.
	Scopes []string
	// Transport makes the connections; nil = a copy of http.DefaultTransport.
	Transport http.RoundTripper
	// Version of this program, for the User-Agent.
	Version string
	// Timeout of one HTTP call, with the token it needs. 0 = 30 s; creating a
	// subscription takes up to 10 s, as Graph calls our endpoint meanwhile.
	Timeout time.Duration
	// PageSize is how many events Graph is asked for per page. 0 = 100.
	PageSize int
	// Observe, if set, is called after each HTTP call: its kind ("delta",
	// "batch", ...), the status (0 = no answer) and how long it took. It may be
	// called from several goroutines at once.
	Observe func(kind string, status int, took time.Duration)
}

// Client talks to Graph for one application in one tenant. It is safe for
// concurrent use.
type Client struct {
	adapter   *msgraph.GraphRequestAdapterBase
	transport http.RoundTripper
	tokens    *tokenSource
	scopes    []string
	base      *url.URL
	prefer    string
	timeout   time.Duration
	pageSize  int32
	lanes     lanes
}

// New returns a client; it makes no call.
func New(o Options) (*Client, error) {
	if o.Credential == nil {
		return nil, errors.New("graph: no credential: make one with graph.Credential")
	}
	if o.BaseURL == "" {
		o.BaseURL = defaultBaseURL
	}
	base, err := address(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("graph: base URL: %w", err)
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"https://graph.microsoft.com/.default"}
		if !isLoopback(base.Hostname()) {
			o.Scopes[0] = "https://" + base.Host + "/.default"
		}
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.PageSize <= 0 {
		o.PageSize = defaultPageSize
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	c := &Client{
		transport: o.Transport,
		tokens:    &tokenSource{o.Credential},
		scopes:    o.Scopes,
		base:      base,
		prefer:    fmt.Sprintf(`%s, odata.maxpagesize=%d`, preferItem, o.PageSize),
		timeout:   o.Timeout,
		pageSize:  int32(min(o.PageSize, 1000)), // Graph's own limit
	}
	if c.transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 32
		c.transport = t
	}
	// The host must be in this list: to any other host the provider sends no
	// token, without an error. CAE is off: its claims challenges would be retried
	// inside the SDK.
	auth, err := azauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHostsAndObservabilityOptionsAndIsCaeEnabled(
		c.tokens, o.Scopes, []string{base.Hostname()}, azauth.ObservabilityOptions{}, false)
	if err != nil {
		return nil, fmt.Errorf("graph: authentication provider: %w", err)
	}
	// Explicit factories: the SDK's root package, which is never imported, would
	// have registered them for the whole process.
	c.adapter, err = msgraph.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		auth, msgraph.GraphClientOptions{}, kjson.NewJsonParseNodeFactory(), kjson.NewJsonSerializationWriterFactory(),
		&http.Client{
			Transport:     khttp.NewCustomTransportWithParentTransport(c.transport, middleware(o)...),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		})
	if err != nil {
		return nil, fmt.Errorf("graph: request adapter: %w", err)
	}
	c.adapter.SetBaseUrl(strings.TrimRight(base.String(), "/"))
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// The request builders are made anew for each request: they share their map of
// path parameters with the request, and the adapter writes to it.

func (c *Client) users() *users.UsersRequestBuilder {
	return users.NewUsersRequestBuilderInternal(map[string]string{}, c.adapter)
}

func (c *Client) user(mailbox string) *users.UserItemRequestBuilder {
	return c.users().ByUserId(mailbox)
}

func (c *Client) subscriptions() *subscriptions.SubscriptionsRequestBuilder {
	return subscriptions.NewSubscriptionsRequestBuilderInternal(map[string]string{}, c.adapter)
}

// headers are those of every request.
func (c *Client) headers() *abs.RequestHeaders {
	h := abs.NewRequestHeaders()
	h.Add("Prefer", c.prefer)
	return h
}

// ours says whether a link that Graph gave leads back to where it came from: a
// token goes nowhere else.
func (c *Client) ours(link string) bool {
	u, err := url.Parse(link)
	return err == nil && origin(u) == origin(c.base)
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "https" {
		port = "443"
	}
	return strings.ToLower(u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port))
}

// address parses the address of a service: https, or http to this machine.
func address(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("not an address: write it as https://host/path")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("neither https nor http to a loopback address: write it as https://host/path")
}

// isLoopback knows the three names to which the SDK sends a token over plain http.
func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || host == "127.0.0.1" || host == "::1"
}
