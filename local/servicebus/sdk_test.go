package servicebus_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/dime-scheduler/connectors/local/servicebus"
)

func TestSendReceiveComplete(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", &azservicebus.Message{Body: []byte("hello"), MessageID: new("m1"), Subject: new("s"), ContentType: new("application/json"),
		CorrelationID: new("c"), ApplicationProperties: map[string]any{"n": int64(7), "flag": true, "text": "é"}})
	r := w.receiver("Q", nil) // names know no case
	m := w.one(r)
	if string(m.Body) != "hello" || m.MessageID != "m1" || *m.Subject != "s" || *m.ContentType != "application/json" || *m.CorrelationID != "c" {
		t.Errorf("received %+v", m)
	}
	if m.ApplicationProperties["n"] != int64(7) || m.ApplicationProperties["flag"] != true || m.ApplicationProperties["text"] != "é" {
		t.Errorf("application properties %v", m.ApplicationProperties)
	}
	if m.DeliveryCount != 1 || *m.SequenceNumber != 1 || m.EnqueuedTime == nil || m.LockedUntil.Before(time.Now().Add(50*time.Second)) {
		t.Errorf("delivery %d, sequence %d, enqueued %v, locked until %v", m.DeliveryCount, *m.SequenceNumber, m.EnqueuedTime, m.LockedUntil)
	}
	w.counts("q", servicebus.Counts{Active: 1, Locked: 1})
	w.must(r.CompleteMessage(w.ctx, m, nil))
	w.counts("q", servicebus.Counts{})
}

func TestSessions(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q", RequiresSession: true})
	w.send("q", text("a1", "a"), text("b1", "b"), text("a2", "a"))
	s, err := w.client.AcceptNextSessionForQueue(w.ctx, "q", nil)
	w.must(err)
	if s.SessionID() != "a" {
		t.Fatalf("next session is %q, want that of the oldest message", s.SessionID())
	}
	for _, want := range []string{"a1", "a2"} {
		m := w.one(s)
		if string(m.Body) != want {
			t.Fatalf("received %q, want %q", m.Body, want)
		}
		w.must(s.CompleteMessage(w.ctx, m, nil))
	}
	w.must(s.Close(w.ctx))
	b, err := w.client.AcceptSessionForQueue(w.ctx, "q", "b", nil)
	w.must(err)
	w.must(b.CompleteMessage(w.ctx, w.one(b), nil))
	w.must(b.Close(w.ctx))
	w.counts("q", servicebus.Counts{})
}

func TestSchedule(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	s := w.sender("q")
	numbers, err := s.ScheduleMessages(w.ctx, []*azservicebus.Message{text("far", ""), text("far2", "")}, time.Now().Add(time.Hour), nil)
	w.must(err)
	w.counts("q", servicebus.Counts{Scheduled: 2})
	w.must(s.CancelScheduledMessages(w.ctx, numbers, nil))
	w.counts("q", servicebus.Counts{})
	_, err = s.ScheduleMessages(w.ctx, []*azservicebus.Message{text("near", "")}, time.Now().Add(50*time.Millisecond), nil)
	w.must(err)
	later := text("property", "")
	later.ScheduledEnqueueTime = new(time.Now().Add(60 * time.Millisecond))
	w.must(s.SendMessage(w.ctx, later, nil))
	r := w.receiver("q", nil)
	for _, want := range []string{"near", "property"} {
		if m := w.one(r); string(m.Body) != want {
			t.Errorf("received %q, want %q", m.Body, want)
		} else {
			w.must(r.CompleteMessage(w.ctx, m, nil))
		}
	}
}

func TestLargeMessage(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	s, r := w.sender("q"), w.receiver("q", nil)
	big := bytes.Repeat([]byte("x"), servicebus.MaxMessageSize-200)
	w.must(s.SendMessage(w.ctx, &azservicebus.Message{Body: big}, nil))
	m := w.one(r)
	if !bytes.Equal(m.Body, big) {
		t.Errorf("received %d bytes, want %d", len(m.Body), len(big))
	}
	w.must(r.CompleteMessage(w.ctx, m, nil))
	err := s.SendMessage(w.ctx, &azservicebus.Message{Body: append(big, big...)}, nil)
	if err != azservicebus.ErrMessageTooLarge {
		t.Errorf("sending too much: %v, want ErrMessageTooLarge", err)
	}
}

func TestBatch(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q", RequiresSession: true})
	s := w.sender("q")
	batch, err := s.NewMessageBatch(w.ctx, nil)
	w.must(err)
	for _, id := range []string{"1", "2", "3"} {
		w.must(batch.AddMessage(text(id, "a"), nil))
	}
	w.must(s.SendMessageBatch(w.ctx, batch, nil))
	got, err := w.Peek("q")
	w.must(err)
	if len(got) != 3 || got[2].MessageID != "3" || got[2].SessionID != "a" || string(got[2].Body) != "3" {
		t.Errorf("stored %+v", got)
	}
	big := &azservicebus.Message{Body: make([]byte, servicebus.MaxMessageSize)}
	if err := batch.AddMessage(big, nil); err != azservicebus.ErrMessageTooLarge {
		t.Errorf("adding too much: %v", err)
	}
}

func TestDuplicateDetection(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q", DuplicateDetection: time.Minute})
	w.send("q", text("1", ""), text("1", ""), text("2", ""))
	w.counts("q", servicebus.Counts{Active: 2})
}

func TestReceiveAndDelete(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", text("1", ""))
	r := w.receiver("q", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if m := w.one(r); string(m.Body) != "1" {
		t.Errorf("received %q", m.Body)
	}
	w.counts("q", servicebus.Counts{})
}

func TestAbandonToTheDeadLetters(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q", MaxDeliveryCount: 3})
	w.send("q", text("1", ""))
	r := w.receiver("q", nil)
	for try := uint32(1); try <= 3; try++ {
		m := w.one(r)
		if m.DeliveryCount != try {
			t.Errorf("delivery %d has count %d", try, m.DeliveryCount)
		}
		w.must(r.AbandonMessage(w.ctx, m, &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"tried": int32(try)}}))
	}
	dead := w.receiver("q", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	m := w.one(dead)
	if *m.DeadLetterReason != "MaxDeliveryCountExceeded" || m.ApplicationProperties["tried"] != int32(3) {
		t.Errorf("reason %q, properties %v", *m.DeadLetterReason, m.ApplicationProperties)
	}
	w.must(dead.CompleteMessage(w.ctx, m, nil))
	w.counts("q", servicebus.Counts{})
}

func TestDeadLetter(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", text("link", ""), text("management", ""))
	r := w.receiver("q", nil)
	o := &azservicebus.DeadLetterOptions{Reason: new("bad"), ErrorDescription: new("very"), PropertiesToModify: map[string]any{"k": "v"}}
	w.must(r.DeadLetterMessage(w.ctx, w.one(r), o))
	// A message with nothing but its token is settled on $management.
	w.must(r.DeadLetterMessage(w.ctx, &azservicebus.ReceivedMessage{LockToken: w.one(r).LockToken}, o))
	dead := w.receiver("q", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	for range 2 {
		m := w.one(dead)
		if *m.DeadLetterReason != "bad" || *m.DeadLetterErrorDescription != "very" || m.ApplicationProperties["k"] != "v" {
			t.Errorf("%s: %v", m.Body, m.ApplicationProperties)
		}
		w.must(dead.CompleteMessage(w.ctx, m, nil))
	}
}

func TestSettleByTokenAlone(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", text("1", ""), text("2", ""))
	r := w.receiver("q", nil)
	w.must(r.CompleteMessage(w.ctx, &azservicebus.ReceivedMessage{LockToken: w.one(r).LockToken}, nil))
	w.must(r.AbandonMessage(w.ctx, &azservicebus.ReceivedMessage{LockToken: w.one(r).LockToken}, nil))
	if m := w.one(r); string(m.Body) != "2" || m.DeliveryCount != 2 {
		t.Errorf("received %q, delivery %d", m.Body, m.DeliveryCount)
	}
}

func TestDefer(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", text("1", ""))
	r := w.receiver("q", nil)
	m := w.one(r)
	w.must(r.DeferMessage(w.ctx, m, &azservicebus.DeferMessageOptions{PropertiesToModify: map[string]any{"why": "later"}}))
	w.counts("q", servicebus.Counts{Deferred: 1})
	got, err := r.ReceiveDeferredMessages(w.ctx, []int64{*m.SequenceNumber}, nil)
	w.must(err)
	if len(got) != 1 || got[0].ApplicationProperties["why"] != "later" || got[0].State != azservicebus.MessageStateDeferred {
		t.Fatalf("received %+v", got)
	}
	w.must(r.CompleteMessage(w.ctx, got[0], nil))
	w.counts("q", servicebus.Counts{})
	if _, err := r.ReceiveDeferredMessages(w.ctx, []int64{99}, nil); code(err) != azservicebus.CodeNotFound {
		t.Errorf("receiving what is not there: %v", err)
	}
}

func TestPeek(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", text("1", ""), text("2", ""), text("3", ""))
	later := text("4", "")
	later.ScheduledEnqueueTime = new(time.Now().Add(time.Hour))
	w.send("q", later)
	r := w.receiver("q", nil)
	w.one(r) // locked, and still seen
	var bodies []string
	for {
		got, err := r.PeekMessages(w.ctx, 3, nil)
		w.must(err)
		if len(got) == 0 {
			break
		}
		for _, m := range got {
			bodies = append(bodies, string(m.Body))
			if scheduled := m.State == azservicebus.MessageStateScheduled; scheduled != (string(m.Body) == "4") {
				t.Errorf("state of %s: %v", m.Body, m.State)
			}
		}
	}
	if !slices.Equal(bodies, []string{"1", "2", "3", "4"}) {
		t.Errorf("peeked %v", bodies)
	}
}

// The answer of $management is a message too: what does not fit comes next time.
func TestPeekLarge(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	for range 3 {
		w.send("q", &azservicebus.Message{Body: make([]byte, 200<<10)})
	}
	r := w.receiver("q", nil)
	for range 3 {
		got, err := r.PeekMessages(w.ctx, 10, nil)
		w.must(err)
		if len(got) != 1 || len(got[0].Body) != 200<<10 {
			t.Fatalf("peeked %d messages", len(got))
		}
	}
}

func TestTimeToLive(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q", DeadLetterOnExpiry: true})
	m := text("1", "")
	m.TimeToLive = new(50 * time.Millisecond)
	w.send("q", m)
	w.counts("q", servicebus.Counts{DeadLetter: 1})
	dead := w.one(w.receiver("q", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}))
	if *dead.DeadLetterReason != "TTLExpiredException" {
		t.Errorf("reason %q", *dead.DeadLetterReason)
	}
}

func TestLocks(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	w.send("q", text("1", ""))
	r := w.receiver("q", nil)
	m := w.one(r)
	before := *m.LockedUntil
	time.Sleep(5 * time.Millisecond) // a lock's end is told in milliseconds
	w.must(r.RenewMessageLock(w.ctx, m, nil))
	if !m.LockedUntil.After(before) {
		t.Errorf("locked until %v, before %v", m.LockedUntil, before)
	}
	if n, err := w.ExpireLocks("q"); n != 1 || err != nil {
		t.Fatalf("%d locks expired, %v", n, err)
	}
	if err := r.CompleteMessage(w.ctx, m, nil); code(err) != azservicebus.CodeLockLost {
		t.Errorf("completing after the lock expired: %v", err)
	}
	if err := r.RenewMessageLock(w.ctx, m, nil); code(err) != azservicebus.CodeLockLost {
		t.Errorf("renewing after the lock expired: %v", err)
	}
	if m = w.one(r); m.DeliveryCount != 2 {
		t.Errorf("delivery %d", m.DeliveryCount)
	}
}

func TestLockExpiresByItself(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q", LockDuration: 50 * time.Millisecond})
	w.send("q", text("1", ""))
	r := w.receiver("q", nil)
	w.one(r)
	if m := w.one(r); m.DeliveryCount < 2 {
		t.Errorf("delivery %d", m.DeliveryCount)
	}
}

func TestMissingQueue(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	err := w.sender("none").SendMessage(w.ctx, text("1", ""), nil)
	var aerr *amqp.Error
	if !errors.As(err, &aerr) || aerr.Condition != amqp.ErrCondNotFound {
		t.Errorf("sending: %v", err)
	}
	if _, err := w.receiver("none", nil).ReceiveMessages(w.ctx, 1, nil); !errors.As(err, &aerr) || aerr.Condition != amqp.ErrCondNotFound {
		t.Errorf("receiving: %v", err)
	}
}

// The production way: a token credential (JSON Web Token) over TLS.
func TestTokenCredentialOverTLS(t *testing.T) {
	w := newWorld(t, servicebus.Queue{Name: "q"})
	front := httptest.NewTLSServer(nil) // for its certificate
	defer front.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", front.TLS)
	w.must(err)
	defer listener.Close()
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", w.Addr())
			if err != nil {
				in.Close()
				return
			}
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	client, err := azservicebus.NewClient("example.com", credential{}, &azservicebus.ClientOptions{
		CustomEndpoint: listener.Addr().String(), TLSConfig: &tls.Config{RootCAs: roots}})
	w.must(err)
	defer client.Close(w.ctx)
	s, err := client.NewSender("q", nil)
	w.must(err)
	w.must(s.SendMessage(w.ctx, text("1", ""), nil))
	w.counts("q", servicebus.Counts{Active: 1})
}

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return azcore.AccessToken{Token: part(`{"alg":"none"}`) + "." + part(`{"aud":"sb"}`) + ".sig", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func code(err error) azservicebus.Code {
	var e *azservicebus.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
