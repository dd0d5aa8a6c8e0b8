package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/local/vaultsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/doctor"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/graphhook"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

const (
	ann         = "ann@contoso.example"
	app         = "app"
	boardKey    = "b0ardk3y-canary"
	graphSecret = "gr4phs3cret-canary"
	stateKeys   = "clientstatekey-canary-0123456789abcdef"
	appointment = "Confidential-canary"
)

var (
	allRoles = []string{"Calendars.ReadWrite", "Calendars.Read", "MailboxSettings.ReadWrite", "User.Read.All"}
)

// clinic is an installation, all simulated, and a doctor with the real clients.
type clinic struct {
	*testing.T
	graph  *graphsim.Server
	board  *boardsim.Board
	vault  *vaultsim.Server
	broker *servicebus.Broker
	mem    *store.Mem
	doctor *doctor.Doctor
	public *httptest.Server
	// connectors are what the back offices' desk answers.
	connectors *desk
	// sent counts what the webhook wakes.
	bus *bus.Mem
}

// queues of an installation that is right.
func queues() []servicebus.Queue {
	return []servicebus.Queue{
		{Name: "appointments", DuplicateDetection: 10 * time.Minute},
		{Name: "mailboxes", RequiresSession: true},
		{Name: "backoffice", RequiresSession: true},
	}
}

func newClinic(t *testing.T, queues []servicebus.Queue, options boardsim.Options) *clinic {
	t.Helper()
	c := &clinic{T: t, connectors: &desk{}, bus: &bus.Mem{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c.graph = graphsim.New(graphsim.Options{AllowHTTPNotifications: true, Clients: map[string][]string{app: {graphSecret}}})
	c.graph.SetRoles(app, allRoles, nil)
	c.graph.AddUser(graphsim.User{UPN: ann, Mail: ann})
	graphServer := httptest.NewServer(c.graph)
	options.APIKey = boardKey
	c.board = boardsim.New(options)
	boardServer := httptest.NewServer(c.board)
	c.board.AddResource(boardsim.Resource{ResourceNo: "R1", DisplayName: "Ann", Email: ann, ExchangeIntegrationEnabled: true})
	c.vault = &vaultsim.Server{}
	vaultServer := httptest.NewTLSServer(c.vault)
	c.vault.Set("board-key", boardKey)
	c.vault.Set("graph-secret", graphSecret)
	c.vault.Set("state-keys", stateKeys)
	c.broker = servicebus.New(servicebus.Options{Queues: queues})
	must(c.broker.Listen("127.0.0.1:0"))
	c.public = httptest.NewServer(http.HandlerFunc(c.webhook))

	vault, err := secret.NewVault(secret.Options{URL: vaultServer.URL, Credential: anyToken{}, HTTPClient: vaultServer.Client(), Local: true})
	must(err)
	credential, err := graph.Credential(graph.CredentialOptions{
		Auth: "secret", TenantID: "tenant", ClientID: app, Authority: graphServer.URL,
		Secret: func(ctx context.Context) (string, error) {
			v, err := vault.Get(ctx, "graph-secret")
			return v.Reveal(), err
		},
	})
	must(err)
	client, err := graph.New(graph.Options{BaseURL: graphServer.URL + "/v1.0", Credential: credential, Timeout: 5 * time.Second})
	must(err)
	sender, err := bus.NewSender(bus.Options{ConnectionString: secret.New(c.broker.ConnectionString()), Timeout: 10 * time.Second})
	must(err)
	c.mem = store.NewMem(time.Now)
	c.doctor = &doctor.Doctor{
		Version: "v1", Tables: c.mem, Queues: sender, Vault: vault, Calendar: client, Connectors: c.connectors,
		Secrets: []doctor.Secret{{Name: "board-key", For: "board's API key"}, {Name: "state-keys", For: "keys"}, {Name: "graph-secret", For: "client secret"}},
		Keys:    "state-keys", PublicURL: c.public.URL, HTTP: c.public.Client(),
		Board: dimescheduler.New(dimescheduler.Options{BaseURL: boardServer.URL, Key: func(ctx context.Context) (secret.Secret, error) { return vault.Get(ctx, "board-key") }}),
		Now:   time.Now, Within: time.Minute, Pause: time.Millisecond,
	}
	t.Cleanup(func() {
		c.graph.Close()
		c.board.Close()
		client.Close()
		vault.Close()
		_ = sender.Close(context.Background())
		_ = c.broker.Close()
		for _, s := range []*httptest.Server{graphServer, boardServer, vaultServer, c.public} {
			s.Close()
		}
	})
	return c
}

// webhook is the app's, as Graph meets it.
func (c *clinic) webhook(w http.ResponseWriter, r *http.Request) {
	keys, _ := exchange.ParseKeys(stateKeys)
	graphhook.Hook{
		Reason: "graphwebhook", Bus: c.bus, Log: slog.New(slog.DiscardHandler),
		Verifier: func(context.Context) (graphhook.Verifier, error) { return keys, nil },
		Wake:     func(string) bus.Nudge { return bus.Nudge{Kind: bus.Read} },
	}.ServeHTTP(w, r)
}

type anyToken struct{}

func (anyToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t0ken-canary", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// desk stands for the back offices.
type desk struct {
	views  []backoffice.View
	checks map[string][]backoffice.Check
}

func (d *desk) List(context.Context) ([]backoffice.View, error) { return d.views, nil }
func (d *desk) Test(_ context.Context, _, id string) ([]backoffice.Check, error) {
	if d.checks[id] == nil {
		return nil, errors.New("no such connector")
	}
	return d.checks[id], nil
}

// examine examines, and makes sure that nothing is left and nothing told.
func (c *clinic) examine(mailbox string) doctor.Report {
	c.Helper()
	r := c.doctor.Examine(c.Context(), mailbox)
	c.nothingLeft()
	data, err := json.Marshal(r)
	if err != nil {
		c.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		c.Fatal(err)
	}
	for _, hush := range []string{boardKey, graphSecret, stateKeys, "t0ken-canary", appointment, "SharedAccessKey"} {
		if bytes.Contains(data, []byte(hush)) || bytes.Contains(text.Bytes(), []byte(hush)) {
			c.Errorf("the report tells %q:\n%s", hush, text.String())
		}
	}
	if strings.Contains(text.String(), ann) { // the terminal shows what was typed anyway
		c.Errorf("the checks tell the address:\n%s", text.String())
	}
	if c.Failed() {
		c.Log(text.String())
	}
	return r
}

func (c *clinic) nothingLeft() {
	c.Helper()
	for _, e := range c.graph.Events(ann) {
		if _, tagged := e.Property(graph.MarkProperty); tagged {
			c.Errorf("an event is left: %+v", e)
		}
	}
	if left := c.graph.Subscriptions(); len(left) > 0 {
		c.Errorf("subscriptions are left: %+v", left)
	}
	for _, q := range []string{"appointments", "mailboxes", "backoffice"} {
		if left, err := c.broker.Peek(q); err == nil && len(left) > 0 {
			c.Errorf("%d messages are left in %s", len(left), q)
		}
	}
}

// want fails unless the check ended so, with these words in what it says and what to do.
func (c *clinic) want(r doctor.Report, area, name string, status doctor.Status, words ...string) {
	c.Helper()
	for _, k := range r.Checks {
		if k.Area != area || k.Name != name || k.Status != status {
			continue
		}
		all := k.Code + " " + k.Text + " " + k.Do
		for _, w := range words {
			if !strings.Contains(all, w) {
				c.Errorf("%s, %s lacks %q: %s", area, name, w, all)
			}
		}
		if k.Status == doctor.Failed && k.Do == "" {
			c.Errorf("%s, %s does not say what to do", area, name)
		}
		return
	}
	var b bytes.Buffer
	_ = r.Write(&b)
	c.Errorf("no check %s, %s that is %s:\n%s", area, name, status, b.String())
}
