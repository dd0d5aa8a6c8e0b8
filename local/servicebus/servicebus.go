package servicebus

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

// MaxMessageSize is the largest message, or batch, in its encoded form: that
// of the Standard tier, 256 KiB.
const MaxMessageSize = 256 << 10

// Queue describes a queue; see broker.Config for its fields.
type Queue = broker.Config

// Options of a Broker. The zero value makes a broker without queues.
type Options struct {
	Queues []Queue
	// Now is the clock of locks, schedules and times to live; time.Now when
	// nil. Whoever moves a clock of its own calls Tick after it.
	Now func() time.Time
	// SessionWait is how long a receiver that asks for any session waits for one
	// when it names no time itself. Default one minute, as the service.
	SessionWait time.Duration
}

// Broker is a Service Bus namespace in this process. It is safe for concurrent use.
type Broker struct {
	state       *broker.Broker
	sessionWait time.Duration
	faults      faults
	feed        feed
	record      record

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]struct{}
	closed   bool
	running  sync.WaitGroup
}

// New makes a broker. It serves nobody before Listen, but the methods of this
// package work.
func New(o Options) *Broker {
	b := &Broker{sessionWait: o.SessionWait, conns: map[*conn]struct{}{}}
	if b.sessionWait == 0 {
		b.sessionWait = time.Minute
	}
	b.feed.start()
	b.state = broker.New(broker.Options{Queues: o.Queues, Now: o.Now, Observe: b.feed.put, Stored: b.record.put})
	return b
}

// Listen serves AMQP at an address such as "127.0.0.1:0", until Close.
func (b *Broker) Listen(address string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.listener != nil {
		return errors.New("servicebus: Listen works once, and before Close")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("servicebus: listen: %w", err)
	}
	b.listener = listener
	b.running.Go(func() { b.accept(listener) })
	return nil
}

func (b *Broker) accept(listener net.Listener) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			return // closed
		}
		c := newConn(b, nc)
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			nc.Close()
			return
		}
		b.conns[c] = struct{}{}
		b.mu.Unlock()
		b.running.Go(func() {
			c.serve()
			b.mu.Lock()
			delete(b.conns, c)
			b.mu.Unlock()
		})
	}
}

// Addr is the address that Listen took, "" before.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listener == nil {
		return ""
	}
	return b.listener.Addr().String()
}

// ConnectionString is what clients connect with, "" before Listen. The key is
// public and means nothing: any well-formed token is good.
func (b *Broker) ConnectionString() string {
	addr := b.Addr()
	if addr == "" {
		return ""
	}
	return "Endpoint=sb://" + addr + ";SharedAccessKeyName=local;SharedAccessKey=bG9jYWw=;UseDevelopmentEmulator=true"
}

// Tick does what has become due by Options.Now.
func (b *Broker) Tick() { b.state.Tick() }

// Connections counts the open connections.
func (b *Broker) Connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

// DropConnections cuts all connections without a word, as a network failure
// would. Clients may connect again at once.
func (b *Broker) DropConnections() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.cut()
	}
}

// Close ends all connections and waits for their goroutines. It may be called twice.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	if b.listener != nil {
		b.listener.Close()
	}
	for c := range b.conns {
		c.cut()
	}
	b.mu.Unlock()
	b.running.Wait()
	b.state.Close()
	b.feed.stop()
	return nil
}
