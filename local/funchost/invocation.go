package funchost

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Outcome is how an invocation ended.
type Outcome string

// An invocation that still runs has the outcome "".
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	TimedOut  Outcome = "timed out"
)

// Invocation is the record of one call of a function. A proxied HTTP request succeeds whatever its status is.
type Invocation struct {
	Number   int    // 1 for the first of this host
	ID       string // X-Azure-Functions-InvocationId
	Function string
	Trigger  string // http, timer or queue

	// Of queue calls with one message:
	MessageID     string
	SessionID     string
	DeliveryCount int

	Started  time.Time
	Duration time.Duration
	Outcome  Outcome
	Error    string // why it failed
}

// keptInvocations bounds what Invocations returns; older ones are forgotten.
const keptInvocations = 20000

// ledger holds the invocations in the order in which they began.
type ledger struct {
	mu    sync.Mutex
	count int
	kept  []Invocation
}

func (l *ledger) begin(f *function, describe func(*Invocation)) Invocation {
	v := Invocation{ID: uuid.NewString(), Function: f.Name, Trigger: f.trigger(), Started: time.Now()}
	if describe != nil {
		describe(&v)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	v.Number = l.count
	if len(l.kept) >= 2*keptInvocations {
		l.kept = slices.Clone(l.kept[len(l.kept)-keptInvocations:])
	}
	l.kept = append(l.kept, v)
	return v
}

func (l *ledger) end(v Invocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := v.Number - 1 - (l.count - len(l.kept)); i >= 0 {
		l.kept[i] = v
	}
}

func (l *ledger) list() []Invocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept)
}
