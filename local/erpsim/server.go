package erpsim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options configure a Server. The zero value works: real clock, one company
// "CRONUS International", every client and user accepted, no faults.
type Options struct {
	// Now is the clock of all time stamps, expiries and rate limits. nil = time.Now.
	Now func() time.Time
	// Companies are created at the start. nil = one, "CRONUS International".
	Companies []string
	// Tenant is the only tenant known, id or domain; "" = any.
	Tenant string
	// Apps are the Entra applications by client id. nil = every client and secret.
	Apps map[string]App
	// Users are those with a password, by name. nil = every user and password.
	Users map[string]User
	// TokenLife is how long a token is valid. 0 = 1 h.
	TokenLife time.Duration

	// Columns, ResourceColumns and FieldValueColumns are those of the staging
	// table and its sub-tables. nil = DefaultColumns() and so on.
	Columns, ResourceColumns, FieldValueColumns []Column
	// Page is the entity set of the staging table, "appointments" if empty;
	// ResourcePart and FieldValuePart are the parts below it, "appointmentResources"
	// and "appointmentFieldValues" if empty, "-" if the page has none.
	Page, ResourcePart, FieldValuePart string
	// HideNavigation declares the parts as entity sets of their own, without
	// navigation properties: no deep insert, children are POSTed below Location.
	HideNavigation bool
	// RepeatedLines: the sub-tables have a line number as key, so that the same
	// resource may stand there twice. Else it is refused.
	RepeatedLines bool
	// APIPath is publisher/group/version; "" = "dimeSoftware/dimeScheduler/v1.0".
	APIPath string

	// Windows is how an on-premises server signs in SOAP and OData callers by their
	// Windows account, see [WindowsAuth]; Users are then Windows users, whose
	// names come without domain. LockAfter failures in a row an account is locked; 0 = never.
	Windows   WindowsAuth
	LockAfter int
	// SOAP says how the page is published as a SOAP service.
	SOAP SOAPOptions
	// Procedures are those of published codeunits.
	Procedures []Procedure

	// ProcessDelay is how long a row lies before it is worked on.
	ProcessDelay time.Duration
	// Manual: rows are worked on by Server.Process only.
	Manual bool
	// Reject is the codeunit's objection, see Server.SetReject.
	Reject func(Row) string

	// Concurrent is how many requests of a user are worked on at a time, the
	// others wait; 0 = 5. Connections is how many there may be with those that
	// wait; 0 = 100.
	Concurrent, Connections int
	// Rate is how many requests a user has in five minutes; 0 = 6000.
	Rate int
	// RetryAfter is sent with a 429, literally; "" = none, as promised nowhere.
	RetryAfter string
	// Latency of each request, in real time.
	Latency time.Duration
	// Fault, if not nil, is asked about each request, see FaultRequest.
	Fault func(FaultRequest) *FaultResponse
	// TokenFault is asked before each answer of the token endpoint; nil = none.
	TokenFault func(n int) *FaultResponse
}

// Server is the simulator. Make one with New; all methods are safe for concurrent use.
type Server struct {
	opts   Options
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	// areas serve what lies below a base, by the first segment in lower case.
	areas map[string]func(http.ResponseWriter, *call)

	mu         sync.Mutex
	companies  []*company
	apps       map[string]App
	users      map[string]User
	tokens     map[string]token
	fault      func(FaultRequest) *FaultResponse
	tokenFault func(int) *FaultResponse
	reject     func(Row) string
	load       map[string]*load // by user
	calls      map[string]int
	peak       int
	ids        int
	windows    *Negotiator // nil = off
}

// New returns a running simulator. Close it.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Companies == nil {
		o.Companies = []string{"CRONUS International"}
	}
	if o.Columns == nil {
		o.Columns = DefaultColumns()
	}
	if o.ResourceColumns == nil {
		o.ResourceColumns = DefaultResourceColumns()
	}
	if o.FieldValueColumns == nil {
		o.FieldValueColumns = DefaultFieldValueColumns()
	}
	fill(&o.TokenLife, time.Hour)
	fill(&o.Page, "appointments")
	fill(&o.ResourcePart, "appointmentResources")
	fill(&o.FieldValuePart, "appointmentFieldValues")
	fill(&o.APIPath, "dimeSoftware/dimeScheduler/v1.0")
	fill(&o.Concurrent, 5)
	fill(&o.Connections, 100)
	fill(&o.Rate, 6000)
	s := &Server{
		opts: o, apps: o.Apps, users: o.Users, fault: o.Fault, tokenFault: o.TokenFault, reject: o.Reject,
		tokens: map[string]token{}, load: map[string]*load{}, calls: map[string]int{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.areas = map[string]func(http.ResponseWriter, *call){
		"api":     s.serveREST,
		"ws":      s.serveSOAP,
		"odatav4": s.serveActions,
	}
	fill(&s.opts.SOAP.Service, "Appointment")
	if o.Windows != NoWindows {
		s.windows = &Negotiator{Windows: o.Windows, LockAfter: o.LockAfter, Password: s.windowsPassword}
	}
	for _, name := range o.Companies {
		s.AddCompany(name)
	}
	return s
}

func fill[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Close releases hanging requests.
func (s *Server) Close() { s.cancel() }

func (s *Server) now() time.Time { return s.opts.Now().UTC() }

// guid returns the next id, the same in every run. Locked, or before anybody else knows s.
func (s *Server) guid() string {
	s.ids++
	h := sha256.Sum256(fmt.Append(nil, "erpsim", s.ids))
	x := hex.EncodeToString(h[:16])
	return x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-a" + x[17:20] + "-" + x[20:]
}

// call is one request below one of the bases.
type call struct {
	r        *http.Request
	online   bool
	tenant   string
	instance string   // of an on-premises base; "" without
	base     string   // absolute address up to and including the area, as it came
	rest     []string // segments below the area, decoded
	body     []byte
	user     string // who it is
	mayRead  bool
	mayWrite bool
	route    string // see FaultRequest.Route
	company  string // name or id as asked for; "" = the default one
}

func (c *call) method() string { return c.r.Method }

// ServeHTTP answers for Entra and for the ERP.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	if len(raw) == 4 && strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		s.serveToken(w, r, raw[0])
		return
	}
	c := &call{r: r}
	at := areaIndex(raw, s.areas)
	switch {
	case at == 3 && raw[0] == "v2.0":
		c.online, c.tenant = true, raw[1]
	case at == 0:
	case at == 1:
		c.instance = raw[0]
	default:
		http.NotFound(w, r)
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	c.base = scheme + "://" + r.Host + "/" + strings.Join(raw[:at+1], "/")
	for _, segment := range raw[at+1:] {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			http.Error(w, "bad path", http.StatusBadRequest)
			return
		}
		c.rest = append(c.rest, decoded)
	}
	s.areas[strings.ToLower(raw[at])](w, c)
}

// areaIndex returns where the first segment that names an area is; -1 = nowhere.
func areaIndex(segments []string, areas map[string]func(http.ResponseWriter, *call)) int {
	for i, segment := range segments {
		if _, ok := areas[strings.ToLower(segment)]; ok {
			return i
		}
	}
	return -1
}

// count notes that a request came. Locked by itself.
func (s *Server) count(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[route]++
	return s.calls[route]
}
