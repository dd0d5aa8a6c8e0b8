package servicebus_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/dime-scheduler/connectors/local/servicebus"
)

// world is a broker and a client of it.
type world struct {
	*servicebus.Broker
	t      *testing.T
	ctx    context.Context
	client *azservicebus.Client
}

func newWorld(t *testing.T, queues ...servicebus.Queue) *world {
	t.Helper()
	return newWorldWith(t, servicebus.Options{Queues: queues})
}

func newWorldWith(t *testing.T, o servicebus.Options) *world {
	t.Helper()
	b := servicebus.New(o)
	if err := b.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	w := &world{Broker: b, t: t, ctx: ctx}
	w.client = w.connect()
	t.Cleanup(func() {
		w.client.Close(context.Background())
		cancel()
		b.Close()
	})
	return w
}

// connect makes another client, with short pauses between retries.
func (w *world) connect() *azservicebus.Client {
	w.t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(w.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 5, RetryDelay: 10 * time.Millisecond, MaxRetryDelay: 100 * time.Millisecond},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

func (w *world) sender(queue string) *azservicebus.Sender {
	w.t.Helper()
	s, err := w.client.NewSender(queue, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func (w *world) receiver(queue string, o *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	w.t.Helper()
	r, err := w.client.NewReceiverForQueue(queue, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

func (w *world) send(queue string, messages ...*azservicebus.Message) {
	w.t.Helper()
	s := w.sender(queue)
	for _, m := range messages {
		if err := s.SendMessage(w.ctx, m, nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

type source interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// one receives exactly one message.
func (w *world) one(r source) *azservicebus.ReceivedMessage {
	w.t.Helper()
	got, err := r.ReceiveMessages(w.ctx, 1, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(got) != 1 {
		w.t.Fatalf("received %d messages, want 1", len(got))
	}
	return got[0]
}

func (w *world) counts(queue string, want servicebus.Counts) {
	w.t.Helper()
	w.eventually("counts of "+queue, func() bool {
		got, err := w.Counts(queue)
		return err == nil && got == want
	})
}

// eventually waits for a condition with a deadline that only a hang misses.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for !ok() {
		if w.ctx.Err() != nil {
			w.t.Fatalf("%s: did not come about", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func text(body, session string) *azservicebus.Message {
	m := &azservicebus.Message{Body: []byte(body), MessageID: &body}
	if session != "" {
		m.SessionID = &session
	}
	return m
}
