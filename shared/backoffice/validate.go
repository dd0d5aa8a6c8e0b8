package backoffice

import (
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Problem is one thing that is wrong with a connector's configuration.
type Problem struct {
	Field string `json:"field"` // as the JSON form names it
	Code  string `json:"code"`  // stable (DSCFG..., DSWBHK...)
	Text  string `json:"text"`  // what is wrong and what to do, for people
}

// Problems is an error that names every problem.
type Problems []Problem

func (p Problems) Error() string {
	var lines []string
	for _, x := range p {
		lines = append(lines, fmt.Sprintf("[%s] %s: %s", x.Code, x.Field, x.Text))
	}
	return strings.Join(lines, "; ")
}

// asProblems finds Problems in an error.
func asProblems(err error) (Problems, bool) { return errors.AsType[Problems](err) }

// Fault returns the problems as a fault of the whole connector; nil if there are none.
func (p Problems) Fault() error {
	if len(p) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "connector: open", Code: p[0].Code, WholeTarget: true, Err: p}
}

// Limits of a connector's fields (facts B.1).
const (
	maxSourceApp  = 30
	maxSourceType = 10
	maxLogin      = 200
	maxURI        = 2000
	maxID         = 40
	MaxShards     = 16
	// maxTimeout leaves time within one invocation to put the outcome away.
	maxTimeout = 3 * time.Minute
)

// combos are the APIs that each type has, and the ways to sign in that each API
// has there (facts A3, B.1, B.2): Windows sign-in and API pages do not go together.
var combos = map[Type]map[API][]Auth{
	BusinessCentral: {
		REST:         {Basic, Entra, OAuthBody, OAuthBasic, Identity},
		ODataAction:  {Basic, NTLM, Windows, Entra, OAuthBody, OAuthBasic, Identity},
		SOAPPage:     {Basic, NTLM, Windows, Entra, OAuthBody, OAuthBasic, Identity},
		SOAPCodeunit: {Basic, NTLM, Windows, Entra, OAuthBody, OAuthBasic, Identity},
	},
	NAV: {
		SOAPPage:     {Basic, NTLM, Windows, Entra, OAuthBody, OAuthBasic},
		SOAPCodeunit: {Basic, NTLM, Windows, Entra, OAuthBody, OAuthBasic},
	},
	Webhook: {REST: {NoAuth, Basic, Entra, OAuthBody, OAuthBasic, Identity}},
}

// OnlineHost is that of Business Central online (facts A2).
const OnlineHost = "api.businesscentral.dynamics.com"

// Validate returns everything that is wrong with the configuration. What only
// one kind knows, its Open refuses.
func (c Config) Validate() Problems {
	v := validation{c: c}
	v.basics()
	v.combination()
	v.address()
	v.signIn()
	v.headers()
	v.rest()
	return v.problems
}

type validation struct {
	c        Config
	problems Problems
}

func (v *validation) add(field, code, format string, args ...any) {
	if v.c.Type == Webhook {
		switch code {
		case CodeURL:
			code = CodeWebhookURL
		case CodeSystemType:
			code = CodeWebhookType
		}
	}
	v.problems = append(v.problems, Problem{Field: field, Code: code, Text: fmt.Sprintf(format, args...)})
}

func (v *validation) basics() {
	c := v.c
	if !ValidID(c.ID) {
		v.add("id", CodeMissingField, "the id is 1 to 40 lower-case letters, digits and hyphens")
	}
	switch {
	case strings.TrimSpace(c.SourceApp) == "":
		v.add("sourceApp", CodeMissingField, "the source app is missing: the one that is set up in the back office")
	case len(c.SourceApp) > maxSourceApp:
		v.add("sourceApp", CodeSchema, "the source app has more than %d characters", maxSourceApp)
	}
	if len(c.SourceType) > maxSourceType {
		v.add("sourceType", CodeSchema, "the source type has more than %d characters", maxSourceType)
	}
	if len(c.Operations) == 0 {
		v.add("operations", CodeMissingField, "no operation is chosen: nothing would ever be sent")
	}
	for i, o := range c.Operations {
		if o != Insert && o != Update && o != Delete || slices.Contains(c.Operations[:i], o) {
			v.add("operations", CodeSchema, "each operation is one of I, U and D, and stands once")
			break
		}
	}
}

// ValidID reports whether a text can be the id of a connector: it is part of keys,
// sessions and the names of secrets.
func ValidID(s string) bool {
	return s != "" && len(s) <= maxID && !strings.HasPrefix(s, "-") && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (v *validation) combination() {
	apis, known := combos[v.c.Type]
	if !known {
		v.add("type", CodeSystemType, "type %q is none of bc, nav and webhook", string(v.c.Type))
		return
	}
	ways, known := apis[v.c.API]
	switch {
	case !known:
		v.add("api", CodeSystemType, "a connector of type %s has no API %q: Business Central has rest, soapPage, soapCodeunit and odataAction, NAV the two SOAP ones, a webhook rest", v.c.Type, string(v.c.API))
	case !slices.Contains(ways, v.c.Auth) && v.c.Auth == NoAuth:
		v.add("auth", CodeMissingField, "login and password are missing: there is no Windows service here whose account could be used instead. Enter them, or for Business Central online choose the app's identity")
	case !slices.Contains(ways, v.c.Auth) && v.c.API == REST && (v.c.Auth == NTLM || v.c.Auth == Windows):
		v.add("auth", CodeSystemType, "the API page of Business Central does not take Windows sign-in: use basic or OAuth2, or SOAP")
	case !slices.Contains(ways, v.c.Auth):
		v.add("auth", CodeSystemType, "a connector of type %s and API %s can not sign in by %q", v.c.Type, v.c.API, string(v.c.Auth))
	}
	if v.c.API == SOAPCodeunit || v.c.API == ODataAction {
		if v.c.Method == "" {
			v.add("method", CodeMissingField, "the name of the codeunit's method is missing")
		}
	}
}

// Address returns the parsed URI, or a *fault.Error with its problems.
func (c Config) Address() (*url.URL, error) {
	v := validation{c: c}
	u := v.address()
	if err := v.problems.Fault(); err != nil {
		return nil, err
	}
	return u, nil
}

func (v *validation) address() *url.URL {
	raw := v.c.URI
	switch {
	case strings.TrimSpace(raw) == "":
		code := CodeMissingField
		if v.c.Type == Webhook {
			code = CodeURL
		}
		v.add("uri", code, "the address is missing")
		return nil
	case len(raw) > maxURI:
		v.add("uri", CodeURL, "the address has more than %d characters", maxURI)
		return nil
	case strings.ContainsAny(raw, "{}"), strings.ContainsAny(raw, "<>"), strings.Contains(raw, "["):
		if host, _ := url.Parse(raw); host == nil || !strings.Contains(host.Host, "[") || strings.ContainsAny(raw, "{}<>") {
			v.add("uri", CodeURL, "the address still has a placeholder in brackets: put the value itself there, without the brackets")
			return nil
		}
	}
	u, err := url.Parse(escaped(raw))
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || raw != strings.TrimSpace(raw):
		v.add("uri", CodeURL, "the address is not a URL such as https://server/path")
	case u.Scheme != "https" && u.Scheme != "http":
		v.add("uri", CodeURL, "the address begins with neither https:// nor http://")
	case u.User != nil:
		v.add("uri", CodeURL, "the address holds a user or password: enter them as login and password")
	case u.Fragment != "":
		v.add("uri", CodeURL, "the address has a part behind #, which is never sent")
	case u.Scheme == "http" && !v.c.AllowHTTP:
		v.add("uri", CodeHTTPSRequired, "https is required: what is sent, the password included, could be read on the way. Only within a network of your own, plain http can be allowed for this connector")
	case forbiddenHost(u.Hostname()):
		v.add("uri", CodeURL, "the address is one of the machine itself, not of a back office")
	default:
		return u
	}
	return nil
}

// escaped writes letters outside of ASCII and blanks of an address as they are
// sent. Left as they are, they would make net/url forget which slashes and commas
// of a company's name were escaped.
func escaped(raw string) string {
	var b strings.Builder
	for i := range len(raw) {
		if c := raw[i]; c >= 0x80 || c == ' ' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// forbiddenHost: link-local addresses are where a cloud's machine finds its own
// credentials, and no back office.
func forbiddenHost(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ForbiddenIP(ip)
}

// azurePlatform is where Azure's own agents speak to its machines (Microsoft's "What
// is IP address 168.63.129.16").
var azurePlatform = net.IPv4(168, 63, 129, 16)

// ForbiddenIP reports an address that no back office has; see forbiddenHost. Loopback
// is allowed: hybrid connections of Azure appear there.
func ForbiddenIP(ip net.IP) bool {
	return ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || ip.Equal(azurePlatform)
}

func (v *validation) signIn() {
	c := v.c
	if c.Secret != "" && !ValidSecretName(c.Secret) {
		v.add("secret", CodeSchema, "the name of a Key Vault secret has 1 to 127 letters, digits and hyphens")
	}
	switch c.Auth {
	case Basic, NTLM, Windows:
		v.needs("login", c.Login, "the login is missing")
		v.needs("password", c.Secret, "the password, or web service access key, is missing")
		if c.Auth == Basic && strings.ContainsAny(c.Login, ":\r\n") {
			v.add("login", CodeSchema, "a login for basic authentication can hold no colon")
		}
	case Entra, OAuthBody, OAuthBasic:
		if c.ClientID == "" || c.Secret == "" {
			v.add("password", CodeOAuthCredentials, "client id or client secret is missing: enter both, or the password as client_id=...&client_secret=...")
		}
		if c.TokenURL == "" {
			v.needs("login", c.Login, "the login is missing: for OAuth2 it is the directory (tenant) id")
			if c.Login != "" && strings.Trim(strings.ToLower(c.Login), "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
				v.add("login", CodeOAuthCredentials, "the login is not a directory (tenant) id")
			}
		}
		v.scope()
	case Identity:
		if u, err := url.Parse(c.URI); c.Type == BusinessCentral && (err != nil || !strings.EqualFold(u.Hostname(), OnlineHost)) {
			v.add("auth", CodeSystemType, "the app's identity can sign in to Business Central online only, and to on-premises servers not at all: enter login and password")
		}
		v.scope()
	}
	if len(c.Login) > maxLogin {
		v.add("login", CodeSchema, "the login has more than %d characters", maxLogin)
	}
	if u, err := url.Parse(c.TokenURL); c.TokenURL != "" && (err != nil || u.Host == "" || u.User != nil || forbiddenHost(u.Hostname()) || u.Scheme != "https" && !(u.Scheme == "http" && c.AllowHTTP)) {
		v.add("tokenUrl", CodeURL, "the token address is not an https URL")
	}
}

func (v *validation) scope() {
	if v.c.Type == Webhook && v.c.Scope == "" {
		v.add("scope", CodeMissingField, "the scope is missing: the token server asks for it")
	}
}

func (v *validation) needs(field, value, text string) {
	if value == "" {
		v.add(field, CodeMissingField, "%s", text)
	}
}

// ValidSecretName reports whether Key Vault takes a name.
func ValidSecretName(s string) bool {
	return s != "" && len(s) <= 127 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// reserved are headers that a connector can not set: of the connection (RFC 9110
// 7.6.1), of the message, ours, and those that hold credentials, which belong
// into Key Vault.
var reserved = map[string]string{
	"Connection": hop, "Keep-Alive": hop, "Proxy-Connection": hop, "Te": hop, "Trailer": hop, "Transfer-Encoding": hop, "Upgrade": hop, "Expect": hop,
	"Host": message, "Content-Length": message, "Content-Type": message, "Content-Encoding": message, "Accept-Encoding": message,
	"Idempotency-Key": message, "Traceparent": message, "Tracestate": message,
	"Authorization": credential, "Proxy-Authorization": credential, "Proxy-Authenticate": credential, "Cookie": credential,
	"X-Api-Key": credential, "Api-Key": credential, "X-Functions-Key": credential, "Ocp-Apim-Subscription-Key": credential,
}

const (
	hop        = "belongs to the connection"
	message    = "is set by the connector itself"
	credential = "holds a credential: use the connector's authentication, which keeps it in Key Vault"
)

func (v *validation) headers() {
	for name, value := range v.c.Headers {
		canonical := http.CanonicalHeaderKey(name)
		switch why := reserved[canonical]; {
		case !httpguts.ValidHeaderFieldName(name):
			v.add("headers", CodeSchema, "%q is not the name of a header", clip(name))
		case why != "":
			v.add("headers", CodeSchema, "header %s %s", canonical, why)
		case strings.HasPrefix(canonical, "X-Dime-"):
			v.add("headers", CodeSchema, "header %s %s", canonical, message)
		case !httpguts.ValidHeaderFieldValue(value) || len(value) > 1000:
			v.add("headers", CodeSchema, "the value of header %s is longer than 1000 characters or has a line break or control character", canonical)
		}
	}
	slices.SortStableFunc(v.problems, func(a, b Problem) int { // a map has no order
		if a.Field == "headers" && b.Field == "headers" {
			return strings.Compare(a.Text, b.Text)
		}
		return 0
	})
}

func clip(s string) string { return s[:min(len(s), 40)] }

func (v *validation) rest() {
	c := v.c
	if c.Shards < 1 || c.Shards > MaxShards {
		v.add("shards", CodeSchema, "the number of parallel deliveries is 1 to %d", MaxShards)
	}
	if c.Timeout < 0 || c.Timeout > 0 && c.Timeout < time.Second || c.Timeout > maxTimeout {
		v.add("timeoutSeconds", CodeSchema, "the timeout is 1 to %d seconds", int(maxTimeout/time.Second))
	}
	if c.Repeat != "" && c.Repeat != Update {
		v.add("repeat", CodeSchema, "an insert whose outcome is unknown can be repeated as U only: as I it could double")
	}
	if block, _ := pem.Decode([]byte(c.CA)); c.CA != "" && (block == nil || block.Type != "CERTIFICATE") {
		v.add("ca", CodeSchema, "the CA bundle is not PEM: it begins with -----BEGIN CERTIFICATE-----")
	}
	if pin, err := hex.DecodeString(strings.ReplaceAll(c.Pin, ":", "")); c.Pin != "" && (err != nil || len(pin) != 32) {
		v.add("pin", CodeSchema, "the certificate pin is the SHA-256 of the certificate, 64 hexadecimal digits")
	}
	if c.Signing != "" && (c.Type != Webhook || !ValidSecretName(c.Signing)) {
		v.add("signing", CodeSchema, "the signing key is the name of a Key Vault secret, for webhooks only")
	}
}

// ErrNoIdentity: the app runs without an identity of its own, as it does locally.
var ErrNoIdentity = errors.New("the app has no identity of its own here")
