package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/servicebus"
)

// Pulse is how the world is doing at one moment.
type Pulse struct {
	Differences []string // between the board and Outlook or a back office; empty: all agree
	GraphCalls  int      // HTTP calls to Graph since the start
	GraphWrites int      // of events, those inside of batches counted alone
	BoardWrites int      // by the app, through the board's API
	Deliveries  int      // to back offices, repetitions included
	Queues      map[string]servicebus.Counts
	Announcing  int // changes that the board could not announce yet

	Subscriptions   int // alive
	HandlerPID      int // 0: it does not run
	HandlerRestarts int

	Storm, GraphDown bool
	Dropping         bool // notifications are being lost

	ERPDown, ERPLocked bool
}

// Pulse looks at everything once.
func (w *World) Pulse() Pulse {
	calls := w.Graph.Calls()
	p := Pulse{
		Differences: w.Differences(), GraphCalls: calls.TotalHTTP(), GraphWrites: calls.Writes(),
		BoardWrites: w.boardWrites(), Deliveries: w.deliveries(), Queues: map[string]servicebus.Counts{}, Announcing: w.Board.Failed(),
		Subscriptions: len(w.Graph.Subscriptions()),
	}
	for _, q := range Queues {
		p.Queues[q] = w.counts(q)
	}
	p.HandlerPID, p.HandlerRestarts = w.handlerPID()
	w.trouble.mu.Lock()
	p.Storm, p.GraphDown, p.ERPLocked = w.trouble.storm, w.trouble.down, w.trouble.erpLocked
	w.trouble.mu.Unlock()
	p.ERPDown = w.back.outlets[Cronus].isDown()
	w.Graph.Change(func(b *graphsim.Behaviour) { p.Dropping = b.Notifications.DropNext > 0 })
	return p
}

// counts of a queue of ours, which is always there.
func (w *World) counts(queue string) servicebus.Counts {
	c, err := w.Broker.Counts(queue)
	if err != nil {
		panic("world: " + err.Error())
	}
	return c
}

// boardWrites counts the procedures that change an appointment.
func (w *World) boardWrites() int {
	n := 0
	for name, times := range w.Board.Calls() {
		if strings.HasPrefix(name, "mboc_") && strings.Contains(name, "Appointment") {
			n += times
		}
	}
	return n
}

// DeadLetters says what lies in the dead-letter queues.
func (w *World) DeadLetters() []string {
	var found []string
	for _, q := range Queues {
		if n := w.counts(q).DeadLetter; n > 0 {
			found = append(found, fmt.Sprintf("%d messages of the queue %s are dead letters", n, q))
		}
	}
	return found
}

// idle tells whether nothing is on its way: no message waits or is worked on.
func (w *World) idle() bool {
	for _, q := range Queues {
		if w.counts(q).Active > 0 {
			return false
		}
	}
	return true
}

// quietFor is how long nothing may happen for the world to count as quiet.
const quietFor = 250 * time.Millisecond

// poll is how often a waiting method looks.
const poll = 5 * time.Millisecond

// AwaitAgreement returns when all sides agree, or with ctx and the differences.
func (w *World) AwaitAgreement(ctx context.Context) error {
	return w.Await(ctx, func() error {
		if found := w.Differences(); len(found) > 0 {
			return errors.New(strings.Join(found, "; "))
		}
		return nil
	})
}

// AwaitQuiet returns when all that is on its way has arrived and nothing has
// been called for a moment. What is booked for later is not waited for.
func (w *World) AwaitQuiet(ctx context.Context) error {
	if err := errors.Join(w.Board.WaitIdle(ctx), w.Graph.WaitIdle(ctx)); err != nil {
		return err
	}
	calls, since := -1, time.Now()
	return w.Await(ctx, func() error {
		now := w.Graph.Calls().TotalHTTP() + total(w.Board.Calls()) + w.backOfficeCalls()
		if now != calls || !w.idle() {
			calls, since = now, time.Now()
		}
		if time.Since(since) < quietFor {
			return errors.New("the app is still at work")
		}
		return nil
	})
}

// AwaitNothingBooked returns when no message is scheduled for later either.
func (w *World) AwaitNothingBooked(ctx context.Context) error {
	err := w.Await(ctx, func() error {
		for _, q := range Queues {
			if c := w.counts(q); c.Scheduled+c.Active > 0 {
				return fmt.Errorf("%d messages wait in the queue %s", c.Scheduled+c.Active, q)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.AwaitQuiet(ctx)
}

// AwaitReady returns when every mailbox of the demo has its subscription and
// all sides agree.
func (w *World) AwaitReady(ctx context.Context) error {
	err := w.Await(ctx, func() error {
		has := map[string]bool{}
		for _, s := range w.Graph.Subscriptions() {
			has[s.User] = true
		}
		if n := len(w.Graph.Users()); len(has) < n {
			return fmt.Errorf("%d of %d mailboxes have a subscription", len(has), n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.AwaitAgreement(ctx)
}

// Await looks until check is content, ctx ends, or the world does.
func (w *World) Await(ctx context.Context, check func() error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		problem := check()
		if problem == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-w.life.Done():
			return context.Cause(w.life)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), problem)
		}
	}
}

func total(calls map[string]int) int {
	n := 0
	for _, times := range calls {
		n += times
	}
	return n
}
