package erpsim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// App is an Entra application and what the ERP knows of it.
type App struct {
	// Secrets are valid; Expired ones are known as expired.
	Secrets, Expired []string
	// NoConsent: tokens have no roles, the ERP refuses them.
	NoConsent bool
	// Unregistered: the ERP's page "Microsoft Entra applications" lacks it, or it is disabled there.
	Unregistered bool
	// NoRead and NoInsert: its permission sets do not allow it.
	NoRead, NoInsert bool
}

// User is a user with a password or a web service access key.
type User struct {
	Password string
	// NoRead and NoInsert: the permission sets do not allow it.
	NoRead, NoInsert bool
}

// SetApps replaces the applications, as a rotation or a consent does. Issued
// tokens stay valid, with the roles they have.
func (s *Server) SetApps(apps map[string]App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = apps
}

// SetUsers replaces the users.
func (s *Server) SetUsers(users map[string]User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = users
}

// authenticate finds out who calls, by bearer token or, on-premises, by
// password. Other ways to sign in are up to their area.
func (s *Server) authenticate(c *call) *problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer "); ok {
		return s.bearer(c, value)
	}
	name, password, ok := c.r.BasicAuth()
	if !ok || c.online {
		return invalidCredentials()
	}
	u, known := s.users[name]
	if s.users != nil && (!known || u.Password != password) {
		return invalidCredentials()
	}
	c.user, c.mayRead, c.mayWrite = name, !u.NoRead, !u.NoInsert
	return nil
}

// bearer judges a token. Locked.
func (s *Server) bearer(c *call, value string) *problem {
	t, known := s.tokens[value]
	app, registered := s.apps[t.app]
	switch {
	case !known || !s.now().Before(t.expires):
		return &problem{http.StatusUnauthorized, "Authentication_InvalidCredentials", "", "The server has rejected the client credentials."}
	case !t.roles, s.apps != nil && (!registered || app.Unregistered):
		return &problem{http.StatusUnauthorized, "Authentication_InvalidCredentials", "",
			"Web service call failed because user could not be authenticated or authorized."}
	case c.online && t.tenant != c.tenant:
		return &problem{http.StatusUnauthorized, "BadRequest_InvalidToken", "", "The token is for another tenant."}
	}
	c.user, c.mayRead, c.mayWrite = t.app, !app.NoRead, !app.NoInsert
	return nil
}

// load is what one user has under way.
type load struct {
	connections int
	working     int
	slots       chan struct{}
	served      []time.Time
}

const ratePeriod = 5 * time.Minute

// admit counts a request towards its user's limits and waits for its turn.
// It returns how to leave; ok is false if the user has too many.
func (s *Server) admit(c *call) (release func(), ok bool) {
	s.mu.Lock()
	l := s.load[c.user]
	if l == nil {
		l = &load{slots: make(chan struct{}, s.opts.Concurrent)}
		s.load[c.user] = l
	}
	now := s.now()
	l.served = slices.DeleteFunc(l.served, func(t time.Time) bool { return !t.After(now.Add(-ratePeriod)) })
	if l.connections >= s.opts.Connections || len(l.served) >= s.opts.Rate {
		s.mu.Unlock()
		return nil, false
	}
	l.served = append(l.served, now)
	l.connections++
	s.mu.Unlock()

	select {
	case l.slots <- struct{}{}:
	case <-c.r.Context().Done():
	}
	s.mu.Lock()
	l.working++
	s.peak = max(s.peak, l.working)
	s.mu.Unlock()
	s.sleep(c.r.Context(), s.opts.Latency)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.connections--
		l.working--
		select {
		case <-l.slots:
		default: // it left while it waited
		}
	}, true
}

// overLimit is the answer to one request too many.
func overLimit() *problem {
	return &problem{http.StatusTooManyRequests, "Application_TooManyRequests", "NavServiceThrottlingException", "Too many requests reached. Actual (101). Maximum (100)."}
}
