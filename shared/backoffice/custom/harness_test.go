package custom

import (
	"context"
	"fmt"
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

const company = "CRÖNUS Bau & Söhne, Inc. 50/50"

// world is an ERP with a customer's codeunit, behind a listener.
type world struct {
	*testing.T
	sim      *erpsim.Server
	stranger *httptest.Server
	config   backoffice.Config
	deps     backoffice.Deps

	mu          sync.Mutex
	password    string
	received    []map[string]any // arguments of each call that was carried out
	companies   []string
	result      any
	refusal     string
	fault       backofficetest.Fault
	left        int
	requests    int
	credentials bool
}

// method is what the customer's developers have written.
func (w *world) method(params ...erpsim.Column) erpsim.Procedure {
	return erpsim.Procedure{Service: "DimeReceiver", Name: "Receive", Params: params, Returns: erpsim.Text, Run: func(company string, args map[string]any) (any, string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.refusal != "" {
			return nil, w.refusal
		}
		w.companies = append(w.companies, company)
		if key, ok := args["messageId"]; ok && slices.ContainsFunc(w.received, func(m map[string]any) bool { return m["messageId"] == key }) {
			return w.result, ""
		}
		w.received = append(w.received, args)
		return w.result, ""
	}}
}

func text(name string) erpsim.Column { return erpsim.Column{Name: name, Type: erpsim.Text} }

func newWorld(t *testing.T, api backoffice.API, auth backoffice.Auth, params ...erpsim.Column) *world {
	t.Helper()
	w := &world{T: t, password: "sesame-1", result: ""}
	o := erpsim.Options{
		Companies: []string{"CRONUS", company}, Users: map[string]erpsim.User{"ann": {Password: w.password}}, Fault: w.meet,
		Procedures: []erpsim.Procedure{w.method(params...)},
	}
	if auth == backoffice.NTLM {
		o.Windows = erpsim.OffersNegotiate
	}
	w.sim = erpsim.New(o)
	t.Cleanup(w.sim.Close)
	front := httptest.NewUnstartedServer(w.sim)
	front.Config.ConnContext = erpsim.ConnContext
	front.Start()
	t.Cleanup(front.Close)
	w.stranger = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.requests++
		w.credentials = w.credentials || r.Header.Get("Authorization") != ""
	}))
	t.Cleanup(w.stranger.Close)
	w.config = backoffice.Config{
		ID: "custom", SourceApp: "BCPROD", Send: true, Type: backoffice.BusinessCentral, API: api, Auth: auth, Login: "ann", Secret: "p", Method: "Receive",
		URI: front.URL + "/BC/WS/" + url.PathEscape(company) + "/Codeunit/DimeReceiver", Shards: 2, AllowHTTP: true, Timeout: 10 * time.Second,
	}
	if api == backoffice.ODataAction {
		w.config.URI, w.config.Method = front.URL+"/BC/ODataV4?company="+url.QueryEscape(company), "DimeReceiver_Receive"
	}
	w.deps = backoffice.Deps{Secret: func(context.Context) (secret.Secret, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return secret.New(w.password), nil
	}}
	return w
}

func (w *world) open() backoffice.Connector {
	w.Helper()
	kind := Codeunit(oauth.New())
	if w.config.API == backoffice.ODataAction {
		kind = Action(oauth.New())
	}
	c, err := kind.Open(w.Context(), w.deps, w.config)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(c.Close)
	return c
}

func (w *world) meet(r erpsim.FaultRequest) *erpsim.FaultResponse {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left == 0 || r.Method != http.MethodPost && w.fault != backofficetest.Denied {
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
			w.mu.Lock()
			defer w.mu.Unlock()
			var out []backofficetest.Record
			for i, args := range w.received {
				json := fmt.Sprint(args["json"])
				op := "?"
				for _, o := range []string{"I", "U", "D"} {
					if strings.Contains(json, `"DatabaseAction":"`+o+`"`) {
						op = o
					}
				}
				r, err := backofficetest.ParseGraph(backoffice.Operation(op), []byte(json))
				if err != nil {
					w.Error(err)
				}
				if w.companies[i] != company {
					w.Errorf("it was sent to company %q", w.companies[i])
				}
				out = append(out, r)
			}
			return out
		},
		Fail: func(f backofficetest.Fault, n int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.fault, w.left = f, n
		},
		Rotate: func() {
			w.mu.Lock()
			w.password = "another"
			w.mu.Unlock()
			w.sim.SetUsers(map[string]erpsim.User{"ann": {Password: "another"}})
		},
		Secrets: []string{w.password},
		Stranger: func() (int, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.requests, w.credentials
		},
	}
}
