package funchost

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus"
)

func newBroker(t *testing.T) *servicebus.Broker {
	t.Helper()
	return newBrokerWithLock(t, time.Minute)
}

func newBrokerWithLock(t *testing.T, lock time.Duration) *servicebus.Broker {
	t.Helper()
	b := servicebus.New(servicebus.Options{Queues: []servicebus.Queue{
		{Name: "binary", MaxDeliveryCount: 5, LockDuration: lock}, {Name: "plain"}, {Name: "batch"},
		{Name: "sessions", RequiresSession: true, LockDuration: lock},
	}})
	if err := b.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func send(t *testing.T, b *servicebus.Broker, queue string, messages ...servicebus.Message) {
	t.Helper()
	if err := b.Send(queue, messages...); err != nil {
		t.Fatal(err)
	}
}

func counts(t *testing.T, b *servicebus.Broker, queue string) servicebus.Counts {
	t.Helper()
	c, err := b.Counts(queue)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const busHost = `{"version":"2.0","functionTimeout":"00:05:00",
	"extensions":{"serviceBus":{"maxConcurrentCalls":3,"maxConcurrentSessions":2,"sessionIdleTimeout":"00:00:00.2"}},
	"customHandler":{"description":{"defaultExecutablePath":"handler"},"enableProxyingHttpRequest":true}}`

func TestQueueCallsEqualTheRealHosts(t *testing.T) {
	for file, function := range map[string]string{
		"servicebus-binary.json": "sbbinary", "servicebus-binary-empty.json": "sbbinary", "servicebus-binary-redelivered.json": "sbbinary",
		"servicebus-session.json": "sbsessions", "servicebus-string-object.json": "sbplain", "servicebus-string-text.json": "sbplain",
		"servicebus-batch.json": "sbbatch",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			want := captured(t, file)
			var sent struct {
				Body, SessionID string
				Messages        int
			}
			if err := json.Unmarshal(want.Sent, &sent); err != nil {
				t.Fatal(err)
			}
			b := newBroker(t)
			for i := range max(sent.Messages, 1) {
				m := servicebus.Message{MessageID: fmt.Sprintf("m%d", i), SessionID: sent.SessionID, ContentType: "application/json", Body: []byte(sent.Body)}
				if strings.Contains(want.Request.Body, "changeType") {
					m.ApplicationProperties = map[string]any{"changeType": "Update", "count": int64(7), "flag": true}
				}
				send(t, b, strings.TrimPrefix(function, "sb"), m)
			}
			a := newApp(t, busHost, function)
			a.start(a.options("Bus", b.ConnectionString()))
			sameRequest(t, a.await(1, calls("/"+function))[0], want)
		})
	}
}

func TestSuccessCompletesAndFailureGoesToTheDeadLetters(t *testing.T) {
	b := newBroker(t)
	send(t, b, "binary", servicebus.Message{MessageID: "good", Body: []byte("x")}, servicebus.Message{MessageID: "bad", Body: []byte("do:status 500")})
	a := newApp(t, busHost, "sbbinary")
	d := a.start(a.options("Bus", b.ConnectionString()))
	eventually(t, "a dead letter", func() bool { return counts(t, b, "binary/$DeadLetterQueue").Active == 1 })
	eventually(t, "an empty queue", func() bool { return counts(t, b, "binary").Active == 0 })
	deliveries := 0
	for _, v := range d.Invocations() {
		switch v.MessageID {
		case "good":
			if v.Outcome != Succeeded {
				t.Errorf("got %+v", v)
			}
		case "bad":
			if deliveries++; v.DeliveryCount != deliveries || v.Outcome != Failed {
				t.Errorf("got %+v", v)
			}
		}
	}
	if deliveries != 5 {
		t.Errorf("%d deliveries, want 5", deliveries)
	}
}

func TestConcurrentCallsAreBounded(t *testing.T) {
	b := newBroker(t)
	free := filepath.Join(t.TempDir(), "free")
	for range 8 {
		send(t, b, "binary", servicebus.Message{Body: []byte("do:wait " + free)})
	}
	a := newApp(t, busHost, "sbbinary")
	a.start(a.options("Bus", b.ConnectionString()))
	a.await(3, calls("/sbbinary"))
	eventually(t, "three locked messages", func() bool { return counts(t, b, "binary").Locked == 3 })
	write(t, free, "")
	a.await(8, calls("/sbbinary"))
	eventually(t, "an empty queue", func() bool { c := counts(t, b, "binary"); return c.Active+c.Locked == 0 })
	if n := len(a.records(calls("/sbbinary"))); n != 8 {
		t.Errorf("%d calls, want 8", n)
	}
}

func TestSessionsAreInOrderAndIdleOnesGiveTheirSlot(t *testing.T) {
	b := newBroker(t)
	const sessions, each = 6, 5
	for i := range each {
		for s := range sessions {
			send(t, b, "sessions", servicebus.Message{SessionID: fmt.Sprintf("s%d", s), MessageID: fmt.Sprintf("s%d-%d", s, i), Body: []byte("do:sleep 2ms")})
		}
	}
	a := newApp(t, busHost, "sbsessions")
	d := a.start(a.options("Bus", b.ConnectionString()))
	ended(t, d, "sbsessions", sessions*each)
	next := map[string]int{}
	type span struct{ from, to time.Time }
	var spans []span
	last := map[string]time.Time{}
	for _, v := range d.Invocations() {
		if want := fmt.Sprintf("%s-%d", v.SessionID, next[v.SessionID]); v.MessageID != want {
			t.Errorf("got %s, want %s", v.MessageID, want)
		}
		next[v.SessionID]++
		if v.Started.Before(last[v.SessionID]) {
			t.Errorf("%s began before the one before it in its session had ended", v.MessageID)
		}
		last[v.SessionID] = v.Started.Add(v.Duration)
		spans = append(spans, span{v.Started, last[v.SessionID]})
	}
	for _, s := range spans {
		at := 0
		for _, o := range spans {
			if !o.from.After(s.from) && o.to.After(s.from) {
				at++
			}
		}
		if at > 2 {
			t.Errorf("%d sessions at once, want at most 2", at)
		}
	}
	eventually(t, "an empty queue", func() bool { c := counts(t, b, "sessions"); return c.Active+c.Locked == 0 })
}

func TestCrashDeliversAgain(t *testing.T) {
	b := newBroker(t)
	once := filepath.Join(t.TempDir(), "once")
	send(t, b, "binary", servicebus.Message{MessageID: "m", Body: []byte("do:once " + once + " exit 1")})
	send(t, b, "sessions", servicebus.Message{MessageID: "s", SessionID: "a", Body: []byte("do:once " + once + "2 exit 200")})
	a := newApp(t, busHost, "sbbinary", "sbsessions")
	d := a.start(a.options("Bus", b.ConnectionString()))
	for _, queue := range []string{"binary", "sessions"} {
		eventually(t, "an empty queue", func() bool { c := counts(t, b, queue); return c.Active+c.Locked == 0 })
	}
	for _, function := range []string{"sbbinary", "sbsessions"} {
		if v := ended(t, d, function, 1); v.Outcome != Failed || v.DeliveryCount != 1 {
			t.Errorf("got %+v", v)
		}
		succeeded := 0
		for _, v := range d.Invocations() {
			if v.Function == function && v.Outcome == Succeeded {
				succeeded++
			}
		}
		if succeeded != 1 {
			t.Errorf("%s succeeded %d times", function, succeeded)
		}
	}
}

func TestDroppedCompletionIsDeliveredAgainWhenItsLockExpires(t *testing.T) {
	b := newBroker(t)
	send(t, b, "binary", servicebus.Message{MessageID: "m", Body: []byte("x")})
	a := newApp(t, busHost, "sbbinary")
	o := a.options("Bus", b.ConnectionString())
	o.Faults.DropCompletion = func(v Invocation) bool { return v.DeliveryCount == 1 }
	d := a.start(o)
	ended(t, d, "sbbinary", 1)
	eventually(t, "an expired lock", func() bool {
		n, err := b.ExpireLocks("binary")
		return err == nil && n == 1
	})
	if v := ended(t, d, "sbbinary", 2); v.DeliveryCount != 2 || v.Outcome != Succeeded {
		t.Errorf("got %+v", v)
	}
	eventually(t, "an empty queue", func() bool { c := counts(t, b, "binary"); return c.Active+c.Locked == 0 })
}

func TestLocksAreRenewed(t *testing.T) {
	b := newBrokerWithLock(t, 300*time.Millisecond)
	work := []byte("do:sleep 1500ms")
	send(t, b, "binary", servicebus.Message{MessageID: "m", Body: work})
	send(t, b, "sessions", servicebus.Message{MessageID: "s", SessionID: "a", Body: work})
	a := newApp(t, busHost, "sbbinary", "sbsessions")
	d := a.start(a.options("Bus", b.ConnectionString()))
	for _, queue := range []string{"binary", "sessions"} {
		eventually(t, "an empty queue", func() bool { c := counts(t, b, queue); return c.Active+c.Locked == 0 })
		if v := ended(t, d, "sb"+queue, 1); v.Outcome != Succeeded || v.DeliveryCount != 1 {
			t.Errorf("got %+v", v)
		}
	}
	if n := len(d.Invocations()); n != 2 {
		t.Errorf("%d deliveries, want 2: a lock was lost", n)
	}
}

func TestReceivingSurvivesCutConnections(t *testing.T) {
	t.Parallel()
	// A message that goes out on a connection that is being cut stays locked, as with the service.
	b := newBrokerWithLock(t, 2*time.Second)
	a := newApp(t, busHost, "sbbinary", "sbsessions")
	d := a.start(a.options("Bus", b.ConnectionString()))
	for round := 1; round <= 3; round++ {
		send(t, b, "binary", servicebus.Message{Body: []byte("x")})
		send(t, b, "sessions", servicebus.Message{SessionID: "a", Body: []byte("x")})
		ended(t, d, "sbbinary", round)
		ended(t, d, "sbsessions", round)
		for _, queue := range []string{"binary", "sessions"} {
			eventually(t, "an empty queue", func() bool { c := counts(t, b, queue); return c.Active+c.Locked == 0 })
		}
		b.DropConnections()
	}
}

func TestStopAbandonsWhatSucceedsMeanwhile(t *testing.T) {
	b := newBroker(t)
	free := filepath.Join(t.TempDir(), "free")
	send(t, b, "binary", servicebus.Message{MessageID: "m", Body: []byte("do:wait " + free)})
	a := newApp(t, busHost, "sbbinary")
	d := a.start(a.options("Bus", b.ConnectionString()))
	a.await(1, calls("/sbbinary"))
	stopped := make(chan error)
	go func() { stopped <- d.Stop() }()
	<-d.listening.Done()
	write(t, free, "")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if v := ended(t, d, "sbbinary", 1); v.Outcome != Succeeded {
		t.Errorf("got %+v", v)
	}
	if left, err := b.Peek("binary"); err != nil || len(left) != 1 || left[0].DeliveryCount != 1 {
		t.Errorf("the message must wait for the next host, delivered once: %+v, %v", left, err)
	}
}
