package funchost

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// listenSessions holds up to maxConcurrentSessions sessions. Each has one message at a time, in order; a session
// that stays empty for sessionIdleTimeout gives its slot to the next.
func (q *queueListener) listenSessions(ctx context.Context) {
	accepting := make(chan struct{}, runtime.NumCPU()) // as the .NET processor: not all slots ask at once
	var slots sync.WaitGroup
	for range q.config.MaxConcurrentSessions {
		slots.Go(func() {
			pause := retry{log: q.log}
			for ctx.Err() == nil {
				select {
				case accepting <- struct{}{}:
				case <-ctx.Done():
					return
				}
				session, err := q.client.AcceptNextSessionForQueue(ctx, q.f.Queue.Queue, nil)
				<-accepting
				var known *azservicebus.Error
				switch {
				case err == nil:
					q.holdSession(ctx, session)
				case errors.As(err, &known) && known.Code == azservicebus.CodeTimeout: // no session waits
				default:
					pause.after(ctx, "Accepting a session", err)
				}
			}
		})
	}
	slots.Wait()
}

// holdSession works through one session until it is idle or lost, or the host stops.
func (q *queueListener) holdSession(ctx context.Context, s *azservicebus.SessionReceiver) {
	defer closeWithin(s.Close)
	l := q.newLock(s.LockedUntil, func(ctx context.Context) error { return s.RenewSessionLock(ctx, nil) })
	idle := time.Now().Add(q.config.SessionIdle)
	for ctx.Err() == nil && !l.lost {
		deadline := idle
		if due, ok := l.due(); ok && due.Before(idle) {
			deadline = due
		}
		waiting, cancel := context.WithDeadline(ctx, deadline)
		messages, err := s.ReceiveMessages(waiting, 1, nil)
		cancel()
		for _, m := range messages {
			q.handle(ctx, s, m, l)
			idle = time.Now().Add(q.config.SessionIdle)
		}
		switch now := time.Now(); {
		case err == nil:
		case waiting.Err() == nil: // not the wait: the session or the connection is gone
			q.log.Debug("A session ended.", "error", err)
			return
		case !now.Before(idle):
			return
		default:
			l.extend(ctx)
		}
	}
}
