package bus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

func newBus(t *testing.T, change func(*bus.Options)) (*servicebus.Broker, *bus.Sender) {
	t.Helper()
	broker := servicebus.New(servicebus.Options{Queues: []servicebus.Queue{
		{Name: "appointments", DuplicateDetection: 10 * time.Minute, LockDuration: 5 * time.Minute},
		{Name: "forgetful"},
		{Name: "mailboxes", RequiresSession: true},
		{Name: "backoffice", RequiresSession: true},
	}})
	if err := broker.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	o := bus.Options{ConnectionString: secret.New(broker.ConnectionString())}
	if change != nil {
		change(&o)
	}
	sender, err := bus.NewSender(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close(context.Background()) })
	return broker, sender
}

func peek(t *testing.T, b *servicebus.Broker, queue string) []servicebus.Message {
	t.Helper()
	messages, err := b.Peek(queue)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func nudges(n int) []bus.Nudge {
	list := make([]bus.Nudge, n)
	for i := range list {
		list[i] = bus.Nudge{Kind: bus.Read, Target: fmt.Sprintf("mailbox-%d", i), Reason: "test", At: time.Now().UTC()}
	}
	return list
}

func TestNudge(t *testing.T) {
	broker, sender := newBus(t, nil)
	want := nudges(3)
	want[1].Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var sends int
	broker.Inject(servicebus.Fault{Kind: servicebus.OpSend, Match: func(servicebus.Operation) bool { sends++; return false }})
	if err := sender.Nudge(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	if err := sender.Nudge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sends != 1 {
		t.Errorf("%d sends, want 1", sends)
	}
	var got []bus.Nudge
	ids := map[string]bool{}
	for _, m := range peek(t, broker, "mailboxes") {
		n, err := bus.DecodeNudge(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		n.Traceparent, _ = m.ApplicationProperties[bus.PropertyTraceparent].(string)
		got = append(got, n)
		ids[m.MessageID] = true
		if m.SessionID != n.Target || m.ContentType != "application/json" {
			t.Errorf("session %q, type %q", m.SessionID, m.ContentType)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if len(ids) != 3 {
		t.Errorf("message ids: %v", ids)
	}
}

// TestRule_R2_SameNudgeTwiceIsTwoMessages: duplicate detection must never
// swallow a retry.
func TestRule_R2_SameNudgeTwiceIsTwoMessages(t *testing.T) {
	broker, sender := newBus(t, func(o *bus.Options) { o.Mailboxes = "appointments" }) // a queue that detects duplicates
	n := nudges(1)[0]
	for range 2 {
		if err := sender.Nudge(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(peek(t, broker, "appointments")); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}

func TestMoreThanABatchHolds(t *testing.T) {
	broker, sender := newBus(t, nil)
	list := nudges(300)
	for i := range list {
		list[i].Reason = strings.Repeat("r", 2000)
	}
	if err := sender.Nudge(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	if got := len(peek(t, broker, "mailboxes")); got != 300 {
		t.Errorf("%d messages, want 300", got)
	}
}

func TestNudgeAt(t *testing.T) {
	broker, sender := newBus(t, nil)
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	if err := sender.NudgeAt(t.Context(), at, nudges(1)[0]); err != nil {
		t.Fatal(err)
	}
	if err := sender.NudgeAt(t.Context(), time.Now().Add(-time.Hour), nudges(2)[1]); err != nil {
		t.Fatal(err)
	}
	got := map[string]servicebus.Message{}
	for _, m := range peek(t, broker, "mailboxes") {
		got[m.SessionID] = m
	}
	if m := got["mailbox-0"]; m.State != servicebus.Scheduled || !m.ScheduledEnqueueTime.Equal(at) {
		t.Errorf("booked: %+v, want %v", m, at)
	}
	if m := got["mailbox-1"]; m.State != servicebus.Active {
		t.Errorf("past: %+v", m)
	}
}

func TestSend(t *testing.T) {
	broker, sender := newBus(t, nil)
	first := bus.Change{MessageID: "m1", Operation: appointment.Update, Body: []byte(`{"a":1}`), Traceparent: "00-x"}
	again := bus.Change{MessageID: "m2#1", Operation: appointment.Delete, Body: []byte(`{}`), First: 42, Redriven: 1}
	for range 2 { // the second is a duplicate
		if err := sender.Send(t.Context(), first, again); err != nil {
			t.Fatal(err)
		}
	}
	got := peek(t, broker, "appointments")
	if len(got) != 2 {
		t.Fatalf("%d messages, want 2", len(got))
	}
	want := []map[string]any{
		{bus.PropertyChangeType: "Update", bus.PropertyTraceparent: "00-x"},
		{bus.PropertyChangeType: "Delete", bus.PropertyFirst: int64(42), bus.PropertyRedriven: int64(1)},
	}
	for i, m := range got {
		if d := cmp.Diff(want[i], m.ApplicationProperties); d != "" || m.ContentType != "application/json" {
			t.Errorf("%s: -want +got\n%s", m.MessageID, d)
		}
	}
	if !json.Valid(got[0].Body) || got[0].MessageID != "m1" {
		t.Errorf("got %+v", got[0])
	}
}

func TestTooLargeIsPermanentAndOthersPass(t *testing.T) {
	broker, sender := newBus(t, nil)
	small := bus.Change{MessageID: "small", Operation: appointment.Update, Body: []byte(`{}`)}
	nearly := bus.Change{MessageID: "nearly", Operation: appointment.Update, Body: make([]byte, servicebus.MaxMessageSize-1000)}
	if err := sender.Send(t.Context(), small, nearly); err != nil {
		t.Fatal(err)
	}
	huge := bus.Change{MessageID: "huge", Operation: appointment.Update, Body: make([]byte, servicebus.MaxMessageSize+1)}
	err := sender.Send(t.Context(), huge)
	if f := fault.Of(err); err == nil || f.Kind != fault.Permanent || f.Reason != fault.Invalid {
		t.Errorf("got %v", err)
	}
	if got := len(peek(t, broker, "appointments")); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}

// TestRule_R5_BrokerTroubleIsRetriedWithinTheCall: each trouble passes, and the
// caller does not see it.
func TestRule_R5_BrokerTroubleIsRetriedWithinTheCall(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*servicebus.Broker){
		"connection cut while idle": func(b *servicebus.Broker) { b.DropConnections() },
		"links detached while idle": func(b *servicebus.Broker) { b.DetachLinks("appointments") },
		"cut instead of sending":    func(b *servicebus.Broker) { b.Inject(servicebus.Fault{Kind: servicebus.OpSend, Cut: true, Times: 2}) },
		"cut after sending": func(b *servicebus.Broker) {
			b.Inject(servicebus.Fault{Kind: servicebus.OpSend, Cut: true, TakeEffect: true, Times: 1})
		},
		"busy": func(b *servicebus.Broker) {
			b.Inject(servicebus.Fault{Kind: servicebus.OpSend, Error: servicebus.ServerBusy(), Times: 4})
		},
		"silent": func(b *servicebus.Broker) {
			b.Inject(servicebus.Fault{Kind: servicebus.OpSend, Silent: true, Times: 1})
		},
		"silent when it attaches": func(b *servicebus.Broker) {
			b.DropConnections()
			b.Inject(servicebus.Fault{Kind: servicebus.OpAttach, Silent: true, Times: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker, sender := newBus(t, func(o *bus.Options) { o.Try = 500 * time.Millisecond })
			if err := sender.Send(t.Context(), bus.Change{MessageID: "before", Operation: appointment.Update, Body: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
			trouble(broker)
			if err := sender.Send(t.Context(), bus.Change{MessageID: "after", Operation: appointment.Update, Body: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
			if got := len(peek(t, broker, "appointments")); got != 2 {
				t.Errorf("%d messages, want 2", got)
			}
		})
	}
}

func TestFaultsThatStay(t *testing.T) {
	t.Parallel()
	_, sender := newBus(t, func(o *bus.Options) { o.Mailboxes = "nowhere" })
	err := sender.Nudge(t.Context(), nudges(1)...)
	if f := fault.Of(err); err == nil || f.Kind != fault.Transient || f.Ambiguous || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("missing queue: %v", err)
	}
	if err := sender.Ping(t.Context()); err == nil {
		t.Error("Ping finds a queue that is not there")
	}

	broker, sender := newBus(t, nil)
	if err := sender.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	broker.Inject(servicebus.Fault{Kind: servicebus.OpSend, Error: servicebus.ServerBusy()})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if f := fault.Of(sender.Nudge(ctx, nudges(1)...)); !f.Ambiguous || f.Kind != fault.Transient {
		t.Errorf("busy until the deadline: %v", f)
	}

	if _, err := bus.NewSender(bus.Options{ConnectionString: secret.New("hushhush")}); err == nil || strings.Contains(err.Error(), "hushhush") {
		t.Errorf("bad connection string: %v", err)
	}
	if err := sender.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := sender.Nudge(t.Context(), nudges(1)...); err == nil {
		t.Error("a closed sender sends")
	}
}

func TestSenderIsSafeForConcurrentUse(t *testing.T) {
	broker, sender := newBus(t, nil)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if i == 10 {
				broker.DropConnections()
			}
			if err := sender.Send(t.Context(), bus.Change{MessageID: fmt.Sprint(i), Operation: appointment.Update, Body: []byte(`{}`)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(peek(t, broker, "appointments")); got != 20 {
		t.Errorf("%d messages, want 20", got)
	}
}

// bury moves every message of a queue to its dead letters, as the host does
// after the last delivery.
func bury(t *testing.T, b *servicebus.Broker, queue string, n int) {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(b.ConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.Background())
	type receiver interface {
		ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
		DeadLetterMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeadLetterOptions) error
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n > 0 {
		var r receiver
		if queue == "appointments" || queue == "forgetful" {
			r, err = client.NewReceiverForQueue(queue, nil)
		} else {
			r, err = client.AcceptNextSessionForQueue(ctx, queue, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		messages, err := r.ReceiveMessages(ctx, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if err := r.DeadLetterMessage(ctx, m, &azservicebus.DeadLetterOptions{Reason: new("MaxDeliveryCountExceeded"), ErrorDescription: new("five times")}); err != nil {
				t.Fatal(err)
			}
		}
		n -= len(messages)
	}
}
