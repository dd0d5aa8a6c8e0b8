package servicebus

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

const (
	maxFrameSize = 64 << 10        // as the service
	idleTimeout  = 2 * time.Minute // what is asked of clients; they are given twice that
	channelMax   = 4999
	handleMax    = 4999
	minFrameSize = 512 // the least that AMQP lets a peer ask for
)

// conn is one AMQP connection. One goroutine reads and acts, one writes, and
// deliveries come in from under the broker's lock. So mu, which guards what
// they share, is never held when the broker is called. The maps of sessions
// and links are written by the reader, under mu; it reads them without.
type conn struct {
	b          *Broker
	nc         net.Conn
	in         *bufio.Reader
	authorized atomic.Bool   // a token was put
	done       chan struct{} // closed when the reader ends
	delayed    sync.WaitGroup

	mu        sync.Mutex
	sessions  map[uint16]*session // by channel, which is the same both ways
	wake      chan struct{}       // of the writer
	out       []byte
	closing   bool          // the writer ends when out is written
	heartbeat time.Duration // 0 = none asked for
	peerFrame uint32
}

func newConn(b *Broker, nc net.Conn) *conn {
	return &conn{b: b, nc: nc, in: bufio.NewReaderSize(nc, 32<<10), sessions: map[uint16]*session{},
		done: make(chan struct{}), wake: make(chan struct{}, 1), peerFrame: minFrameSize}
}

func (c *conn) cut() { c.nc.Close() }

// serve runs the connection to its end.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(c.write)
	if err := c.read(); err != nil {
		c.send(0, &amqp.Close{Error: &amqp.Error{Condition: amqp.CondDecode, Description: err.Error()}}, nil)
	}
	for _, s := range c.sessions {
		s.closeWaiting()
	}
	for _, s := range c.sessions {
		s.end()
	}
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.signal()
	// A peer that no longer reads must not hold up the end.
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	writer.Wait()
	c.cut()
	close(c.done)
	c.delayed.Wait()
}

// read acts on frames until the connection ends. An error is one to tell the peer.
func (c *conn) read() error {
	if !c.handshake() {
		return nil
	}
	for {
		c.nc.SetReadDeadline(time.Now().Add(2 * idleTimeout))
		f, err := amqp.ReadFrame(c.in, maxFrameSize)
		if err != nil {
			if _, network := err.(net.Error); network || err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil
			}
			return err
		}
		if f.Body == nil {
			continue // a heartbeat
		}
		if ended, err := c.handle(f); ended || err != nil {
			return err
		}
	}
}

// handshake exchanges protocol headers, with SASL as far as anybody wants it:
// every mechanism that asks for no proof is good, the proof comes on $cbs.
func (c *conn) handshake() bool {
	c.nc.SetDeadline(time.Now().Add(30 * time.Second))
	defer c.nc.SetWriteDeadline(time.Time{})
	var header [8]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return false
	}
	if header == amqp.HeaderSASL {
		c.raw(amqp.HeaderSASL[:])
		// MSSBCBS is the one that .NET wants to see, ANONYMOUS all others.
		c.raw(amqp.AppendFrame(nil, amqp.FrameSASL, 0, &amqp.SASLMechanisms{Mechanisms: []amqp.Symbol{"MSSBCBS", "ANONYMOUS"}}, nil))
		f, err := amqp.ReadFrame(c.in, maxFrameSize)
		if _, isInit := f.Body.(*amqp.SASLInit); err != nil || !isInit {
			return false
		}
		c.raw(amqp.AppendFrame(nil, amqp.FrameSASL, 0, &amqp.SASLOutcome{}, nil))
		if _, err := io.ReadFull(c.in, header[:]); err != nil {
			return false
		}
	}
	c.raw(amqp.HeaderAMQP[:])
	return header == amqp.HeaderAMQP
}

// handle acts on one frame. ended is true when the peer closed the connection.
func (c *conn) handle(f amqp.Frame) (ended bool, err error) {
	switch p := f.Body.(type) {
	case *amqp.Open:
		c.open(p)
		return false, nil
	case *amqp.Close:
		c.send(0, &amqp.Close{}, nil)
		return true, nil
	case *amqp.Begin:
		if f.Channel > channelMax || c.sessions[f.Channel] != nil {
			return false, fmt.Errorf("channel %d cannot begin a session", f.Channel)
		}
		s := newSession(c, f.Channel, p)
		c.mu.Lock()
		c.sessions[f.Channel] = s
		c.mu.Unlock()
		return false, nil
	}
	s := c.sessions[f.Channel]
	if s == nil {
		return false, fmt.Errorf("channel %d has no session", f.Channel)
	}
	switch p := f.Body.(type) {
	case *amqp.End:
		s.end()
		c.mu.Lock()
		delete(c.sessions, f.Channel)
		c.mu.Unlock()
		c.send(f.Channel, &amqp.End{}, nil)
	case *amqp.Attach:
		s.attach(p)
	case *amqp.Detach:
		s.detach(p)
	case *amqp.Flow:
		s.flow(p)
	case *amqp.Transfer:
		return false, s.transfer(p, f.Payload)
	case *amqp.Disposition:
		s.disposition(p)
	default:
		return false, fmt.Errorf("unexpected frame %T", p)
	}
	return false, nil
}

func (c *conn) open(p *amqp.Open) {
	c.mu.Lock()
	c.peerFrame = max(min(p.MaxFrameSize, maxFrameSize), minFrameSize)
	c.heartbeat = time.Duration(p.IdleTimeOut) * time.Millisecond / 2
	c.mu.Unlock()
	c.send(0, &amqp.Open{ContainerID: "local-servicebus", MaxFrameSize: maxFrameSize, ChannelMax: channelMax,
		IdleTimeOut: uint32(idleTimeout.Milliseconds())}, nil)
}

// receivers lists the links on which the client gets messages.
func (c *conn) receivers() []*broker.Receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*broker.Receiver
	for _, s := range c.sessions {
		for _, l := range s.receivers {
			if l.receiver != nil && !l.ended {
				out = append(out, l.receiver)
			}
		}
	}
	return out
}

// receiver finds the one of a link by the link's name, nil if there is none.
func (c *conn) receiver(name string) *broker.Receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		for _, l := range s.receivers {
			if l.attach.Name == name && l.receiver != nil && !l.ended {
				return l.receiver
			}
		}
	}
	return nil
}

// detachLinks ends all links of a queue with an error.
func (c *conn) detachLinks(queue string, err *amqp.Error) int {
	var senders []*inLink
	var receivers []*outLink
	hit := func(n node) bool { return !n.cbs && !n.management && strings.EqualFold(n.entity, queue) }
	c.mu.Lock()
	for _, s := range c.sessions {
		for _, l := range s.senders {
			if hit(l.node) && !l.ended {
				senders = append(senders, l)
			}
		}
		for _, l := range s.receivers {
			if hit(l.node) && !l.ended {
				receivers = append(receivers, l)
			}
		}
	}
	c.mu.Unlock()
	for _, l := range senders {
		l.fail(err)
	}
	for _, l := range receivers {
		l.fail(err)
		l.close()
	}
	return len(senders) + len(receivers)
}

// send queues a frame for the writer.
func (c *conn) send(channel uint16, p amqp.Performative, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendLocked(channel, p, payload)
}

func (c *conn) sendLocked(channel uint16, p amqp.Performative, payload []byte) {
	if c.closing {
		return
	}
	c.out = amqp.AppendFrame(c.out, amqp.FrameAMQP, channel, p, payload)
	c.signal()
}

func (c *conn) raw(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, b...)
	c.signal()
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write writes what is queued, and empty frames when nothing is, as often as
// the peer wants to hear something.
func (c *conn) write() {
	beat := time.NewTimer(time.Hour)
	defer beat.Stop()
	var buffer []byte
	for {
		c.mu.Lock()
		buffer, c.out = c.out, buffer[:0]
		closing, heartbeat := c.closing, c.heartbeat
		c.mu.Unlock()
		if len(buffer) > 0 {
			if _, err := c.nc.Write(buffer); err != nil {
				c.cut() // which ends the reader
				return
			}
			continue
		}
		if closing {
			return
		}
		if heartbeat == 0 {
			heartbeat = time.Hour
		}
		beat.Reset(heartbeat)
		select {
		case <-c.wake:
		case <-beat.C:
			c.raw(amqp.AppendFrame(nil, amqp.FrameAMQP, 0, nil, nil))
		}
	}
}

// after runs fn later, unless the connection ends before.
func (c *conn) after(d time.Duration, fn func()) {
	c.delayed.Go(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			fn()
		case <-c.done:
		}
	})
}
