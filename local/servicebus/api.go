package servicebus

import (
	"fmt"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

// DeadLetterSuffix follows a queue's name in the name of its dead-letter
// queue, which Peek, Counts and Purge take like any queue.
const DeadLetterSuffix = broker.DeadLetterSuffix

// State of a message: Active, Deferred or Scheduled. A locked message is Active.
type State = broker.State

// States.
const (
	Active    = broker.Active
	Deferred  = broker.Deferred
	Scheduled = broker.Scheduled
)

// Counts of a queue.
type Counts = broker.Counts

// Message is a message as tests and simulators send and look at it. Empty
// strings are absent properties.
type Message struct {
	MessageID     string
	SessionID     string
	Subject       string
	ContentType   string
	CorrelationID string
	To            string
	ReplyTo       string
	Body          []byte
	// ApplicationProperties hold strings, integers, floats, booleans, times and byte slices.
	ApplicationProperties map[string]any
	TimeToLive            time.Duration // 0 = the queue's
	ScheduledEnqueueTime  time.Time     // zero = now

	// Set by the broker.
	SequenceNumber int64
	EnqueuedTime   time.Time
	LockedUntil    time.Time // zero = not locked
	DeliveryCount  int       // failed deliveries
	State          State
}

// Send stores messages in a queue, all or none.
func (b *Broker) Send(queue string, messages ...Message) error {
	q, aerr := b.state.Queue(queue)
	if aerr != nil {
		return aerr
	}
	encoded := make([]*amqp.Message, 0, len(messages))
	for _, m := range messages {
		e, err := m.encode()
		if err != nil {
			return err
		}
		encoded = append(encoded, e)
	}
	if aerr := q.Send(encoded...); aerr != nil {
		return aerr
	}
	return nil
}

// Peek returns all messages of a queue by sequence number, without locking them.
func (b *Broker) Peek(queue string) ([]Message, error) {
	q, aerr := b.state.Queue(queue)
	if aerr != nil {
		return nil, aerr
	}
	var out []Message
	for _, s := range q.Peek(0, 1<<31-1, nil) {
		out = append(out, decode(s))
	}
	return out, nil
}

// Counts counts the messages of a queue.
func (b *Broker) Counts(queue string) (Counts, error) {
	q, aerr := b.state.Queue(queue)
	if aerr != nil {
		return Counts{}, aerr
	}
	return q.Counts(), nil
}

// Purge drops all messages of a queue and returns how many.
func (b *Broker) Purge(queue string) (int, error) {
	q, aerr := b.state.Queue(queue)
	if aerr != nil {
		return 0, aerr
	}
	return q.Purge(), nil
}

// ExpireLocks lets the locks on all messages of a queue without sessions
// expire now, and returns how many there were. Their receivers are not told,
// as in the service; each counts as a failed delivery.
func (b *Broker) ExpireLocks(queue string) (int, error) {
	q, aerr := b.state.Queue(queue)
	if aerr != nil {
		return 0, aerr
	}
	return q.ExpireLocks(), nil
}

// ExpireSession lets the lock of a session expire now: its receiver's link is
// detached, its locked messages count as failed deliveries, another receiver
// can have it at once. false if nobody had it.
func (b *Broker) ExpireSession(queue, session string) (bool, error) {
	q, aerr := b.state.Queue(queue)
	if aerr != nil {
		return false, aerr
	}
	return q.ExpireSession(session), nil
}

// Sessions lists the sessions of a queue that have messages or a state.
func (b *Broker) Sessions(queue string) ([]string, error) {
	q, aerr := b.state.Queue(queue)
	if aerr != nil {
		return nil, aerr
	}
	return q.Sessions(nil), nil
}

// DetachLinks detaches every sender and receiver of a queue with
// amqp:link:detach-forced, as the service does with idle links and in
// upgrades. It returns how many there were.
func (b *Broker) DetachLinks(queue string) int {
	b.mu.Lock()
	conns := make([]*conn, 0, len(b.conns))
	for c := range b.conns {
		conns = append(conns, c)
	}
	b.mu.Unlock()
	n := 0
	for _, c := range conns {
		n += c.detachLinks(queue, &amqp.Error{Condition: amqp.CondDetachForced,
			Description: "The link is force detached by the broker: it was idle for more than 10 minutes."})
	}
	return n
}

func (m Message) encode() (*amqp.Message, error) {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	out := &amqp.Message{Body: []amqp.Section{{Kind: amqp.Data, Value: slices.Clone(m.Body)}}}
	if m.Body == nil {
		out.Body[0].Value = []byte{}
	}
	out.Properties = amqp.Properties{Subject: text(m.Subject), ContentType: text(m.ContentType), To: text(m.To),
		ReplyTo: text(m.ReplyTo), GroupID: text(m.SessionID)}
	if m.MessageID != "" {
		out.Properties.MessageID = m.MessageID
	}
	if m.CorrelationID != "" {
		out.Properties.CorrelationID = m.CorrelationID
	}
	if m.TimeToLive > 0 {
		out.Header.TTL = &m.TimeToLive
	}
	if !m.ScheduledEnqueueTime.IsZero() {
		out.Annotations = amqp.Map{{Key: amqp.Symbol("x-opt-scheduled-enqueue-time"), Value: m.ScheduledEnqueueTime}}
	}
	for _, key := range sortedKeys(m.ApplicationProperties) {
		value := m.ApplicationProperties[key]
		switch value.(type) {
		case nil, string, bool, int, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, time.Time, []byte:
			out.ApplicationProperties = append(out.ApplicationProperties, amqp.Entry{Key: key, Value: value})
		default:
			return nil, fmt.Errorf("servicebus: application property %q is a %T, which AMQP does not have", key, value)
		}
	}
	if n := len(out.Marshal()); n > MaxMessageSize {
		return nil, messageTooLarge(MaxMessageSize)
	}
	return out, nil
}

func decode(s broker.Stored) Message {
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	p := s.Properties
	m := Message{MessageID: broker.MessageID(s.Message), SessionID: text(p.GroupID), Subject: text(p.Subject), ContentType: text(p.ContentType),
		CorrelationID: amqp.Text(p.CorrelationID), To: text(p.To), ReplyTo: text(p.ReplyTo), SequenceNumber: s.SequenceNumber,
		DeliveryCount: int(s.Header.DeliveryCount), State: s.State}
	for _, part := range s.DataSections() {
		m.Body = append(m.Body, part...)
	}
	if s.Header.TTL != nil {
		m.TimeToLive = *s.Header.TTL
	}
	m.ScheduledEnqueueTime, _ = s.Annotations.Get("x-opt-scheduled-enqueue-time").(time.Time)
	m.EnqueuedTime, _ = s.Annotations.Get("x-opt-enqueued-time").(time.Time)
	m.LockedUntil, _ = s.Annotations.Get("x-opt-locked-until").(time.Time)
	if len(s.ApplicationProperties) > 0 {
		m.ApplicationProperties = map[string]any{}
		for _, e := range s.ApplicationProperties {
			m.ApplicationProperties[amqp.Text(e.Key)] = e.Value
		}
	}
	return m
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
