package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
)

const dead = servicebus.DeadLetterSuffix

func returnAll(context.Context, bus.DeadLetter) (bus.Verdict, error) { return bus.Return, nil }

// TestRule_R5_DeadLettersReturnWithTheirFirstSequenceNumber follows one message
// through all its deaths: what returns must not outrank newer drags, and a
// message that kills its worker must not come back for ever.
func TestRule_R5_DeadLettersReturnWithTheirFirstSequenceNumber(t *testing.T) {
	t.Parallel()
	// A queue without duplicate detection, so that the test can send each copy at once.
	const queue = "forgetful"
	broker, sender := newBus(t, func(o *bus.Options) { o.Appointments = queue })
	// Somebody else's sender, with a property that we do not know.
	if err := broker.Send(queue, servicebus.Message{MessageID: "m", ContentType: "application/json", Body: []byte(`{"a":1}`),
		ApplicationProperties: map[string]any{bus.PropertyChangeType: "Update", "theirs": "kept"}}); err != nil {
		t.Fatal(err)
	}
	first := peek(t, broker, queue)[0].SequenceNumber

	for n, pause := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute} {
		bury(t, broker, queue, 1)
		began := time.Now()
		done, err := sender.DeadLetters().ReturnAppointments(t.Context(), func(_ context.Context, d bus.DeadLetter) (bus.Verdict, error) {
			want := bus.Change{MessageID: "m", Operation: appointment.Update, Body: []byte(`{"a":1}`), First: first, Redriven: n}
			if diff := cmp.Diff(want, d.Change); diff != "" || d.Alarm || d.Reason != "MaxDeliveryCountExceeded" || d.Description != "five times" || d.Enqueued.IsZero() {
				t.Errorf("death %d: %+v -want +got\n%s", n+1, d, diff)
			}
			return bus.Return, nil
		})
		if err != nil || done != (bus.Returned{Returned: 1}) {
			t.Fatalf("death %d: %+v, %v", n+1, done, err)
		}
		if left := peek(t, broker, queue+dead); len(left) != 0 {
			t.Fatalf("death %d: the original is still there", n+1)
		}
		m := peek(t, broker, queue)[0]
		enqueued, _ := m.ApplicationProperties[bus.PropertyFirstEnqueued].(string)
		if at, err := time.Parse(time.RFC3339Nano, enqueued); err != nil || at.Before(began.Add(-time.Minute)) || at.After(time.Now()) {
			t.Errorf("death %d: first enqueued %q, want when the first delivery was", n+1, enqueued)
		}
		delete(m.ApplicationProperties, bus.PropertyFirstEnqueued)
		want := map[string]any{bus.PropertyChangeType: "Update", "theirs": "kept", bus.PropertyFirst: first, bus.PropertyRedriven: int64(n + 1)}
		if d := cmp.Diff(want, m.ApplicationProperties); d != "" || m.MessageID != fmt.Sprintf("m#%d", n+1) || string(m.Body) != `{"a":1}` {
			t.Errorf("death %d: %+v -want +got\n%s", n+1, m, d)
		}
		if m.State != servicebus.Scheduled || m.ScheduledEnqueueTime.Before(began.Add(pause-time.Second)) || m.ScheduledEnqueueTime.After(time.Now().Add(pause+time.Second)) {
			t.Errorf("death %d: comes at %v, want a pause of %v", n+1, m.ScheduledEnqueueTime, pause)
		}
		// Now, instead of later; the broker's clock is the real one.
		m.ScheduledEnqueueTime = time.Time{}
		if _, err := broker.Purge(queue); err != nil {
			t.Fatal(err)
		}
		if err := broker.Send(queue, m); err != nil {
			t.Fatal(err)
		}
	}

	bury(t, broker, queue, 1)
	var alarms int
	verdict := bus.Return // not obeyed any more
	decide := func(_ context.Context, d bus.DeadLetter) (bus.Verdict, error) {
		if d.Alarm && d.Change.MessageID == "m" && d.Change.Redriven == 3 {
			alarms++
		}
		return verdict, nil
	}
	if done, err := sender.DeadLetters().ReturnAppointments(t.Context(), decide); err != nil || done != (bus.Returned{Left: 1}) || alarms != 1 {
		t.Errorf("alarm: %+v, %v, %d alarms", done, err, alarms)
	}
	verdict = bus.Again // what it waited for has passed only now
	if done, err := sender.DeadLetters().ReturnAppointments(t.Context(), decide); err != nil || done != (bus.Returned{Returned: 1}) {
		t.Errorf("again: %+v, %v", done, err)
	}
	again := peek(t, broker, queue)
	if len(again) != 1 || again[0].MessageID != "m#4" {
		t.Fatalf("came again as %+v", again)
	}
	again[0].ScheduledEnqueueTime = time.Time{}
	if _, err := broker.Purge(queue); err != nil {
		t.Fatal(err)
	}
	if err := broker.Send(queue, again[0]); err != nil {
		t.Fatal(err)
	}
	bury(t, broker, queue, 1)
	verdict = bus.Done // parked
	if done, err := sender.DeadLetters().ReturnAppointments(t.Context(), decide); err != nil || done != (bus.Returned{Done: 1}) {
		t.Errorf("parked: %+v, %v", done, err)
	}
	if n := len(peek(t, broker, queue)) + len(peek(t, broker, queue+dead)); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

func TestNoDeadLetters(t *testing.T) {
	t.Parallel()
	broker, sender := newBus(t, nil)
	for range 2 {
		done, err := sender.DeadLetters().ReturnAppointments(t.Context(), returnAll)
		if err != nil || done != (bus.Returned{}) {
			t.Errorf("got %+v, %v", done, err)
		}
		broker.DropConnections() // while nobody looks: the next look must not notice
	}
}

func TestManyDeadLettersAreEachLookedAtOnce(t *testing.T) {
	t.Parallel()
	broker, sender := newBus(t, nil)
	const n = 50
	changes := make([]bus.Change, n)
	for i := range changes {
		changes[i] = bus.Change{MessageID: fmt.Sprint(i), Operation: appointment.Update, Body: []byte(`{}`)}
	}
	if err := sender.Send(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	bury(t, broker, "appointments", n)
	seen := map[string]int{}
	done, err := sender.DeadLetters().ReturnAppointments(t.Context(), func(_ context.Context, d bus.DeadLetter) (bus.Verdict, error) {
		seen[d.Change.MessageID]++
		if len(seen)%2 == 0 {
			return bus.Leave, nil
		}
		return bus.Return, nil
	})
	if err != nil || done != (bus.Returned{Returned: n / 2, Left: n / 2}) || len(seen) != n {
		t.Errorf("got %+v, %v, %d seen", done, err, len(seen))
	}
	// Those that were left have been given back, not only locked.
	done, err = sender.DeadLetters().ReturnAppointments(t.Context(), returnAll)
	if err != nil || done.Returned != n/2 {
		t.Errorf("second look: %+v, %v", done, err)
	}
}

func TestErrorOfDecideLosesNothing(t *testing.T) {
	t.Parallel()
	broker, sender := newBus(t, nil)
	if err := sender.Send(t.Context(), bus.Change{MessageID: "m", Operation: appointment.Update, Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	bury(t, broker, "appointments", 1)
	down := errors.New("store is down")
	if _, err := sender.DeadLetters().ReturnAppointments(t.Context(), func(context.Context, bus.DeadLetter) (bus.Verdict, error) { return bus.Done, down }); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	if done, err := sender.DeadLetters().ReturnAppointments(t.Context(), returnAll); err != nil || done.Returned != 1 {
		t.Errorf("got %+v, %v", done, err)
	}
}

// TestLostCompletionMakesNoSecondCopy: the copy is sent first, so a crash or a
// lost completion sends it again; the queue knows its id.
func TestLostCompletionMakesNoSecondCopy(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]servicebus.Fault{
		"completion lost": {Kind: servicebus.OpSettle, Redeliver: true, Times: 1},
		"connection cut":  {Kind: servicebus.OpSettle, Cut: true, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker, sender := newBus(t, nil)
			if err := sender.Send(t.Context(), bus.Change{MessageID: "m", Operation: appointment.Update, Body: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
			bury(t, broker, "appointments", 1)
			broker.Inject(f)
			// The round may fail; the next one finds the rest.
			_, first := sender.DeadLetters().ReturnAppointments(t.Context(), returnAll)
			_, second := sender.DeadLetters().ReturnAppointments(t.Context(), returnAll)
			if first != nil && second != nil {
				t.Errorf("got %v, then %v", first, second)
			}
			if _, err := broker.ExpireLocks("appointments" + dead); err != nil {
				t.Fatal(err)
			}
			if _, err := sender.DeadLetters().ReturnAppointments(t.Context(), returnAll); err != nil {
				t.Errorf("got %v", err)
			}
			if copies, originals := len(peek(t, broker, "appointments")), len(peek(t, broker, "appointments"+dead)); copies != 1 || originals != 0 {
				t.Errorf("%d copies and %d originals, want 1 and 0", copies, originals)
			}
		})
	}
}

func TestDiscardNudges(t *testing.T) {
	t.Parallel()
	broker, sender := newBus(t, nil)
	if err := sender.Nudge(t.Context(), nudges(30)...); err != nil {
		t.Fatal(err)
	}
	bury(t, broker, "mailboxes", 30)
	if n, err := sender.DeadLetters().DiscardNudges(t.Context()); err != nil || n != 30 {
		t.Errorf("got %d, %v", n, err)
	}
	if n := len(peek(t, broker, "mailboxes"+dead)); n != 0 {
		t.Errorf("%d are left", n)
	}

	broker, sender = newBus(t, func(o *bus.Options) { o.Backoffice = "nowhere" })
	if err := sender.Nudge(t.Context(), nudges(1)...); err != nil {
		t.Fatal(err)
	}
	bury(t, broker, "mailboxes", 1)
	if n, err := sender.DeadLetters().DiscardNudges(t.Context()); err == nil || n != 1 {
		t.Errorf("with a missing queue: %d, %v", n, err)
	}
}
