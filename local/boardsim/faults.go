package boardsim

import (
	"maps"
	"time"
)

// Call is a request as the fault hook sees it.
type Call struct {
	Route      string   // method and path, e.g. "POST /import", "GET /appointment/{id}"
	Procedures []string // of an import, in order
	N          int      // the how-manyth request of this route, from 1
}

// Fault is what goes wrong with one request; the zero value is nothing.
type Fault struct {
	// Delay holds the request back, in real time, before anything else.
	Delay time.Duration
	// AfterCommit lets the request take effect before the rest goes wrong.
	AfterCommit bool
	// Status is answered instead of the true one, with RetryAfter as the
	// header of that name when it is not empty (seconds or an HTTP date).
	Status     int
	RetryAfter string
	// Error is answered the way the board reports its own errors: inside a 200
	// by /import, as a 500 with this text by the other routes.
	Error string
	// Cut closes the connection without an answer.
	Cut bool
	// Hang gives no answer until the client goes or the board is closed.
	Hang bool
}

func (f Fault) fails() bool { return f.Status != 0 || f.Error != "" || f.Cut || f.Hang }

// SetFault replaces the hook that decides what goes wrong with a request. It is
// asked once per request with a valid key, before that takes effect, and may
// itself change the board, as a planner does between two requests of a client.
// Nil: nothing.
func (b *Board) SetFault(fault func(Call) Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = fault
}

// Calls tells how many requests came, whatever their answer: by route as in
// Call.Route, and by the name of an imported procedure. Requests with a wrong
// key count as "401" only.
func (b *Board) Calls() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.calls)
}

// ResetCalls sets all counters to zero.
func (b *Board) ResetCalls() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.calls)
}
