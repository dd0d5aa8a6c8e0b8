package backoffice

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Directory is the set of configured connectors, opened. Records are read again
// when half a minute has passed, and a connector is opened anew when its record
// has changed; one broken record is an Entry with problems and stops no other.
// It is safe for concurrent use.
type Directory struct {
	Store    store.Connectors
	Registry Registry
	// Vault holds the passwords; its errors are *fault.Error.
	Vault interface {
		Get(ctx context.Context, name string) (secret.Secret, error)
		Invalidate(name string)
	}
	// HTTP, AuthorityURL and Token go into each connector's Deps.
	HTTP         http.RoundTripper
	AuthorityURL string
	Token        func(ctx context.Context, scope string) (string, error)
	Now          func() time.Time
	Log          *slog.Logger

	mu      sync.Mutex
	read    time.Time
	entries map[string]*Entry
}

// Entry is one configured connector.
type Entry struct {
	Config Config
	// ETag is that of the record.
	ETag string
	// Connector is nil if there are Problems.
	Connector Connector
	Problems  Problems

	refused refusal
}

// refusal remembers, in memory only, which password was refused.
type refusal struct {
	mu    sync.Mutex
	value secret.Secret
	set   bool
}

// directoryAge is how long records are used before they are looked at again.
const directoryAge = 30 * time.Second

// All returns every connector by id.
func (d *Directory) All(ctx context.Context) (map[string]*Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	if age := now.Sub(d.read); d.entries != nil && age < directoryAge && age >= 0 {
		return d.entries, nil
	}
	records, broken, err := d.Store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	next := map[string]*Entry{}
	for _, r := range records {
		if there := d.entries[r.ID]; there != nil && there.ETag == r.ETag {
			next[r.ID] = there
			continue
		}
		next[r.ID] = d.open(ctx, r)
	}
	for id := range broken {
		next[id] = &Entry{Config: Config{ID: id}, Problems: Problems{{Field: "record", Code: CodeSchema, Text: "the row of the connector can not be read: save it anew"}}}
	}
	for id, e := range d.entries {
		if next[id] != e && e.Connector != nil {
			e.Connector.Close()
		}
	}
	d.entries, d.read = next, now
	return next, nil
}

// Get returns a connector, or nil if there is none of that id, which is never said
// from memory: another process may just have made it.
func (d *Directory) Get(ctx context.Context, id string) (*Entry, error) {
	all, err := d.All(ctx)
	if err != nil || all[id] != nil {
		return all[id], err
	}
	d.Forget()
	all, err = d.All(ctx)
	return all[id], err
}

// Forget makes the next call read the records again: this process has just
// changed them.
func (d *Directory) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = time.Time{}
}

// Close closes all connectors.
func (d *Directory) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.entries {
		if e.Connector != nil {
			e.Connector.Close()
		}
	}
	d.entries = nil
}

func (d *Directory) open(ctx context.Context, r *store.ConnectorRecord) *Entry {
	e := &Entry{Config: FromRecord(r), ETag: r.ETag}
	if e.Problems = e.Config.Validate(); len(e.Problems) > 0 {
		d.Log.WarnContext(ctx, "a connector is misconfigured", "connector", r.ID, "code", e.Problems[0].Code, "problems", len(e.Problems))
		return e
	}
	connector, problems := d.Open(ctx, e.Config, e)
	e.Connector, e.Problems = connector, problems
	if len(problems) > 0 {
		d.Log.WarnContext(ctx, "a connector is misconfigured", "connector", r.ID, "code", problems[0].Code)
	}
	return e
}

// Open opens a connector that need not be stored; e may be nil. It makes no call.
func (d *Directory) Open(ctx context.Context, c Config, e *Entry) (Connector, Problems) {
	kind := d.Registry[Key{c.Type, c.API}]
	if kind == nil {
		return nil, Problems{{Field: "api", Code: CodeSystemType, Text: "this program has no back office of type " + string(c.Type) + " with API " + string(c.API)}}
	}
	connector, err := kind.Open(ctx, d.deps(c, e), c)
	if err == nil {
		return connector, nil
	}
	if problems, ok := asProblems(err); ok {
		return nil, problems
	}
	f := fault.Of(err)
	code := f.Code
	if code == "" {
		code = CodeUndiagnosed
	}
	text := "the connector can not be opened"
	if f.Err != nil {
		text = f.Err.Error()
	}
	return nil, Problems{{Field: "connector", Code: code, Text: text}}
}

func (d *Directory) deps(c Config, e *Entry) Deps {
	fetch := func(name string) func(context.Context) (secret.Secret, error) {
		return func(ctx context.Context) (secret.Secret, error) { return d.Vault.Get(ctx, name) }
	}
	deps := Deps{
		Secret: fetch(c.Secret), Signing: fetch(c.Signing), Token: d.Token, HTTP: d.HTTP, AuthorityURL: d.AuthorityURL,
		Now: d.Now, Log: d.Log.With("connector", c.ID), Rejected: func() {},
	}
	if c.Secret != "" {
		deps.Rejected = func() { d.Vault.Invalidate(c.Secret) }
	}
	return deps
}

// remember notes that the present password was refused.
func (d *Directory) remember(ctx context.Context, e *Entry) {
	if e.Config.Secret == "" {
		return
	}
	value, err := d.Vault.Get(ctx, e.Config.Secret)
	e.refused.mu.Lock()
	defer e.refused.mu.Unlock()
	e.refused.value, e.refused.set = value, err == nil
	d.Vault.Invalidate(e.Config.Secret)
}

// rotated reports whether the vault holds another password than the refused one.
// A process that did not see the refusal does not know, and says no.
func (d *Directory) rotated(ctx context.Context, e *Entry) bool {
	e.refused.mu.Lock()
	value, set := e.refused.value, e.refused.set
	e.refused.mu.Unlock()
	if !set {
		return false
	}
	now, err := d.Vault.Get(ctx, e.Config.Secret)
	return err == nil && !now.Equal(value)
}

// Matching returns the connectors that a job's source app and source type select,
// broken and switched-off ones too: what they miss now they are told later.
func (d *Directory) Matching(ctx context.Context, sourceApp, sourceType string) ([]*Entry, error) {
	all, err := d.All(ctx)
	if err != nil {
		return nil, err
	}
	var out []*Entry
	for _, e := range all {
		if e.Config.Matches(sourceApp, sourceType) {
			out = append(out, e)
		}
	}
	return out, nil
}

// Matches reports whether a job's source app and source type select the connector.
func (c Config) Matches(sourceApp, sourceType string) bool {
	same := func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }
	return strings.TrimSpace(c.SourceApp) != "" && same(c.SourceApp, sourceApp) && (strings.TrimSpace(c.SourceType) == "" || same(c.SourceType, sourceType))
}
