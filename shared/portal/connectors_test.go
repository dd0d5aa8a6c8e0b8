package portal

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

// vault is a Key Vault in memory.
type vault map[string]string

func (v vault) Get(_ context.Context, name string) (secret.Secret, error) {
	return secret.New(v[name]), nil
}
func (v vault) Invalidate(string) {}
func (v vault) Set(_ context.Context, name string, s secret.Secret) error {
	v[name] = s.Reveal()
	return nil
}

// quiet takes every nudge.
type quiet struct{}

func (quiet) Nudge(context.Context, ...bus.Nudge) error           { return nil }
func (quiet) NudgeAt(context.Context, time.Time, bus.Nudge) error { return nil }
func (quiet) Send(context.Context, ...bus.Change) error           { return nil }
func (quiet) NudgeBackoffice(context.Context, ...bus.Nudge) error { return nil }

// idle is a back office that answers every test the same.
type idle struct{}

func (idle) Deliver(context.Context, backoffice.Delivery) (backoffice.Receipt, error) {
	return backoffice.Receipt{}, nil
}
func (idle) Find(context.Context, backoffice.Delivery) (backoffice.Receipt, bool, error) {
	return backoffice.Receipt{}, false, nil
}
func (idle) Status(context.Context, backoffice.Receipt) (backoffice.Processing, error) {
	return backoffice.Processing{}, nil
}
func (idle) Test(context.Context) []backoffice.Check {
	return []backoffice.Check{{Name: "address", OK: true, Text: "it answers"}, {Name: "fields", Code: "DSCFG004", Text: "jobNo is missing"}}
}
func (idle) Fields(context.Context) ([]backoffice.FieldUse, error) { return nil, nil }
func (idle) Traits() backoffice.Traits                             { return backoffice.Traits{} }
func (idle) Close()                                                {}

func withConnectors(v vault) func(*Options) {
	return func(o *Options) {
		log := slog.New(slog.DiscardHandler)
		registry := backoffice.Registry{{Type: backoffice.Webhook, API: backoffice.REST}: backoffice.KindFunc(
			func(context.Context, backoffice.Deps, backoffice.Config) (backoffice.Connector, error) {
				return idle{}, nil
			})}
		directory := &backoffice.Directory{Store: o.Store, Registry: registry, Vault: v, Now: o.Now, Log: log}
		o.Backoffice = &backoffice.Desk{Store: o.Store, Directory: directory, Secrets: v, Bus: quiet{}, Now: o.Now, Log: log}
	}
}

func TestConnectors(t *testing.T) {
	v := vault{}
	s := newSite(t, withConnectors(v))
	form := []string{"id", "hook", "name", "Warehouse", "sourceApp", "BC", "send", "1", "uri", "https://hook.example/a", "type", "webhook", "api", "rest",
		"auth", "basic", "login", "svc", "password", "top;secret+", "operations", "I", "operations", "D", "headers", "X-Tenant: one\nX-Two: 2"}
	s.holds(s.read(Base+"/connectors", chief, 200), "None yet")
	s.holds(s.read(Base+"/connectors/new", chief, 200), "Web service URI")
	wrong := append([]string{}, form...)
	wrong[9] = "https://{{tenant}}/x"
	page := s.post("/connectors/save", chief, http.StatusBadRequest, wrong...)
	s.holds(page, "DSWBHK002", `value="svc"`) // what was entered is still there
	s.lacks(page, "top;secret")
	s.holds(s.post("/connectors/save", chief, http.StatusBadRequest, append(form, "fields", "no sign")...), "has no =")
	page = s.post("/connectors/save", chief, 200, form...)
	s.holds(page, "Saved.", "Warehouse", "kept in Key Vault", "X-Tenant: one", `value="I" checked`, `value="D" checked`)
	s.lacks(page, "top;secret", `value="U" checked`)
	if v["connector-hook"] != "top;secret+" {
		t.Errorf("the vault holds %q", v["connector-hook"])
	}
	s.holds(s.post("/connectors/test", chief, 200, "id", "hook"), "it answers", "DSCFG004", "jobNo is missing")
	s.holds(s.post("/connectors/steer", chief, 200, "id", "hook", "do", "suspend"), "Nothing is delivered", "suspended")
	s.holds(s.post("/connectors/steer", chief, 200, "id", "hook", "do", "resume"), "Deliveries go on")
	s.holds(s.post("/connectors/steer", chief, 200, "id", "hook", "do", "push"), "board&#39;s list")
	s.holds(s.post("/connectors/save", chief, http.StatusConflict, append(form, "etag", "stale")...), "Somebody else")
	s.holds(s.post("/connectors/import", chief, 200, "json", `[{"Name":"Second","SourceApp":"BC","Uri":"https://hook.example/","Type":3},{"Type":9}]`), "imported", "not imported", "DSCFG")
	s.holds(s.post("/connectors/import", chief, http.StatusBadRequest, "json", "<xml/>"), "problem")
	for _, path := range []string{"/connectors/save", "/connectors/test", "/connectors/steer", "/connectors/import"} {
		s.post(path, ann, http.StatusForbidden, form...)
	}
	record, err := s.store.Connector(t.Context(), "hook")
	if err != nil {
		t.Fatal(err)
	}
	s.holds(s.post("/connectors/steer", chief, 200, "id", "hook", "do", "delete", "etag", record.ETag), "is deleted")
	s.read(Base+"/connectors/hook", chief, http.StatusNotFound)
}

func TestMailboxes(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Exchange.Bus = quiet{} })
	ctx := t.Context()
	row := store.Target{Kind: store.Mailbox, ID: annBox, Email: "ann@contoso.example", Participates: true, Phase: store.PhasePreviewed, Preview: store.Preview{At: noon, Adopt: 3, Create: 2}}
	if err := s.store.SwapTarget(ctx, &row); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.SwapValue(ctx, "preview/"+annBox, `{"at":"2026-11-23T12:00:00Z","rows":[{"action":"adopt","number":"A-7","why":"same subject, start and end"}]}`, ""); err != nil {
		t.Fatal(err)
	}
	s.holds(s.read(Base+"/mailboxes", chief, 200), "ann@contoso.example", "previewed", "Release", "mailboxes wait for release")
	s.holds(s.read(Base+"/mailboxes/"+annBox, chief, 200), "Ann", "What its release would do", "A-7", "same subject, start and end", "Release")
	s.post("/mailboxes/release", ann, http.StatusForbidden, "mailbox", annBox)
	s.holds(s.post("/mailboxes/release", chief, 200, "mailbox", annBox), "The mailbox is released")
	if row, err := s.store.Target(ctx, store.Mailbox, annBox); err != nil || row.Phase == store.PhasePreviewed || row.ReleasedBy != "chief@contoso.example" {
		t.Errorf("%+v, %v", row, err)
	}
	s.holds(s.post("/mailboxes/takespart", chief, http.StatusBadRequest, "resource", "R/1", "takesPart", "maybe"), "none of on, off and board")
	s.holds(s.post("/mailboxes/turnoff", chief, http.StatusBadRequest, "resource", "R/1", "events", "keep"), "nothing to decide")
	s.read(Base+"/mailboxes/00000000-0000-0000-0000-000000000000", chief, http.StatusNotFound)
}
