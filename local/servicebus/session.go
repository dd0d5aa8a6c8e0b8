package servicebus

import (
	"fmt"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

const incomingWindow = 5000 // transfer frames that a peer may send before a flow

// session is one AMQP session: links, transfer windows, unsettled deliveries.
type session struct {
	c       *conn
	channel uint16

	// Guarded by c.mu. Links are by handle, which is the same both ways.
	senders      map[uint32]*inLink  // the client sends
	receivers    map[uint32]*outLink // the client receives
	nextIncoming uint32              // id of the next transfer frame from the client
	received     uint32              // since the last flow
	nextOutgoing uint32
	window       int64 // transfer frames that the client takes; .NET says 2^32-1
	nextDelivery uint32
	pending      []pendingFrame // for lack of window
	unsettled    map[uint32]delivery
}

type pendingFrame struct {
	body    amqp.Performative
	payload []byte
}

// delivery is one that the client has not settled.
type delivery struct {
	link  *outLink
	token amqp.UUID
}

func newSession(c *conn, channel uint16, p *amqp.Begin) *session {
	s := &session{c: c, channel: channel, senders: map[uint32]*inLink{}, receivers: map[uint32]*outLink{},
		nextIncoming: p.NextOutgoingID, window: int64(p.IncomingWindow), unsettled: map[uint32]delivery{}}
	c.send(channel, &amqp.Begin{RemoteChannel: &channel, IncomingWindow: incomingWindow, OutgoingWindow: incomingWindow,
		HandleMax: amqp.Ptr(uint32(handleMax))}, nil)
	return s
}

// end closes all links without a word to the client. Those that still wait for
// a session go first: the sessions that the others free must not come to them.
func (s *session) end() {
	s.closeWaiting()
	for _, l := range s.receivers {
		l.close()
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	clear(s.receivers)
	clear(s.senders)
}

func (s *session) closeWaiting() {
	for _, l := range s.receivers {
		s.c.mu.Lock()
		waits := !l.answered
		s.c.mu.Unlock()
		if waits {
			l.close()
		}
	}
}

func (s *session) detach(p *amqp.Detach) {
	if l := s.receivers[p.Handle]; l != nil {
		l.fail(nil) // answers, unless this is the answer
		l.close()
		s.forget(l)
	} else if l := s.senders[p.Handle]; l != nil {
		l.fail(nil)
		s.c.mu.Lock()
		delete(s.senders, p.Handle)
		s.c.mu.Unlock()
	}
}

// forget drops a receiving link that is gone, with its unsettled deliveries.
func (s *session) forget(l *outLink) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	delete(s.receivers, l.handle)
	for id, d := range s.unsettled {
		if d.link == l {
			delete(s.unsettled, id)
		}
	}
}

// replyLink finds the link for the answers of a node: the one that a request
// names, or any of this session, for JavaScript's names no target.
func (s *session) replyLink(n node, replyTo *string) (found *outLink) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, l := range s.receivers {
		if l.node != n || l.ended {
			continue
		}
		if found = l; replyTo != nil && l.replyTo == *replyTo {
			break
		}
	}
	return found
}

func (s *session) flow(p *amqp.Flow) {
	s.c.mu.Lock()
	next := uint32(0)
	if p.NextIncomingID != nil {
		next = *p.NextIncomingID
	}
	inFlight := s.nextOutgoing - next
	s.window = int64(p.IncomingWindow) - int64(inFlight)
	s.flush()
	if p.Echo && p.Handle == nil {
		s.sendFlow(&amqp.Flow{})
	}
	s.c.mu.Unlock()
	if p.Handle == nil {
		return
	}
	if l := s.receivers[*p.Handle]; l != nil {
		l.flow(p)
	}
}

// sendFlow completes a flow with the state of the session and sends it, after
// what waits for a window. c.mu is held.
func (s *session) sendFlow(f *amqp.Flow) {
	f.NextIncomingID = amqp.Ptr(s.nextIncoming)
	f.IncomingWindow, f.OutgoingWindow = incomingWindow, incomingWindow
	f.NextOutgoingID = s.nextOutgoing
	s.received = 0
	s.post(f, nil)
}

// post sends a frame, or keeps it while frames before it wait. c.mu is held.
func (s *session) post(body amqp.Performative, payload []byte) {
	s.pending = append(s.pending, pendingFrame{body, payload})
	s.flush()
}

func (s *session) flush() {
	for len(s.pending) > 0 {
		f := s.pending[0]
		if _, transfer := f.body.(*amqp.Transfer); transfer {
			if s.window <= 0 {
				return
			}
			s.window--
			s.nextOutgoing++
		}
		s.c.sendLocked(s.channel, f.body, f.payload)
		s.pending[0] = pendingFrame{}
		s.pending = s.pending[1:]
	}
	s.pending = nil
}

// deliver sends one message on a link in as many frames as it takes. A zero
// token makes it a settled one. c.mu is held.
func (s *session) deliver(l *outLink, token amqp.UUID, payload []byte) {
	id := s.nextDelivery
	s.nextDelivery++
	tag := token.GUIDBytes()
	settled := token == amqp.UUID{}
	if settled {
		tag = newTag()
	} else {
		s.unsettled[id] = delivery{l, token}
	}
	const overhead = 64 // of a frame with a transfer
	room := int(s.c.peerFrame) - overhead
	for first := true; first || len(payload) > 0; first = false {
		part := payload[:min(room, len(payload))]
		payload = payload[len(part):]
		t := &amqp.Transfer{Handle: l.handle, Settled: settled, More: len(payload) > 0}
		if first {
			t.DeliveryID, t.DeliveryTag = &id, tag[:]
		}
		s.post(t, part)
	}
}

func (s *session) transfer(p *amqp.Transfer, payload []byte) error {
	s.c.mu.Lock()
	s.nextIncoming++
	s.received++
	if s.received >= incomingWindow/2 {
		s.sendFlow(&amqp.Flow{})
	}
	s.c.mu.Unlock()
	l := s.senders[p.Handle]
	if l == nil {
		if p.Handle <= handleMax {
			return nil // in flight when the link was refused or detached
		}
		return fmt.Errorf("handle %d has no link", p.Handle)
	}
	l.transfer(p, payload)
	return nil
}

// disposition settles deliveries of the client's receivers. Its dispositions
// as a sender carry nothing that matters here.
func (s *session) disposition(p *amqp.Disposition) {
	if !p.Receiver || p.State == nil && !p.Settled {
		return
	}
	last := p.First
	if p.Last != nil {
		last = *p.Last
	}
	for _, id := range s.between(p.First, last) {
		s.c.mu.Lock()
		d, ok := s.unsettled[id]
		delete(s.unsettled, id)
		s.c.mu.Unlock()
		if ok {
			d.link.settle(id, d.token, p)
		}
	}
}

// between lists the unsettled deliveries of a range, in order. The range is
// the client's word: it is never counted through when it is longer than the list.
func (s *session) between(first, last uint32) []uint32 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	n := last - first
	var ids []uint32
	if int(n) <= len(s.unsettled) {
		for i := uint32(0); i <= n; i++ {
			ids = append(ids, first+i)
		}
		return ids
	}
	for id := range s.unsettled {
		if id-first <= n {
			ids = append(ids, id)
		}
	}
	sortFrom(ids, first)
	return ids
}
