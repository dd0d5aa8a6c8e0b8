package graphsim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Options configure a Server. The zero value works: real clock, every client accepted,
// https notification addresses only, no faults.
type Options struct {
	// Now is the clock of all time stamps, expiries, lags and rate limits. nil = time.Now.
	Now func() time.Time
	// Seed feeds ids and every random choice. 0 = 1.
	Seed uint64
	// TenantID is the tenant that notifications name; tokens are issued for any tenant. "" = a fixed GUID.
	TenantID string
	// Clients holds the accepted client ids, each with its valid secrets. nil = every client and secret.
	Clients map[string][]string
	// Assertion judges a client_assertion (workload identity federation). nil accepts every non-empty one.
	Assertion func(clientID, assertion string) error
	// TokenLife is how long a token is valid. 0 = 1 h.
	TokenLife time.Duration
	// Anonymous lets requests without a token in.
	Anonymous bool

	// AllowHTTPNotifications accepts http notification addresses too; Graph wants https.
	AllowHTTPNotifications bool
	// NotificationClient calls the notification endpoints. nil = an own client.
	NotificationClient *http.Client
	// HandshakeTimeout limits one validation call. 0 = 10 s, as Graph.
	HandshakeTimeout time.Duration
	// BatchWindow is how long notifications for one endpoint are collected into one POST. 0 = 5 ms.
	BatchWindow time.Duration
	// DeliveryAttempts limits the POSTs of one batch of notifications. 0 = 5. Graph tries for 4 h.
	DeliveryAttempts int
	// DeliveryBackoff is the pause before the second attempt, doubled before each further one. 0 = 100 ms.
	DeliveryBackoff time.Duration
	// DeliveryTimeout limits the first attempt; retries have three times as long. 0 = 3 s, as Graph.
	DeliveryTimeout time.Duration

	// Behaviour is how it behaves at the start; see Server.Change.
	Behaviour Behaviour
	// Fault, if not nil, is asked before each request and each item of a $batch; see FaultRequest.
	Fault func(FaultRequest) *FaultResponse
}

// Server is the simulator. Make one with New; all methods are safe for concurrent use.
type Server struct {
	opts   Options
	client *http.Client
	routes []route

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu            sync.Mutex
	behaviour     Behaviour
	fault         func(FaultRequest) *FaultResponse
	rng           *rand.Rand
	counter       uint64 // last number used in a change key
	clients       map[string][]string
	expired       map[string]bool // client secrets
	revoked       bool            // the consent
	tokens        map[string]token
	roles         map[string]appRoles // by app; see SetRoles
	mailboxes     []*mailbox          // in the order of AddUser
	subscriptions []*subscription
	outbox        map[string][]notification // by endpoint
	stats         NotificationStats
	calls         Calls
	requests      []Request
	mails         []Mail
	pending       int             // notifications and staged changes on their way
	idle          []chan struct{} // closed when pending falls to 0
	closed        bool
}

const defaultTenant = "5a2d3b6c-7c1e-4c55-9d0b-0f2a8f6f1e77"

// New returns a running simulator without users. Close it.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.TenantID == "" {
		o.TenantID = defaultTenant
	}
	setDefault(&o.TokenLife, time.Hour)
	setDefault(&o.HandshakeTimeout, 10*time.Second)
	setDefault(&o.BatchWindow, 5*time.Millisecond)
	setDefault(&o.DeliveryBackoff, 100*time.Millisecond)
	setDefault(&o.DeliveryTimeout, 3*time.Second)
	if o.DeliveryAttempts == 0 {
		o.DeliveryAttempts = 5
	}
	s := &Server{
		opts:      o,
		client:    o.NotificationClient,
		routes:    graphRoutes(),
		behaviour: o.Behaviour,
		fault:     o.Fault,
		rng:       rand.New(rand.NewPCG(o.Seed, 0)),
		clients:   o.Clients,
		tokens:    map[string]token{},
		outbox:    map[string][]notification{},
		calls:     newCalls(),
	}
	if s.client == nil {
		s.client = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// Close stops deliveries, releases hanging requests and waits for the simulator's goroutines.
// Notifications that were not delivered yet are lost, as in a crash.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	s.client.CloseIdleConnections()
}

// WaitIdle returns when every notification that is due has been delivered or given up, and
// every staged change has happened; or with ctx's error.
func (s *Server) WaitIdle(ctx context.Context) error {
	s.mu.Lock()
	if s.pending == 0 {
		s.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	s.idle = append(s.idle, done)
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// later runs f, with the lock held, after d of real time; WaitIdle waits for it. Locked.
func (s *Server) later(d time.Duration, f func()) {
	s.background(1, func() {
		if !s.sleep(s.ctx, d) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	})
}

// background runs f in a goroutine that counts as n pending things until it ends. Locked.
func (s *Server) background(n int, f func()) {
	if s.closed {
		return
	}
	s.pending += n
	s.wg.Go(func() {
		f()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle(n)
	})
}

// settle takes n pending things off and wakes who waits for none. Locked.
func (s *Server) settle(n int) {
	s.pending -= n
	if s.pending > 0 {
		return
	}
	for _, c := range s.idle {
		close(c)
	}
	s.idle = nil
}

// sleep waits for d of real time and says whether neither ctx nor the server ended before.
func (s *Server) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}

func (s *Server) now() time.Time { return s.opts.Now().UTC() }

// chance says true with probability p. Locked.
func (s *Server) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }
