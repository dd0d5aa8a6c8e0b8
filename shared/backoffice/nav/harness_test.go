package nav

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/secret"
)

const (
	company = "CRÖNUS Bau & Söhne, Inc. 50/50"
	user    = "ann"
	tenant  = "5a2d3b6c-7c1e-4c55-9d0b-0f2a8f6f1e77"
)

// world is an ERP behind a listener, a stranger's host, and a vault.
type world struct {
	*testing.T
	sim      *erpsim.Server
	front    *httptest.Server
	stranger *httptest.Server
	config   backoffice.Config
	deps     backoffice.Deps

	mu          sync.Mutex
	password    string
	rotated     string // what the vault holds after it was asked anew
	fault       backofficetest.Fault
	left        int
	requests    int
	credentials bool
	faults      []*erpsim.FaultResponse // in the order in which calls that write meet them; nil = none
}

func newWorld(t *testing.T, auth backoffice.Auth, o erpsim.Options) *world {
	t.Helper()
	w := &world{T: t, password: "sésame-1"}
	w.rotated = w.password
	if auth == backoffice.Basic {
		w.password, w.rotated = "sesame-1", "sesame-1"
	}
	o.Companies = []string{"CRONUS", company}
	o.Fault = w.meet
	if auth == backoffice.NTLM || auth == backoffice.Windows {
		o.Windows = erpsim.OffersNTLM
	}
	if auth == backoffice.Entra {
		o.Tenant, o.Apps = tenant, map[string]erpsim.App{"app": {Secrets: []string{w.password}}}
	}
	o.Users = map[string]erpsim.User{user: {Password: w.password}}
	w.sim = erpsim.New(o)
	t.Cleanup(w.sim.Close)
	w.front = httptest.NewUnstartedServer(w.sim)
	w.front.Config.ConnContext = erpsim.ConnContext
	w.front.Start()
	t.Cleanup(w.front.Close)
	w.stranger = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.requests++
		w.credentials = w.credentials || r.Header.Get("Authorization") != ""
	}))
	t.Cleanup(w.stranger.Close)
	w.config = backoffice.Config{
		ID: "nav", SourceApp: "BCPROD", Send: true, Operations: []backoffice.Operation{"I", "U", "D"}, Type: backoffice.NAV, API: backoffice.SOAPPage,
		URI: w.front.URL + "/DynamicsNAV/WS/" + url.PathEscape(company) + "/Page/Appointment", Auth: auth, Login: user, Secret: "nav-password",
		Shards: 2, AllowHTTP: true, ReadStatus: true, Timeout: 10 * time.Second,
	}
	if auth == backoffice.NTLM {
		w.config.Login = `CORP\` + user
	}
	if auth == backoffice.Entra {
		w.config.Type, w.config.Login, w.config.ClientID = backoffice.BusinessCentral, tenant, "app"
		w.config.URI = w.front.URL + "/v2.0/" + tenant + "/prod/WS/" + url.PathEscape(company) + "/Page/Appointment"
	}
	w.deps = backoffice.Deps{
		AuthorityURL: w.front.URL,
		Secret: func(context.Context) (secret.Secret, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return secret.New(w.password), nil
		},
		Rejected: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.password = w.rotated
		},
	}
	return w
}

func (w *world) open() backoffice.Connector {
	w.Helper()
	c, err := Page(oauth.New()).Open(w.Context(), w.deps, w.config)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.Close)
	return c
}

// writes reports whether a request would leave something there.
func writes(r erpsim.FaultRequest) bool {
	body := string(r.Body)
	return r.Route == "page" && (strings.Contains(body, "<Create ") || strings.Contains(body, "<Update "))
}

// meet is the simulator's fault hook.
func (w *world) meet(r erpsim.FaultRequest) *erpsim.FaultResponse {
	w.mu.Lock()
	defer w.mu.Unlock()
	if writes(r) && len(w.faults) > 0 {
		f := w.faults[0]
		w.faults = w.faults[1:]
		return f
	}
	if w.left == 0 || !writes(r) && w.fault != backofficetest.Denied {
		return nil
	}
	w.left--
	switch w.fault {
	case backofficetest.RateLimited:
		return &erpsim.FaultResponse{Status: http.StatusTooManyRequests, RetryAfter: "7"}
	case backofficetest.Unavailable:
		return &erpsim.FaultResponse{Status: http.StatusServiceUnavailable, RetryAfter: "7"}
	case backofficetest.ServerError:
		return &erpsim.FaultResponse{Status: http.StatusInternalServerError}
	case backofficetest.LostReply:
		return &erpsim.FaultResponse{AfterCommit: true, Cut: true}
	case backofficetest.LostRequest:
		return &erpsim.FaultResponse{Cut: true}
	case backofficetest.Slow:
		return &erpsim.FaultResponse{AfterCommit: true, Hang: true}
	case backofficetest.Denied:
		return &erpsim.FaultResponse{Status: http.StatusUnauthorized}
	case backofficetest.Garbage:
		return &erpsim.FaultResponse{AfterCommit: true, Body: "<a>", ContentType: "text/xml"}
	case backofficetest.HTML:
		return &erpsim.FaultResponse{Body: "<!DOCTYPE html><html><body>Sign in</body></html>", ContentType: "text/html"}
	case backofficetest.Endless:
		return &erpsim.FaultResponse{AfterCommit: true, Endless: true}
	case backofficetest.Redirect:
		return &erpsim.FaultResponse{Redirect: w.stranger.URL}
	}
	return nil
}

func (w *world) harness() backofficetest.Harness {
	w.config.Timeout = 3 * time.Second // a slow machine needs more than one to sign in
	return backofficetest.Harness{
		Connector: w.open(),
		Received: func() []backofficetest.Record {
			var out []backofficetest.Record
			for _, r := range w.sim.Rows(company) {
				out = append(out, recordOf(r))
			}
			return out
		},
		Fail: func(f backofficetest.Fault, n int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fault, w.left = f, n
		},
		Keeps: func(r backofficetest.Record) backofficetest.Record {
			r.SourceApp, r.SourceType, r.JobNo, r.TaskNo = code(r.SourceApp), code(r.SourceType), code(r.JobNo), code(r.TaskNo)
			return r
		},
		Rotate: func() {
			w.mu.Lock()
			w.password, w.rotated = "another", "another"
			w.mu.Unlock()
			w.sim.SetUsers(map[string]erpsim.User{user: {Password: "another"}})
			w.sim.SetApps(map[string]erpsim.App{"app": {Secrets: []string{"another"}}})
		},
		Secrets: []string{w.password},
		Stranger: func() (int, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.requests, w.credentials
		},
	}
}

func code(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

func recordOf(r erpsim.Row) backofficetest.Record {
	out := backofficetest.Record{
		Appointment: strings.ToLower(r.Text(erpsim.AppointmentID)), Operation: backoffice.Operation(r.Text(erpsim.DatabaseAction)),
		Subject: r.Text(erpsim.Subject), Body: r.Text("Body"), SourceApp: r.Text(erpsim.SourceApp), SourceType: r.Text(erpsim.SourceType),
		JobNo: r.Text(erpsim.JobNo), TaskNo: r.Text(erpsim.TaskNo), SentFromBackOffice: r.Text(erpsim.SentFrom) == "true", Assignees: r.ResourceNos(),
	}
	out.Start, _ = r.Values[erpsim.Start].(time.Time)
	out.End, _ = r.Values[erpsim.End].(time.Time)
	slices.Sort(out.Assignees)
	return out
}
