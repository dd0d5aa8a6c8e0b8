package servicebus

import (
	"cmp"
	"crypto/rand"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

const (
	filterName     = "com.microsoft:session-filter"
	propTimeout    = "com.microsoft:timeout"
	propLockedTill = "com.microsoft:locked-until-utc"
)

// attach opens a link, or refuses it: an attach without source and target, and
// a detach with the reason.
func (s *session) attach(p *amqp.Attach) {
	if p.Handle > handleMax || s.senders[p.Handle] != nil || s.receivers[p.Handle] != nil {
		s.refuse(p, &amqp.Error{Condition: amqp.CondNotAllowed, Description: "The handle is in use or too high."})
		return
	}
	if p.Receiver {
		s.attachReceiver(p)
	} else {
		s.attachSender(p)
	}
}

func (s *session) refuse(p *amqp.Attach, err *amqp.Error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.refuseLocked(p, err)
}

// refuseLocked is refuse with c.mu held.
func (s *session) refuseLocked(p *amqp.Attach, err *amqp.Error) {
	answer := &amqp.Attach{Name: p.Name, Handle: p.Handle, Receiver: !p.Receiver,
		SenderSettleMode: p.SenderSettleMode, ReceiverSettleMode: p.ReceiverSettleMode}
	if p.Receiver {
		answer.InitialDeliveryCount = amqp.Ptr(uint32(0))
	}
	s.post(answer, nil)
	s.post(&amqp.Detach{Handle: p.Handle, Closed: true, Error: err}, nil)
}

// queue finds the entity of a node for a client that has put a token.
func (s *session) queue(n node) (*broker.Queue, *amqp.Error) {
	if !s.c.authorized.Load() {
		return nil, &amqp.Error{Condition: amqp.CondUnauthorized, Description: "Unauthorized access. 'Listen' or 'Send' claim(s) are required: put a token on $cbs first."}
	}
	return s.c.b.state.Queue(n.entity)
}

// attachSender opens a link on which the client sends.
func (s *session) attachSender(p *amqp.Attach) {
	if p.Target == nil || p.Target.Coordinator {
		s.refuse(p, &amqp.Error{Condition: amqp.CondNotImplemented, Description: "Transactions are not supported."})
		return
	}
	l := &inLink{s: s, handle: p.Handle, node: parseAddress(p.Target.Address), attach: p, limit: MaxMessageSize}
	s.c.mu.Lock()
	s.senders[p.Handle] = l
	s.c.mu.Unlock()
	var err *amqp.Error
	if !l.node.cbs {
		l.queue, err = s.queue(l.node)
	}
	answer := func(err *amqp.Error) {
		if err != nil {
			l.fail(err)
		} else {
			l.accepted()
		}
	}
	if l.node.cbs || l.node.management {
		l.limit = 2 * MaxMessageSize // room for a request around the largest message
		answer(err)
		return
	}
	s.c.perform(func() Operation { return Operation{Kind: OpAttach, Entity: l.node.entity} },
		func() *amqp.Error { return err }, answer)
}

// attachReceiver opens a link on which the client receives: answers of an RPC
// node, messages of a queue, or those of a session.
func (s *session) attachReceiver(p *amqp.Attach) {
	if p.Source == nil {
		s.refuse(p, &amqp.Error{Condition: amqp.CondInvalidField, Description: "A receiver needs a source."})
		return
	}
	l := &outLink{s: s, handle: p.Handle, node: parseAddress(p.Source.Address), attach: p}
	if p.Target != nil {
		l.replyTo = p.Target.Address
	}
	s.c.mu.Lock()
	s.receivers[p.Handle] = l
	s.c.mu.Unlock()
	var err *amqp.Error
	if !l.node.cbs {
		l.queue, err = s.queue(l.node)
	}
	if l.node.cbs || l.node.management {
		if err != nil {
			l.fail(err)
		} else {
			l.accepted(nil)
		}
		return
	}
	mode := broker.PeekLock
	if p.SenderSettleMode == amqp.SenderSettled {
		mode = broker.ReceiveAndDelete
	}
	filter, sessions := sessionFilter(p.Source)
	op := Operation{Kind: OpAttach, Entity: l.node.entity, SessionID: amqp.Text(filter)}
	if sessions {
		op.Kind = OpAccept
	}
	s.c.perform(func() Operation { return op }, func() *amqp.Error {
		if err != nil {
			return err
		}
		return l.receive(filter, sessions, mode)
	}, func(err *amqp.Error) {
		if err != nil {
			l.fail(err)
		}
	})
}

// receive joins the link with a receiver of its queue; sessions says whether
// it is to have a session, want which one.
func (l *outLink) receive(want any, sessions bool, mode broker.Mode) *amqp.Error {
	var r *broker.Receiver
	var err *amqp.Error
	id, named := want.(string)
	switch {
	case named:
		r, err = l.queue.AcceptSession(id, mode, l)
	case sessions:
		r, err = l.queue.AcceptNext(l.s.c.b.wait(l.attach), mode, l)
	default:
		if r, err = l.queue.Receive(mode, l); err == nil {
			l.accepted(nil)
		}
	}
	if err != nil {
		return err
	}
	l.bind(r)
	return nil
}

// sessionFilter reads which session a receiver wants: a name, or nil for any.
// Go describes the value of the filter, .NET and JavaScript do not.
func sessionFilter(source *amqp.Source) (want any, sessions bool) {
	for _, e := range source.Filter {
		if amqp.Text(e.Key) != filterName {
			continue
		}
		if d, ok := e.Value.(amqp.Described); ok {
			return d.Value, true
		}
		return e.Value, true
	}
	return nil, false
}

// withSession puts the session that was taken into the filter, in the form in
// which it came.
func withSession(filter amqp.Map, id string) amqp.Map {
	out := slices.Clone(filter)
	for i, e := range out {
		if amqp.Text(e.Key) != filterName {
			continue
		}
		if d, ok := e.Value.(amqp.Described); ok {
			out[i].Value = amqp.Described{Descriptor: d.Descriptor, Value: id}
		} else {
			out[i].Value = id
		}
	}
	return out
}

// wait is how long a receiver wants to wait for a session.
func (b *Broker) wait(p *amqp.Attach) time.Duration {
	if ms, ok := amqp.Int(p.Properties.Get(propTimeout)); ok && ms >= 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return b.sessionWait
}

// ticks is a time as .NET counts it: units of 100 ns since the year 1.
func ticks(t time.Time) int64 {
	const unixEpoch = 621355968000000000
	return unixEpoch + t.UnixMicro()*10
}

// newTag makes the tag of a settled delivery, which nobody refers to.
func newTag() (tag [16]byte) {
	rand.Read(tag[:]) // never fails
	return tag
}

// sortFrom sorts serial numbers that may have wrapped, counted from first.
func sortFrom(ids []uint32, first uint32) {
	slices.SortFunc(ids, func(a, b uint32) int { return cmp.Compare(a-first, b-first) })
}
