package bus_test

import (
	"testing"

	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func TestExamine(t *testing.T) {
	broker, sender := newBus(t, nil)
	for _, q := range sender.Examine(t.Context()) {
		if q.Err != nil || q.Sessions != q.WantsSessions || q.Duplicates != q.WantsDuplicates {
			t.Errorf("%+v", q)
		}
	}
	for _, queue := range []string{"appointments", "mailboxes", "backoffice"} {
		if left := peek(t, broker, queue); len(left) > 0 {
			t.Errorf("%d messages are left in %s", len(left), queue)
		}
	}
}

func TestExamineFindsWrongQueues(t *testing.T) {
	broker, sender := newBus(t, func(o *bus.Options) {
		o.Appointments, o.Mailboxes, o.Backoffice = "forgetful", "appointments", "nowhere"
	})
	got := sender.Examine(t.Context())
	if q := got[0]; q.Err != nil || q.Duplicates || q.Sessions {
		t.Errorf("a queue that detects no duplicates: %+v", q)
	}
	if q := got[1]; q.Err != nil || q.Sessions {
		t.Errorf("a queue without sessions: %+v", q)
	}
	if q := got[2]; fault.Of(q.Err).Code != "amqp:not-found" {
		t.Errorf("no such queue: %+v", q)
	}
	if left := peek(t, broker, "forgetful"); len(left) > 0 {
		t.Errorf("%d messages are left", len(left))
	}

	broker.Inject(servicebus.Fault{Kind: servicebus.OpAttach, Error: &servicebus.Error{Condition: "amqp:unauthorized-access"}})
	_, other := newBus(t, nil)
	for _, q := range other.Examine(t.Context()) { // another broker: not hit
		if q.Err != nil {
			t.Errorf("%+v", q)
		}
	}
	broker.DropConnections()
	if q := sender.Examine(t.Context())[0]; !fault.Is(q.Err, fault.Auth) {
		t.Errorf("may not be sent to: %+v", q)
	}
}
