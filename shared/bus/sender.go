package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Sender sends messages to the queues. It is safe for concurrent use and keeps
// one connection, which it opens when it is first needed and again when it was
// cut. Every call repeats what failed until it succeeds or its deadline passes
// (R5); every error is a *fault.Error.
type Sender struct {
	o Options
	c connection
}

// NewSender returns a sender; it makes no connection.
func NewSender(o Options) (*Sender, error) {
	o.setDefaults()
	s := &Sender{o: o}
	s.c.o = &s.o
	if _, err := s.c.current(); err != nil { // names a bad connection string now
		return nil, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "service bus: open", Err: err}
	}
	return s, nil
}

// Close ends the connection.
func (s *Sender) Close(ctx context.Context) error { return s.c.close(ctx) }

// Ping reports whether the queues can be sent to, without sending.
func (s *Sender) Ping(ctx context.Context) error {
	for _, queue := range []string{s.o.Appointments, s.o.Mailboxes, s.o.Backoffice} {
		err := s.c.try(ctx, "service bus: reach "+queue, func(ctx context.Context, l *live) error {
			sender, err := l.sender(queue)
			if err != nil {
				return err
			}
			_, err = sender.NewMessageBatch(ctx, nil) // opens the link
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Nudge wakes the workers of the nudges' targets: all in one send, or a few if
// they do not fit. Repeating it does no harm.
func (s *Sender) Nudge(ctx context.Context, ns ...Nudge) error {
	return s.nudge(ctx, s.o.Mailboxes, ns)
}

// Backoffice sends nudges on the backoffice queue, as Nudge and NudgeAt of the
// Sender do on that of the mailboxes.
type Backoffice struct{ s *Sender }

// Backoffice returns the sender of the backoffice queue.
func (s *Sender) Backoffice() Backoffice { return Backoffice{s} }

// Nudge wakes the workers of the nudges' targets.
func (b Backoffice) Nudge(ctx context.Context, ns ...Nudge) error {
	return b.s.nudge(ctx, b.s.o.Backoffice, ns)
}

// NudgeAt wakes the worker at a time to come; a time that has passed means now.
func (b Backoffice) NudgeAt(ctx context.Context, at time.Time, n Nudge) error {
	return b.s.nudgeAt(ctx, b.s.o.Backoffice, at, n)
}

func (s *Sender) nudge(ctx context.Context, queue string, ns []Nudge) error {
	messages := make([]*azservicebus.Message, len(ns))
	for i, n := range ns {
		messages[i] = nudgeMessage(n)
	}
	return s.send(ctx, queue, messages)
}

func (s *Sender) nudgeAt(ctx context.Context, queue string, at time.Time, n Nudge) error {
	m := nudgeMessage(n)
	if at = at.UTC(); at.After(s.o.Clock()) {
		m.ScheduledEnqueueTime = &at
	}
	return s.send(ctx, queue, []*azservicebus.Message{m})
}

// NudgeAt wakes the worker at a time to come; a time that has passed means now.
func (s *Sender) NudgeAt(ctx context.Context, at time.Time, n Nudge) error {
	return s.nudgeAt(ctx, s.o.Mailboxes, at, n)
}

// Send puts changes on the appointments queue. The queue drops a second one
// with the same MessageID, so repeating it does no harm.
func (s *Sender) Send(ctx context.Context, cs ...Change) error {
	messages := make([]*azservicebus.Message, len(cs))
	for i, c := range cs {
		messages[i] = changeMessage(c)
	}
	return s.send(ctx, s.o.Appointments, messages)
}

func nudgeMessage(n Nudge) *azservicebus.Message {
	body, err := json.Marshal(n)
	if err != nil {
		panic("bus: a nudge that is not JSON: " + err.Error()) // texts and a time
	}
	m := &azservicebus.Message{MessageID: new(rand.Text()), SessionID: &n.Target, ContentType: new(jsonType), Body: body}
	trace(m, n.Traceparent)
	return m
}

func changeMessage(c Change) *azservicebus.Message {
	m := &azservicebus.Message{
		MessageID: &c.MessageID, ContentType: new(jsonType), Body: c.Body,
		ApplicationProperties: map[string]any{PropertyChangeType: string(c.Operation)},
	}
	if c.First != 0 {
		m.ApplicationProperties[PropertyFirst] = c.First
	}
	if c.Redriven != 0 {
		m.ApplicationProperties[PropertyRedriven] = int64(c.Redriven)
	}
	trace(m, c.Traceparent)
	return m
}

const jsonType = "application/json"

func trace(m *azservicebus.Message, traceparent string) {
	if traceparent == "" {
		return
	}
	if m.ApplicationProperties == nil {
		m.ApplicationProperties = map[string]any{}
	}
	m.ApplicationProperties[PropertyTraceparent] = traceparent
}

// send sends messages in as few batches as they fit in. After a failure in the
// middle those before it are sent.
func (s *Sender) send(ctx context.Context, queue string, messages []*azservicebus.Message) error {
	for len(messages) > 0 {
		var sent int
		err := s.c.try(ctx, "service bus: send to "+queue, func(ctx context.Context, l *live) error {
			sender, err := l.sender(queue)
			if err != nil {
				return err
			}
			sent, err = sendSome(ctx, sender, messages)
			return err
		})
		if err != nil {
			return err
		}
		messages = messages[sent:]
	}
	return nil
}

// sendSome sends the first messages, as many as fit in one batch, and returns
// how many. One alone goes without the batch's overhead.
func sendSome(ctx context.Context, sender *azservicebus.Sender, messages []*azservicebus.Message) (int, error) {
	if len(messages) == 1 {
		return 1, sender.SendMessage(ctx, messages[0], nil)
	}
	batch, err := sender.NewMessageBatch(ctx, nil)
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		if err = batch.AddMessage(m, nil); err != nil {
			break
		}
	}
	switch n := int(batch.NumMessages()); {
	case err != nil && !tooLarge(err):
		return 0, err
	case n == 0:
		return 1, sender.SendMessage(ctx, messages[0], nil)
	default:
		return n, sender.SendMessageBatch(ctx, batch, nil)
	}
}
