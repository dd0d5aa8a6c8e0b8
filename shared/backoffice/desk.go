package backoffice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Desk is what administrators may do to back offices, and see of them. Every
// method is safe twice, checks its input with errors for people, notes in the audit
// log who did what, and nudges what has to move; who may do what is the portal's to decide.
type Desk struct {
	Store interface {
		store.Connectors
		store.Links
		store.Targets
		store.Journal
	}
	Directory *Directory
	// Secrets stores passwords in Key Vault.
	Secrets interface {
		Set(ctx context.Context, name string, value secret.Secret) error
	}
	Bus Bus
	Now func() time.Time
	Log *slog.Logger
}

// View is a connector with where it stands.
type View struct {
	Form
	// State is "on", "off", "suspended" or "broken".
	State    string   `json:"state"`
	Problems Problems `json:"problems,omitempty"`
	// Suspended tells since when and why nothing is delivered, and when it is tried next.
	SuspendedSince *time.Time `json:"suspendedSince,omitempty"`
	SuspendedCode  string     `json:"suspendedCode,omitempty"`
	SuspendedText  string     `json:"suspendedText,omitempty"`
	Probe          *time.Time `json:"probe,omitempty"`
	HasPassword    bool       `json:"hasPassword"`
	HasSigningKey  bool       `json:"hasSigningKey"`
	// Waiting and Failed count appointments; -1 = not counted (List).
	Waiting int       `json:"waiting"`
	Failed  int       `json:"failed"`
	Updated time.Time `json:"updated"`
}

// List returns every connector, broken ones too, by id.
func (d *Desk) List(ctx context.Context) ([]View, error) {
	records, broken, err := d.Store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	out := []View{}
	for _, r := range records {
		v, err := d.view(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	for id := range broken {
		out = append(out, View{Form: Form{ID: id}, State: "broken", Waiting: -1, Failed: -1,
			Problems: Problems{{Field: "record", Code: CodeSchema, Text: "the row of the connector can not be read: delete it and save it anew"}}})
	}
	return out, nil
}

// Get returns one connector, with its counts.
func (d *Desk) Get(ctx context.Context, id string) (View, error) {
	r, err := d.record(ctx, id)
	if err != nil {
		return View{}, err
	}
	v, err := d.view(ctx, r)
	if err != nil {
		return View{}, err
	}
	v.Waiting, v.Failed = 0, 0
	err = d.eachLink(ctx, id, func(l *store.Link) error {
		switch l.State {
		case store.Failed:
			v.Failed++
		case store.Pending, store.Creating:
			v.Waiting++
		}
		return nil
	})
	return v, err
}

func (d *Desk) record(ctx context.Context, id string) (*store.ConnectorRecord, error) {
	r, err := d.Store.Connector(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Op: "connector", Err: fmt.Errorf("there is no connector %q", clip(id))}
	}
	return r, err
}

func (d *Desk) view(ctx context.Context, r *store.ConnectorRecord) (View, error) {
	c := FromRecord(r)
	v := View{Form: formOf(c, r.ETag), State: "on", HasPassword: c.Secret != "", HasSigningKey: c.Signing != "", Waiting: -1, Failed: -1, Updated: r.Updated}
	if v.Problems = c.Validate(); len(v.Problems) == 0 {
		connector, problems := d.Directory.Open(ctx, c, nil)
		if v.Problems = problems; connector != nil {
			connector.Close()
		}
	}
	whole, err := d.Store.Target(ctx, store.Connector, r.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return View{}, err
	}
	if err == nil && !whole.SuspendedSince.IsZero() {
		v.State, v.SuspendedSince, v.SuspendedCode, v.SuspendedText = "suspended", &whole.SuspendedSince, whole.SuspendedCode, explain(whole.SuspendedCode)
		if whole.SuspendedReason == byPerson {
			v.SuspendedText = "suspended by a person"
		} else {
			v.Probe = &whole.Probe
		}
	}
	switch {
	case len(v.Problems) > 0:
		v.State = "broken"
	case !c.Send:
		v.State = "off"
	}
	return v, nil
}

// Save checks and stores a connector; its error may be Problems. A new password goes
// to Key Vault first, so that the record never names one that is not there.
func (d *Desk) Save(ctx context.Context, who string, f Form) (View, error) {
	there, err := d.Store.Connector(ctx, f.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		there = &store.ConnectorRecord{Created: d.Now()}
		if f.ETag != "" {
			return View{}, conflict("the connector was deleted meanwhile")
		}
	case err != nil:
		return View{}, err
	case f.ETag != there.ETag:
		return View{}, conflict("somebody else has changed the connector, or made one with this id: look at it anew")
	}
	c, err := d.complete(&f, there)
	if err != nil {
		return View{}, err
	}
	if f.Password != "" {
		if err := d.Secrets.Set(ctx, c.Secret, secret.New(f.Password)); err != nil {
			return View{}, err
		}
	}
	if f.SigningKey != "" {
		if err := d.Secrets.Set(ctx, c.Signing, secret.New(f.SigningKey)); err != nil {
			return View{}, err
		}
	}
	r := c.Record(*there)
	if err := d.Store.SwapConnector(ctx, r); errors.Is(err, store.ErrConflict) {
		return View{}, conflict("somebody else has changed the connector: look at it anew")
	} else if err != nil {
		return View{}, err
	}
	if err := d.audit(ctx, who, "connector.save", c.ID, changes(FromRecord(there), c, f)); err != nil {
		return View{}, err
	}
	selects := c.SourceApp != there.SourceApp || c.SourceType != there.SourceType
	if err := d.moved(ctx, c.ID, c.Send && (!there.Send || selects), false); err != nil {
		return View{}, err
	}
	return d.Get(ctx, c.ID)
}

// complete makes the form a valid configuration, or returns its Problems.
func (d *Desk) complete(f *Form, there *store.ConnectorRecord) (Config, error) {
	var problems Problems
	switch f.Auth {
	case Entra, OAuthBody, OAuthBasic:
		id, clientSecret, ok := splitCredentials(f.Password)
		switch {
		case ok:
			f.ClientID, f.Password = id, clientSecret
		case len(f.Password) > 10 && f.Password[:10] == "client_id=":
			problems = append(problems, Problem{Field: "password", Code: CodeOAuthCredentials, Text: "the password begins with client_id= and has no &client_secret= behind it"})
		}
	}
	c := f.config()
	if c.Secret == "" {
		c.Secret = there.Secret
	}
	if c.Secret == "" && f.Password != "" {
		c.Secret = secretName(c.ID)
	}
	if c.Signing == "" {
		c.Signing = there.Signing
	}
	if c.Signing == "" && f.SigningKey != "" {
		c.Signing = signingName(c.ID)
	}
	problems = append(problems, c.Validate()...)
	if there.ETag != "" && there.Shards != c.Shards {
		problems = append(problems, Problem{Field: "shards", Code: CodeSchema, Text: fmt.Sprintf("the number of parallel deliveries is fixed when a connector is made (%d): another would mix up the order", there.Shards)})
	}
	if len(problems) > 0 {
		return c, problems
	}
	connector, problems := d.Directory.Open(context.Background(), c, nil)
	if connector != nil {
		connector.Close()
	}
	if len(problems) > 0 {
		return c, problems
	}
	return c, nil
}

func conflict(text string) error {
	return &fault.Error{Kind: fault.Permanent, Reason: fault.Conflict, Op: "connector", Err: errors.New(text)}
}

// Delete removes a connector. Its links stay as tombstones, what it delivered
// stays in the back office, and its password in Key Vault.
func (d *Desk) Delete(ctx context.Context, who, id, etag string) error {
	if err := d.Store.DeleteConnector(ctx, id, etag); errors.Is(err, store.ErrConflict) {
		return conflict("somebody else has changed the connector: look at it anew")
	} else if err != nil {
		return err
	}
	if err := d.audit(ctx, who, "connector.delete", id, "deleted"); err != nil {
		return err
	}
	err := d.eachShard(ctx, id, func(shard string) error {
		links, err := d.Store.Links(ctx, shard)
		if err != nil {
			return err
		}
		return d.makeDue(ctx, shard, links, func(l *store.Link) bool { return l.Notice != "" }, func(*store.Link) {})
	})
	if err != nil {
		return err
	}
	return d.moved(ctx, id, false, false)
}

// Test tries a connector without side effects.
func (d *Desk) Test(ctx context.Context, who, id string) ([]Check, error) {
	connector, problems, err := d.open(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		var out []Check
		for _, p := range problems {
			out = append(out, Check{Name: p.Field, Code: p.Code, Text: p.Text})
		}
		return out, nil
	}
	defer connector.Close()
	return connector.Test(ctx), d.audit(ctx, who, "connector.test", id, "tested")
}

// Fields shows where the connector's fields go in its back office, as the mapping
// is now; nil = it maps none. The error says why that can not be seen.
func (d *Desk) Fields(ctx context.Context, id string) ([]FieldUse, error) {
	connector, problems, err := d.open(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, problems
	}
	defer connector.Close()
	return connector.Fields(ctx)
}

// open opens a connector as its record is now; the caller closes it.
func (d *Desk) open(ctx context.Context, id string) (Connector, Problems, error) {
	r, err := d.record(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	c := FromRecord(r)
	if problems := c.Validate(); len(problems) > 0 {
		return nil, problems, nil
	}
	connector, problems := d.Directory.Open(ctx, c, nil)
	return connector, problems, nil
}

func (d *Desk) audit(ctx context.Context, who, action, object, text string) error {
	return d.Store.Audit(ctx, store.AuditEntry{Who: who, Action: action, Object: object, Text: text, At: d.Now()})
}
