package bus

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/dime-scheduler/connectors/shared/fault"
)

const (
	receiveMany = 20
	receiveWait = 2 * time.Second
	// settlePatience bounds a settlement: after a cut connection the SDK would
	// sleep on a dead link, for longer than the lock lives.
	settlePatience = 2 * time.Second
)

// letterBox is an open receiver of the dead letters of a queue.
type letterBox struct {
	queue    string
	l        *live
	r        *azservicebus.Receiver
	patience time.Duration // for the opening of the link
	broken   bool          // the link is of no use any more
}

func (d DeadLetters) open(queue string, mode azservicebus.ReceiveMode) (*letterBox, error) {
	op := "service bus: open dead letters of " + queue
	l, err := d.s.c.current()
	if err != nil {
		return nil, &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, Err: err}
	}
	r, err := l.client.NewReceiverForQueue(queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter, ReceiveMode: mode})
	if err != nil {
		return nil, classify(op, err)
	}
	return &letterBox{queue: queue, l: l, r: r, patience: d.s.o.Try}, nil
}

func (b *letterBox) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	_ = b.r.Close(ctx) // locks that are left run out by themselves
}

// receive waits a short time for messages; none is no error. A broker that is
// silent looks like one without messages: the next look is a timer away.
//
// held is how many the caller has not settled. A peek sees these too, so that
// as many mean that there is nothing to wait for.
func (b *letterBox) receive(ctx context.Context, held int) ([]*azservicebus.ReceivedMessage, error) {
	if n, err := b.peek(ctx, held+1); err != nil || n <= held {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, receiveWait)
	defer cancel()
	messages, err := b.r.ReceiveMessages(wait, receiveMany, nil)
	switch {
	case err == nil || len(messages) > 0:
		return messages, nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return nil, nil
	}
	return nil, classify("service bus: receive dead letters of "+b.queue, err)
}

// peek counts the dead letters, up to most. It opens the link, so it may take longer.
func (b *letterBox) peek(ctx context.Context, most int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	messages, err := b.r.PeekMessages(ctx, most, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(int64(0))})
	if err != nil {
		return 0, classify("service bus: peek dead letters of "+b.queue, err)
	}
	return len(messages), nil
}

// bare is a message that the SDK settles through the management link, which
// asks for the lock token only.
func bare(m *azservicebus.ReceivedMessage) *azservicebus.ReceivedMessage {
	return &azservicebus.ReceivedMessage{LockToken: m.LockToken}
}

func patient(ctx context.Context, settle func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	return settle(ctx)
}
