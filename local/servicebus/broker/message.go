package broker

import (
	"container/heap"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// State of a message, in the numbers of annotation x-opt-message-state.
type State int32

// States. A locked message is Active (or Deferred, if it was received by its number).
const (
	Active State = iota
	Deferred
	Scheduled
)

// Annotations that the service sets on, or reads from, a message.
const (
	annSequenceNumber = "x-opt-sequence-number"
	annEnqueuedTime   = "x-opt-enqueued-time"
	annLockedUntil    = "x-opt-locked-until"
	annState          = "x-opt-message-state"
	annScheduled      = "x-opt-scheduled-enqueue-time"
	annLockToken      = "x-opt-lock-token"
)

// message is one stored message.
type message struct {
	content       *amqp.Message // as sent; never changed in place
	seq           int64
	id            string
	lane          *lane
	state         State
	enqueued      time.Time
	expires       time.Time // zero = never
	deliveryCount uint32
	lock          amqp.UUID // zero = not locked
	lockedUntil   time.Time
	timer         timer // one at a time: schedule, lock or time to live
	index         int   // in its lane, plus one; 0 = not ready
}

func (m *message) locked() bool { return m.lock != amqp.UUID{} }

// MessageID gives the id as text, "" if the message has none.
func MessageID(m *amqp.Message) string {
	switch id := m.Properties.MessageID.(type) {
	case nil:
		return ""
	case string:
		return id
	default:
		return fmt.Sprint(id)
	}
}

// SessionID gives the session of a message.
func SessionID(m *amqp.Message) (string, bool) {
	if m.Properties.GroupID == nil {
		return "", false
	}
	return *m.Properties.GroupID, true
}

func newLockToken() (t amqp.UUID) {
	rand.Read(t[:]) // never fails
	t[6] = t[6]&0x0f | 0x40
	t[8] = t[8]&0x3f | 0x80
	return t
}

func newMessageID() string {
	id := newLockToken()
	return hex.EncodeToString(id[:])
}

// render gives the message as a receiver sees it now.
func (m *message) render() *amqp.Message {
	out := *m.content
	out.Header.DeliveryCount = m.deliveryCount
	out.Header.FirstAcquirer = m.deliveryCount == 0
	if !m.expires.IsZero() {
		out.Header.TTL = amqp.Ptr(m.expires.Sub(m.enqueued))
	}
	ann := make(amqp.Map, 0, len(m.content.Annotations)+4)
	for _, e := range m.content.Annotations {
		switch amqp.Text(e.Key) {
		case annSequenceNumber, annEnqueuedTime, annLockedUntil, annState:
			// the sender's own are not believed
		default:
			ann = append(ann, e)
		}
	}
	ann = append(ann,
		amqp.Entry{Key: amqp.Symbol(annEnqueuedTime), Value: m.enqueued},
		amqp.Entry{Key: amqp.Symbol(annSequenceNumber), Value: m.seq},
		amqp.Entry{Key: amqp.Symbol(annState), Value: int32(m.state)})
	out.DeliveryAnnotations = nil
	if m.locked() {
		ann = append(ann, amqp.Entry{Key: amqp.Symbol(annLockedUntil), Value: m.lockedUntil})
		// Receivers by number have no delivery tag to take the token from.
		out.DeliveryAnnotations = amqp.Map{{Key: amqp.Symbol(annLockToken), Value: m.lock}}
	}
	out.Annotations = ann
	return &out
}

// withProperties gives a copy of the message with application properties set.
func withProperties(m *amqp.Message, set amqp.Map) *amqp.Message {
	if len(set) == 0 {
		return m
	}
	out := *m
	for _, e := range set {
		out.ApplicationProperties = out.ApplicationProperties.With(amqp.Text(e.Key), e.Value)
	}
	return &out
}

// lane is a line of messages in which the lowest sequence number is next: a
// queue without sessions has one, else there is one for each session.
type lane struct {
	session *session // nil in a queue without sessions
	ready   readyHeap
}

func (l *lane) push(m *message) { heap.Push(&l.ready, m) }

func (l *lane) remove(m *message) {
	if m.index > 0 {
		heap.Remove(&l.ready, m.index-1)
	}
}

func (l *lane) pop() *message { return heap.Pop(&l.ready).(*message) }

type readyHeap []*message

func (h readyHeap) Len() int           { return len(h) }
func (h readyHeap) Less(i, j int) bool { return h[i].seq < h[j].seq }
func (h readyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push and Pop are for container/heap.
func (h *readyHeap) Push(x any) {
	m := x.(*message)
	*h = append(*h, m)
	m.index = len(*h)
}

func (h *readyHeap) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	m.index = 0
	return m
}
