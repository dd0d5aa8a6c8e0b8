package bus_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
)

// sender is what both senders are to their users.
type sender interface {
	Nudge(context.Context, ...bus.Nudge) error
	NudgeAt(context.Context, time.Time, bus.Nudge) error
	Send(context.Context, ...bus.Change) error
}

var (
	_ sender = (*bus.Sender)(nil)
	_ sender = (*bus.Mem)(nil)
)

func TestMemRecordsAndDelivers(t *testing.T) {
	var delivered []bus.Kind
	var changes int
	m := &bus.Mem{
		OnNudge:  func(n bus.Nudge, _ time.Time) { delivered = append(delivered, n.Kind) },
		OnChange: func(bus.Change) { changes++ },
	}
	at := time.Now().Add(time.Hour)
	c := bus.Change{MessageID: "m", Operation: appointment.Update}
	for _, err := range []error{
		m.Nudge(t.Context(), nudges(2)...), m.Nudge(t.Context()), m.NudgeAt(t.Context(), at, nudges(1)[0]),
		m.Send(t.Context(), c), m.Send(t.Context(), c),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := m.Nudges()
	if len(got) != 3 || !got[0].At.IsZero() || !got[2].At.Equal(at) || len(delivered) != 3 {
		t.Errorf("nudges %+v, delivered %d", got, len(delivered))
	}
	if len(m.Changes()) != 1 || changes != 1 || m.Sends() != 4 {
		t.Errorf("changes %v, delivered %d, sends %d", m.Changes(), changes, m.Sends())
	}
	m.Reset()
	if len(m.Nudges())+len(m.Changes())+m.Sends() != 0 {
		t.Error("Reset leaves something")
	}

	down := errors.New("down")
	m.Fail = func(string) error { return down }
	for _, err := range []error{m.Nudge(t.Context(), nudges(1)...), m.NudgeAt(t.Context(), at, nudges(1)[0]), m.Send(t.Context(), c)} {
		if !errors.Is(err, down) {
			t.Errorf("got %v", err)
		}
	}
	if len(m.Nudges())+len(m.Changes()) != 0 {
		t.Error("a failed call has sent something")
	}
}
