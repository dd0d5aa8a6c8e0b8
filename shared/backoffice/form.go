package backoffice

import (
	"strings"
	"time"
)

// Form is a connector as administrators see and edit it, as JSON. Passwords go in
// and never come out.
type Form struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	SourceApp   string            `json:"sourceApp"`
	SourceType  string            `json:"sourceType"`
	Send        bool              `json:"send"`
	Operations  []Operation       `json:"operations"` // empty = all
	URI         string            `json:"uri"`
	Type        Type              `json:"type"`
	API         API               `json:"api"`
	Auth        Auth              `json:"auth"`
	Login       string            `json:"login"`
	ClientID    string            `json:"clientId"`
	TokenURL    string            `json:"tokenUrl"`
	Scope       string            `json:"scope"`
	Method      string            `json:"method"`
	Shards      int               `json:"shards"` // 0 = the default
	Fields      map[string]string `json:"fields,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	CA          string            `json:"ca"`
	Pin         string            `json:"pin"`
	AllowHTTP   bool              `json:"allowHttp"`
	ReadStatus  bool              `json:"readStatus"`
	SkipEchoes  bool              `json:"skipEchoes"`
	Repeat      Operation         `json:"repeat"`
	// TimeoutSeconds of one call; 0 = the default.
	TimeoutSeconds int `json:"timeoutSeconds"`
	// Password is a new password, access key or client secret; empty = as it is. For
	// OAuth2 it may be client_id=...&client_secret=..., which sets ClientID too.
	Password string `json:"password,omitempty"`
	// SigningKey is a new key for a webhook's signatures; empty = as it is.
	SigningKey string `json:"signingKey,omitempty"`
	// Secret and Signing name secrets that are in Key Vault already; empty = the
	// connector's own, if there is one.
	Secret  string `json:"secret,omitempty"`
	Signing string `json:"signing,omitempty"`
	// ETag is that of the record that was read; empty = a new connector.
	ETag string `json:"etag,omitempty"`
}

// config reads the form. What is wrong Validate names.
func (f Form) config() Config {
	c := Config{
		ID: strings.TrimSpace(f.ID), Name: strings.TrimSpace(f.Name), Description: f.Description, SourceApp: strings.TrimSpace(f.SourceApp),
		SourceType: strings.TrimSpace(f.SourceType), Send: f.Send, Operations: f.Operations, URI: strings.TrimSpace(f.URI), Type: f.Type, API: f.API,
		Auth: f.Auth, Login: strings.TrimSpace(f.Login), ClientID: strings.TrimSpace(f.ClientID), TokenURL: strings.TrimSpace(f.TokenURL),
		Scope: strings.TrimSpace(f.Scope), Method: strings.TrimSpace(f.Method), Shards: f.Shards, Fields: f.Fields, Headers: f.Headers, CA: f.CA,
		Pin: strings.TrimSpace(f.Pin), AllowHTTP: f.AllowHTTP, ReadStatus: f.ReadStatus, SkipEchoes: f.SkipEchoes, Repeat: f.Repeat,
		Timeout: time.Duration(f.TimeoutSeconds) * time.Second, Secret: f.Secret, Signing: f.Signing,
	}
	if len(c.Operations) == 0 {
		c.Operations = []Operation{Insert, Update, Delete}
	}
	if c.Shards == 0 {
		c.Shards = DefaultShards
	}
	return c
}

func formOf(c Config, etag string) Form {
	return Form{
		ID: c.ID, Name: c.Name, Description: c.Description, SourceApp: c.SourceApp, SourceType: c.SourceType, Send: c.Send, Operations: c.Operations,
		URI: c.URI, Type: c.Type, API: c.API, Auth: c.Auth, Login: c.Login, ClientID: c.ClientID, TokenURL: c.TokenURL, Scope: c.Scope, Method: c.Method,
		Shards: c.Shards, Fields: c.Fields, Headers: c.Headers, CA: c.CA, Pin: c.Pin, AllowHTTP: c.AllowHTTP, ReadStatus: c.ReadStatus,
		SkipEchoes: c.SkipEchoes, Repeat: c.Repeat, TimeoutSeconds: int(c.Timeout / time.Second), Secret: c.Secret, Signing: c.Signing, ETag: etag,
	}
}

// splitCredentials reads the published form of OAuth credentials,
// client_id=...&client_secret=..., without decoding anything: a secret may hold
// ; + and %, which a query parser would spoil (facts A3).
func splitCredentials(s string) (id, secret string, ok bool) {
	rest, found := strings.CutPrefix(strings.TrimSpace(s), "client_id=")
	if !found {
		return "", "", false
	}
	id, secret, found = strings.Cut(rest, "&client_secret=")
	return strings.TrimSpace(id), secret, found && id != "" && secret != ""
}

// secretName is where a connector's password lies unless it names another place.
func secretName(id string) string { return "connector-" + id }

// signingName is the same for the signing key.
func signingName(id string) string { return "connector-" + id + "-signing" }
