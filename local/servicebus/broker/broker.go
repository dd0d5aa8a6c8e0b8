package broker

import (
	"strings"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// DeadLetterSuffix follows a queue's name in the name of its dead-letter queue.
const DeadLetterSuffix = "/$DeadLetterQueue"

// Config describes a queue. The zero value of every field but Name is usable.
type Config struct {
	Name string
	// RequiresSession: messages need a SessionId, receivers take one session each.
	RequiresSession bool
	// LockDuration of a message, or of a session. Default one minute.
	LockDuration time.Duration
	// MaxDeliveryCount: after so many failed deliveries a message is dead-lettered. Default 10.
	MaxDeliveryCount int
	// DuplicateDetection is how long a MessageId is remembered: another message
	// with it is accepted and dropped. 0 = off.
	DuplicateDetection time.Duration
	// DefaultTTL is the time to live of a message that asks for none or for longer. 0 = for ever.
	DefaultTTL time.Duration
	// DeadLetterOnExpiry: an expired message moves to the dead letters instead of vanishing.
	DeadLetterOnExpiry bool
}

// Options of a Broker.
type Options struct {
	Queues []Config
	// Now is the clock, time.Now when nil. With a clock of its own a test calls
	// Tick after moving it.
	Now func() time.Time
	// Observe, if set, is told of every change, in order, with the broker
	// locked: it must return at once and not call back.
	Observe func(Event)
	// Stored, if set, is told of every message that a queue takes, under the same
	// conditions. It must not change the message.
	Stored func(queue string, m *amqp.Message)
}

// Broker holds the queues.
type Broker struct {
	now     func() time.Time
	observe func(Event)
	stored  func(string, *amqp.Message)

	mu     sync.Mutex
	queues map[string]*Queue // by lower-case name, dead-letter queues included
	timers timers
	wake   *time.Timer
	wakeAt time.Time // when wake fires; zero = not armed
	closed bool
}

// New makes a broker with its queues.
func New(o Options) *Broker {
	b := &Broker{now: o.Now, observe: o.Observe, stored: o.Stored, queues: map[string]*Queue{}}
	if b.now == nil {
		b.now = time.Now
	}
	if b.observe == nil {
		b.observe = func(Event) {}
	}
	if b.stored == nil {
		b.stored = func(string, *amqp.Message) {}
	}
	for _, c := range o.Queues {
		if c.LockDuration == 0 {
			c.LockDuration = time.Minute
		}
		if c.MaxDeliveryCount == 0 {
			c.MaxDeliveryCount = 10
		}
		q := newQueue(b, c)
		q.dead = newQueue(b, Config{Name: c.Name + DeadLetterSuffix, LockDuration: c.LockDuration})
		b.queues[strings.ToLower(q.cfg.Name)] = q
		b.queues[strings.ToLower(q.dead.cfg.Name)] = q.dead
	}
	return b
}

// Queue finds a queue or dead-letter queue by name, without regard to case.
func (b *Broker) Queue(name string) (*Queue, *amqp.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q, ok := b.queues[strings.ToLower(name)]
	if !ok {
		return nil, &amqp.Error{Condition: amqp.CondNotFound, Description: "The messaging entity '" + name + "' could not be found."}
	}
	return q, nil
}

// Close stops the timer. Receivers are not told.
func (b *Broker) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.wake != nil {
		b.wake.Stop()
	}
}

// Tick does what has become due by the clock.
func (b *Broker) Tick() {
	defer b.lock()()
	b.wakeAt = time.Time{}
}

// lock locks the broker and does what is due; the function it returns sets
// the timer for what is due next, and unlocks.
func (b *Broker) lock() (unlock func()) {
	b.mu.Lock()
	now := b.now()
	for t := b.timers.due(now); t != nil; t = b.timers.due(now) {
		t.fire(now)
	}
	return func() {
		b.arm()
		b.mu.Unlock()
	}
}

// arm sets the wake-up for the earliest timer. A wake-up that is too early is
// left alone: it does nothing but set the next.
func (b *Broker) arm() {
	at, ok := b.timers.next()
	if !ok || b.closed || !b.wakeAt.IsZero() && !at.Before(b.wakeAt) {
		return
	}
	// The floor keeps a fake clock that stands still from spinning.
	delay := max(at.Sub(b.now()), time.Millisecond)
	b.wakeAt = at
	if b.wake == nil {
		b.wake = time.AfterFunc(delay, b.Tick)
	} else {
		b.wake.Reset(delay)
	}
}
