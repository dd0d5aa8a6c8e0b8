package broker

import (
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// Settlement says what becomes of a locked message.
type Settlement string

// Settlements. Release gives a message back without counting the delivery.
const (
	Complete   Settlement = "complete"
	Abandon    Settlement = "abandon"
	Defer      Settlement = "defer"
	DeadLetter Settlement = "dead-letter"
	Release    Settlement = "release"
)

// Outcome is a settlement with what goes with it. Properties are set on the
// message (abandon, defer, dead-letter).
type Outcome struct {
	Settlement  Settlement
	Properties  amqp.Map
	Reason      string // of a dead letter
	Description string
}

// Settle ends the lock on a message. A message whose lock is gone gives
// com.microsoft:message-lock-lost, or session-lock-lost in a queue with sessions.
func (q *Queue) Settle(token amqp.UUID, o Outcome) *amqp.Error {
	defer q.b.lock()()
	m, err := q.held(token)
	if err != nil {
		return err
	}
	switch o.Settlement {
	case Complete:
		q.forget(m)
		q.emit(Completed, m)
	case DeadLetter:
		if q.dead == nil {
			return &amqp.Error{Condition: amqp.CondNotAllowed, Description: "A message of a dead-letter queue cannot be dead-lettered again."}
		}
		q.deadLetter(m, o.Reason, o.Description, o.Properties)
	case Abandon:
		m.content = withProperties(m.content, o.Properties)
		q.unlock(m)
		q.emit(Abandoned, m)
		q.failed(m)
		q.dispatch(m.lane)
	case Release:
		q.unlock(m)
		q.emit(Released, m)
		q.makeReady(m)
	case Defer:
		m.content = withProperties(m.content, o.Properties)
		q.unlock(m)
		m.state = Deferred
		q.emit(MadeDeferred, m)
		q.makeReady(m)
	default:
		return &amqp.Error{Condition: amqp.CondInvalidField, Description: fmt.Sprintf("unknown settlement %q", o.Settlement)}
	}
	return nil
}

// Find gives the message that is locked with a token, nil if none is.
func (q *Queue) Find(token amqp.UUID) *amqp.Message {
	defer q.b.lock()()
	if m := q.locked[token]; m != nil {
		return m.content
	}
	return nil
}

// Renew extends the locks of messages to a full lock duration from now, all
// or none. Messages of a session have no lock of their own.
func (q *Queue) Renew(tokens ...amqp.UUID) ([]time.Time, *amqp.Error) {
	defer q.b.lock()()
	if q.cfg.RequiresSession {
		return nil, &amqp.Error{Condition: amqp.CondNotAllowed, Description: "The lock of a session's message is that of the session: renew that one."}
	}
	for _, token := range tokens {
		if _, err := q.held(token); err != nil {
			return nil, err
		}
	}
	until := q.b.now().Add(q.cfg.LockDuration)
	var out []time.Time
	for _, token := range tokens {
		q.lockUntil(q.locked[token], until)
		out = append(out, until)
	}
	return out, nil
}

// ExpireLocks lets all locks on messages of the queue expire now (sessions
// keep theirs: see ExpireSession). It returns how many there were.
func (q *Queue) ExpireLocks() int {
	defer q.b.lock()()
	if q.cfg.RequiresSession {
		return 0
	}
	held := make([]*message, 0, len(q.locked))
	for _, m := range q.locked {
		held = append(held, m)
	}
	for _, m := range held {
		q.lockLost(m)
	}
	return len(held)
}

func (q *Queue) held(token amqp.UUID) (*message, *amqp.Error) {
	if m := q.locked[token]; m != nil && m.locked() {
		return m, nil
	}
	if q.cfg.RequiresSession {
		return nil, SessionLockLost()
	}
	return nil, &amqp.Error{Condition: amqp.CondMessageLockLost, Description: "The lock supplied is invalid. " +
		"Either the lock expired, or the message has already been removed from the queue."}
}

// SessionLockLost is the error of whoever no longer has a session.
func SessionLockLost() *amqp.Error {
	return &amqp.Error{Condition: amqp.CondSessionLockLost, Description: "The session lock has expired on the MessageSession. Accept a new MessageSession."}
}

func notFound(n int64) *amqp.Error {
	return &amqp.Error{Condition: amqp.CondMessageNotFound, Description: fmt.Sprintf("Failed to lock one or more specified messages: there is no such message with number %d.", n)}
}

func deliveryAttempts(n int) string {
	return fmt.Sprintf("Message could not be consumed after %d delivery attempts.", n)
}
