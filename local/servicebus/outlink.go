package servicebus

import (
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

// outLink is a link on which the client receives: messages of a queue or
// session, for which it is the broker's Sink, or answers of an RPC node.
type outLink struct {
	s       *session
	handle  uint32
	node    node
	attach  *amqp.Attach
	replyTo string        // of an RPC node
	queue   *broker.Queue // nil for $cbs

	// Guarded by c.mu.
	receiver      *broker.Receiver // nil for RPC, and before it is accepted
	answered      bool             // the attach is
	ended         bool
	deliveryCount uint32
	limit         uint32   // the delivery count to which credit goes
	replies       [][]byte // that wait for credit
}

// bind joins the link with its receiver, unless the client left meanwhile.
func (l *outLink) bind(r *broker.Receiver) {
	l.s.c.mu.Lock()
	l.receiver = r
	ended := l.ended
	l.s.c.mu.Unlock()
	if ended {
		r.Close()
	}
}

func (l *outLink) bound() *broker.Receiver {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	return l.receiver
}

// accepted answers the attach; take, if any, adds to the answer.
func (l *outLink) accepted(take func(*amqp.Attach)) {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.ended {
		return
	}
	l.answered = true
	p := l.attach
	answer := &amqp.Attach{Name: p.Name, Handle: l.handle, SenderSettleMode: p.SenderSettleMode, ReceiverSettleMode: p.ReceiverSettleMode,
		Source: p.Source, Target: p.Target, InitialDeliveryCount: amqp.Ptr(uint32(0)), MaxMessageSize: MaxMessageSize}
	if answer.Target == nil {
		answer.Target = &amqp.Target{} // null would mean refusal
	}
	if take != nil {
		take(answer)
	}
	l.s.post(answer, nil)
}

// Accepted answers the attach with the session taken and its lock.
func (l *outLink) Accepted(session string, until time.Time) {
	l.accepted(func(answer *amqp.Attach) {
		source := *answer.Source
		source.Filter = withSession(source.Filter, session)
		answer.Source = &source
		answer.Properties = amqp.Map{{Key: amqp.Symbol(propLockedTill), Value: ticks(until)}}
	})
}

// Deliver sends a message, as the faults will have it.
func (l *outLink) Deliver(d broker.Delivery) {
	f := l.s.c.b.faults.hit(func() Operation {
		op := Operation{Kind: OpReceive, Entity: l.node.entity, MessageID: broker.MessageID(d.Message)}
		op.SessionID, _ = broker.SessionID(d.Message)
		return op
	})
	if d.Token != (amqp.UUID{}) {
		d.Message.DeliveryAnnotations = nil // the tag says it
	}
	if f.Silent && !f.TakeEffect {
		// Nothing reaches the client, so its credit is not used.
		l.s.c.after(f.Delay, l.bound().Undelivered)
		return
	}
	l.s.c.performWith(f, func() *amqp.Error {
		c := l.s.c
		c.mu.Lock()
		defer c.mu.Unlock()
		if !l.ended {
			l.deliveryCount++
			l.s.deliver(l, d.Token, d.Message.Marshal())
		}
		return nil
	}, func(err *amqp.Error) {
		if err == nil {
			return
		}
		// Not here, under the broker's lock.
		l.s.c.after(0, func() {
			if d.Token != (amqp.UUID{}) {
				l.queue.Settle(d.Token, broker.Outcome{Settlement: broker.Release})
			}
			l.fail(err)
			l.close()
		})
	})
}

// Drained tells the client that its credit is used up.
func (l *outLink) Drained(count uint32) {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	l.deliveryCount = count
	l.limit = count
	l.sendState(true)
}

// Lost ends the link with the broker's reason.
func (l *outLink) Lost(err *amqp.Error) { l.fail(err) }

// fail ends the link with an error, or refuses it if it is not answered yet.
// The handle stays taken until the client detaches too. Without an error it
// answers the client's own detach.
func (l *outLink) fail(err *amqp.Error) {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	if !l.answered {
		l.s.refuseLocked(l.attach, err)
		return
	}
	l.s.post(&amqp.Detach{Handle: l.handle, Closed: true, Error: err}, nil)
}

// close gives up the receiver. Nothing is sent.
func (l *outLink) close() {
	l.s.c.mu.Lock()
	l.ended = true
	r := l.receiver
	l.s.c.mu.Unlock()
	if r != nil {
		r.Close()
	}
}

// sendState sends the link's flow state. c.mu is held.
func (l *outLink) sendState(drained bool) {
	l.s.sendFlow(&amqp.Flow{Handle: &l.handle, DeliveryCount: amqp.Ptr(l.deliveryCount), LinkCredit: amqp.Ptr(l.limit - l.deliveryCount), Drain: drained})
}

// flow takes the client's credit.
func (l *outLink) flow(p *amqp.Flow) {
	if p.LinkCredit == nil {
		return
	}
	count := uint32(0) // the client has not seen the attach yet
	if p.DeliveryCount != nil {
		count = *p.DeliveryCount
	}
	c := l.s.c
	c.mu.Lock()
	l.limit = count + *p.LinkCredit
	r := l.receiver
	if r == nil {
		l.flushReplies()
		if p.Drain {
			l.deliveryCount = l.limit
			l.sendState(true)
		}
	}
	c.mu.Unlock()
	if r != nil {
		r.Credit(count, *p.LinkCredit, p.Drain)
	}
	if p.Echo && !p.Drain {
		c.mu.Lock()
		l.sendState(false)
		c.mu.Unlock()
	}
}

// reply sends the answer of an RPC node, when there is credit: a request may
// come before the flow that allows its answer.
func (l *outLink) reply(encoded []byte) {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	l.replies = append(l.replies, encoded)
	l.flushReplies()
}

func (l *outLink) flushReplies() {
	for len(l.replies) > 0 && l.limit != l.deliveryCount && !l.ended {
		l.deliveryCount++
		l.s.deliver(l, amqp.UUID{}, l.replies[0])
		l.replies = l.replies[1:]
	}
}

// settle settles one delivery as the client says. A client that has not
// settled itself waits for the answer.
func (l *outLink) settle(id uint32, token amqp.UUID, p *amqp.Disposition) {
	outcome := outcomeOf(p.State)
	c := l.s.c
	c.settle(l.node.entity, l.queue, token, outcome, func(err *amqp.Error) {
		if p.Settled {
			return
		}
		state := p.State
		if err != nil {
			state = amqp.Rejected{Error: err}
		} else if _, dead := state.(amqp.Rejected); dead {
			state = amqp.Accepted{} // an error would read as the failure of the settlement
		}
		c.send(l.s.channel, &amqp.Disposition{First: id, Settled: true, State: state}, nil)
	})
}

// settle settles a message for a link or for $management, as the faults will have it.
func (c *conn) settle(entity string, q *broker.Queue, token amqp.UUID, o broker.Outcome, answer func(*amqp.Error)) {
	f := c.b.faults.hit(func() Operation {
		op := Operation{Kind: OpSettle, Entity: entity, Name: string(o.Settlement)}
		if m := q.Find(token); m != nil {
			op.MessageID = broker.MessageID(m)
			op.SessionID, _ = broker.SessionID(m)
		}
		return op
	})
	if f.Redeliver {
		o = broker.Outcome{Settlement: broker.Abandon}
	}
	c.performWith(f, func() *amqp.Error { return q.Settle(token, o) }, answer)
}

// outcomeOf reads a delivery state as Service Bus does. A client that settles
// without a state gives the message back.
func outcomeOf(state any) broker.Outcome {
	switch s := state.(type) {
	case amqp.Accepted:
		return broker.Outcome{Settlement: broker.Complete}
	case amqp.Modified:
		if s.UndeliverableHere {
			return broker.Outcome{Settlement: broker.Defer, Properties: s.Annotations}
		}
		return broker.Outcome{Settlement: broker.Abandon, Properties: s.Annotations}
	case amqp.Rejected:
		o := broker.Outcome{Settlement: broker.DeadLetter}
		if s.Error == nil {
			return o
		}
		for _, e := range s.Error.Info {
			switch amqp.Text(e.Key) {
			case "DeadLetterReason":
				o.Reason = amqp.Text(e.Value)
			case "DeadLetterErrorDescription":
				o.Description = amqp.Text(e.Value)
			default:
				o.Properties = append(o.Properties, e)
			}
		}
		if o.Reason == "" && s.Error.Condition != amqp.CondDeadLetter {
			o.Reason, o.Description = string(s.Error.Condition), s.Error.Description
		}
		return o
	}
	return broker.Outcome{Settlement: broker.Release}
}
