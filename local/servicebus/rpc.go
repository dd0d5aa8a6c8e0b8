package servicebus

import (
	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// response is the answer to a request: a status as in HTTP, and a body.
type response struct {
	status int32
	err    *amqp.Error
	body   any
}

func failed(err *amqp.Error) response { return response{status: statusOf(err), err: err} }

// statusOf gives the status that the service answers for a condition.
func statusOf(err *amqp.Error) int32 {
	switch err.Condition {
	case amqp.CondUnauthorized:
		return 401
	case amqp.CondNotFound, amqp.CondMessageNotFound:
		return 404
	case amqp.CondTimeout:
		return 408
	case amqp.CondMessageLockLost, amqp.CondSessionLockLost:
		return 410
	case amqp.CondNotImplemented:
		return 501
	case amqp.CondServerBusy:
		return 503
	case amqp.CondInternal:
		return 500
	}
	return 400
}

// request reads a request to $cbs or $management and sees to its answer.
func (l *inLink) request(encoded []byte) {
	id, settled := l.id, l.settled
	m, err := amqp.Unmarshal(encoded)
	if err != nil {
		l.outcome(id, settled, &amqp.Error{Condition: amqp.CondDecode, Description: err.Error()})
		return
	}
	l.outcome(id, settled, nil)
	answer := func(r response) { l.reply(m, r) }
	if l.node.cbs {
		l.s.putToken(m, answer)
	} else {
		(&management{s: l.s, entity: l.node.entity, q: l.queue, m: m, answer: answer}).run()
	}
}

// reply sends the answer. Without a link for it nobody waits for it.
func (l *inLink) reply(request *amqp.Message, r response) {
	if to := l.s.replyLink(l.node, request.Properties.ReplyTo); to != nil {
		to.reply(encodeResponse(request.Properties.MessageID, l.node.cbs, r))
	}
}

// encodeResponse makes the message. $cbs and $management spell the same names
// in two ways.
func encodeResponse(correlation any, cbs bool, r response) []byte {
	code, text, condition := "statusCode", "statusDescription", "errorCondition"
	if cbs {
		code, text, condition = "status-code", "status-description", "error-condition"
	}
	description := "OK"
	props := amqp.Map{{Key: code, Value: r.status}}
	if r.err != nil {
		description = r.err.Description
		props = append(props, amqp.Entry{Key: condition, Value: r.err.Condition})
	}
	props = append(props, amqp.Entry{Key: text, Value: description})
	m := amqp.Message{Properties: amqp.Properties{CorrelationID: correlation}, ApplicationProperties: props,
		Body: []amqp.Section{{Kind: amqp.Value, Value: r.body}}}
	return m.Marshal()
}
