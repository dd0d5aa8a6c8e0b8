package app

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/doctor"
	"github.com/dime-scheduler/connectors/shared/principal"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/settings"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Doctor examines the installation that the settings describe, whether the app has
// started or not. Each time it makes clients of its own, so that it sees what is now
// and not what was remembered. It is safe for concurrent use: one examination follows
// the other, as two in one mailbox would remove each other's event.
type Doctor struct {
	Getenv  func(string) string
	Version string
	Log     *slog.Logger
	// Within bounds an examination; 0 = what fits an HTTP function.
	Within time.Duration

	mu sync.Mutex
}

// Judge tells who may ask for an examination over HTTP.
func (d *Doctor) Judge() principal.Judge {
	s, err := settings.Load(d.Getenv)
	// Of settings that are wrong elsewhere, those of the portal still hold.
	return principal.Judge{Trust: s.Portal.SignIn, Local: s.Local && err == nil, Admins: s.Portal.Admins}
}

// Examine examines; who is noted in the audit log, mailbox may be empty.
func (d *Doctor) Examine(ctx context.Context, who, mailbox string) doctor.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := settings.Load(d.Getenv)
	x := doctor.Doctor{Version: d.Version, Settings: err, Within: d.Within, Now: time.Now}
	if err != nil {
		return x.Examine(ctx, mailbox)
	}
	id, err := newIdentity(s)
	if err != nil {
		x.Settings = err
		return x.Examine(ctx, mailbox)
	}
	closing := d.assemble(ctx, &x, s, id, who, mailbox != "")
	defer closing()
	r := x.Examine(ctx, mailbox)
	d.Log.InfoContext(ctx, "doctor", "ok", r.OK, "failed", r.Count(doctor.Failed), "skipped", r.Count(doctor.Skipped))
	return r
}

// assemble gives the doctor its clients; what can not be made stays nil, and the
// report says so. The function that it returns closes them.
func (d *Doctor) assemble(ctx context.Context, x *doctor.Doctor, s settings.Settings, id *identity, who string, mailbox bool) (closing func()) {
	var undo []func()
	x.PublicURL, x.Keys = s.PublicURL, s.Vault.ClientState
	x.HTTP = &http.Client{Transport: transport(s, s.PublicURL), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	x.Secrets = []doctor.Secret{{Name: s.Vault.Board, For: "board's API key"}, {Name: s.Vault.ClientState, For: "set of keys that sign subscriptions"}}
	if s.Graph.Auth == settings.AuthSecret {
		x.Secrets = append(x.Secrets, doctor.Secret{Name: s.Vault.Graph, For: "app registration's client secret"})
	}
	vault, err := id.vault(s)
	if err == nil {
		x.Vault = vault
		undo = append(undo, vault.Close)
		x.Board = dimescheduler.New(dimescheduler.Options{
			BaseURL: s.Board.URL, Zone: s.Board.Zone, HTTPClient: &http.Client{Transport: transport(s, s.Board.URL)},
			Key: func(ctx context.Context) (secret.Secret, error) { return vault.Get(ctx, s.Vault.Board) },
		})
		if client, err := id.graph(s, vault, d.Version); err == nil {
			x.Calendar = client
			undo = append(undo, client.Close)
		}
	}
	if sender, err := bus.NewSender(bus.Options{
		ConnectionString: s.ServiceBus.ConnectionString, Namespace: s.ServiceBus.Namespace, Credential: id.serviceBus,
		Appointments: s.ServiceBus.Appointments, Mailboxes: s.ServiceBus.Mailboxes, Backoffice: s.ServiceBus.Backoffice,
		Timeout: 10 * time.Second,
	}); err == nil {
		x.Queues = sender
		undo = append(undo, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_ = sender.Close(ctx) // nothing is under way
		})
	}
	if tables := d.tables(ctx, x, s, id); tables != nil && vault != nil {
		directory := &backoffice.Directory{Store: tables, Registry: kinds(), Vault: vault, AuthorityURL: s.Graph.Authority, Token: id.token, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		if s.Local {
			directory.HTTP = transport(s, s.Graph.Authority)
		}
		x.Connectors = &backoffice.Desk{Store: tables, Directory: directory, Secrets: vault, Now: time.Now, Log: d.Log}
		text := "examined the installation"
		if mailbox {
			text += ", with a test mailbox"
		}
		if err := tables.Audit(ctx, store.AuditEntry{Who: who, Action: "doctor", Object: "installation", Text: text, At: time.Now()}); err != nil {
			d.Log.WarnContext(ctx, "doctor: not noted in the audit log", "error", err)
		}
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// opening bounds the opening of the tables, which would try for as long as anybody waits.
const opening = 8 * time.Second

// tables opens the tables; nil if that fails, with the reason in x.
func (d *Doctor) tables(ctx context.Context, x *doctor.Doctor, s settings.Settings, id *identity) *store.Tables {
	service, err := id.tables(s)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, opening)
	defer cancel()
	tables, err := store.OpenTables(ctx, service, store.Options{})
	if err != nil {
		x.Tables = notOpened{err}
		return nil
	}
	x.Tables = tables
	return tables
}

// notOpened are tables whose opening has failed.
type notOpened struct{ err error }

func (n notOpened) Probe(context.Context) error { return n.err }
