package servicebus

import (
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

// management is one request to an entity's $management node. The operations
// are those of learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response.
type management struct {
	s      *session
	entity string
	q      *broker.Queue
	m      *amqp.Message
	body   amqp.Map
	answer func(response)
}

func (r *management) run() {
	name := amqp.Text(r.m.ApplicationProperties.Get("operation"))
	short, known := strings.CutPrefix(name, "com.microsoft:")
	r.body, _ = r.m.Value().(amqp.Map)
	do, kind := r.operation(short)
	if !known || do == nil {
		r.answer(failed(&amqp.Error{Condition: amqp.CondNotImplemented, Description: "The operation '" + name + "' is not supported."}))
		return
	}
	if kind == OpSettle {
		r.updateDisposition()
		return
	}
	var result response
	r.s.c.perform(func() Operation {
		if kind == OpSend {
			messages, _, _ := r.scheduled()
			return sendOperation(r.entity, short, messages)
		}
		return Operation{Kind: kind, Entity: r.entity, SessionID: amqp.Text(r.body.Get("session-id")), Name: short}
	}, func() *amqp.Error {
		body, err := do()
		result = response{status: 200, body: body}
		if body == nil {
			result.status, result.body = 204, amqp.Map{} // nothing there
		}
		return err
	}, func(err *amqp.Error) {
		if err != nil {
			result = failed(err)
		}
		r.answer(result)
	})
}

// operation gives what does an operation: its result is a map, or nil for "no content".
func (r *management) operation(name string) (do func() (any, *amqp.Error), kind Kind) {
	switch name {
	case "renew-lock":
		return r.renewLock, OpRenew
	case "renew-session-lock":
		return r.renewSessionLock, OpRenew
	case "schedule-message":
		return r.schedule, OpSend
	case "update-disposition":
		return func() (any, *amqp.Error) { return amqp.Map{}, nil }, OpSettle
	case "cancel-scheduled-message":
		return r.cancel, OpManage
	case "peek-message":
		return r.peek, OpManage
	case "receive-by-sequence-number":
		return r.receiveDeferred, OpManage
	case "get-session-state":
		return r.getState, OpManage
	case "set-session-state":
		return r.setState, OpManage
	case "get-message-sessions":
		return r.listSessions, OpManage
	}
	return nil, ""
}

func invalid(text string) *amqp.Error {
	return &amqp.Error{Condition: amqp.CondArgument, Description: text}
}

// link finds the receiver whose link the request names. named is false when
// it names none.
func (r *management) link() (receiver *broker.Receiver, named bool) {
	name := amqp.Text(r.m.ApplicationProperties.Get("associated-link-name"))
	if name == "" {
		return nil, false
	}
	return r.s.c.receiver(name), true
}

// holder finds the receiver that holds the session that the request names: on
// the link that it names, or on this connection if it names none. Nobody else
// may touch the session.
func (r *management) holder() (*broker.Receiver, *amqp.Error) {
	want, ok := r.body.Get("session-id").(string)
	if !ok {
		return nil, invalid("session-id is missing.")
	}
	candidates := r.s.c.receivers()
	if receiver, named := r.link(); receiver != nil {
		candidates = []*broker.Receiver{receiver}
	} else if named {
		candidates = nil
	}
	for _, receiver := range candidates {
		if id, held := receiver.Session(); held && id == want {
			return receiver, nil
		}
	}
	return nil, &amqp.Error{Condition: amqp.CondSessionLockLost, Description: "The session lock has expired on the MessageSession. Accept a new MessageSession."}
}

func (r *management) tokens() ([]amqp.UUID, *amqp.Error) {
	var out []amqp.UUID
	for _, item := range amqp.Items(r.body.Get("lock-tokens")) {
		token, ok := item.(amqp.UUID)
		if !ok {
			return nil, invalid("lock-tokens must be uuids.")
		}
		out = append(out, token)
	}
	if len(out) == 0 {
		return nil, invalid("lock-tokens is missing.")
	}
	return out, nil
}

func (r *management) numbers() ([]int64, *amqp.Error) {
	var out []int64
	for _, item := range amqp.Items(r.body.Get("sequence-numbers")) {
		n, ok := amqp.Int(item)
		if !ok {
			return nil, invalid("sequence-numbers must be longs.")
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return nil, invalid("sequence-numbers is missing.")
	}
	return out, nil
}

func array[T any](items []T) amqp.Array {
	out := amqp.Array{}
	for _, item := range items {
		out = append(out, item)
	}
	return out
}

func (r *management) renewLock() (any, *amqp.Error) {
	tokens, err := r.tokens()
	if err != nil {
		return nil, err
	}
	until, err := r.q.Renew(tokens...)
	return amqp.Map{{Key: "expirations", Value: array(until)}}, err
}

func (r *management) renewSessionLock() (any, *amqp.Error) {
	receiver, err := r.holder()
	if err != nil {
		return nil, err
	}
	until, err := receiver.RenewSession()
	return amqp.Map{{Key: "expiration", Value: until}}, err
}

func (r *management) getState() (any, *amqp.Error) {
	if _, err := r.holder(); err != nil {
		return nil, err
	}
	var state any
	if b := r.q.SessionState(r.body.Get("session-id").(string)); b != nil {
		state = b
	}
	return amqp.Map{{Key: "session-state", Value: state}}, nil
}

func (r *management) setState() (any, *amqp.Error) {
	receiver, err := r.holder()
	if err != nil {
		return nil, err
	}
	state, _ := r.body.Get("session-state").([]byte)
	if len(state) > MaxMessageSize {
		return nil, messageTooLarge(MaxMessageSize)
	}
	if len(state) == 0 {
		state = nil // Go writes "no state" as an empty one
	}
	return amqp.Map{}, receiver.SetSessionState(state)
}

func (r *management) listSessions() (any, *amqp.Error) {
	skip, _ := amqp.Int(r.body.Get("skip"))
	top, _ := amqp.Int(r.body.Get("top"))
	var after *time.Time
	// A date beyond .NET's last asks for all sessions rather than for changes of state.
	if at, ok := r.body.Get("last-updated-time").(time.Time); ok && at.Year() < 9999 {
		after = &at
	}
	ids := r.q.Sessions(after)
	ids = ids[min(max(skip, 0), int64(len(ids))):]
	ids = ids[:min(max(top, 0), int64(len(ids)))]
	if len(ids) == 0 {
		return nil, nil
	}
	return amqp.Map{{Key: "skip", Value: int32(skip) + int32(len(ids))}, {Key: "sessions-ids", Value: array(ids)}}, nil
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
