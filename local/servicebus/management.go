package servicebus

import (
	"strings"

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
