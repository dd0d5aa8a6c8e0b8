package servicebus

import (
	"fmt"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

const senderCredit = 1000 // messages that a client may send ahead, as the service

// inLink is a link on which the client sends: messages to a queue, or requests
// to $cbs or $management. The reader's alone, but for what c.mu guards.
type inLink struct {
	s      *session
	handle uint32
	node   node
	attach *amqp.Attach
	queue  *broker.Queue // nil for $cbs, and if the link was refused
	limit  int           // bytes of a message

	deliveryCount uint32
	used          uint32 // credit since the last flow
	// Of the delivery that is coming in.
	id      uint32
	settled bool
	format  uint32
	partial []byte
	size    int
	more    bool

	answered, ended bool // guarded by c.mu
}

func (l *inLink) accepted() {
	c := l.s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.ended {
		return
	}
	l.answered = true
	l.s.post(&amqp.Attach{Name: l.attach.Name, Handle: l.handle, Receiver: true, SenderSettleMode: l.attach.SenderSettleMode,
		ReceiverSettleMode: l.attach.ReceiverSettleMode, Source: l.attach.Source, Target: l.attach.Target, MaxMessageSize: uint64(l.limit)}, nil)
	l.credit()
}

// fail ends the link, or refuses it if it is not answered yet. Without an
// error it answers the client's own detach.
func (l *inLink) fail(err *amqp.Error) {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
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

func (l *inLink) isEnded() bool {
	l.s.c.mu.Lock()
	defer l.s.c.mu.Unlock()
	return l.ended
}

// credit gives the client all its credit again. c.mu is held.
func (l *inLink) credit() {
	l.used = 0
	l.s.sendFlow(&amqp.Flow{Handle: &l.handle, DeliveryCount: amqp.Ptr(l.deliveryCount), LinkCredit: amqp.Ptr(uint32(senderCredit))})
}

// transfer takes in one frame, and acts when it is a message's last.
func (l *inLink) transfer(p *amqp.Transfer, payload []byte) {
	if !l.more { // the parts that follow may repeat id and tag, or leave them out
		l.format, l.partial, l.size, l.settled = p.MessageFormat, nil, 0, false
		if p.DeliveryID != nil {
			l.id = *p.DeliveryID
		}
	}
	l.more = p.More && !p.Aborted
	l.settled = l.settled || p.Settled
	if p.Aborted {
		l.partial = nil
		return
	}
	if l.isEnded() {
		return // sent before the client heard that the link is refused or ended
	}
	l.size += len(payload)
	switch {
	case l.size > l.limit:
		l.partial = nil // the rest is only counted
	case l.partial == nil:
		l.partial = payload // the frame's own slice: not shared
	default:
		l.partial = append(l.partial, payload...)
	}
	if l.more {
		return
	}
	encoded := l.partial
	l.partial = nil
	c := l.s.c
	c.mu.Lock()
	l.deliveryCount++
	if l.used++; l.used >= senderCredit/2 {
		l.credit()
	}
	c.mu.Unlock()
	switch {
	case l.size > l.limit:
		// Rejected, not detached: Go and .NET see the limit themselves, and
		// JavaScript waits for an outcome.
		l.outcome(l.id, l.settled, messageTooLarge(l.limit))
	case l.node.cbs || l.node.management:
		l.request(encoded)
	default:
		l.send(encoded)
	}
}

func messageTooLarge(limit int) *amqp.Error {
	return &amqp.Error{Condition: amqp.CondMessageSizeExceeded, Description: fmt.Sprintf("The received message exceeds the limit (%d bytes) currently allowed on the link.", limit)}
}

// outcome tells the client what became of a delivery.
func (l *inLink) outcome(id uint32, settled bool, err *amqp.Error) {
	if settled {
		return // it does not want to know
	}
	state := amqp.DeliveryState(amqp.Accepted{})
	if err != nil {
		state = amqp.Rejected{Error: err}
	}
	l.s.c.send(l.s.channel, &amqp.Disposition{Receiver: true, First: id, Settled: true, State: state}, nil)
}

// send stores a message or a batch.
func (l *inLink) send(encoded []byte) {
	id, settled := l.id, l.settled
	messages, err := unpack(encoded, l.format)
	if err != nil {
		l.outcome(id, settled, err)
		return
	}
	l.s.c.perform(func() Operation { return sendOperation(l.node.entity, "send", messages) },
		func() *amqp.Error { return l.queue.Send(messages...) },
		func(err *amqp.Error) { l.outcome(id, settled, err) })
}

func sendOperation(entity, name string, messages []*amqp.Message) Operation {
	op := Operation{Kind: OpSend, Entity: entity, Name: name}
	if len(messages) > 0 {
		op.MessageID = broker.MessageID(messages[0])
		op.SessionID, _ = broker.SessionID(messages[0])
	}
	return op
}

// unpack decodes a message, or those of a batch.
func unpack(encoded []byte, format uint32) ([]*amqp.Message, *amqp.Error) {
	bad := func(err error) *amqp.Error { return &amqp.Error{Condition: amqp.CondDecode, Description: err.Error()} }
	m, err := amqp.Unmarshal(encoded)
	if err != nil {
		return nil, bad(err)
	}
	if format != amqp.FormatBatch {
		return []*amqp.Message{m}, nil
	}
	var batch []*amqp.Message
	for _, data := range m.DataSections() {
		one, err := amqp.Unmarshal(data)
		if err != nil {
			return nil, bad(err)
		}
		batch = append(batch, one)
	}
	return batch, nil
}
