package servicebus

import (
	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

func (r *management) renewLock() (any, *amqp.Error) {
	tokens, err := r.tokens()
	if err != nil {
		return nil, err
	}
	until, err := r.q.Renew(tokens...)
	return amqp.Map{{Key: "expirations", Value: array(until)}}, err
}

func (r *management) peek() (any, *amqp.Error) {
	from, ok := amqp.Int(r.body.Get("from-sequence-number"))
	count, ok2 := amqp.Int(r.body.Get("message-count"))
	if !ok || !ok2 {
		return nil, invalid("from-sequence-number and message-count are needed.")
	}
	var within *string
	if id, ok := r.body.Get("session-id").(string); ok {
		within = &id
	} else if receiver, _ := r.link(); receiver != nil {
		if id, held := receiver.Session(); held {
			within = &id
		}
	}
	messages := amqp.List{}
	size := 0
	for _, stored := range r.q.Peek(from, int(min(count, 1<<20)), within) {
		encoded := stored.Marshal()
		if size += len(encoded); size > MaxMessageSize && len(messages) > 0 {
			break // the answer is a message too
		}
		messages = append(messages, amqp.Map{{Key: "message", Value: encoded}})
	}
	if len(messages) == 0 {
		return nil, nil
	}
	return amqp.Map{{Key: "messages", Value: messages}}, nil
}

// scheduled reads the messages of schedule-message.
func (r *management) scheduled() ([]*amqp.Message, int, *amqp.Error) {
	var out []*amqp.Message
	size := 0
	for _, item := range amqp.Items(r.body.Get("messages")) {
		entry, _ := item.(amqp.Map)
		encoded, ok := entry.Get("message").([]byte)
		if !ok {
			return nil, 0, invalid("each of messages needs a message.")
		}
		m, err := amqp.Unmarshal(encoded)
		if err != nil {
			return nil, 0, &amqp.Error{Condition: amqp.CondDecode, Description: err.Error()}
		}
		size += len(encoded)
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, 0, invalid("messages is missing.")
	}
	return out, size, nil
}

func (r *management) schedule() (any, *amqp.Error) {
	messages, size, err := r.scheduled()
	if err != nil {
		return nil, err
	}
	if size > MaxMessageSize {
		return nil, messageTooLarge(MaxMessageSize)
	}
	numbers, err := r.q.Schedule(messages...)
	return amqp.Map{{Key: "sequence-numbers", Value: array(numbers)}}, err
}

func (r *management) cancel() (any, *amqp.Error) {
	numbers, err := r.numbers()
	if err != nil {
		return nil, err
	}
	return amqp.Map{}, r.q.Cancel(numbers...)
}

func (r *management) receiveDeferred() (any, *amqp.Error) {
	numbers, err := r.numbers()
	if err != nil {
		return nil, err
	}
	if _, inSession := r.body.Get("session-id").(string); inSession {
		if _, err := r.holder(); err != nil {
			return nil, err
		}
	}
	mode := broker.ReceiveAndDelete
	if settle, _ := amqp.Int(r.body.Get("receiver-settle-mode")); settle == int64(amqp.ReceiverSecond) {
		mode = broker.PeekLock
	}
	deliveries, err := r.q.ReceiveDeferred(mode, numbers...)
	if err != nil {
		return nil, err
	}
	messages := amqp.List{}
	for _, d := range deliveries {
		messages = append(messages, amqp.Map{{Key: "message", Value: d.Message.Marshal()}, {Key: "lock-token", Value: d.Token}})
	}
	return amqp.Map{{Key: "messages", Value: messages}}, nil
}

// updateDisposition settles messages by lock token, one after the other; the
// first that fails is answered.
func (r *management) updateDisposition() {
	tokens, err := r.tokens()
	if err != nil {
		r.answer(failed(err))
		return
	}
	o, err := r.outcome()
	if err != nil {
		r.answer(failed(err))
		return
	}
	var next func()
	next = func() {
		if len(tokens) == 0 {
			r.answer(response{status: 200, body: amqp.Map{}})
			return
		}
		token := tokens[0]
		tokens = tokens[1:]
		r.s.c.settle(r.entity, r.q, token, o, func(err *amqp.Error) {
			if err != nil {
				r.answer(failed(err))
				return
			}
			next()
		})
	}
	next()
}

func (r *management) outcome() (broker.Outcome, *amqp.Error) {
	set, _ := r.body.Get("properties-to-modify").(amqp.Map)
	o := broker.Outcome{Properties: set, Reason: amqp.Text(r.body.Get("deadletter-reason")), Description: amqp.Text(r.body.Get("deadletter-description"))}
	switch status := amqp.Text(r.body.Get("disposition-status")); status {
	case "completed":
		o.Settlement = broker.Complete
	case "abandoned":
		o.Settlement = broker.Abandon
	case "defered": // the service's own spelling
		o.Settlement = broker.Defer
	case "suspended":
		o.Settlement = broker.DeadLetter
	default:
		return o, invalid("disposition-status '" + status + "' is not known.")
	}
	return o, nil
}
