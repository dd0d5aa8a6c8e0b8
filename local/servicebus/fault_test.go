package servicebus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

var denied = &servicebus.Error{Condition: "amqp:not-allowed", Description: "injected"} // which the SDK does not retry

func TestFaultOnSend(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"}, servicebus.Queue{Name: "other"})
	w.Inject(servicebus.Fault{Kind: servicebus.OpSend, Entity: "Q", Skip: 1, Times: 1, Error: denied})
	s, other := w.sender("q"), w.sender("other")
	w.must(other.SendMessage(w.ctx, text("1", ""), nil))
	w.must(s.SendMessage(w.ctx, text("1", ""), nil))
	if err := s.SendMessage(w.ctx, text("2", ""), nil); condition(err) != "amqp:not-allowed" {
		t.Errorf("the second send: %v", err)
	}
	w.must(s.SendMessage(w.ctx, text("3", ""), nil))
	w.counts("q", servicebus.Counts{Active: 2})
}

// The client retries what did take effect: without duplicate detection it is there twice.
func TestFaultAfterTheEffect(t *testing.T) {
	for name, f := range map[string]servicebus.Fault{
		"error": {Error: servicebus.ServerBusy()},
		"cut":   {Cut: true},
	} {
		w := newWorld(t, servicebus.Queue{Name: "q"}, servicebus.Queue{Name: "once", DuplicateDetection: time.Minute})
		for queue, want := range map[string]int{"q": 2, "once": 1} {
			f.Kind, f.Entity, f.Times, f.TakeEffect = servicebus.OpSend, queue, 1, true
			w.Inject(f)
			w.send(queue, text("1", ""))
			if c, _ := w.Counts(queue); c.Active != want {
				t.Errorf("%s: %d messages in %s, want %d", name, c.Active, queue, want)
			}
		}
	}
}

func TestSilentAndDelayed(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	s := w.sender("q")
	w.must(s.SendMessage(w.ctx, text("warm", ""), nil))
	w.Inject(servicebus.Fault{Kind: servicebus.OpSend, Times: 1, Silent: true, TakeEffect: true})
	ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
	defer cancel()
	if err := s.SendMessage(ctx, text("1", ""), nil); err == nil {
		t.Error("a silent broker answered")
	}
	w.counts("q", servicebus.Counts{Active: 2})
	w.Inject(servicebus.Fault{Kind: servicebus.OpSend, Times: 1, Delay: 50 * time.Millisecond})
	start := time.Now()
	w.must(s.SendMessage(w.ctx, text("2", ""), nil))
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("a delayed send took %v", took)
	}
}

func TestFaultOnSettle(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", text("1", ""))
	r := w.receiver("q", nil)
	var seen []servicebus.Operation
	remove := w.Inject(servicebus.Fault{Match: func(o servicebus.Operation) bool {
		if o.Kind == servicebus.OpSettle {
			seen = append(seen, o)
		}
		return false
	}})
	w.Inject(servicebus.Fault{Kind: servicebus.OpSettle, Times: 1, Redeliver: true})
	w.must(r.CompleteMessage(w.ctx, w.one(r), nil)) // so it says
	m := w.one(r)
	if m.DeliveryCount != 2 {
		t.Errorf("delivery %d", m.DeliveryCount)
	}
	w.must(r.CompleteMessage(w.ctx, m, nil))
	w.counts("q", servicebus.Counts{})
	remove()
	if want := (servicebus.Operation{Kind: servicebus.OpSettle, Entity: "q", MessageID: "1", Name: "complete"}); len(seen) != 2 || seen[0] != want {
		t.Errorf("operations %+v, want %+v twice", seen, want)
	}
}

func TestFaultOnDelivery(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.Inject(servicebus.Fault{Kind: servicebus.OpReceive, Times: 1, Error: &servicebus.Error{Condition: "amqp:link:detach-forced", Description: "injected"}})
	w.send("q", text("1", ""))
	r := w.receiver("q", nil)
	w.eventually("the message comes in the end", func() bool {
		got, _ := r.ReceiveMessages(w.ctx, 1, nil) // the first call sees the link end
		return len(got) == 1 && got[0].DeliveryCount == 1
	})
}

// A delivery that gets lost leaves its message locked, and the link as it was.
func TestLostDelivery(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.Inject(servicebus.Fault{Kind: servicebus.OpReceive, Times: 1, Silent: true})
	r := w.receiver("q", nil)
	w.send("q", text("1", ""), text("2", ""))
	if m := w.one(r); string(m.Body) != "2" {
		t.Errorf("received %q", m.Body)
	}
	w.counts("q", servicebus.Counts{Active: 2, Locked: 2})
}

func TestFaultsOnLinks(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"}, servicebus.Queue{Name: "s", RequiresSession: true})
	for _, kind := range []servicebus.Kind{servicebus.OpAuthorize, servicebus.OpAttach} {
		remove := w.Inject(servicebus.Fault{Kind: kind, Error: &servicebus.Error{Condition: "amqp:unauthorized-access", Description: "injected"}})
		s, err := w.connect().NewSender("q", nil)
		w.must(err)
		if err := s.SendMessage(w.ctx, text("1", ""), nil); code(err) != azservicebus.CodeUnauthorizedAccess {
			t.Errorf("%s: %v", kind, err)
		}
		remove()
		w.must(s.SendMessage(w.ctx, text("1", ""), nil))
	}
	w.Inject(servicebus.Fault{Kind: servicebus.OpAccept, Times: 1, Error: denied})
	if _, err := w.client.AcceptSessionForQueue(w.ctx, "s", "a", nil); condition(err) != "amqp:not-allowed" {
		t.Errorf("accept: %v", err)
	}
	w.Inject(servicebus.Fault{Kind: servicebus.OpAccept, Times: 1, Delay: 20 * time.Millisecond})
	r, err := w.client.AcceptSessionForQueue(w.ctx, "s", "a", nil)
	w.must(err)
	w.Inject(servicebus.Fault{Kind: servicebus.OpRenew, Times: 1, Error: &servicebus.Error{Condition: "amqp:unauthorized-access"}})
	if err := r.RenewSessionLock(w.ctx, nil); code(err) != azservicebus.CodeUnauthorizedAccess {
		t.Errorf("renew: %v", err)
	}
	w.must(r.RenewSessionLock(w.ctx, nil))
}

func TestRecovery(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	s, r := w.sender("q"), w.receiver("q", nil)
	for i, harm := range []func(){w.DropConnections, func() {
		if n := w.DetachLinks("q"); n != 2 {
			t.Errorf("%d links detached, want 2", n)
		}
	}} {
		w.must(s.SendMessage(w.ctx, text("a", ""), nil))
		w.must(r.CompleteMessage(w.ctx, w.one(r), nil))
		harm()
		w.must(s.SendMessage(w.ctx, text("b", ""), nil))
		w.eventually("received after the harm", func() bool {
			got, _ := r.ReceiveMessages(w.ctx, 1, nil)
			if len(got) == 1 {
				w.must(r.CompleteMessage(w.ctx, got[0], nil))
			}
			return len(got) == 1
		})
		if c, _ := w.Counts("q"); c.Active != 0 {
			t.Errorf("round %d: %+v", i, c)
		}
	}
}

func TestInProcess(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	var mu sync.Mutex
	var kinds []broker.EventKind
	stop := w.Observe(func(e servicebus.Event) {
		w.Counts("q") // an observer may call the broker
		mu.Lock()
		defer mu.Unlock()
		kinds = append(kinds, e.Kind)
	})
	sent := servicebus.Message{MessageID: "m", Subject: "s", ContentType: "c", CorrelationID: "x", To: "t", ReplyTo: "r", Body: []byte("b"),
		ApplicationProperties: map[string]any{"k": int64(1)}, TimeToLive: time.Hour}
	w.must(w.Send("q", sent))
	got, err := w.Peek("q")
	w.must(err)
	if len(got) != 1 || got[0].MessageID != "m" || got[0].Subject != "s" || got[0].To != "t" || got[0].ReplyTo != "r" || got[0].ContentType != "c" ||
		got[0].CorrelationID != "x" || string(got[0].Body) != "b" || got[0].ApplicationProperties["k"] != int64(1) || got[0].SequenceNumber != 1 || got[0].TimeToLive != time.Hour {
		t.Errorf("peeked %+v", got)
	}
	m := w.one(w.receiver("q", nil))
	if m.TimeToLive == nil || *m.TimeToLive != time.Hour {
		t.Errorf("time to live %v", m.TimeToLive)
	}
	if n, err := w.Purge("q"); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
	w.eventually("two events", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(kinds) == 2 && kinds[0] == broker.Enqueued && kinds[1] == broker.Delivered
	})
	stop()
	for name, err := range map[string]error{
		"an unknown queue":     w.Send("none", sent),
		"a property of a kind": w.Send("q", servicebus.Message{ApplicationProperties: map[string]any{"k": struct{}{}}}),
		"too much":             w.Send("q", servicebus.Message{Body: make([]byte, servicebus.MaxMessageSize)}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOwnClock(t *testing.T) {
	var hours atomic.Int64
	start := time.Now()
	w := newWorldWith(t, servicebus.Options{Queues: []servicebus.Queue{{Name: "q", DeadLetterOnExpiry: true}},
		Now: func() time.Time { return start.Add(time.Duration(hours.Load()) * time.Hour) }})
	w.must(w.Send("q", servicebus.Message{MessageID: "1", ScheduledEnqueueTime: start.Add(time.Hour), TimeToLive: time.Hour}))
	for _, want := range []servicebus.Counts{{Scheduled: 1}, {Active: 1}, {DeadLetter: 1}} {
		w.Tick()
		if got, err := w.Counts("q"); got != want || err != nil {
			t.Errorf("after %d hours: %+v, %v, want %+v", hours.Load(), got, err, want)
		}
		hours.Add(1)
	}
}

func TestCloseAndListen(t *testing.T) {
	b := servicebus.New(servicebus.Options{})
	if b.ConnectionString() != "" {
		t.Error("a connection string before Listen")
	}
	if err := b.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := b.Listen("127.0.0.1:0"); err == nil {
		t.Error("listening twice")
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := b.Listen("127.0.0.1:0"); err == nil {
		t.Error("listening after Close")
	}
}
