package broker

import (
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// Queue is one queue, or the dead-letter queue of one.
type Queue struct {
	b    *Broker
	cfg  Config
	dead *Queue // nil in a dead-letter queue

	lastSeq  int64
	messages map[int64]*message
	locked   map[amqp.UUID]*message
	seen     map[string]bool // message ids within the duplicate window
	seenAges []seenAt        // the same, oldest first

	line      lane        // of a queue without sessions
	receivers []*Receiver // of a queue without sessions; the first is next to be served
	sessions  map[string]*session
	waiting   []*Receiver // for any session, oldest first
}

type seenAt struct {
	id string
	at time.Time
}

func newQueue(b *Broker, c Config) *Queue {
	return &Queue{b: b, cfg: c, messages: map[int64]*message{}, locked: map[amqp.UUID]*message{},
		seen: map[string]bool{}, sessions: map[string]*session{}}
}

// Config gives the queue's description, defaults filled in.
func (q *Queue) Config() Config { return q.cfg }

// Send stores messages, all or none. A message with the annotation
// x-opt-scheduled-enqueue-time in the future is scheduled. The messages must
// not be changed afterwards.
func (q *Queue) Send(messages ...*amqp.Message) *amqp.Error {
	defer q.b.lock()()
	_, err := q.store(messages)
	return err
}

// Schedule stores messages that carry a scheduled time, and returns their
// sequence numbers, which hold until that time.
func (q *Queue) Schedule(messages ...*amqp.Message) ([]int64, *amqp.Error) {
	defer q.b.lock()()
	return q.store(messages)
}

func (q *Queue) store(messages []*amqp.Message) ([]int64, *amqp.Error) {
	if q.dead == nil {
		return nil, &amqp.Error{Condition: amqp.CondNotAllowed, Description: "Messages cannot be sent to a dead-letter queue."}
	}
	for _, m := range messages {
		id, ok := SessionID(m)
		switch {
		case q.cfg.RequiresSession && !ok:
			return nil, &amqp.Error{Condition: amqp.CondNotAllowed, Description: "The SessionId was not set on a message, and it cannot be sent to the entity. " +
				"Entities that have session support enabled can only receive messages that have the SessionId set to a valid value."}
		case len(id) > 128 || len(MessageID(m)) > 128:
			return nil, &amqp.Error{Condition: amqp.CondArgument, Description: "MessageId and SessionId have at most 128 characters."}
		}
	}
	numbers := make([]int64, 0, len(messages))
	for _, m := range messages {
		numbers = append(numbers, q.add(m))
	}
	return numbers, nil
}

// add takes one message in and returns its number. A duplicate gets a number
// too. A message without id gets one: JavaScript's client cannot settle a
// message that has none (LockRenewer), so the service must give one.
func (q *Queue) add(content *amqp.Message) int64 {
	now := q.b.now()
	if MessageID(content) == "" {
		named := *content
		named.Properties.MessageID = newMessageID()
		content = &named
	}
	q.lastSeq++
	m := &message{content: content, id: MessageID(content), seq: q.lastSeq, enqueued: now}
	if q.duplicate(m.id, now) {
		q.emit(DuplicateDropped, m)
		return m.seq
	}
	q.b.stored(q.cfg.Name, content)
	q.messages[m.seq] = m
	m.lane = q.laneOf(content)
	if at, ok := content.Annotations.Get(annScheduled).(time.Time); ok && at.After(now) {
		m.state = Scheduled
		q.b.timers.set(&m.timer, at, func(now time.Time) { q.activate(m, now) })
		q.emit(ScheduledForLater, m)
		return m.seq
	}
	q.enqueue(m)
	return m.seq
}

func (q *Queue) laneOf(content *amqp.Message) *lane {
	if !q.cfg.RequiresSession {
		return &q.line
	}
	id, _ := SessionID(content)
	s := q.session(id)
	s.stored++
	return &s.lane
}

// duplicate says whether the id was seen within the window, and remembers it.
func (q *Queue) duplicate(id string, now time.Time) bool {
	if q.cfg.DuplicateDetection == 0 || id == "" {
		return false
	}
	for len(q.seenAges) > 0 && now.Sub(q.seenAges[0].at) >= q.cfg.DuplicateDetection {
		delete(q.seen, q.seenAges[0].id)
		q.seenAges = q.seenAges[1:]
	}
	if q.seen[id] {
		return true
	}
	q.seen[id] = true
	q.seenAges = append(q.seenAges, seenAt{id, now})
	return false
}

// activate makes a scheduled message an active one: as if it were sent now,
// with a new sequence number.
func (q *Queue) activate(m *message, now time.Time) {
	delete(q.messages, m.seq)
	q.lastSeq++
	m.seq, m.state, m.enqueued = q.lastSeq, Active, now
	q.messages[m.seq] = m
	q.enqueue(m)
}

func (q *Queue) enqueue(m *message) {
	ttl := q.cfg.DefaultTTL
	if own := m.content.Header.TTL; own != nil && (ttl == 0 || *own < ttl) {
		ttl = *own
	}
	if ttl > 0 {
		m.expires = m.enqueued.Add(ttl)
	}
	q.emit(Enqueued, m)
	q.makeReady(m)
}

// makeReady puts a message where it is found, and hands it out if it is wanted.
func (q *Queue) makeReady(m *message) {
	q.place(m)
	q.dispatch(m.lane)
}

// place puts a message where the next receiver finds it, unless its time is over.
func (q *Queue) place(m *message) {
	if !m.expires.IsZero() {
		if !m.expires.After(q.b.now()) {
			q.expire(m)
			return
		}
		q.b.timers.set(&m.timer, m.expires, func(time.Time) { q.expire(m) })
	} else {
		q.b.timers.stop(&m.timer)
	}
	if m.state == Active {
		m.lane.push(m)
	}
}

// expire ends a message whose time to live is over.
func (q *Queue) expire(m *message) {
	if q.dead != nil && q.cfg.DeadLetterOnExpiry {
		q.deadLetter(m, "TTLExpiredException", "The message expired and was dead lettered.", nil)
		return
	}
	q.forget(m)
	q.emit(Expired, m)
}

// forget takes a message out of the queue.
func (q *Queue) forget(m *message) {
	q.b.timers.stop(&m.timer)
	m.lane.remove(m)
	delete(q.messages, m.seq)
	delete(q.locked, m.lock)
	if s := m.lane.session; s != nil {
		s.stored--
		q.dropIfIdle(s)
	}
}

// deadLetter moves a message to the dead letters. It keeps its sequence
// number, delivery count and enqueued time, and no longer expires.
func (q *Queue) deadLetter(m *message, reason, description string, set amqp.Map) {
	q.forget(m)
	for key, value := range map[string]string{"DeadLetterReason": reason, "DeadLetterErrorDescription": description} {
		if value != "" {
			set = set.With(key, value)
		}
	}
	moved := &message{content: withProperties(m.content, set), id: m.id, seq: m.seq, enqueued: m.enqueued, deliveryCount: m.deliveryCount}
	moved.lane = &q.dead.line
	q.dead.messages[moved.seq] = moved
	q.emitReason(DeadLettered, m, reason)
	q.dead.makeReady(moved)
}

// Cancel removes scheduled messages by number, all or none.
func (q *Queue) Cancel(numbers ...int64) *amqp.Error {
	defer q.b.lock()()
	for _, n := range numbers {
		if m := q.messages[n]; m == nil || m.state != Scheduled {
			return notFound(n)
		}
	}
	for _, n := range numbers {
		if m := q.messages[n]; m != nil { // named twice
			q.forget(m)
			q.emit(Cancelled, m)
		}
	}
	return nil
}

// Stored is a message as a browser sees it.
type Stored struct {
	*amqp.Message
	SequenceNumber int64
	State          State
	Locked         bool
}

// Peek returns up to limit messages from a number upwards, of one session if
// named. Nothing is locked; locked, scheduled and deferred messages are in it.
func (q *Queue) Peek(from int64, limit int, session *string) []Stored {
	defer q.b.lock()()
	var numbers []int64
	for n, m := range q.messages {
		if id, _ := SessionID(m.content); n >= from && (session == nil || id == *session) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	out := []Stored{}
	for _, n := range numbers[:min(max(limit, 0), len(numbers))] {
		m := q.messages[n]
		out = append(out, Stored{m.render(), n, m.state, m.locked()})
	}
	return out
}

// Counts of the messages of a queue. Active includes the locked ones.
type Counts struct{ Active, Locked, Scheduled, Deferred, DeadLetter int }

// Counts counts.
func (q *Queue) Counts() Counts {
	defer q.b.lock()()
	var c Counts
	for _, m := range q.messages {
		switch m.state {
		case Active:
			c.Active++
		case Deferred:
			c.Deferred++
		case Scheduled:
			c.Scheduled++
		}
	}
	c.Locked = len(q.locked)
	if q.dead != nil {
		c.DeadLetter = len(q.dead.messages)
	}
	return c
}

// Purge drops all messages, locked ones too, and returns how many. Session
// states and the memory of seen ids stay.
func (q *Queue) Purge() int {
	defer q.b.lock()()
	n := len(q.messages)
	for _, m := range q.messages {
		q.forget(m)
	}
	return n
}
