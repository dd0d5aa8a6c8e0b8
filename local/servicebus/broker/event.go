package broker

import "time"

// EventKind names a change.
type EventKind string

// What can happen to a message or session.
const (
	Enqueued          EventKind = "enqueued"
	ScheduledForLater EventKind = "scheduled"
	Cancelled         EventKind = "cancelled"
	DuplicateDropped  EventKind = "duplicate-dropped"
	Delivered         EventKind = "delivered"
	Completed         EventKind = "completed"
	Abandoned         EventKind = "abandoned"
	Released          EventKind = "released"
	MadeDeferred      EventKind = "deferred"
	DeadLettered      EventKind = "dead-lettered"
	Expired           EventKind = "expired"
	LockExpired       EventKind = "lock-expired"
	SessionAccepted   EventKind = "session-accepted"
	SessionReleased   EventKind = "session-released"
	SessionLost       EventKind = "session-lost"
)

// Event is one change. SessionID is "" without session; the message's fields
// are zero in events of a session.
type Event struct {
	Kind           EventKind
	At             time.Time
	Queue          string
	SessionID      string
	MessageID      string
	SequenceNumber int64
	DeliveryCount  uint32 // failed deliveries so far
	Reason         string // of a dead letter
}

func (q *Queue) emit(kind EventKind, m *message) { q.emitReason(kind, m, "") }

func (q *Queue) emitReason(kind EventKind, m *message, reason string) {
	id, _ := SessionID(m.content)
	q.b.observe(Event{Kind: kind, At: q.b.now(), Queue: q.cfg.Name, SessionID: id, MessageID: m.id,
		SequenceNumber: m.seq, DeliveryCount: m.deliveryCount, Reason: reason})
}

func (q *Queue) emitSession(kind EventKind, s *session) {
	q.b.observe(Event{Kind: kind, At: q.b.now(), Queue: q.cfg.Name, SessionID: s.id})
}
