package servicebus_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

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
