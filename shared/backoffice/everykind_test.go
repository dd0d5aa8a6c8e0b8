package backoffice_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/backoffice/bc"
	"github.com/dime-scheduler/connectors/shared/backoffice/custom"
	"github.com/dime-scheduler/connectors/shared/backoffice/nav"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/webhook"
	"github.com/dime-scheduler/connectors/shared/store"
)

const entraTenant = "5a2d3b6c-7c1e-4c55-9d0b-0f2a8f6f1e77"

// landscape is every kind of back office, each its own, told of the same source app.
type landscape struct {
	*world
	online, onPremises, windows *erpsim.Server
	companies                   map[string]*erpsim.Server // by connector: its company has its name
	receivers                   map[string]*receiver      // customers' own code
	stranger                    string

	faults   sync.Mutex
	rnd      *rand.Rand
	storm    bool
	hits     map[string]int // by connector
	redirect int            // requests that followed one
	signIns  map[string]int // by the last part of the path
}

// receiver is code that a customer has written: it takes a key once, if it gets
// one, and makes documents as Business Central does.
type receiver struct {
	mu   sync.Mutex
	keys map[string]bool
	docs []string // "guid resource start"
	seen map[string]string
}

func (r *receiver) take(op, key string, graph []byte) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key != "" && r.keys[key] {
		return ""
	}
	r.keys[key] = true
	rec, err := backofficetest.ParseGraph(backoffice.Operation(op), graph)
	if err != nil {
		return "no graph"
	}
	if op != "I" {
		r.docs = slices.DeleteFunc(r.docs, func(d string) bool { return strings.HasPrefix(d, rec.Appointment) })
	}
	if op != "D" {
		for _, no := range rec.Assignees {
			r.docs = append(r.docs, document(rec.Appointment, no, rec.Start))
		}
	}
	return ""
}

func document(guid, resource string, start time.Time) string {
	return strings.ToLower(guid) + " " + resource + " " + start.UTC().Format(time.RFC3339)
}

// ServeHTTP makes it a webhook, which also minds the version.
func (l *landscape) hook(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	rec, _ := backofficetest.ParseGraph("", body)
	serve := func() {
		r, version := l.receivers["webhook"], req.Header.Get(webhook.HeaderVersion)
		r.mu.Lock()
		stale := r.seen[rec.Appointment] > version
		if !stale {
			r.seen[rec.Appointment] = version
		}
		r.mu.Unlock()
		if !stale {
			r.take(req.Header.Get(webhook.HeaderAction), req.Header.Get(webhook.HeaderKey), body)
		}
	}
	f := l.weather("webhook")
	if f == nil || f.AfterCommit {
		serve()
	}
	switch {
	case f == nil:
		w.WriteHeader(http.StatusAccepted)
	case f.Cut, f.Truncate:
		panic(http.ErrAbortHandler)
	case f.Hang:
		<-req.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Redirect != "":
		http.Redirect(w, req, f.Redirect, http.StatusTemporaryRedirect)
	case f.Status != 0 && f.Status != http.StatusOK:
		w.Header().Set("Retry-After", f.RetryAfter)
		w.WriteHeader(f.Status)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// weather is what becomes of one call in the storm.
func (l *landscape) weather(connector string) *erpsim.FaultResponse {
	l.faults.Lock()
	defer l.faults.Unlock()
	if !l.storm || l.rnd.IntN(3) > 0 {
		return nil
	}
	l.hits[connector]++
	after := l.rnd.IntN(2) == 0
	switch l.rnd.IntN(24) {
	case 0, 1, 2, 3, 4:
		return &erpsim.FaultResponse{Cut: true, AfterCommit: after}
	case 5, 6:
		return &erpsim.FaultResponse{Status: 504, Body: "<html>", ContentType: "text/html", AfterCommit: after}
	case 7, 8:
		return &erpsim.FaultResponse{Status: 408, AfterCommit: after}
	case 9, 10:
		return &erpsim.FaultResponse{Status: 500, AfterCommit: after}
	case 11, 12:
		return &erpsim.FaultResponse{Locked: true, Language: "de"}
	case 13, 14:
		return &erpsim.FaultResponse{Status: 429, RetryAfter: "3"}
	case 15:
		return &erpsim.FaultResponse{Status: 503, RetryAfter: "5"}
	case 16:
		return &erpsim.FaultResponse{Status: 401, Code: "Authentication_InvalidCredentials"}
	case 17:
		return &erpsim.FaultResponse{Status: 200, Body: "<!DOCTYPE html><html>Sign in</html>", ContentType: "text/html"}
	case 18:
		return &erpsim.FaultResponse{Redirect: l.stranger}
	case 19:
		return &erpsim.FaultResponse{Endless: true, AfterCommit: after}
	case 20:
		return &erpsim.FaultResponse{Hang: true, AfterCommit: after}
	case 21:
		return &erpsim.FaultResponse{Status: 502, AfterCommit: after}
	}
	return &erpsim.FaultResponse{Truncate: true}
}

func newLandscape(t *testing.T, seed uint64) *landscape {
	l := &landscape{world: newWorld(t), companies: map[string]*erpsim.Server{}, receivers: map[string]*receiver{}, hits: map[string]int{}, signIns: map[string]int{}, rnd: rand.New(rand.NewPCG(seed, 11))}
	serve := func(h http.Handler) string {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l.count(r)
			h.ServeHTTP(w, r)
		}))
		srv.Config.ConnContext = erpsim.ConnContext
		srv.Start()
		t.Cleanup(srv.Close)
		return srv.URL
	}
	l.stranger = serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		l.faults.Lock()
		defer l.faults.Unlock()
		l.redirect++
	}))
	keyed := []erpsim.Column{{Name: "json", Type: erpsim.Text}, {Name: "messageId", Type: erpsim.Text}}
	procedure := func(id string, params []erpsim.Column) erpsim.Procedure {
		r := &receiver{keys: map[string]bool{}, seen: map[string]string{}}
		l.receivers[id] = r
		return erpsim.Procedure{Service: strings.ReplaceAll(id, "-", ""), Name: "Receive", Params: params, Returns: erpsim.Text, Run: func(_ string, args map[string]any) (any, string) {
			text, key := fmt.Sprint(args["json"]), ""
			if len(params) > 1 {
				key = fmt.Sprint(args["messageId"])
			}
			var op struct{ DatabaseAction string }
			_ = json.Unmarshal([]byte(text), &op)
			if key == "" {
				r.mu.Lock()
				r.keys = map[string]bool{}
				r.mu.Unlock()
			}
			return "", r.take(op.DatabaseAction, key, []byte(text))
		}}
	}
	l.receivers["webhook"] = &receiver{keys: map[string]bool{}, seen: map[string]string{}}
	sim := func(w erpsim.WindowsAuth, companies []string, procedures ...erpsim.Procedure) (*erpsim.Server, string) {
		s := erpsim.New(erpsim.Options{
			Now: l.clock, Companies: companies, Windows: w, Procedures: procedures, ProcessDelay: 20 * time.Second, Apps: map[string]erpsim.App{"client": {Secrets: []string{"first"}}},
			Users: map[string]erpsim.User{"u": {Password: "first"}}, Fault: func(r erpsim.FaultRequest) *erpsim.FaultResponse {
				id := r.Company
				if i := strings.Index(strings.ToLower(r.Path), "/codeunit/"); i >= 0 || r.Route == "action" {
					id = "code"
				}
				return l.weather(id)
			},
		})
		t.Cleanup(s.Close)
		for _, c := range companies {
			l.companies[c] = s
		}
		return s, serve(s)
	}
	var cloud, house, domain string
	l.online, cloud = sim(erpsim.NoWindows, []string{"bc-rest", "bc-soap-oauth"})
	l.onPremises, house = sim(erpsim.NoWindows, []string{"bc-rest-basic", "nav-basic"},
		procedure("codeunit", keyed), procedure("codeunit-blind", keyed[:1]), procedure("action", keyed), procedure("action-blind", keyed[:1]))
	l.windows, domain = sim(erpsim.OffersNTLM, []string{"nav-ntlm"})
	tokens := oauth.New()
	l.authority = cloud
	l.kinds = backoffice.Registry{
		{Type: backoffice.BusinessCentral, API: backoffice.REST}: bc.REST(tokens), {Type: backoffice.BusinessCentral, API: backoffice.SOAPPage}: nav.Page(tokens),
		{Type: backoffice.NAV, API: backoffice.SOAPPage}: nav.Page(tokens), {Type: backoffice.BusinessCentral, API: backoffice.SOAPCodeunit}: custom.Codeunit(tokens),
		{Type: backoffice.BusinessCentral, API: backoffice.ODataAction}: custom.Action(tokens), {Type: backoffice.Webhook, API: backoffice.REST}: webhook.Kind(tokens),
	}
	l.start() // with these
	add := func(id string, kind backoffice.Type, api backoffice.API, auth backoffice.Auth, uri, method string) {
		l.connector(id, func(c *backoffice.Config) {
			c.Type, c.API, c.Auth, c.URI, c.Method, c.AllowHTTP, c.Timeout = kind, api, auth, uri, method, true, time.Second
			switch auth {
			case backoffice.Entra:
				c.Login, c.ClientID = entraTenant, "client"
			case backoffice.NTLM:
				c.Login = `DOM\u`
			case backoffice.NoAuth:
				c.Login, c.Secret = "", ""
			}
		})
	}
	base := "/v2.0/" + entraTenant + "/prod"
	rest := "/api/dimeSoftware/dimeScheduler/v1.0/companies("
	add("bc-rest", backoffice.BusinessCentral, backoffice.REST, backoffice.Entra, cloud+base+rest+l.online.CompanyID("bc-rest")+")/appointments", "")
	add("bc-soap-oauth", backoffice.BusinessCentral, backoffice.SOAPPage, backoffice.Entra, cloud+base+"/WS/bc-soap-oauth/Page/Appointment", "")
	add("bc-rest-basic", backoffice.BusinessCentral, backoffice.REST, backoffice.Basic, house+"/BC"+rest+l.onPremises.CompanyID("bc-rest-basic")+")/appointments", "")
	add("nav-basic", backoffice.NAV, backoffice.SOAPPage, backoffice.Basic, house+"/NAV/WS/nav-basic/Page/Appointment", "")
	add("nav-ntlm", backoffice.NAV, backoffice.SOAPPage, backoffice.NTLM, domain+"/NAV/WS/nav-ntlm/Page/Appointment", "")
	for _, id := range []string{"codeunit", "codeunit-blind"} {
		add(id, backoffice.BusinessCentral, backoffice.SOAPCodeunit, backoffice.Basic, house+"/BC/WS/nav-basic/Codeunit/"+strings.ReplaceAll(id, "-", ""), "Receive")
	}
	for _, id := range []string{"action", "action-blind"} {
		add(id, backoffice.BusinessCentral, backoffice.ODataAction, backoffice.Basic, house+"/BC/ODataV4?company="+url.QueryEscape("nav-basic"), strings.ReplaceAll(id, "-", "")+"_Receive")
	}
	add("webhook", backoffice.Webhook, backoffice.REST, backoffice.NoAuth, serve(http.HandlerFunc(l.hook)), "")
	return l
}

// rotate gives everybody another secret, as an administrator does in Key Vault.
func (l *landscape) rotate() {
	for _, s := range []*erpsim.Server{l.online, l.onPremises, l.windows} {
		s.SetUsers(map[string]erpsim.User{"u": {Password: "second"}})
		s.SetApps(map[string]erpsim.App{"client": {Secrets: []string{"second"}}})
		s.RevokeTokens()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.vault {
		l.vault[name] = "second"
	}
}

// Whatever goes wrong on the way, every kind of back office shows in the evening
// what the board shows: one document for each appointment and resource, and no other.
func TestEveryKindShowsWhatTheBoardShows(t *testing.T) {
	days := uint64(2)
	if testing.Short() {
		days = 1
	}
	for seed := range days {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := newLandscape(t, seed+1)
			board := map[int]backofficetest.Record{}
			born := 0
			l.storm = true
			for step := range 24 {
				l.step(board, &born)
				if step == 12 {
					l.rotate()
				}
				l.settle(time.Duration(l.rnd.IntN(60)) * time.Second)
			}
			l.faults.Lock()
			l.storm = false
			l.faults.Unlock()
			l.settle(48 * time.Hour)
			l.redrive()
			l.pass(time.Hour)
			l.agree(board)
			if len(l.hits) < 5 || l.redirect > 0 {
				t.Errorf("faults by back office: %v; %d redirects were followed", l.hits, l.redirect)
			}
			t.Logf("%d documents wanted, faults %v", len(board), l.hits)
			l.clean()
		})
	}
}

func (l *landscape) step(board map[int]backofficetest.Record, born *int) {
	l.t.Helper()
	l.faults.Lock()
	defer l.faults.Unlock()
	all := slices.Sorted(maps.Keys(board))
	i, op := *born, appointment.Update
	if len(all) > 0 && l.rnd.IntN(8) >= 6-len(all) {
		i = all[l.rnd.IntN(len(all))]
	}
	r, there := board[i]
	switch {
	case !there:
		*born++
		r, op = backofficetest.Sample(i), appointment.Create
	case l.rnd.IntN(6) == 0:
		delete(board, i)
		l.announce(appointment.Delete, r)
		return
	}
	r.Start = backofficetest.Base.Add(time.Duration(l.rnd.IntN(200)) * time.Hour)
	r.End = r.Start.Add(time.Hour)
	r.Assignees = []string{"R" + fmt.Sprint(1+l.rnd.IntN(3)), "R" + fmt.Sprint(4+l.rnd.IntN(2))}[:1+l.rnd.IntN(2)]
	board[i] = r
	l.announce(op, r)
}

func (l *landscape) agree(board map[int]backofficetest.Record) {
	l.t.Helper()
	var want []string
	for _, r := range board {
		for _, no := range r.Assignees {
			want = append(want, document(r.Appointment, no, r.Start))
		}
	}
	slices.Sort(want)
	got := map[string][]string{}
	for id, s := range l.companies {
		got[id] = nil
		for _, d := range s.Documents(id) {
			got[id] = append(got[id], document(d.Appointment, d.Resource, d.Start))
		}
	}
	for id, r := range l.receivers {
		got[id] = slices.Clone(r.docs)
	}
	for id, docs := range got {
		slices.Sort(docs)
		if diff := cmp.Diff(want, docs); diff != "" {
			l.t.Errorf("board (-) and %s (+):\n%s", id, diff)
		}
	}
}

// clean: nothing failed for good, and no secret stands anywhere that people look.
func (l *landscape) clean() {
	l.t.Helper()
	rows, err := l.mem.Targets(l.t.Context(), store.Connector)
	l.must(err)
	for _, row := range rows {
		links, err := l.mem.Links(l.t.Context(), row.ID)
		l.must(err)
		for _, x := range links {
			if x.State != store.Agreed && x.State != store.Gone {
				l.t.Errorf("%s of %s: %s, %s %s", x.Appointment, row.ID, x.State, x.FailureCode, x.FailureText)
			}
		}
	}
	for _, family := range []string{"dynamics", "webhook"} {
		list, err := l.mem.Transactions(l.t.Context(), family, 5000)
		l.must(err)
		for _, x := range list {
			text := fmt.Sprintf("%+v", x)
			if strings.Contains(text, backofficetest.Sample(0).Subject) || strings.Contains(text, "Basic ") || strings.Contains(text, "Bearer ") {
				l.t.Errorf("a transaction tells too much: %s", text)
			}
		}
	}
}

// count counts attempts to sign in: a request for a token, one with user and
// password, or the last message of an NTLM handshake.
func (l *landscape) count(r *http.Request) {
	what := ""
	value := r.Header.Get("Authorization")
	ntlm, _ := base64.StdEncoding.DecodeString(value[strings.LastIndexByte(value, ' ')+1:])
	switch {
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		what = "token"
	case strings.HasPrefix(value, "Basic "):
		what = "basic " + r.URL.Path
	case len(ntlm) > 8 && string(ntlm[:7]) == "NTLMSSP" && ntlm[8] == 3:
		what = "ntlm " + r.URL.Path
	default:
		return
	}
	l.faults.Lock()
	defer l.faults.Unlock()
	l.signIns[what]++
}

// A wrong password, and appointments that change all day: the account is not locked.
func TestARefusedPasswordIsTriedOnceAnHour(t *testing.T) {
	l := newLandscape(t, 1)
	for name := range l.vault {
		l.vault[name] = "wrong"
	}
	for hour := range 24 {
		for i := range 3 {
			op := appointment.Create
			if hour > 0 {
				op = appointment.Update
			}
			l.announce(op, sample(i, fmt.Sprintf("hour %d", hour)))
		}
		l.settle(time.Hour)
		l.pass(start.Add(time.Duration(hour+1) * time.Hour).Sub(l.clock()))
	}
	limit := 24 + 2
	for what, n := range l.signIns {
		t.Log(what, n)
		switch {
		case what == "token": // of two connectors; an application is not locked
			if n > 4*limit {
				t.Errorf("%d requests for tokens", n)
			}
		case n > limit && !(strings.Contains(what, "ODataV4") && n <= 2*limit): // two connectors
			t.Errorf("%s: %d attempts in a day", what, n)
		}
	}
	if len(l.signIns) < 6 {
		t.Errorf("sign-ins: %v", l.signIns)
	}
}
