package graphsim

import (
	"maps"
	"net/http"
	"time"
)

// Calls counts the requests to Graph by route: method and template, as "GET /users/{user}/calendarView/delta"
// (a page or a link counts as its first request, an alias as the usual path). Refused and failed requests count too;
// those without a valid token do not.
type Calls struct {
	HTTP   map[string]int // on the wire; a $batch is one "POST /$batch"
	Items  map[string]int // inside of batches
	Tokens int            // requests to the token endpoint
}

func newCalls() Calls { return Calls{HTTP: map[string]int{}, Items: map[string]int{}} }

// Of is the number of requests to a route, alone or in a batch.
func (c Calls) Of(route string) int { return c.HTTP[route] + c.Items[route] }

// TotalHTTP is the number of HTTP calls to Graph.
func (c Calls) TotalHTTP() int {
	n := 0
	for _, k := range c.HTTP {
		n += k
	}
	return n
}

// Writes is the number of requests that create, change or delete an event.
func (c Calls) Writes() int {
	n := 0
	for _, r := range []string{
		"POST /users/{user}/events", "PATCH /users/{user}/events/{event}", "DELETE /users/{user}/events/{event}",
		"POST /users/{user}/events/{event}/permanentDelete", "POST /users/{user}/events/{event}/cancel",
	} {
		n += c.Of(r)
	}
	return n
}

// Request is an entry of the log: no body, no secrets.
type Request struct {
	At      time.Time
	Method  string
	Route   string
	Path    string // below /v1.0, decoded
	Query   map[string][]string
	Prefer  map[string]string // lower-case names
	IfMatch string
	Item    bool // of a $batch
	Status  int  // 0 = the connection was cut
}

// longestLog bounds the log; the older half goes when it is full.
const longestLog = 100_000

// Calls returns the counts since New or ResetCalls.
func (s *Server) Calls() Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Calls{HTTP: maps.Clone(s.calls.HTTP), Items: maps.Clone(s.calls.Items), Tokens: s.calls.Tokens}
}

// Requests returns the log in the order in which the requests ended.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// ResetCalls sets the counts to zero and empties the log.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.requests = newCalls(), nil
}

// count counts the call and says which to its route it is.
func (s *Server) count(c *call) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := c.route.name()
	if c.batched {
		s.calls.Items[name]++
	} else {
		s.calls.HTTP[name]++
	}
	return s.calls.Of(name)
}

func (s *Server) finish(c *call, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= longestLog {
		s.requests = append([]Request(nil), s.requests[longestLog/2:]...)
	}
	s.requests = append(s.requests, Request{
		At: s.now(), Method: c.method, Route: c.route.name(), Path: "/" + c.path(), Query: c.query, Prefer: c.prefer,
		IfMatch: http.Header.Get(c.header, "If-Match"), Item: c.batched, Status: status,
	})
}
