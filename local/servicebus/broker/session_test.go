package broker

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

func sessions(name string) Config {
	return Config{Name: name, RequiresSession: true, LockDuration: time.Minute, MaxDeliveryCount: 2}
}

func (s *stage) accept(session string, credit uint32) (*Receiver, *inbox) {
	s.t.Helper()
	in := &inbox{}
	r, err := s.queue("q").AcceptSession(session, PeekLock, in)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Credit(0, credit, false)
	return r, in
}

func (s *stage) acceptNext() (*Receiver, *inbox) {
	s.t.Helper()
	in := &inbox{}
	r, err := s.queue("q").AcceptNext(time.Minute, PeekLock, in)
	if err != nil {
		s.t.Fatal(err)
	}
	return r, in
}

func TestNextSessionIsThatOfTheOldestMessage(t *testing.T) {
	s := newStage(t, sessions("q"))
	s.send("q", inSession("1", "b"), inSession("2", "a"), inSession("3", "b"))
	first, in1 := s.acceptNext()
	_, in2 := s.acceptNext()
	_, in3 := s.acceptNext()
	if in1.session != "b" || in2.session != "a" || in3.session != "" {
		t.Errorf("sessions %q, %q, %q", in1.session, in2.session, in3.session)
	}
	if !in1.until.Equal(s.now.Add(time.Minute)) {
		t.Errorf("locked until %v", in1.until)
	}
	first.Close()
	if in3.session != "b" {
		t.Errorf("who waits got %q when b became free", in3.session)
	}
}

func TestWaitingForASessionEnds(t *testing.T) {
	s := newStage(t, sessions("q"))
	_, late := s.acceptNext()
	s.advance(30 * time.Second)
	_, in := s.acceptNext()
	s.advance(30 * time.Second)
	if late.lost == nil || late.lost.Condition != amqp.CondTimeout {
		t.Errorf("after the wait: %v", late.lost)
	}
	s.send("q", inSession("1", "")) // an empty id is a session too
	if in.session != "" || in.until.IsZero() {
		t.Errorf("who waits got %q until %v", in.session, in.until)
	}
}

func TestSessionIsExclusive(t *testing.T) {
	s := newStage(t, sessions("q"), Config{Name: "plain"})
	s.accept("a", 1)
	_, err := s.queue("q").AcceptSession("a", PeekLock, &inbox{})
	if err == nil || err.Condition != amqp.CondSessionCannotBeLocked {
		t.Errorf("accepting a locked session: %v", err)
	}
	if _, err := s.queue("q").Receive(PeekLock, &inbox{}); err == nil {
		t.Error("a receiver without session on a queue with sessions")
	}
	if _, err := s.queue("plain").AcceptSession("a", PeekLock, &inbox{}); err == nil {
		t.Error("a session on a queue without")
	}
	if err := s.queue("q").Send(msg("1")); err == nil || err.Condition != amqp.CondNotAllowed {
		t.Errorf("a message without session: %v", err)
	}
	// A batch is stored as a whole, or not at all.
	if err := s.queue("q").Send(inSession("1", "a"), msg("2")); err == nil {
		t.Error("a batch with a message without session")
	}
	s.want("q", Counts{})
}

func TestSessionKeepsItsOrder(t *testing.T) {
	s := newStage(t, sessions("q"))
	s.send("q", inSession("1", "a"), inSession("2", "b"), inSession("3", "a"))
	r, in := s.accept("a", 1)
	s.settle("q", in.last(), Outcome{Settlement: Abandon})
	r.Credit(1, 1, false)
	s.settle("q", in.last(), Outcome{Settlement: Complete})
	r.Credit(2, 5, false)
	equal(t, "received", in.ids(), []string{"1", "1", "3"})
}

// A receiver that goes away frees its session at once, and nothing counts.
func TestClosedSessionIsFreeAtOnce(t *testing.T) {
	s := newStage(t, sessions("q"))
	s.send("q", inSession("1", "a"), inSession("2", "a"), inSession("3", "a"))
	r, in := s.accept("a", 2)
	_, next := s.acceptNext()
	r.Close()
	if next.session != "a" {
		t.Fatalf("who waits got %q", next.session)
	}
	if err := s.queue("q").Settle(in.got[0].Token, Outcome{Settlement: Complete}); err == nil || err.Condition != amqp.CondSessionLockLost {
		t.Errorf("completing after the session was given up: %v", err)
	}
	for _, m := range s.queue("q").Peek(0, 10, nil) {
		if m.Header.DeliveryCount != 0 || m.Locked {
			t.Errorf("message %d: count %d, locked %v", m.SequenceNumber, m.Header.DeliveryCount, m.Locked)
		}
	}
}

// A session's lock that expires counts for what was locked, and only that.
func TestLostSessionCounts(t *testing.T) {
	s := newStage(t, sessions("q"))
	s.send("q", inSession("1", "a"), inSession("2", "a"), inSession("3", "a"))
	for round := range 2 {
		r, in := s.accept("a", 2)
		if round == 0 {
			equal(t, "received", in.ids(), []string{"1", "2"})
		}
		s.advance(30 * time.Second)
		if until, err := r.RenewSession(); err != nil || !until.Equal(s.now.Add(time.Minute)) {
			t.Fatalf("renewed until %v, %v", until, err)
		}
		s.advance(59 * time.Second)
		if in.lost != nil {
			t.Fatal("lost in spite of the renewal")
		}
		s.advance(time.Second)
		if in.lost == nil || in.lost.Condition != amqp.CondSessionLockLost {
			t.Fatalf("after the lock expired: %v", in.lost)
		}
		if _, err := r.RenewSession(); err == nil {
			t.Error("renewed what was lost")
		}
		r.Close() // as the link does; must not free what is not its own
	}
	s.want("q", Counts{Active: 1, DeadLetter: 2}) // at the second time, MaxDeliveryCount
	if m := s.queue("q").Peek(0, 1, nil)[0]; MessageID(m.Message) != "3" || m.Header.DeliveryCount != 0 {
		t.Errorf("left: %q with count %d", MessageID(m.Message), m.Header.DeliveryCount)
	}
}

// The one that waits gets the first message, however many come back.
func TestLostSessionStartsAtItsFirstMessage(t *testing.T) {
	s := newStage(t, sessions("q"))
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		s.send("q", inSession(id, "a"))
	}
	s.accept("a", 5)
	next, in := s.acceptNext()
	next.Credit(0, 5, false)
	if !s.queue("q").ExpireSession("a") {
		t.Fatal("nobody had it")
	}
	equal(t, "received after the loss", in.ids(), []string{"1", "2", "3", "4", "5"})
	if s.queue("q").ExpireSession("none") {
		t.Error("lost a session that nobody has")
	}
}

func TestSessionState(t *testing.T) {
	s := newStage(t, sessions("q"))
	q := s.queue("q")
	r, _ := s.accept("a", 1)
	state := []byte("one")
	if err := r.SetSessionState(state); err != nil {
		t.Fatal(err)
	}
	state[0] = 'X'
	r.Close()
	if got := q.SessionState("a"); string(got) != "one" {
		t.Errorf("state %q", got)
	}
	if err := r.SetSessionState(nil); err == nil || err.Condition != amqp.CondSessionLockLost {
		t.Errorf("setting without the lock: %v", err)
	}
	s.send("q", inSession("1", "b"))
	equal(t, "sessions", q.Sessions(nil), []string{"a", "b"})
	before := s.now.Add(-time.Second)
	equal(t, "sessions whose state changed", q.Sessions(&before), []string{"a"})
	equal(t, "and since now", q.Sessions(&s.now), []string{})
	r, _ = s.accept("a", 1)
	if err := r.SetSessionState(nil); err != nil {
		t.Fatal(err)
	}
	r.Close()
	equal(t, "sessions after the state was removed", q.Sessions(nil), []string{"b"})
}

func TestDeferredInASession(t *testing.T) {
	s := newStage(t, sessions("q"))
	s.send("q", inSession("1", "a"))
	r, in := s.accept("a", 1)
	s.settle("q", in.last(), Outcome{Settlement: Defer})
	if _, err := s.queue("q").ReceiveDeferred(PeekLock, 1); err != nil {
		t.Fatal(err)
	}
	r.Close()
	s.want("q", Counts{Deferred: 1})
	if _, err := s.queue("q").ReceiveDeferred(PeekLock, 1); err == nil || err.Condition != amqp.CondSessionLockLost {
		t.Errorf("receiving without the session's lock: %v", err)
	}
}

func TestLocksOfASessionAreItsOwn(t *testing.T) {
	s := newStage(t, sessions("q"))
	s.send("q", inSession("1", "a"))
	_, in := s.accept("a", 1)
	if _, err := s.queue("q").Renew(in.last().Token); err == nil {
		t.Error("renewed a message of a session")
	}
	if n := s.queue("q").ExpireLocks(); n != 0 {
		t.Errorf("%d locks expired", n)
	}
}
