package funchost

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"
)

// queueListener receives the messages of one function's queue and settles them by the function's outcome: complete
// on success, abandon at once on failure. One that succeeds while the host stops is abandoned too, as by the real one.
type queueListener struct {
	d      *Double
	f      *function
	config busConfig
	client *azservicebus.Client
	ident  busClient
	log    *slog.Logger
}

func newQueueListener(d *Double, f *function) (*queueListener, error) {
	namespace, err := namespaceOf(f.Queue.Connection)
	if err != nil {
		return nil, err
	}
	client, err := azservicebus.NewClientFromConnectionString(f.Queue.Connection, nil)
	if err != nil {
		return nil, err
	}
	return &queueListener{
		d: d, f: f, config: d.app.host.Bus, client: client,
		ident: busClient{Namespace: namespace, Identifier: namespace + "-" + uuid.NewString()},
		log:   d.log.With("function", f.Name, "queue", f.Queue.Queue),
	}, nil
}

func namespaceOf(connection string) (string, error) {
	for part := range strings.SplitSeq(connection, ";") {
		if key, value, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(key), "Endpoint") {
			if u, err := url.Parse(strings.TrimSpace(value)); err == nil && u.Hostname() != "" {
				return u.Hostname(), nil
			}
		}
	}
	return "", errors.New("the Service Bus connection string has no Endpoint=sb://host/; identity connections are not modelled")
}

// listen receives until ctx ends, and returns when its messages are settled.
func (q *queueListener) listen(ctx context.Context) {
	defer q.close()
	switch {
	case q.f.Queue.Sessions:
		q.listenSessions(ctx)
	case q.f.Queue.Many:
		q.listenBatches(ctx)
	default:
		q.listenSingle(ctx)
	}
}

func (q *queueListener) close() {
	ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
	defer cancel()
	if err := q.client.Close(ctx); err != nil {
		q.log.Debug("Closing the Service Bus client failed.", "error", err)
	}
}

// retry reports a failure of receiving, once until it changes, and pauses.
type retry struct {
	log  *slog.Logger
	last string
}

func (r *retry) after(ctx context.Context, doing string, err error) {
	if text := err.Error(); text != r.last && ctx.Err() == nil {
		r.last = text
		r.log.Error(doing+" failed; it is tried again.", "error", text)
	}
	select {
	case <-time.After(200 * time.Millisecond):
	case <-ctx.Done():
	}
}

func (q *queueListener) listenSingle(ctx context.Context) {
	receiver, err := q.client.NewReceiverForQueue(q.f.Queue.Queue, nil)
	if err != nil {
		q.log.Error("The queue cannot be opened.", "error", err)
		return
	}
	defer closeWithin(receiver.Close)
	slots := make(chan struct{}, q.config.MaxConcurrentCalls)
	pause := retry{log: q.log}
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		messages, err := receiver.ReceiveMessages(ctx, 1, nil)
		if err != nil {
			<-slots
			if ctx.Err() != nil {
				return
			}
			pause.after(ctx, "Receiving", err)
			continue
		}
		for _, m := range messages {
			running.Go(func() {
				defer func() { <-slots }()
				q.handle(ctx, receiver, m, q.newLock(
					func() time.Time { return or(m.LockedUntil, time.Time{}) },
					func(ctx context.Context) error { return receiver.RenewMessageLock(ctx, m, nil) }))
			})
		}
	}
}

// listenBatches hands over all messages that wait, one batch at a time; the real host renews no locks here.
func (q *queueListener) listenBatches(ctx context.Context) {
	receiver, err := q.client.NewReceiverForQueue(q.f.Queue.Queue, nil)
	if err != nil {
		q.log.Error("The queue cannot be opened.", "error", err)
		return
	}
	defer closeWithin(receiver.Close)
	pause := retry{log: q.log}
	for ctx.Err() == nil {
		batch, err := receiver.ReceiveMessages(ctx, q.config.MaxBatch, nil)
		if err != nil {
			pause.after(ctx, "Receiving", err)
			continue
		}
		v, failure := q.d.call(q.f, batchPayload(q.f, q.ident, batch, time.Now()), nil)
		for _, m := range batch {
			q.settle(ctx, receiver, m, v, failure)
		}
	}
}

// handle runs the function for one message while its lock is renewed, and settles it.
func (q *queueListener) handle(ctx context.Context, s settler, m *azservicebus.ReceivedMessage, l *lock) {
	body := messagePayload(q.f, q.ident, m, time.Now()) // before the renewal, which writes to m
	renewing, stop := context.WithCancel(q.d.life)
	var renewal sync.WaitGroup
	renewal.Go(func() { l.keep(renewing) })
	v, err := q.d.call(q.f, body, func(v *Invocation) {
		v.MessageID, v.SessionID, v.DeliveryCount = m.MessageID, or(m.SessionID, ""), int(m.DeliveryCount)
	})
	stop()
	renewal.Wait()
	q.settle(ctx, s, m, v, err)
}

// settler is what both kinds of receiver have in common.
type settler interface {
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
}

const settleWithin = 3 * time.Second

// settle completes or abandons. Each try has its own short deadline, because the SDK sleeps on a receiver whose
// connection was cut instead of falling back; the second try goes over the management link.
func (q *queueListener) settle(listening context.Context, s settler, m *azservicebus.ReceivedMessage, v Invocation, failure error) {
	if q.d.life.Err() != nil {
		return // a host that is gone settles nothing
	}
	complete := failure == nil && listening.Err() == nil
	if complete && q.d.faults.DropCompletion != nil && q.d.faults.DropCompletion(v) {
		return
	}
	do := func(m *azservicebus.ReceivedMessage) error {
		ctx, cancel := context.WithTimeout(q.d.life, settleWithin)
		defer cancel()
		if complete {
			return s.CompleteMessage(ctx, m, nil)
		}
		return s.AbandonMessage(ctx, m, nil)
	}
	err := do(m)
	if err != nil && !lockLost(err) {
		err = do(&azservicebus.ReceivedMessage{LockToken: m.LockToken})
	}
	if err != nil && q.d.life.Err() == nil {
		q.log.Warn("A message could not be settled; it is delivered again.", "complete", complete, "error", err)
	}
}

func lockLost(err error) bool {
	var e *azservicebus.Error
	return errors.As(err, &e) && e.Code == azservicebus.CodeLockLost
}

func closeWithin(end func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
	defer cancel()
	_ = end(ctx) // a link that is gone already is as good
}
