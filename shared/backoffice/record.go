package backoffice

import (
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

// DefaultShards keeps the load on one back office below what it takes from one
// user (facts B3: 5 at a time), and leaves room for others.
const DefaultShards = 2

// FromRecord reads a record as a configuration. It never fails: what is wrong
// Validate names.
func FromRecord(r *store.ConnectorRecord) Config {
	c := Config{
		ID: r.ID, Name: r.Name, Description: r.Description, SourceApp: r.SourceApp, SourceType: r.SourceType, Send: r.Send,
		URI: r.URI, Type: Type(r.Type), API: API(r.API), Auth: Auth(r.Auth), Login: r.Login, ClientID: r.ClientID, Secret: r.Secret,
		TokenURL: r.TokenURL, Scope: r.Scope, Shards: r.Shards, Fields: r.Fields, Headers: r.Headers, Signing: r.Signing, CA: r.CA, Pin: r.Pin,
		AllowHTTP: r.AllowHTTP, ReadStatus: r.ReadStatus, SkipEchoes: r.SkipEchoes, Repeat: Operation(r.Repeat),
		Timeout: time.Duration(r.TimeoutSeconds) * time.Second, Method: r.Method,
	}
	for o := range strings.SplitSeq(r.Operations, ",") {
		if o = strings.TrimSpace(o); o != "" {
			c.Operations = append(c.Operations, Operation(o))
		}
	}
	return c
}

// Record writes a configuration into a record, keeping what a configuration does
// not say: its ETag and when it was made.
func (c Config) Record(there store.ConnectorRecord) *store.ConnectorRecord {
	var operations []string
	for _, o := range c.Operations {
		operations = append(operations, string(o))
	}
	return &store.ConnectorRecord{
		ID: c.ID, Name: c.Name, Description: c.Description, SourceApp: c.SourceApp, SourceType: c.SourceType, Send: c.Send,
		Operations: strings.Join(operations, ","), URI: c.URI, Type: string(c.Type), API: string(c.API), Auth: string(c.Auth),
		Login: c.Login, ClientID: c.ClientID, Secret: c.Secret, TokenURL: c.TokenURL, Scope: c.Scope, Signing: c.Signing, Method: c.Method,
		Shards: c.Shards, Fields: c.Fields, Headers: c.Headers, CA: c.CA, Pin: c.Pin, AllowHTTP: c.AllowHTTP, ReadStatus: c.ReadStatus,
		Repeat: string(c.Repeat), SkipEchoes: c.SkipEchoes, TimeoutSeconds: int(c.Timeout / time.Second),
		Created: there.Created, Updated: there.Updated, ETag: there.ETag,
	}
}
