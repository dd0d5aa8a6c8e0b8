package servicebus

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// Kind is a kind of operation that a Fault can hit.
type Kind string

// Kinds of operations.
const (
	OpAuthorize Kind = "authorize" // put-token on $cbs
	OpAttach    Kind = "attach"    // a sender, or a receiver without session
	OpAccept    Kind = "accept"    // a receiver of a session
	OpSend      Kind = "send"      // also scheduling
	OpReceive   Kind = "receive"   // one delivery
	OpSettle    Kind = "settle"    // complete, abandon, defer, dead-letter; on the link or $management
	OpRenew     Kind = "renew"     // of a message's or session's lock
	OpManage    Kind = "manage"    // every other operation of $management
)

// Operation is what a client asks for. Fields that do not apply are empty.
type Operation struct {
	Kind      Kind
	Entity    string // the queue as the client wrote it, without leading slash
	SessionID string // of an accept that names one, a send or a delivery
	MessageID string // of the (first) message
	Name      string // which settlement, or which operation of $management
}

// Error is an AMQP error: condition and description.
type Error = amqp.Error

// ServerBusy is how the service throttles. Clients retry it.
func ServerBusy() *Error {
	return &Error{Condition: amqp.CondServerBusy, Description: "The request was terminated because the namespace is being throttled. Please wait 10 seconds and try again."}
}

// Fault says which operations go wrong, and how. Its zero value hits all
// operations and does nothing to them.
type Fault struct {
	// Kind and Entity choose operations; "" = all. Match, if set, chooses
	// further; it is called in order, one at a time, and must not call the broker.
	Kind   Kind
	Entity string
	Match  func(Operation) bool
	// Skip lets so many pass first; Times hits so many after that, 0 = all.
	Skip, Times int

	// Delay passes before anything else happens.
	Delay time.Duration
	// Error is answered instead of doing the operation. A delivery that fails
	// ends its link with the error, the message is released.
	Error *Error
	// Cut cuts the connection instead of doing the operation.
	Cut bool
	// Silent does nothing and answers nothing: the client waits for its own
	// time-out. A silent delivery locks the message and does not send it.
	Silent bool
	// TakeEffect makes Error, Cut and Silent come after the operation is done:
	// the client does not know that it was.
	TakeEffect bool
	// Redeliver (OpSettle) answers success, but gives the message back to be
	// delivered again, as when the service loses a completion.
	Redeliver bool
}

// Inject adds a fault; the first that matches an operation hits it. remove
// takes it out.
func (b *Broker) Inject(f Fault) (remove func()) { return b.faults.add(f) }

// faults is the list of what was injected.
type faults struct {
	any  atomic.Bool // something is injected: the cheap answer for the usual case
	mu   sync.Mutex
	list []*Fault
}

func (s *faults) add(f Fault) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, &f)
	s.any.Store(true)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(&f)
	}
}

func (s *faults) drop(f *Fault) {
	s.list = slices.DeleteFunc(s.list, func(x *Fault) bool { return x == f })
	s.any.Store(len(s.list) > 0)
}

// hit gives the fault for an operation; the zero Fault when none applies. op
// is called only if anything is injected.
func (s *faults) hit(op func() Operation) Fault {
	if !s.any.Load() {
		return Fault{}
	}
	o := op()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.list {
		if f.Kind != "" && f.Kind != o.Kind || f.Entity != "" && !strings.EqualFold(f.Entity, o.Entity) || f.Match != nil && !f.Match(o) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		hit := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.drop(f)
			}
		}
		return hit
	}
	return Fault{}
}

// perform does an operation as the faults will have it. answer gets its
// result; it is not called when the client is to hear nothing.
func (c *conn) perform(op func() Operation, do func() *Error, answer func(*Error)) {
	c.performWith(c.b.faults.hit(op), do, answer)
}

func (c *conn) performWith(f Fault, do func() *Error, answer func(*Error)) {
	if f.Delay > 0 {
		delay := f.Delay
		f.Delay = 0
		c.after(delay, func() { c.performWith(f, do, answer) })
		return
	}
	fails := f.Error != nil || f.Cut || f.Silent
	var err *Error
	if !fails || f.TakeEffect {
		err = do()
	}
	switch {
	case f.Cut:
		c.cut()
		return
	case f.Silent:
		return
	case f.Error != nil:
		err = f.Error
	}
	answer(err)
}
