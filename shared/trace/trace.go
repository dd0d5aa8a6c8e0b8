// Package trace carries through a context on whose behalf work is done and under
// which ids the other side has a call in its own logs, so that what is recorded
// of a call can be found again in all logs.
//
// It is a leaf: the host's package puts the cause in, clients leave the ids of
// their calls, the engines read both. It makes no spans and sends nothing.
package trace

import (
	"context"
	"sync"
)

// Cause is the run of a function that something is done in.
type Cause struct {
	Invocation string // the host's id of the run
	TraceID    string // 32 hex digits of the W3C trace context
}

type causeKey struct{}

// With returns a context for work that is done for c.
func With(ctx context.Context, c Cause) context.Context {
	return context.WithValue(ctx, causeKey{}, c)
}

// Of returns the cause that ctx belongs to; the zero value if to none.
func Of(ctx context.Context) Cause {
	c, _ := ctx.Value(causeKey{}).(Cause)
	return c
}

// IDs are those of one call: the other side's own, and ours that it was told.
// Microsoft's support asks for both.
type IDs struct{ Request, Client string }

// Watched is where a client leaves the ids of the calls that it makes.
type Watched struct {
	mu   sync.Mutex
	last IDs
}

// Last returns the ids of the last call that was answered; zero if none was.
func (w *Watched) Last() IDs {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

type watchedKey struct{}

// Watch returns a context whose calls leave their ids in the second result.
func Watch(ctx context.Context) (context.Context, *Watched) {
	w := &Watched{}
	return context.WithValue(ctx, watchedKey{}, w), w
}

// Saw is called by clients after each call. It does nothing if nobody watches.
func Saw(ctx context.Context, ids IDs) {
	if w, ok := ctx.Value(watchedKey{}).(*Watched); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.last = ids
	}
}
