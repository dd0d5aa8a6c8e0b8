package backoffice_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
)

func sample(n int, subject string) backofficetest.Record {
	r := backofficetest.Sample(n)
	if subject != "" {
		r.Subject = subject
	}
	return r
}

func TestADayOfAnAppointment(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Create, sample(1, "Boiler"))
	w.settle(time.Hour)
	w.announce(appointment.Update, sample(1, "Boiler, moved"))
	w.settle(time.Hour)
	w.announce(appointment.Update, sample(1, "Boiler, moved")) // nothing new but who touched it
	w.settle(time.Hour)
	w.announce(appointment.Delete, sample(1, "Boiler, moved"))
	w.settle(time.Hour)
	w.expect("arrived", told(erp), []string{"I Boiler", "U Boiler, moved", "D Boiler, moved"})
	w.expect("transactions", w.transactions(sample(1, "").Appointment), []string{"erp Create Success", "erp Update Success", "erp Delete Success"})
	w.quiet()
}

// An appointment that the back office knows from before this program, or from
// another, must not come as an insert: that would double it.
func TestWhatTheBoardDidNotCreateNowIsNoInsert(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Update, sample(1, "Old"))
	w.settle(time.Hour)
	w.expect("arrived", told(erp), []string{"U Old"})
}

// TestCrashAtEveryCall plays a few stories again and again and kills the process at
// another of its outgoing calls each time, before and after its effect. The queue
// delivers again, the timer runs, and then the back office shows what the board
// shows, once.
func TestCrashAtEveryCall(t *testing.T) {
	stories := map[string]struct {
		act  func(w *world)
		want []string
	}{
		"create": {func(w *world) { w.announce(appointment.Create, sample(1, "A")) }, []string{"A"}},
		"create, move": {func(w *world) {
			w.announce(appointment.Create, sample(1, "A"))
			w.settle(time.Minute)
			w.announce(appointment.Update, sample(1, "B"))
		}, []string{"B"}},
		"create and move at once": {func(w *world) {
			w.announce(appointment.Create, sample(1, "A"))
			w.announce(appointment.Update, sample(1, "B"))
		}, []string{"B"}},
		"create, delete": {func(w *world) {
			w.announce(appointment.Create, sample(1, "A"))
			w.settle(time.Minute)
			w.announce(appointment.Delete, sample(1, "A"))
		}, nil},
		"two of one job": {func(w *world) {
			w.announce(appointment.Create, sample(1, "A"))
			second := sample(2, "B")
			second.JobNo = sample(1, "").JobNo
			w.announce(appointment.Create, second)
		}, []string{"A", "B"}},
	}
	for name, story := range stories {
		for kind, traits := range map[string]backoffice.Traits{"finds": {Finds: true}, "idempotent": {Idempotent: true}, "neither": {}} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				play := func(t *testing.T, dieAt int, after bool) (*world, *backofficetest.Mem) {
					w := newWorld(t)
					erp := w.connector("erp", nil)
					erp.Has = traits
					w.dieAt, w.diesAfter, w.calls = dieAt, after, 0
					story.act(w)
					w.settle(time.Hour)
					w.redrive()
					return w, erp
				}
				w, _ := play(t, 0, false)
				calls := w.calls
				if calls < 10 {
					t.Fatalf("%d calls only: nothing was played", calls)
				}
				for n := 1; n <= calls; n++ {
					for _, after := range []bool{false, true} {
						w, erp := play(t, n, after)
						w.expect("documents", documents(erp), story.want)
						w.quiet()
						if inserts := inserts(erp); inserts > len(story.want)+1 {
							t.Errorf("%d inserts", inserts)
						}
						if t.Failed() {
							t.Fatalf("it died at call %d of %d, after its effect: %t; arrived: %q", n, calls, after, told(erp))
						}
					}
				}
			})
		}
	}
}

func inserts(m *backofficetest.Mem) int {
	n := 0
	for _, d := range m.Deliveries() {
		if d.Operation == backoffice.Insert {
			n++
		}
	}
	return n
}

// TestTwoWorkersAtOnce lets a second worker break in at every call: a session lock
// can be lost, and the process that lost it runs on.
func TestTwoWorkersAtOnce(t *testing.T) {
	for kind, traits := range map[string]backoffice.Traits{"finds": {Finds: true}, "idempotent": {Idempotent: true}, "neither": {}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			calls := 1
			for n := 0; n <= calls; n++ {
				w := newWorld(t)
				erp := w.connector("erp", nil)
				erp.Has = traits
				w.intrudeAt, w.calls = n, 0
				w.announce(appointment.Create, sample(1, "A"))
				w.settle(time.Minute)
				w.announce(appointment.Update, sample(1, "B"))
				w.settle(time.Hour)
				w.redrive()
				if n == 0 {
					calls = w.calls
				}
				w.expect("documents", documents(erp), []string{"B"})
				w.quiet()
				if t.Failed() {
					t.Fatalf("the second came at call %d of %d; arrived: %q", n, calls, told(erp))
				}
			}
		})
	}
}

// The same messages twice, and in any order, leave the same.
func TestRule_R6_ReorderedAndDoubledMessages(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}, {2, 0, 1}, {1, 2, 0}} {
		w := newWorld(t)
		erp := w.connector("erp", nil)
		said := []appointment.Change{
			w.announce(appointment.Create, sample(1, "A")), w.announce(appointment.Update, sample(1, "B")), w.announce(appointment.Update, sample(1, "C")),
		}
		w.changes = nil
		for _, i := range append(order, order...) {
			w.changes = append(w.changes, said[i])
			w.settle(time.Minute)
		}
		w.redrive()
		w.expect(fmt.Sprint(order), documents(erp), []string{"C"})
		if inserts(erp) > 1 {
			t.Errorf("%v: %q", order, told(erp))
		}
		w.quiet()
	}
}

// Five drags while the back office rests are one delivery.
func TestSupersededUpdatesAreCoalesced(t *testing.T) {
	w := newWorld(t)
	erp := w.connector("erp", nil)
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Minute)
	for i := range 5 {
		w.announce(appointment.Update, sample(1, fmt.Sprint("drag ", i)))
	}
	w.settle(time.Minute)
	w.expect("arrived", told(erp), []string{"I A", "U drag 4"})
}

// A worker that lost its session stands still in the middle of a call while another
// goes on with what is newer, and only then does its call arrive. The back office
// is told the newer state once more.
func TestACallThatArrivesLate(t *testing.T) {
	for _, last := range []appointment.Operation{appointment.Update, appointment.Delete} {
		w := newWorld(t)
		erp := w.connector("erp", nil)
		erp.Has.Finds = true
		w.announce(appointment.Create, sample(1, "A"))
		w.settle(time.Minute)
		late := false
		erp.Before = func(d backoffice.Delivery) error {
			if late {
				return nil
			}
			late = true
			w.announce(last, sample(1, "C"))
			other, router, _ := w.process()
			w.must(router.Route(t.Context(), w.changes[len(w.changes)-1]))
			w.changes = w.changes[:len(w.changes)-1]
			w.must(other.Handle(t.Context(), w.nudges[len(w.nudges)-1]))
			return nil
		}
		w.announce(appointment.Update, sample(1, "B"))
		w.settle(time.Hour)
		w.redrive()
		want := []string{"C"}
		if last == appointment.Delete {
			want = nil
		}
		w.expect(string(last), documents(erp), want)
		w.quiet()
	}
}
