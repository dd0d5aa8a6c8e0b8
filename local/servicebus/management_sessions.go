package servicebus

import (
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

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
	return nil, broker.SessionLockLost()
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
