package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/dime-scheduler/connectors/shared/appointment"
)

// pauses before a dead letter is tried again: after its first, second and third
// death. After the third return it is an alarm.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute}

// DeadLetter is a message that the host has given up.
type DeadLetter struct {
	// Change is what it says. MessageID is that of the first delivery, First its
	// sequence number, Redriven how often it has returned. Operation is what
	// changeType says, which nobody has checked.
	Change      Change
	Reason      string // of the broker, as MaxDeliveryCountExceeded
	Description string
	Enqueued    time.Time // broker's clock
	// Alarm: it has returned as often as it may; park it and tell a person.
	Alarm bool
}

// Verdict is what becomes of a dead letter.
type Verdict int

const (
	// Leave keeps it where it is, for the next look.
	Leave Verdict = iota
	// Return sends it to the queue again after a pause. With Alarm it is Leave.
	Return
	// Again returns it as Return does, even with Alarm, after the longest pause: what
	// kept it from being taken has passed only now.
	Again
	// Done removes it: whoever decided has parked it, or it is worth nothing.
	Done
)

// Returned tells what ReturnAppointments has done.
type Returned struct{ Returned, Done, Left int }

// DeadLetters looks after the dead letters of the queues. It uses the
// connection of its Sender.
type DeadLetters struct{ s *Sender }

// DeadLetters returns the sender's view of the dead letters.
func (s *Sender) DeadLetters() DeadLetters { return DeadLetters{s} }

// lockMargin of a lock has to be left when a copy is sent.
const lockMargin = 5 * time.Second

// ReturnAppointments looks once at every dead letter of the appointments queue
// and does with it as decide says. A returned one is sent as <MessageId>#<n>
// with the sequence number of its first delivery (R5); the original goes only
// after that, and if it does not go, the queue's duplicate detection or the
// version makes the second copy harmless. An error of decide leaves the message
// and ends the round, as does any other error; what was done stays done.
func (d DeadLetters) ReturnAppointments(ctx context.Context, decide func(context.Context, DeadLetter) (Verdict, error)) (Returned, error) {
	var done Returned
	queue := d.s.o.Appointments
	box, err := d.open(queue, azservicebus.ReceiveModePeekLock)
	if err != nil {
		return done, err
	}
	// Those that are left stay locked until the end, else they would come again,
	// and until the link is closed, else they would be locked for it anew.
	var left []*azservicebus.ReceivedMessage
	defer func() {
		box.close()
		d.release(ctx, queue, left)
	}()
	for {
		messages, err := box.receive(ctx, len(left))
		if err != nil || len(messages) == 0 {
			return done, err
		}
		for i, m := range messages {
			verdict, err := d.settle(ctx, box, m, decide)
			switch {
			case err != nil:
				left = append(left, messages[i:]...)
				return done, err
			case verdict == Return, verdict == Again:
				done.Returned++
			case verdict == Done:
				done.Done++
			default:
				done.Left++
				left = append(left, m)
			}
			if box.broken {
				left = append(left, messages[i+1:]...)
				return done, nil // the next look takes the rest
			}
		}
	}
}

func (d DeadLetters) settle(ctx context.Context, box *letterBox, m *azservicebus.ReceivedMessage, decide func(context.Context, DeadLetter) (Verdict, error)) (Verdict, error) {
	if m.LockedUntil != nil && d.s.o.Clock().Add(lockMargin).After(*m.LockedUntil) {
		return Leave, nil // somebody else may have it by now
	}
	letter := readDeadLetter(m)
	verdict, err := decide(ctx, letter)
	switch {
	case err != nil:
		return Leave, err
	case verdict == Again, verdict == Return && !letter.Alarm:
		if err := d.s.send(ctx, d.s.o.Appointments, []*azservicebus.Message{d.copyOf(m, letter)}); err != nil {
			return Leave, err
		}
	case verdict != Done:
		return Leave, nil
	}
	return verdict, d.complete(ctx, box, m)
}

func readDeadLetter(m *azservicebus.ReceivedMessage) DeadLetter {
	l := DeadLetter{
		Change: Change{
			MessageID:   m.MessageID,
			Operation:   appointment.Operation(text(m.ApplicationProperties[PropertyChangeType])),
			Body:        m.Body,
			Traceparent: text(m.ApplicationProperties[PropertyTraceparent]),
			First:       number(m.ApplicationProperties[PropertyFirst]),
			Redriven:    max(0, int(number(m.ApplicationProperties[PropertyRedriven]))),
		},
		Reason:      value(m.DeadLetterReason),
		Description: value(m.DeadLetterErrorDescription),
		Enqueued:    value(m.EnqueuedTime),
	}
	if l.Change.First == 0 {
		l.Change.First = value(m.SequenceNumber)
	}
	if n := l.Change.Redriven; n > 0 {
		l.Change.MessageID = strings.TrimSuffix(m.MessageID, fmt.Sprintf("#%d", n))
	}
	l.Alarm = l.Change.Redriven >= len(pauses)
	return l
}

// copyOf keeps whatever the sender wrote, also properties that we do not know.
func (d DeadLetters) copyOf(m *azservicebus.ReceivedMessage, l DeadLetter) *azservicebus.Message {
	n := l.Change.Redriven + 1
	c := m.Message()
	c.MessageID = new(fmt.Sprintf("%s#%d", l.Change.MessageID, n))
	c.TimeToLive = nil // the queue's; what is left of the first one's may be nothing
	c.ApplicationProperties = map[string]any{}
	for name, v := range m.ApplicationProperties {
		if name != "DeadLetterReason" && name != "DeadLetterErrorDescription" {
			c.ApplicationProperties[name] = v
		}
	}
	c.ApplicationProperties[PropertyFirst] = l.Change.First
	c.ApplicationProperties[PropertyRedriven] = int64(n)
	if _, known := c.ApplicationProperties[PropertyFirstEnqueued]; !known && m.EnqueuedTime != nil {
		c.ApplicationProperties[PropertyFirstEnqueued] = m.EnqueuedTime.UTC().Format(time.RFC3339Nano)
	}
	c.ScheduledEnqueueTime = new(d.s.o.Clock().UTC().Add(pauses[min(l.Change.Redriven, len(pauses)-1)]))
	return c
}

// DiscardNudges empties the dead letters of the mailboxes and backoffice
// queues and returns how many there were: what a nudge is about is in the
// store, and redrive looks there. A failing queue does not keep it from the other.
func (d DeadLetters) DiscardNudges(ctx context.Context) (int, error) {
	var total int
	var failed error
	for _, queue := range []string{d.s.o.Mailboxes, d.s.o.Backoffice} {
		n, err := d.discard(ctx, queue)
		total += n
		failed = errors.Join(failed, err)
	}
	return total, failed
}

func (d DeadLetters) discard(ctx context.Context, queue string) (int, error) {
	box, err := d.open(queue, azservicebus.ReceiveModeReceiveAndDelete)
	if err != nil {
		return 0, err
	}
	defer box.close()
	var total int
	for {
		messages, err := box.receive(ctx, 0)
		total += len(messages)
		if err != nil || len(messages) == 0 {
			return total, err
		}
	}
}

// complete removes a message. Where that fails the connection is replaced and
// the message removed through the management link of a new one.
func (d DeadLetters) complete(ctx context.Context, box *letterBox, m *azservicebus.ReceivedMessage) error {
	if patient(ctx, func(ctx context.Context) error { return box.r.CompleteMessage(ctx, m, nil) }) == nil {
		return nil
	}
	box.broken = true
	d.s.c.drop(box.l)
	fresh, err := d.open(box.queue, azservicebus.ReceiveModePeekLock)
	if err != nil {
		return err
	}
	defer fresh.close()
	if err := patient(ctx, func(ctx context.Context) error { return fresh.r.CompleteMessage(ctx, bare(m), nil) }); err != nil {
		return classify("service bus: complete a dead letter", err)
	}
	return nil
}

// release gives messages back; if that fails their locks run out.
func (d DeadLetters) release(ctx context.Context, queue string, left []*azservicebus.ReceivedMessage) {
	if len(left) == 0 {
		return
	}
	box, err := d.open(queue, azservicebus.ReceiveModePeekLock)
	if err != nil {
		return
	}
	defer box.close()
	for _, m := range left {
		if patient(ctx, func(ctx context.Context) error { return box.r.AbandonMessage(ctx, bare(m), nil) }) != nil {
			return
		}
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// number reads an integer property, whatever its AMQP type.
func number(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case int32:
		return int64(n)
	case int:
		return int64(n)
	}
	return 0
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
