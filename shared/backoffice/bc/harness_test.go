package bc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/bc"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/secret"
)

const (
	tenant  = "5a2d3b6c-7c1e-4c55-9d0b-0f2a8f6f1e77"
	company = "Müller, Söhne & Co/KG"
)

// world is a connector and its ERP.
type world struct {
	*testing.T
	sim *erpsim.Server
	url string
	c   backoffice.Config
	d   backoffice.Deps

	mu     sync.Mutex
	secret string
	faults []erpsim.FaultResponse // of the next calls that store
	denied int
}

// newWorld starts an ERP online and configures a connector; change may alter both
// before anything is opened.
func newWorld(t *testing.T, o erpsim.Options, change func(*world)) *world {
	t.Helper()
	w := &world{T: t, secret: "s3cr3t;+%value"}
	o.Companies = []string{"CRONUS", company}
	if o.Apps == nil {
		o.Apps = map[string]erpsim.App{"client": {Secrets: []string{w.secret}}}
	}
	if o.Users == nil {
		o.Users = map[string]erpsim.User{"DOM\\user": {Password: w.secret}}
	}
	o.Fault = w.fault
	w.sim = erpsim.New(o)
	front := httptest.NewServer(w.sim)
	t.Cleanup(front.Close)
	t.Cleanup(w.sim.Close)
	w.url = front.URL
	w.c = backoffice.Config{
		ID: "bc", Name: "BC", SourceApp: "BCPROD", Send: true, Operations: []backoffice.Operation{"I", "U", "D"},
		Type: backoffice.BusinessCentral, API: backoffice.REST, Auth: backoffice.Entra, Login: tenant, ClientID: "client", Secret: "bc-secret",
		URI:       front.URL + "/v2.0/" + tenant + "/prod/api/dimeSoftware/dimeScheduler/v1.0/companies(M%C3%BCller%2C%20S%C3%B6hne%20%26%20Co%2FKG)/appointments",
		AllowHTTP: true, Shards: 1, ReadStatus: true, Timeout: 1500 * time.Millisecond,
	}
	w.d = backoffice.Deps{AuthorityURL: front.URL, Secret: func(context.Context) (secret.Secret, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return secret.New(w.secret), nil
	}, Rejected: func() {}}
	if change != nil {
		change(w)
	}
	return w
}

// fault is asked about every call; calls that would store a delivery's row take
// the armed faults, and everything is denied while that is armed.
func (w *world) fault(r erpsim.FaultRequest) *erpsim.FaultResponse {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.denied > 0 {
		w.denied--
		return &erpsim.FaultResponse{Status: 401, Code: "Authentication_InvalidCredentials", Message: "The server has rejected the client credentials."}
	}
	if r.Method != http.MethodPost || r.Route != "appointments" || len(w.faults) == 0 {
		return nil
	}
	f := w.faults[0]
	w.faults = w.faults[1:]
	return &f
}

func (w *world) arm(n int, f erpsim.FaultResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = nil
	for range n {
		w.faults = append(w.faults, f)
	}
}

func (w *world) connector() backoffice.Connector {
	w.Helper()
	c, err := bc.REST(oauth.New()).Open(w.Context(), w.d, w.c)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.Close)
	return c
}

// rotate gives the application another secret.
func (w *world) rotate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secret = "an0ther&secret"
	w.sim.SetApps(map[string]erpsim.App{"client": {Secrets: []string{w.secret}}})
	w.sim.SetUsers(map[string]erpsim.User{"DOM\\user": {Password: w.secret}})
	w.sim.RevokeTokens()
}

// received reads the staging table as the suite wants it.
func (w *world) received() []backofficetest.Record {
	var out []backofficetest.Record
	for _, row := range w.sim.Rows(company) {
		r := backofficetest.Record{
			Appointment: row.Text(erpsim.AppointmentID), Operation: backoffice.Operation(row.Text(erpsim.DatabaseAction)),
			Subject: row.Text(erpsim.Subject), Body: row.Text("Body"), SourceApp: row.Text(erpsim.SourceApp), SourceType: row.Text(erpsim.SourceType),
			JobNo: row.Text(erpsim.JobNo), TaskNo: row.Text(erpsim.TaskNo), Assignees: row.ResourceNos(),
		}
		r.Start, _ = row.Values[erpsim.Start].(time.Time)
		r.End, _ = row.Values[erpsim.End].(time.Time)
		r.SentFromBackOffice, _ = row.Values[erpsim.SentFrom].(bool)
		slices.Sort(r.Assignees)
		out = append(out, r)
	}
	return out
}

// keeps: codes are stored in capitals.
func keeps(r backofficetest.Record) backofficetest.Record {
	r.SourceApp, r.SourceType = strings.ToUpper(r.SourceApp), strings.ToUpper(r.SourceType)
	r.JobNo, r.TaskNo = strings.ToUpper(r.JobNo), strings.ToUpper(r.TaskNo)
	return r
}

func (w *world) harness() backofficetest.Harness {
	var mu sync.Mutex
	requests, credentials := 0, false
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		credentials = credentials || r.Header.Get("Authorization") != ""
	}))
	w.Cleanup(stranger.Close)
	faults := map[backofficetest.Fault]erpsim.FaultResponse{
		backofficetest.RateLimited: {Status: 429, Code: "Application_TooManyRequests", RetryAfter: "7"},
		backofficetest.Unavailable: {Status: 503, Code: "Internal_TenantUnavailable", RetryAfter: "7"},
		backofficetest.ServerError: {Status: 500},
		backofficetest.LostReply:   {Cut: true, AfterCommit: true},
		backofficetest.LostRequest: {Cut: true},
		backofficetest.Slow:        {Hang: true, AfterCommit: true},
		backofficetest.Garbage:     {Body: "\x00\x01 no json", AfterCommit: true},
		backofficetest.HTML:        {Body: "<!DOCTYPE html><html>Sign in</html>", ContentType: "text/html"},
		backofficetest.Endless:     {Endless: true, AfterCommit: true},
		backofficetest.Redirect:    {Redirect: stranger.URL + "/elsewhere"},
	}
	return backofficetest.Harness{
		Connector: w.connector(), Received: w.received, Keeps: keeps, Rotate: w.rotate, Secrets: []string{w.secret, "an0ther&secret"},
		Fail: func(f backofficetest.Fault, n int) {
			if f == backofficetest.Denied {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.denied = n
				return
			}
			w.arm(n, faults[f])
		},
		Stranger: func() (int, bool) {
			mu.Lock()
			defer mu.Unlock()
			return requests, credentials
		},
	}
}

// halves are faults that leave a row without its lines where these do not go with
// it; see TestHalfWrittenRowIsCompleted.
var halves = map[backofficetest.Fault]string{
	backofficetest.LostReply: "half a row", backofficetest.Slow: "half a row", backofficetest.Garbage: "half a row", backofficetest.Endless: "half a row",
}

func onPremises(w *world) {
	w.c.Auth, w.c.Login, w.c.ClientID = backoffice.Basic, "DOM\\user", ""
	w.c.URI = w.url + "/BC260/api/dimeSoftware/dimeScheduler/v1.0/companies(" + w.companyID() + ")/appointments"
}

func (w *world) companyID() string { return w.sim.CompanyID(company) }

// renamed are columns as another version of the app might call them.
func renamed() []erpsim.Column {
	columns := erpsim.DefaultColumns()
	for i, c := range columns {
		switch c.Name {
		case erpsim.AppointmentID:
			columns[i].Type = erpsim.BigInteger
			columns[i].Property = "Appointment_Id"
		case erpsim.DatabaseAction:
			columns[i].Property, columns[i].Type, columns[i].Members = "Database_Action", erpsim.Option, []string{"I", "U", "D"}
		case erpsim.JobNo:
			columns[i].Property = "Job_No"
		case erpsim.Subject:
			columns[i].Property = "Betreff"
		}
	}
	return append(columns, erpsim.Column{Name: "Appointment Guid", Type: erpsim.GUID}, erpsim.Column{Name: "Idempotency Key", Type: erpsim.Text, Length: 250})
}

func TestConformance(t *testing.T) {
	for _, tc := range []struct {
		name   string
		o      erpsim.Options
		change func(*world)
		lacks  map[backofficetest.Fault]string
		byGUID bool
	}{
		{name: "online"},
		{name: "on-premises, basic", change: onPremises},
		{name: "lines below the row", o: erpsim.Options{HideNavigation: true}, lacks: halves},
		{name: "credentials in the header", change: func(w *world) { w.c.Auth = backoffice.OAuthBasic }},
		{name: "other names", o: erpsim.Options{Columns: renamed(), Page: "dsAppointments", ResourcePart: "dsAppointmentResources"}, byGUID: true, change: func(w *world) {
			w.c.URI = strings.TrimSuffix(w.c.URI, "appointments") + "dsAppointments"
			w.c.Fields = map[string]string{fields.Subject: "Betreff"}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			backofficetest.Run(t, func(t *testing.T) backofficetest.Harness {
				w := newWorld(t, tc.o, tc.change)
				h := w.harness()
				h.Lacks = tc.lacks
				if tc.byGUID {
					h.Received = func() []backofficetest.Record {
						out := w.received()
						for i, row := range w.sim.Rows(company) {
							out[i].Appointment = row.Text("Appointment Guid")
						}
						return out
					}
				}
				return h
			})
		})
	}
}
