package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// QueueState is what Examine found of one queue.
type QueueState struct {
	Queue string
	// Sessions and Duplicates are what the queue has; Wants are what it has to have.
	// Duplicates is looked at where it is wanted only.
	Sessions, Duplicates           bool
	WantsSessions, WantsDuplicates bool
	// Err is what kept it from being looked at, a *fault.Error: the queue does not
	// exist, or may not be sent to or received from.
	Err error
}

// Examine looks at each queue: whether it can be sent to and received from, has
// sessions, and detects duplicates. Nothing is received and no worker is woken: what
// it sends is booked for the next day and taken back at once.
func (s *Sender) Examine(ctx context.Context) []QueueState {
	states := []QueueState{
		{Queue: s.o.Appointments, WantsDuplicates: true},
		{Queue: s.o.Mailboxes, WantsSessions: true},
		{Queue: s.o.Backoffice, WantsSessions: true},
	}
	for i := range states {
		states[i].Err = s.examine(ctx, &states[i])
	}
	return states
}

func (s *Sender) examine(ctx context.Context, q *QueueState) error {
	err := s.c.try(ctx, "service bus: send to "+q.Queue, func(ctx context.Context, l *live) error {
		sender, err := l.sender(q.Queue)
		if err != nil {
			return err
		}
		_, err = sender.NewMessageBatch(ctx, nil) // opens the link
		return err
	})
	if err != nil {
		return err
	}
	err = s.c.try(ctx, "service bus: receive from "+q.Queue, func(ctx context.Context, l *live) (err error) {
		q.Sessions, err = hasSessions(ctx, l, q.Queue)
		return err
	})
	if err != nil || !q.WantsDuplicates || q.Sessions {
		return err
	}
	return s.c.try(ctx, "service bus: book in "+q.Queue, func(ctx context.Context, l *live) (err error) {
		q.Duplicates, err = detectsDuplicates(ctx, l, q.Queue, s.o.Clock().Add(bookedAhead))
		return err
	})
}

// hasSessions opens a receiver that names no session: a queue with sessions does not
// allow one (azservicebus, "amqp:not-allowed"). It asks for no message.
func hasSessions(ctx context.Context, l *live, queue string) (bool, error) {
	r, err := l.client.NewReceiverForQueue(queue, nil)
	if err != nil {
		return false, err
	}
	defer closeReceiver(r)
	_, err = r.PeekMessages(ctx, 1, nil)
	if hasCondition(err, amqp.ErrCondNotAllowed) {
		return true, nil
	}
	return false, err
}

// bookedAhead is far enough that what could not be taken back any more, because the
// process was killed, is noticed by nobody before the next day.
const bookedAhead = 24 * time.Hour

// probeBody is what would be parked then, with a reason that people understand.
const probeBody = `"a probe of the doctor: it can be discarded"`

// detectsDuplicates books two messages with one id, counts what is there, and takes
// them back. Booked messages take part in duplicate detection (Microsoft Learn,
// "Duplicate detection").
func detectsDuplicates(ctx context.Context, l *live, queue string, at time.Time) (bool, error) {
	sender, err := l.sender(queue)
	if err != nil {
		return false, err
	}
	id := "doctor-" + rand.Text()
	var booked []int64
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
		defer cancel()
		for _, n := range booked {
			_ = sender.CancelScheduledMessages(ctx, []int64{n}, nil) // a duplicate is not there
		}
	}()
	for range 2 {
		n, err := sender.ScheduleMessages(ctx, []*azservicebus.Message{{MessageID: &id, ContentType: new(jsonType), Body: []byte(probeBody)}}, at, nil)
		if err != nil {
			return false, err
		}
		booked = append(booked, n...)
	}
	if len(booked) != 2 {
		return false, &fault.Error{Kind: fault.Transient, Reason: fault.Other, Op: "service bus: book in " + queue, Err: errors.New("the queue does not say what it has booked")}
	}
	r, err := l.client.NewReceiverForQueue(queue, nil)
	if err != nil {
		return false, err
	}
	defer closeReceiver(r)
	messages, err := r.PeekMessages(ctx, receiveMany, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &booked[0]})
	if err != nil {
		return false, err
	}
	n := 0
	for _, m := range messages {
		if m.MessageID == id {
			n++
		}
	}
	return n == 1, nil
}

func closeReceiver(r *azservicebus.Receiver) {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	_ = r.Close(ctx) // nothing is locked
}
