package backofficetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Mem is a connector and its back office in one, in memory. Its zero value works
// and has no traits.
type Mem struct {
	Has backoffice.Traits
	// Before, if set, is asked before a delivery is stored, After once it is: an
	// error is the outcome of the call.
	Before, After func(d backoffice.Delivery) error
	// Looks, if set, is asked before Find looks.
	Looks func(d backoffice.Delivery) error
	// Process is what Status answers; nil = Processed.
	Process func(r backoffice.Receipt) backoffice.Processing

	mu         sync.Mutex
	deliveries []backoffice.Delivery
	tries      int
	faults     []Fault
}

var _ backoffice.Connector = (*Mem)(nil)

// Fail makes the next n deliveries meet the fault; 0 takes it back.
func (m *Mem) Fail(f Fault, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = slices.Repeat([]Fault{f}, n)
}

// Deliveries returns what was stored, oldest first.
func (m *Mem) Deliveries() []backoffice.Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.deliveries)
}

// Tries counts the calls of Deliver.
func (m *Mem) Tries() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries
}

// Received returns what was stored as records.
func (m *Mem) Received() []Record {
	var out []Record
	for _, d := range m.Deliveries() {
		r, err := ParseGraph(d.Operation, d.Graph)
		if err != nil {
			r = Record{Appointment: d.Appointment.Guid, Operation: d.Operation}
		}
		out = append(out, r)
	}
	return out
}

// Deliver stores d, but for what was ordered to go wrong.
func (m *Mem) Deliver(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return backoffice.Receipt{}, &fault.Error{Reason: fault.Canceled, Op: "mem: deliver", Err: err}
	}
	m.mu.Lock()
	m.tries++
	var f Fault
	if len(m.faults) > 0 {
		f, m.faults = m.faults[0], m.faults[1:]
	}
	m.mu.Unlock()
	stores, err := outcome(f)
	if m.Before != nil && f == "" {
		if err := m.Before(d); err != nil {
			return backoffice.Receipt{}, err
		}
	}
	if stores {
		m.store(d)
	}
	if m.After != nil && f == "" {
		if err := m.After(d); err != nil {
			return backoffice.Receipt{}, err
		}
	}
	return backoffice.Receipt{ID: d.Key}, err
}

func (m *Mem) store(d backoffice.Delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	same := func(x backoffice.Delivery) bool { return x.Key == d.Key }
	if !m.Has.Idempotent || !slices.ContainsFunc(m.deliveries, same) {
		m.deliveries = append(m.deliveries, d)
	}
}

func outcome(f Fault) (stores bool, _ error) {
	e := &fault.Error{Op: "mem: deliver", Reason: fault.Unavailable, Code: backoffice.CodeHTTP, Err: errors.New(string(f))}
	switch f {
	case "":
		return true, nil
	case RateLimited:
		e.Reason, e.RetryAfter = fault.RateLimit, 7*time.Second
	case Unavailable:
		e.RetryAfter = 7 * time.Second
	case LostReply, Slow, Garbage, Endless:
		e.Ambiguous = true
		if f == Slow {
			e.Reason, e.Code = fault.Timeout, backoffice.CodeBCTimeout
		}
		return true, e
	case LostRequest:
		e.Ambiguous = true
	case Denied:
		e.Reason, e.Code, e.WholeTarget = fault.Auth, backoffice.CodeBCUnauthorized, true
	case HTML, Redirect:
		e.Reason, e.Code, e.WholeTarget = fault.Invalid, backoffice.CodeURL, true
	}
	return false, e
}

// Find looks for the key.
func (m *Mem) Find(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, bool, error) {
	if m.Looks != nil {
		if err := m.Looks(d); err != nil {
			return backoffice.Receipt{}, false, err
		}
	}
	for _, x := range m.Deliveries() {
		if x.Key == d.Key {
			return backoffice.Receipt{ID: d.Key}, true, ctx.Err()
		}
	}
	return backoffice.Receipt{}, false, ctx.Err()
}

// Status answers what Process says.
func (m *Mem) Status(_ context.Context, r backoffice.Receipt) (backoffice.Processing, error) {
	if m.Process == nil {
		return backoffice.Processing{State: backoffice.Processed}, nil
	}
	return m.Process(r), nil
}

// Test finds everything in order, or the sign-in refused.
func (m *Mem) Test(context.Context) []backoffice.Check {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.faults, Denied) {
		return []backoffice.Check{{Name: "token", Code: backoffice.CodeBCUnauthorized, Text: "the sign-in is refused: enter the right password"}}
	}
	return []backoffice.Check{{Name: "address", OK: true, Text: "it answers"}}
}

// Fields maps none.
func (m *Mem) Fields(context.Context) ([]backoffice.FieldUse, error) { return nil, nil }

// Traits returns Has.
func (m *Mem) Traits() backoffice.Traits { return m.Has }

// Close does nothing.
func (m *Mem) Close() {}
