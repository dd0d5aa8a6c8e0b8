package doctor_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/servicebus"
	words "github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/doctor"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/settings"
)

func TestAllIsWell(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{})
	now := time.Now().UTC().Truncate(time.Hour)
	if _, err := c.board.CreateAppointment(boardsim.Appointment{Subject: appointment, Start: now, End: now.Add(time.Hour), Resources: []string{"R1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.graph.CreateEvent(ann, graphsim.Event{Subject: appointment, Start: now, End: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	c.connectors.views = []backoffice.View{{Form: backoffice.Form{ID: "bc1"}, State: "on"}}
	c.connectors.checks = map[string][]backoffice.Check{"bc1": {{Name: "token", OK: true}, {Name: "service", OK: true}}}
	r := c.examine(ann)
	if !r.OK || r.Count(doctor.Failed) > 0 || r.Count(doctor.Skipped) > 0 {
		t.Errorf("%+v", r)
	}
	c.want(r, "settings", "settings", doctor.OK)
	c.want(r, "tables", "tables", doctor.OK)
	c.want(r, "queues", "appointments", doctor.OK, "detects duplicates")
	c.want(r, "queues", "mailboxes", doctor.OK, "has sessions")
	c.want(r, "key vault", "state-keys", doctor.OK)
	c.want(r, "key vault", "store secrets", doctor.OK)
	c.want(r, "graph", "user", doctor.OK)
	c.want(r, "graph", "read the calendar", doctor.OK, "1 events")
	c.want(r, "graph", "test event", doctor.OK)
	c.want(r, "graph", "subscription", doctor.OK, "Graph reaches the public address")
	c.want(r, "graph", "categories", doctor.OK)
	c.want(r, "graph", "User.Read.All", doctor.OK)
	c.want(r, "public address", "handshake", doctor.OK)
	c.want(r, "board", "resources", doctor.OK, "1 resources, 1 of them")
	c.want(r, "board", "one appointment", doctor.OK, "can be read by its id")
	c.want(r, "back offices", "bc1", doctor.OK, "2 steps")
	if c.vault.Calls("set") != 1 {
		t.Errorf("%d secrets were offered", c.vault.Calls("set"))
	}
	if s := c.graph.Events(ann); len(s) != 1 || s[0].Subject != appointment {
		t.Errorf("the calendar: %+v", s)
	}
}

func TestWithoutATestMailbox(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{NoGetByID: true})
	r := c.examine("")
	if !r.OK || r.Mailbox != "" {
		t.Errorf("%+v", r)
	}
	c.want(r, "graph", "mailbox", doctor.Skipped, "No test mailbox was given")
	c.want(r, "board", "one appointment", doctor.Skipped)
	c.want(r, "back offices", "connectors", doctor.Skipped, "None is set up")
	if n := c.graph.Calls().Writes(); n > 0 {
		t.Errorf("%d writes to Graph", n)
	}
}

func TestABoardThatCanNotBeAskedByID(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{NoGetByID: true})
	now := time.Now().UTC()
	if _, err := c.board.CreateAppointment(boardsim.Appointment{Subject: appointment, Start: now, End: now.Add(time.Hour), Resources: []string{"R1"}}); err != nil {
		t.Fatal(err)
	}
	c.want(c.examine(""), "board", "one appointment", doctor.OK, "no way to read one by its id")
}

func TestWrongSettings(t *testing.T) {
	_, err := settings.Load(func(string) string { return "" })
	d := &doctor.Doctor{Settings: err, Now: time.Now}
	c := &clinic{T: t}
	r := d.Examine(t.Context(), ann)
	c.want(r, "settings", "KEYVAULT_URL", doctor.Failed, "missing")
	c.want(r, "settings", "PUBLIC_URL", doctor.Failed)
	if r.OK || slices.ContainsFunc(r.Checks, func(k doctor.Check) bool { return k.Area != "settings" }) {
		t.Errorf("%+v", r)
	}
}

// Every fault, and the sentence that a person acts on.
func TestWhatIsWrongAndWhatToDo(t *testing.T) {
	without := func(role string) []string {
		return slices.DeleteFunc(slices.Clone(allRoles), func(r string) bool { return r == role })
	}
	for name, x := range map[string]struct {
		mailbox string // "" = ann
		queues  []servicebus.Queue
		break_  func(c *clinic)
		area    string
		check   string
		words   []string
	}{
		"no consent to read users": {break_: func(c *clinic) { c.graph.SetRoles(app, without("User.Read.All"), nil) },
			area: "graph", check: "User.Read.All", words: []string{"find the mailbox", "Grant admin consent for the application permission User.Read.All"}},
		"no consent to read users, the user": {break_: func(c *clinic) { c.graph.SetRoles(app, without("User.Read.All"), nil) },
			area: "graph", check: "user", words: []string{"Authorization_RequestDenied", "Grant admin consent for User.Read.All"}},
		"may not write": {break_: func(c *clinic) { c.graph.SetRoles(app, without("Calendars.ReadWrite"), nil) },
			area: "graph", check: "test event", words: []string{"ErrorAccessDenied", "Calendars.ReadWrite"}},
		"may not write, the permission": {break_: func(c *clinic) { c.graph.SetRoles(app, without("Calendars.ReadWrite"), nil) },
			area: "graph", check: "Calendars.ReadWrite", words: []string{"write and remove the events"}},
		"no categories": {break_: func(c *clinic) { c.graph.SetRoles(app, without("MailboxSettings.ReadWrite"), nil) },
			area: "graph", check: "MailboxSettings.ReadWrite", words: []string{"give categories their colours"}},
		"no roles at all": {break_: func(c *clinic) { c.graph.SetRoles(app, nil, nil) },
			area: "graph", check: "read the calendar", words: []string{"Calendars.Read", "scope"}},
		"another client secret": {break_: func(c *clinic) { c.graph.SetClients(map[string][]string{app: {"other"}}) },
			area: "graph", check: "sign-in", words: []string{"AADSTS7000215", "not one of the app registration's"}},
		"an unknown app": {break_: func(c *clinic) { c.graph.SetClients(map[string][]string{}) },
			area: "graph", check: "sign-in", words: []string{"AADSTS700016", "GRAPH_CLIENT_ID"}},
		"an expired client secret": {break_: func(c *clinic) { c.graph.ExpireSecret(graphSecret) },
			area: "graph", check: "sign-in", words: []string{"AADSTS7000222", "has expired", "Add a new client secret"}},
		"no such user": {mailbox: "nobody@contoso.example", break_: func(*clinic) {},
			area: "graph", check: "user", words: []string{"No user of the tenant has this address"}},
		"not an address": {mailbox: "<script>", break_: func(*clinic) {},
			area: "graph", check: "mailbox", words: []string{"not an e-mail address"}},
		"the public address leads nowhere": {break_: func(c *clinic) { c.public.Close() },
			area: "graph", check: "subscription", words: []string{"does not reach the public address", "PUBLIC_URL", "https"}},
		"the public address leads nowhere, from here": {break_: func(c *clinic) { c.public.Close() },
			area: "public address", check: "handshake", words: []string{"can not be reached", "PUBLIC_URL"}},
		"somebody else at the public address": {break_: func(c *clinic) {
			c.public.Config.Handler = http.NotFoundHandler()
		}, area: "public address", check: "handshake", words: []string{"somebody else"}},
		"the vault forbids": {break_: func(c *clinic) { c.vault.Deny("board-key") },
			area: "key vault", check: "board-key", words: []string{"Forbidden", "may not be read", "Key Vault Secrets User"}},
		"the vault forbids the client secret": {break_: func(c *clinic) { c.vault.Deny("graph-secret") },
			area: "graph", check: "sign-in", words: []string{"graph-secret", "Key Vault Secrets User"}},
		"a secret is missing": {break_: func(c *clinic) { c.vault.Delete("state-keys") },
			area: "key vault", check: "state-keys", words: []string{"does not exist", "Create it"}},
		"keys that are too short": {break_: func(c *clinic) { c.vault.Set("state-keys", "short") },
			area: "key vault", check: "state-keys", words: []string{"32 characters", "openssl rand"}},
		"another API key": {break_: func(c *clinic) { c.board.SetAPIKey("another") },
			area: "board", check: "resources", words: []string{"HTTP401", "refuses the API key"}},
		"an API key that sees nothing": {break_: func(c *clinic) { c.board.Narrow() },
			area: "board", check: "resources", words: []string{"shows no resource", "see all resources"}},
		"a board that is out of order": {break_: func(c *clinic) {
			c.board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 503} })
		},
			area: "board", check: "resources", words: []string{"The board can not be reached, or is out of order"}},
		"no queue": {queues: queues()[:2], break_: func(*clinic) {},
			area: "queues", check: "backoffice", words: []string{"does not exist", "Create it", "BACKOFFICE_QUEUE"}},
		"no sessions": {queues: []servicebus.Queue{queues()[0], {Name: "mailboxes"}, queues()[2]}, break_: func(*clinic) {},
			area: "queues", check: "mailboxes", words: []string{"no sessions", "create it anew with sessions"}},
		"sessions where there must be none": {queues: []servicebus.Queue{{Name: "appointments", RequiresSession: true}, queues()[1], queues()[2]}, break_: func(*clinic) {},
			area: "queues", check: "appointments", words: []string{"demands sessions"}},
		"no duplicate detection": {queues: []servicebus.Queue{{Name: "appointments"}, queues()[1], queues()[2]}, break_: func(*clinic) {},
			area: "queues", check: "appointments", words: []string{"does not detect duplicates", "requiresDuplicateDetection"}},
		"no role on the queues": {break_: func(c *clinic) {
			c.broker.Inject(servicebus.Fault{Kind: servicebus.OpAttach, Error: &servicebus.Error{Condition: "amqp:unauthorized-access"}})
		}, area: "queues", check: "mailboxes", words: []string{"denies the app access", "Data Sender and Data Receiver"}},
		"no role on the tables": {break_: func(c *clinic) { c.doctor.Tables = refusing{} },
			area: "tables", check: "tables", words: []string{"denies the app access", "Storage Table Data Contributor"}},
		"a connector that fails": {break_: func(c *clinic) {
			c.connectors.views = []backoffice.View{{Form: backoffice.Form{ID: "nav"}, State: "on"}}
			c.connectors.checks = map[string][]backoffice.Check{"nav": {{Name: "address", OK: true}, {Name: "sign-in", Code: "DSHTTP003", Text: "the password is refused"}}}
		}, area: "back offices", check: "nav", words: []string{"DSHTTP003", "the password is refused", "portal"}},
		"a connector that is misconfigured": {break_: func(c *clinic) {
			c.connectors.views = []backoffice.View{{Form: backoffice.Form{ID: "bc"}, State: "broken", Problems: backoffice.Problems{{Field: "uri", Code: "DSCFG003", Text: "the address is missing"}}}}
		}, area: "back offices", check: "bc", words: []string{"DSCFG003", "the address is missing"}},
		"the doctor itself": {break_: func(c *clinic) { c.doctor.Tables = panicking{} },
			area: "tables", check: "tables", words: []string{"The doctor itself has failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			if x.queues == nil {
				x.queues = queues()
			}
			if x.mailbox == "" {
				x.mailbox = ann
			}
			c := newClinic(t, x.queues, boardsim.Options{})
			x.break_(c)
			r := c.examine(x.mailbox)
			if r.OK {
				t.Error("all is said to be well")
			}
			c.want(r, x.area, x.check, doctor.Failed, x.words...)
		})
	}
}

type refusing struct{}

func (refusing) Probe(context.Context) error {
	return &fault.Error{Reason: fault.Auth, Op: "store: probe", Code: "AuthorizationPermissionMismatch", Err: errors.New("x")}
}

type panicking struct{}

func (panicking) Probe(context.Context) error { panic(boardKey) }

// Exchange grants what no token shows (RBAC for Applications): what works, works.
func TestPermissionsOfExchangeAlone(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{})
	c.graph.SetRoles(app, []string{"User.Read.All"}, []string{"Calendars.ReadWrite", "Calendars.Read", "MailboxSettings.ReadWrite"})
	r := c.examine(ann)
	if !r.OK {
		t.Error("said to be wrong")
	}
	c.want(r, "graph", "Calendars.ReadWrite", doctor.OK, "Exchange grants it")
	c.want(r, "graph", "MailboxSettings.ReadWrite", doctor.Skipped, "writing is not tried")
	c.want(c.examine(""), "graph", "Calendars.ReadWrite", doctor.Failed, "give a test mailbox")
}

// Who may not store secrets can do without: that is no failure.
func TestMayNotStoreSecrets(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{})
	c.vault.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || r.Header.Get("Authorization") == "" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":{"code":"Forbidden","message":"Caller is not authorized"}}`))
		return true
	}
	r := c.examine("")
	c.want(r, "key vault", "store secrets", doctor.Skipped, "Key Vault Secrets Officer")
	if !r.OK {
		t.Error("said to be wrong")
	}
}

// A connector that is off harms nobody.
func TestAConnectorThatIsOff(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{})
	c.connectors.views = []backoffice.View{{Form: backoffice.Form{ID: "bc"}, State: "off"}}
	c.connectors.checks = map[string][]backoffice.Check{"bc": {{Name: "token", Text: "no token"}}}
	r := c.examine("")
	c.want(r, "back offices", "bc", doctor.Skipped, "switched off", "No token")
	if !r.OK {
		t.Error("said to be wrong")
	}
}

// Whatever fails halfway, and whatever of it was done all the same: the mailbox is as it was.
func TestNothingStaysInTheMailbox(t *testing.T) {
	for name, f := range map[string]graphsim.FaultResponse{
		"refused":                   {Status: 500},
		"done and not told":         {Status: 504, AfterCommit: true},
		"done and the line was cut": {Cut: true, AfterCommit: true},
	} {
		for _, route := range []string{"POST /users/{user}/events", "GET /users/{user}/events", "POST /subscriptions", "POST /$batch"} {
			t.Run(name+" "+route, func(t *testing.T) {
				c := newClinic(t, queues(), boardsim.Options{})
				seen := 0
				c.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
					if r.Route != route {
						return nil
					}
					// The first look is for leftovers; the first of all else is hit.
					if seen++; seen != 1+map[bool]int{true: 1}[route == "GET /users/{user}/events"] {
						return nil
					}
					return &f
				})
				// A read that was cut net/http repeats by itself.
				if r := c.examine(ann); r.OK && !strings.HasPrefix(route, "GET") {
					t.Error("all is said to be well")
				}
			})
		}
	}
}

// What a run left that was killed, the next one removes, and says of what it can not.
func TestLeftoversAreRemovedFirst(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{})
	start := time.Now().AddDate(3, 0, 0)
	left := graphsim.Event{Subject: "x", Start: start, End: start.Add(time.Hour), Properties: map[string]string{graph.MarkProperty: "doctor|OLD"}}
	planned := left
	planned.Properties = map[string]string{graph.MarkProperty: "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}
	if _, err := c.graph.CreateEvent(ann, left); err != nil {
		t.Fatal(err)
	}
	kept, err := c.graph.CreateEvent(ann, planned)
	if err != nil {
		t.Fatal(err)
	}
	if r := c.doctor.Examine(t.Context(), ann); !r.OK {
		t.Errorf("%+v", r)
	}
	if events := c.graph.Events(ann); len(events) != 1 || events[0].ID != kept.ID {
		t.Errorf("the calendar: %+v", events)
	}
	if err := c.graph.DeleteEvent(ann, kept.ID); err != nil {
		t.Fatal(err)
	}

	// It can not be deleted: that is told, with what to do.
	if _, err := c.graph.CreateEvent(ann, left); err != nil {
		t.Fatal(err)
	}
	c.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == http.MethodDelete && strings.Contains(r.Route, "/events/") {
			return &graphsim.FaultResponse{Status: 403, Code: "ErrorAccessDenied"}
		}
		return nil
	})
	r := c.doctor.Examine(t.Context(), ann)
	c.want(r, "graph", "clean-up", doctor.Failed, "Run the doctor again", "delete it in the calendar")
	c.graph.SetFault(nil)
	if r := c.examine(ann); !r.OK {
		t.Errorf("%+v", r)
	}
}

// Exchange touches an event once more after it was written: the deletion follows.
func TestAnEventThatMovesOn(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{})
	touched := false
	c.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == http.MethodDelete && r.Item && !touched {
			touched = true
			if _, err := c.graph.UpdateEvent(ann, r.Event, func(e *graphsim.Event) { e.Body = "touched" }); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if r := c.examine(ann); !r.OK || !touched {
		t.Errorf("touched %v, %+v", touched, r)
	}
}

// The time is up: who does not answer is named, the rest is told, nothing is left.
func TestBoundedTime(t *testing.T) {
	c := newClinic(t, queues(), boardsim.Options{})
	c.doctor.Within = 2 * time.Second
	c.doctor.Board = hanging{c.doctor.Board}
	r := c.examine("")
	c.want(r, "board", "board", doctor.Failed, "does not answer in time")
	c.want(r, "tables", "tables", doctor.OK)
}

// hanging is a board that never answers and heeds no context.
type hanging struct{ doctor.Board }

func (hanging) Resources(context.Context) ([]words.Resource, error) { select {} }
