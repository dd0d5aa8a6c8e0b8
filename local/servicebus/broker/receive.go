package broker

import (
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// Mode says what receiving does to a message.
type Mode int

// Modes.
const (
	PeekLock Mode = iota
	ReceiveAndDelete
)

// Delivery is one message on its way to a receiver. Token is zero in mode
// ReceiveAndDelete.
type Delivery struct {
	Token   amqp.UUID
	Message *amqp.Message
}

// Sink is the far side of a Receiver. Its methods are called with the broker
// locked: they must return at once and not call back.
type Sink interface {
	// Deliver hands over a message, within the credit given.
	Deliver(Delivery)
	// Drained says that the remaining credit is used up: nothing more comes
	// before the next Credit. The delivery count has moved on to count.
	Drained(count uint32)
	// Accepted says that the receiver has a session, before any Deliver.
	Accepted(session string, until time.Time)
	// Lost says that the broker ended the receiver. Nothing follows.
	Lost(*amqp.Error)
}

// Receiver takes messages from a queue, or from one session of it.
type Receiver struct {
	q         *Queue
	sink      Sink
	mode      Mode
	delivered uint32 // messages handed over, as AMQP's delivery-count: it wraps
	limit     uint32 // delivered may grow to this
	session   *session
	timer     timer // of the wait for a session
	closed    bool
}

// Receive adds a receiver to a queue without sessions. It gets nothing before Credit.
func (q *Queue) Receive(mode Mode, sink Sink) (*Receiver, *amqp.Error) {
	defer q.b.lock()()
	if q.cfg.RequiresSession {
		return nil, &amqp.Error{Condition: amqp.CondNotAllowed,
			Description: "It is not possible for an entity that requires sessions to create a non-sessionful message receiver."}
	}
	r := &Receiver{q: q, sink: sink, mode: mode}
	q.receivers = append(q.receivers, r)
	return r, nil
}

// Credit lets the receiver have messages until its delivery count reaches
// count+credit, as AMQP counts them. With drain, credit that finds no message
// now is used up.
func (r *Receiver) Credit(count, credit uint32, drain bool) {
	defer r.q.b.lock()()
	if r.closed {
		return
	}
	r.limit = count + credit
	if int32(r.limit-r.delivered) < 0 {
		r.limit = r.delivered
	}
	if r.session != nil {
		r.q.dispatch(&r.session.lane)
	} else if !r.q.cfg.RequiresSession {
		r.q.dispatch(&r.q.line)
	}
	if drain && !r.closed {
		r.delivered = r.limit
		r.sink.Drained(r.delivered)
	}
}

// Undelivered says that the far side did not see one of the deliveries: it has
// the credit still. The message stays locked.
func (r *Receiver) Undelivered() {
	defer r.q.b.lock()()
	if r.closed {
		return
	}
	r.delivered--
	if r.session != nil {
		r.q.dispatch(&r.session.lane)
	} else {
		r.q.dispatch(&r.q.line)
	}
}

// Close ends the receiver. A session is free at once, with its messages;
// without session what it holds stays locked until the locks expire.
func (r *Receiver) Close() {
	defer r.q.b.lock()()
	if r.closed {
		return
	}
	s := r.session
	r.end()
	if s != nil {
		r.q.freeSession(s, SessionReleased)
	}
}

// end takes the receiver out of the queue's lists.
func (r *Receiver) end() {
	r.closed = true
	r.q.b.timers.stop(&r.timer)
	same := func(x *Receiver) bool { return x == r }
	r.q.receivers = slices.DeleteFunc(r.q.receivers, same)
	r.q.waiting = slices.DeleteFunc(r.q.waiting, same)
}

// dispatch hands out what is ready in a lane while there is credit for it.
func (q *Queue) dispatch(l *lane) {
	if l.session != nil && l.session.holder == nil {
		q.offer(l.session)
	}
	for len(l.ready) > 0 {
		r := q.nextReceiver(l)
		if r == nil {
			return
		}
		q.deliver(r, l.pop())
	}
}

// nextReceiver picks who gets the next message of a lane: the session's
// holder, or the receivers in turn.
func (q *Queue) nextReceiver(l *lane) *Receiver {
	if l.session != nil {
		if r := l.session.holder; r != nil && r.limit != r.delivered {
			return r
		}
		return nil
	}
	for i, r := range q.receivers {
		if r.limit != r.delivered {
			q.receivers = append(slices.Delete(q.receivers, i, i+1), r)
			return r
		}
	}
	return nil
}

func (q *Queue) deliver(r *Receiver, m *message) {
	r.delivered++
	if r.mode == ReceiveAndDelete {
		q.forget(m)
		q.emit(Delivered, m)
		r.sink.Deliver(Delivery{Message: m.render()})
		return
	}
	q.take(m)
	q.emit(Delivered, m)
	r.sink.Deliver(Delivery{Token: m.lock, Message: m.render()})
}

// take locks a message: for the lock duration, or for as long as its session is.
func (q *Queue) take(m *message) {
	m.lock = newLockToken()
	q.locked[m.lock] = m
	if s := m.lane.session; s != nil {
		m.lockedUntil = s.lockedUntil
		q.b.timers.stop(&m.timer)
		return
	}
	q.lockUntil(m, q.b.now().Add(q.cfg.LockDuration))
}

func (q *Queue) lockUntil(m *message, at time.Time) {
	m.lockedUntil = at
	q.b.timers.set(&m.timer, at, func(time.Time) { q.lockLost(m) })
}

// lockLost gives a message back after its lock expired.
func (q *Queue) lockLost(m *message) {
	q.emit(LockExpired, m)
	q.unlock(m)
	q.failed(m)
	q.dispatch(m.lane)
}

func (q *Queue) unlock(m *message) {
	delete(q.locked, m.lock)
	m.lock = amqp.UUID{}
}

// failed counts a delivery that came to nothing, and puts the message back or
// dead-letters it. The caller dispatches.
func (q *Queue) failed(m *message) {
	m.deliveryCount++
	if q.cfg.MaxDeliveryCount > 0 && int(m.deliveryCount) >= q.cfg.MaxDeliveryCount {
		q.deadLetter(m, "MaxDeliveryCountExceeded", deliveryAttempts(q.cfg.MaxDeliveryCount), nil)
		return
	}
	q.place(m)
}

// ReceiveDeferred hands out deferred messages by number, all or none.
func (q *Queue) ReceiveDeferred(mode Mode, numbers ...int64) ([]Delivery, *amqp.Error) {
	defer q.b.lock()()
	for _, n := range numbers {
		m := q.messages[n]
		if m == nil || m.state != Deferred || m.locked() {
			return nil, notFound(n)
		}
		if s := m.lane.session; s != nil && s.holder == nil {
			return nil, SessionLockLost()
		}
	}
	var out []Delivery
	for _, n := range numbers {
		m := q.messages[n]
		if m == nil || m.locked() { // named twice
			continue
		}
		q.emit(Delivered, m)
		if mode == ReceiveAndDelete {
			q.forget(m)
		} else {
			q.take(m)
		}
		out = append(out, Delivery{Token: m.lock, Message: m.render()})
	}
	return out, nil
}
