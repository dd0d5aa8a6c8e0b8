package graphsim

import (
	"net/http"
	"time"
)

// FaultRequest is what a fault hook sees of a request. The hook is called for every HTTP request to
// Graph, for $batch itself, and again for each of its items; not for the token endpoint, nor for
// requests without a valid token. It may be called from several goroutines at a time, and may call
// the Server.
type FaultRequest struct {
	Method string
	Route  string // method and template, "PATCH /users/{user}/events/{event}"
	Path   string // below /v1.0, decoded, without query
	User   string // as in the path; "" where the route has none
	Event  string // id as in the path
	Query  map[string][]string
	Header http.Header
	Item   bool // an item of a $batch
	N      int  // which request to this route, items included, from 1
}

// FaultResponse is how a request fails. The zero value does nothing.
type FaultResponse struct {
	// Delay is waited, in real time, before anything else.
	Delay time.Duration
	// AfterCommit executes the request before failing it.
	AfterCommit bool
	// Status, with Code and Message of the error, is answered instead of the truth. 0 = no failure by status.
	Status        int
	Code, Message string
	// RetryAfter is the Retry-After header, literally.
	RetryAfter string
	// Cut breaks the connection instead of answering; of an item, that of the whole batch.
	Cut bool
	// Hang answers nothing until the client goes away or the Server closes; then it is a Cut.
	Hang bool
}

// SetFault replaces the fault hook; nil = no faults.
func (s *Server) SetFault(f func(FaultRequest) *FaultResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// withFault asks the hook about the call and lets it fail before or after execute.
func (s *Server) withFault(c *call, n int, execute func() reply) reply {
	s.mu.Lock()
	hook := s.fault
	s.mu.Unlock()
	if hook == nil {
		return execute()
	}
	f := hook(FaultRequest{
		Method: c.method, Route: c.route.name(), Path: "/" + c.path(), User: c.params["user"], Event: c.params["event"],
		Query: c.query, Header: c.header.Clone(), Item: c.batched, N: n,
	})
	if f == nil {
		return execute()
	}
	s.sleep(c.ctx, f.Delay)
	fails := f.Status != 0 || f.Cut || f.Hang
	if f.AfterCommit || !fails {
		answer := execute()
		if !fails {
			return answer
		}
	}
	if f.Hang {
		<-c.ctx.Done()
	}
	if f.Cut || f.Hang {
		return reply{cut: true}
	}
	fill(&f.Code, "UnknownError")
	r := s.refuse(c, &graphError{f.Status, f.Code, f.Message})
	if f.RetryAfter != "" {
		r.set("Retry-After", f.RetryAfter)
	}
	return r
}
