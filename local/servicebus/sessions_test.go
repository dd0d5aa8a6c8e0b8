package servicebus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/dime-scheduler/connectors/local/servicebus"
)

var sessionQueue = servicebus.Queue{Name: "q", RequiresSession: true}

func (w *world) accept(session string) *azservicebus.SessionReceiver {
	w.t.Helper()
	s, err := w.client.AcceptSessionForQueue(w.ctx, "q", session, nil)
	w.must(err)
	w.t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func condition(err error) amqp.ErrCond {
	var e *amqp.Error
	if errors.As(err, &e) {
		return e.Condition
	}
	return ""
}

func TestSessionLock(t *testing.T) {
	w := newWorld(t, sessionQueue)
	s := w.accept("a")
	if s.LockedUntil().Before(time.Now().Add(50 * time.Second)) {
		t.Errorf("locked until %v", s.LockedUntil())
	}
	before := s.LockedUntil()
	time.Sleep(5 * time.Millisecond) // a lock's end is told in milliseconds
	w.must(s.RenewSessionLock(w.ctx, nil))
	if !s.LockedUntil().After(before) {
		t.Errorf("renewed until %v, before %v", s.LockedUntil(), before)
	}
	_, err := w.client.AcceptSessionForQueue(w.ctx, "q", "a", nil)
	if condition(err) != "com.microsoft:session-cannot-be-locked" {
		t.Errorf("accepting it twice: %v", err)
	}
	w.must(s.Close(w.ctx))
	w.accept("a")
}

func TestSessionState(t *testing.T) {
	w := newWorld(t, sessionQueue)
	s := w.accept("a")
	state, err := s.GetSessionState(w.ctx, nil)
	if state != nil || err != nil {
		t.Errorf("state at first: %q, %v", state, err)
	}
	w.must(s.SetSessionState(w.ctx, []byte("one"), nil))
	w.must(s.Close(w.ctx))
	s = w.accept("a")
	if state, err := s.GetSessionState(w.ctx, nil); string(state) != "one" || err != nil {
		t.Errorf("state: %q, %v", state, err)
	}
	pager := w.client.NewListSessionsForQueuePager("q", nil)
	page, err := pager.NextPage(w.ctx)
	w.must(err)
	if !slices.Equal(page.Sessions, []string{"a"}) {
		t.Errorf("sessions %v", page.Sessions)
	}
	w.must(s.SetSessionState(w.ctx, nil, nil))
	if state, err := s.GetSessionState(w.ctx, nil); state != nil || err != nil {
		t.Errorf("state after it was removed: %q, %v", state, err)
	}
}

func TestNoSessionInTime(t *testing.T) {
	w := newWorldWith(t, servicebus.Options{Queues: []servicebus.Queue{sessionQueue}, SessionWait: 50 * time.Millisecond})
	// Without a deadline the SDK names no time, and the broker's own holds.
	_, err := w.client.AcceptNextSessionForQueue(context.WithoutCancel(w.ctx), "q", nil)
	if code(err) != azservicebus.CodeTimeout {
		t.Errorf("accepting when there is none: %v", err)
	}
	ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := w.client.AcceptNextSessionForQueue(ctx, "q", nil); err == nil {
		t.Error("accepted when there is none")
	}
	// Who gave up waiting must not take the session that comes.
	w.send("q", text("1", "a"))
	s, err := w.client.AcceptNextSessionForQueue(w.ctx, "q", nil)
	w.must(err)
	defer s.Close(w.ctx)
	w.one(s)
}

func TestLostSession(t *testing.T) {
	w := newWorld(t, sessionQueue)
	w.send("q", text("1", "a"))
	s := w.accept("a")
	m := w.one(s)
	if lost, err := w.ExpireSession("q", "a"); !lost || err != nil {
		t.Fatalf("lost %v, %v", lost, err)
	}
	other := w.accept("a") // free at once
	if again := w.one(other); again.DeliveryCount != 2 {
		t.Errorf("delivery %d, want the expiry counted", again.DeliveryCount)
	}
	ctx, cancel := context.WithTimeout(w.ctx, time.Second) // the SDK tries to have the session again
	defer cancel()
	if err := s.CompleteMessage(ctx, m, nil); err == nil {
		t.Error("completed without the lock")
	}
	w.counts("q", servicebus.Counts{Active: 1, Locked: 1})
}

func TestSessionOfACutConnectionIsFreeAtOnce(t *testing.T) {
	w := newWorld(t, sessionQueue)
	w.send("q", text("1", "a"))
	s := w.accept("a")
	w.one(s)
	w.DropConnections()
	w.eventually("the session is free", func() bool {
		other, err := w.client.AcceptSessionForQueue(w.ctx, "q", "a", nil)
		if err != nil {
			return false
		}
		defer other.Close(w.ctx)
		if m := w.one(other); m.DeliveryCount != 1 {
			t.Errorf("delivery %d, want the cut not counted", m.DeliveryCount)
		}
		return true
	})
}

// Four consumers share eight sessions: each session's messages come in order,
// one at a time, each once.
func TestSessionsInOrder(t *testing.T) {
	const consumers, sessions, each = 4, 8, 25
	w := newWorld(t, sessionQueue)
	s := w.sender("q")
	for i := range each {
		batch, err := s.NewMessageBatch(w.ctx, nil)
		w.must(err)
		for n := range sessions {
			w.must(batch.AddMessage(text(fmt.Sprintf("%d", i), fmt.Sprintf("s%d", n)), nil))
		}
		w.must(s.SendMessageBatch(w.ctx, batch, nil))
	}
	var mu sync.Mutex
	got := map[string][]string{}
	holders := map[string]int{}
	var wg sync.WaitGroup
	for range consumers {
		client := w.connect()
		defer client.Close(w.ctx)
		wg.Go(func() {
			for w.ctx.Err() == nil {
				if c, _ := w.Counts("q"); c.Active == 0 {
					return
				}
				ctx, cancel := context.WithTimeout(w.ctx, 300*time.Millisecond)
				r, err := client.AcceptNextSessionForQueue(ctx, "q", nil)
				cancel()
				if err != nil {
					continue
				}
				mu.Lock()
				if holders[r.SessionID()]++; holders[r.SessionID()] != 1 {
					t.Errorf("session %s has %d holders", r.SessionID(), holders[r.SessionID()])
				}
				mu.Unlock()
				for range 5 { // then it is another's turn
					ctx, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
					// One at a time: with more credit than it gets messages for, the SDK
					// releases what comes between two calls, and its successor overtakes it.
					messages, err := r.ReceiveMessages(ctx, 1, nil)
					cancel()
					if err != nil {
						break
					}
					for _, m := range messages {
						mu.Lock()
						got[*m.SessionID] = append(got[*m.SessionID], string(m.Body))
						mu.Unlock()
						if err := r.CompleteMessage(w.ctx, m, nil); err != nil {
							t.Error(err)
						}
					}
				}
				mu.Lock()
				holders[r.SessionID()]--
				mu.Unlock()
				if err := r.Close(w.ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for n := range sessions {
		id := fmt.Sprintf("s%d", n)
		for i, body := range got[id] {
			if body != fmt.Sprint(i) {
				t.Errorf("%s: %v", id, got[id])
				break
			}
		}
		if len(got[id]) != each {
			t.Errorf("%s: %d messages, want %d", id, len(got[id]), each)
		}
	}
}
