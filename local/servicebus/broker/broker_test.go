package broker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/servicebus/amqp"
)

// stage is a broker with a clock that stands still until it is moved.
type stage struct {
	*Broker
	t      *testing.T
	now    time.Time
	events []Event
}

func newStage(t *testing.T, queues ...Config) *stage {
	s := &stage{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s.Broker = New(Options{Queues: queues, Now: func() time.Time { return s.now }, Observe: func(e Event) { s.events = append(s.events, e) }})
	t.Cleanup(s.Close)
	// The broker's own timer must not run beside the test: the clock is not locked.
	s.mu.Lock()
	s.wake = time.AfterFunc(time.Hour, func() {})
	s.wakeAt = s.now.Add(-time.Hour)
	s.mu.Unlock()
	return s
}

func (s *stage) advance(d time.Duration) {
	s.now = s.now.Add(d)
	s.lock()()
}

func (s *stage) queue(name string) *Queue {
	s.t.Helper()
	q, err := s.Queue(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return q
}

func (s *stage) kinds() (out []EventKind) {
	for _, e := range s.events {
		out = append(out, e.Kind)
	}
	s.events = nil
	return out
}

// inbox is a Sink that keeps what comes.
type inbox struct {
	got     []Delivery
	drained []uint32
	session string
	until   time.Time
	lost    *amqp.Error
}

func (i *inbox) Deliver(d Delivery)                       { i.got = append(i.got, d) }
func (i *inbox) Drained(count uint32)                     { i.drained = append(i.drained, count) }
func (i *inbox) Accepted(session string, until time.Time) { i.session, i.until = session, until }
func (i *inbox) Lost(err *amqp.Error)                     { i.lost = err }

func (i *inbox) ids() (out []string) {
	for _, d := range i.got {
		out = append(out, MessageID(d.Message))
	}
	return out
}

func (i *inbox) last() Delivery { return i.got[len(i.got)-1] }

func msg(id string) *amqp.Message {
	return &amqp.Message{Properties: amqp.Properties{MessageID: id}, Body: []amqp.Section{{Kind: amqp.Data, Value: []byte(id)}}}
}

func inSession(id, session string) *amqp.Message {
	m := msg(id)
	m.Properties.GroupID = &session
	return m
}

func at(m *amqp.Message, t time.Time) *amqp.Message {
	m.Annotations = amqp.Map{{Key: amqp.Symbol(annScheduled), Value: t}}
	return m
}

func living(m *amqp.Message, ttl time.Duration) *amqp.Message {
	m.Header.TTL = &ttl
	return m
}

func (s *stage) send(queue string, messages ...*amqp.Message) {
	s.t.Helper()
	if err := s.queue(queue).Send(messages...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) receive(queue string, credit uint32) (*Receiver, *inbox) {
	s.t.Helper()
	in := &inbox{}
	r, err := s.queue(queue).Receive(PeekLock, in)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Credit(0, credit, false)
	return r, in
}

func (s *stage) settle(queue string, d Delivery, o Outcome) {
	s.t.Helper()
	if err := s.queue(queue).Settle(d.Token, o); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) want(queue string, want Counts) {
	s.t.Helper()
	if got := s.queue(queue).Counts(); got != want {
		s.t.Errorf("counts %+v, want %+v", got, want)
	}
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestCreditIsHonoured(t *testing.T) {
	s := newStage(t, Config{Name: "q"})
	s.send("q", msg("1"), msg("2"), msg("3"))
	r, in := s.receive("q", 2)
	equal(t, "with credit 2", in.ids(), []string{"1", "2"})
	r.Credit(0, 2, false) // an old flow: the receiver had not seen its two yet
	equal(t, "with no more credit", in.ids(), []string{"1", "2"})
	r.Credit(2, 5, true)
	equal(t, "with more, drained", in.ids(), []string{"1", "2", "3"})
	equal(t, "delivery count after the drain", in.drained, []uint32{7})
	s.send("q", msg("4"))
	if len(in.got) != 3 {
		t.Error("delivered on drained credit")
	}
	r.Credit(7, 1, false)
	equal(t, "with new credit", in.ids(), []string{"1", "2", "3", "4"})
}

func TestReceiversTakeTurns(t *testing.T) {
	s := newStage(t, Config{Name: "q"})
	_, a := s.receive("q", 10)
	_, b := s.receive("q", 10)
	for i := range 4 {
		s.send("q", msg(fmt.Sprint(i)))
	}
	equal(t, "a", a.ids(), []string{"0", "2"})
	equal(t, "b", b.ids(), []string{"1", "3"})
}

func TestAbandonedComesFirstAgainAndCounts(t *testing.T) {
	s := newStage(t, Config{Name: "q", MaxDeliveryCount: 3})
	s.send("q", msg("1"), msg("2"))
	r, in := s.receive("q", 1)
	for i := range 3 {
		d := in.last()
		if MessageID(d.Message) != "1" || d.Message.Header.DeliveryCount != uint32(i) {
			t.Fatalf("delivery %d is %q with count %d", i, MessageID(d.Message), d.Message.Header.DeliveryCount)
		}
		s.settle("q", d, Outcome{Settlement: Abandon, Properties: amqp.Map{{Key: "try", Value: int32(i)}}})
		r.Credit(uint32(i+1), 1, false)
	}
	equal(t, "deliveries", in.ids(), []string{"1", "1", "1", "2"})
	dead := s.queue("q"+DeadLetterSuffix).Peek(0, 10, nil)
	if len(dead) != 1 || dead[0].SequenceNumber != 1 || dead[0].Header.DeliveryCount != 3 {
		t.Fatalf("dead letters %+v", dead)
	}
	props := dead[0].ApplicationProperties
	if props.Get("DeadLetterReason") != "MaxDeliveryCountExceeded" || props.Get("try") != int32(2) {
		t.Errorf("properties of the dead letter %v", props)
	}
	s.want("q", Counts{Active: 1, Locked: 1, DeadLetter: 1})
}

func TestReleaseDoesNotCount(t *testing.T) {
	s := newStage(t, Config{Name: "q", MaxDeliveryCount: 1})
	s.send("q", msg("1"))
	_, in := s.receive("q", 2)
	s.settle("q", in.last(), Outcome{Settlement: Release})
	if len(in.got) != 2 || in.last().Message.Header.DeliveryCount != 0 {
		t.Errorf("after a release: %d deliveries, count %d", len(in.got), in.last().Message.Header.DeliveryCount)
	}
}

func TestLockExpires(t *testing.T) {
	s := newStage(t, Config{Name: "q", LockDuration: 30 * time.Second})
	s.send("q", msg("1"))
	r, in := s.receive("q", 1)
	first := in.last()
	s.advance(20 * time.Second)
	until, err := s.queue("q").Renew(first.Token)
	if err != nil || !until[0].Equal(s.now.Add(30*time.Second)) {
		t.Fatalf("renewed until %v, %v", until, err)
	}
	s.advance(29 * time.Second)
	s.want("q", Counts{Active: 1, Locked: 1})
	s.advance(time.Second)
	s.want("q", Counts{Active: 1})
	for _, err := range []*amqp.Error{s.queue("q").Settle(first.Token, Outcome{Settlement: Complete}), second(s.queue("q").Renew(first.Token))} {
		if err == nil || err.Condition != amqp.CondMessageLockLost {
			t.Errorf("after the lock expired: %v", err)
		}
	}
	r.Credit(1, 1, false)
	if d := in.last(); d.Token == first.Token || d.Message.Header.DeliveryCount != 1 {
		t.Errorf("delivered again with count %d", d.Message.Header.DeliveryCount)
	}
}

func second[T any](_ T, err *amqp.Error) *amqp.Error { return err }

// The locks of a receiver without session outlive it; see the package comment.
func TestClosedReceiverKeepsItsLocks(t *testing.T) {
	s := newStage(t, Config{Name: "q"})
	s.send("q", msg("1"), msg("2"))
	r, in := s.receive("q", 1)
	r.Close()
	s.want("q", Counts{Active: 2, Locked: 1})
	if _, other := s.receive("q", 5); len(other.got) != 1 {
		t.Errorf("another receiver got %v", other.ids())
	}
	s.settle("q", in.last(), Outcome{Settlement: Complete}) // by token, on $management
	s.want("q", Counts{Active: 1, Locked: 1})
}

func TestDefer(t *testing.T) {
	s := newStage(t, Config{Name: "q", LockDuration: time.Minute})
	q := s.queue("q")
	s.send("q", msg("1"), msg("2"))
	_, in := s.receive("q", 2)
	s.settle("q", in.got[0], Outcome{Settlement: Defer})
	s.want("q", Counts{Active: 1, Locked: 1, Deferred: 1})
	if _, err := q.ReceiveDeferred(PeekLock, 1, 2); err == nil || err.Condition != amqp.CondMessageNotFound {
		t.Errorf("receiving one that is not deferred: %v", err)
	}
	got, err := q.ReceiveDeferred(PeekLock, 1, 1)
	if err != nil || len(got) != 1 {
		t.Fatalf("received %v, %v", got, err)
	}
	if _, err := q.ReceiveDeferred(PeekLock, 1); err == nil {
		t.Error("received while it is locked")
	}
	s.advance(time.Minute) // the lock expires: it is still deferred
	got, err = q.ReceiveDeferred(PeekLock, 1)
	if err != nil || got[0].Message.Header.DeliveryCount != 1 {
		t.Fatalf("received again %v, %v", got, err)
	}
	s.settle("q", got[0], Outcome{Settlement: Complete})
	s.want("q", Counts{Active: 1})
}

func TestSchedule(t *testing.T) {
	s := newStage(t, Config{Name: "q", LockDuration: 5 * time.Hour})
	q := s.queue("q")
	numbers, err := q.Schedule(at(msg("later"), s.now.Add(time.Hour)), at(msg("never"), s.now.Add(time.Hour)), at(msg("past"), s.now.Add(-time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "numbers", numbers, []int64{1, 2, 3})
	s.want("q", Counts{Active: 1, Scheduled: 2})
	if err := q.Cancel(2, 99); err == nil || err.Condition != amqp.CondMessageNotFound {
		t.Errorf("cancelling one that is not there: %v", err)
	}
	if err := q.Cancel(2, 2); err != nil {
		t.Error(err)
	}
	_, in := s.receive("q", 5)
	s.advance(time.Hour)
	equal(t, "received", in.ids(), []string{"past", "later"})
	if n := in.last().Message.Annotations.Get(annSequenceNumber); n != int64(4) {
		t.Errorf("sequence number of what was scheduled: %v, want a new one", n)
	}
	if err := q.Cancel(1); err == nil {
		t.Error("cancelled what is active")
	}
}

func TestDuplicateDetection(t *testing.T) {
	s := newStage(t, Config{Name: "q", DuplicateDetection: time.Minute}, Config{Name: "off"})
	for range 2 {
		s.send("q", msg("1"), msg(""), msg(""))
		s.send("off", msg("1"))
	}
	s.want("q", Counts{Active: 5}) // messages without id get one of their own
	if m := s.queue("q").Peek(2, 1, nil)[0]; len(MessageID(m.Message)) != 32 {
		t.Errorf("id given: %q", MessageID(m.Message))
	}
	s.want("off", Counts{Active: 2})
	s.advance(59 * time.Second)
	s.send("q", at(msg("1"), s.now.Add(time.Hour)))
	s.want("q", Counts{Active: 5})
	s.advance(time.Second)
	s.send("q", msg("1"))
	s.want("q", Counts{Active: 6})
}

func TestTimeToLive(t *testing.T) {
	s := newStage(t, Config{Name: "gone", DefaultTTL: time.Hour, LockDuration: 2 * time.Minute}, Config{Name: "kept", DeadLetterOnExpiry: true})
	s.send("gone", living(msg("short"), time.Minute), living(msg("long"), 100*time.Hour), msg("default"))
	s.send("kept", living(msg("short"), time.Minute), msg("for ever"))
	s.advance(time.Minute)
	s.want("gone", Counts{Active: 2})
	s.want("kept", Counts{Active: 1, DeadLetter: 1})
	if reason := s.queue("kept"+DeadLetterSuffix).Peek(0, 1, nil)[0].ApplicationProperties.Get("DeadLetterReason"); reason != "TTLExpiredException" {
		t.Errorf("reason %v", reason)
	}
	s.advance(58 * time.Minute)
	_, in := s.receive("gone", 1)
	s.advance(time.Minute) // both are over; the locked one stays until its lock ends
	s.want("gone", Counts{Active: 1, Locked: 1})
	s.settle("gone", in.last(), Outcome{Settlement: Abandon})
	s.want("gone", Counts{})
	if in.last().Message.Header.TTL == nil || *in.last().Message.Header.TTL != time.Hour {
		t.Errorf("time to live %v, want the queue's", in.last().Message.Header.TTL)
	}
}

func TestReceiveAndDelete(t *testing.T) {
	s := newStage(t, Config{Name: "q"})
	s.send("q", msg("1"))
	in := &inbox{}
	r, err := s.queue("q").Receive(ReceiveAndDelete, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Credit(0, 5, false)
	s.want("q", Counts{})
	if in.last().Token != (amqp.UUID{}) {
		t.Error("a lock token without a lock")
	}
}

func TestDeadLetterQueue(t *testing.T) {
	s := newStage(t, Config{Name: "q", RequiresSession: true})
	s.send("q", inSession("1", "a"))
	in := &inbox{}
	r, _ := s.queue("q").AcceptSession("a", PeekLock, in)
	r.Credit(0, 1, false)
	s.settle("q", in.last(), Outcome{Settlement: DeadLetter, Reason: "bad", Description: "very", Properties: amqp.Map{{Key: "k", Value: "v"}}})
	name := "Q/$deadletterqueue"
	_, dead := s.receive(name, 1) // no session needed
	props := dead.last().Message.ApplicationProperties
	if props.Get("DeadLetterReason") != "bad" || props.Get("DeadLetterErrorDescription") != "very" || props.Get("k") != "v" {
		t.Errorf("properties %v", props)
	}
	if err := s.queue(name).Settle(dead.last().Token, Outcome{Settlement: DeadLetter}); err == nil {
		t.Error("dead-lettered a dead letter")
	}
	if err := s.queue(name).Send(msg("2")); err == nil {
		t.Error("sent to the dead letters")
	}
	s.settle(name, dead.last(), Outcome{Settlement: Complete})
	s.want("q", Counts{})
}

func TestEvents(t *testing.T) {
	s := newStage(t, Config{Name: "q", RequiresSession: true, MaxDeliveryCount: 1})
	s.send("q", inSession("1", "a"))
	in := &inbox{}
	r, _ := s.queue("q").AcceptSession("a", PeekLock, in)
	r.Credit(0, 1, false)
	s.settle("q", in.last(), Outcome{Settlement: Abandon})
	r.Close()
	equal(t, "events", s.kinds(), []EventKind{Enqueued, SessionAccepted, Delivered, Abandoned, DeadLettered, SessionReleased})
}

func TestPurge(t *testing.T) {
	s := newStage(t, Config{Name: "q"})
	s.send("q", msg("1"), msg("2"), at(msg("3"), s.now.Add(time.Hour)))
	_, in := s.receive("q", 1)
	if n := s.queue("q").Purge(); n != 3 {
		t.Errorf("purged %d", n)
	}
	s.advance(2 * time.Hour)
	s.want("q", Counts{})
	if err := s.queue("q").Settle(in.last().Token, Outcome{Settlement: Complete}); err == nil {
		t.Error("completed what was purged")
	}
}
