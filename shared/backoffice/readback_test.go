package backoffice_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/backofficetest"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// staging is a back office that accepts first and works later.
type staging struct {
	mu    sync.Mutex
	state backoffice.ProcessingState
	text  string
	looks int
}

func (s *staging) set(state backoffice.ProcessingState, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.text = state, text
}

func (w *world) staging() (*backofficetest.Mem, *staging) {
	w.t.Helper()
	erp := w.connector("erp", func(c *backoffice.Config) { c.ReadStatus = true })
	erp.Has = backoffice.Traits{Finds: true, ReadsStatus: true}
	s := &staging{state: backoffice.Waiting}
	erp.Process = func(backoffice.Receipt) backoffice.Processing {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.looks++
		return backoffice.Processing{State: s.state, Text: s.text}
	}
	return erp, s
}

func (w *world) noticed(want string) {
	w.t.Helper()
	all := ""
	for _, n := range w.notices {
		all += n
	}
	if want == "" && all != "" || !strings.Contains(all, want) {
		w.t.Errorf("the planner is shown %q, want %q", all, want)
	}
}

// A row that was accepted and failed there is found and shown, and cleared once
// somebody has had it processed again over there; nothing is sent for that.
func TestAcceptedAndFailedThere(t *testing.T) {
	w := newWorld(t)
	erp, there := w.staging()
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(10 * time.Minute)
	if l := w.link("erp", sample(1, "")); l.State != store.Agreed || l.Told.State != "waiting" {
		t.Errorf("%s, %+v", l.State, l.Told)
	}
	there.set(backoffice.FailedThere, "Resource R1 has no unit of measure")
	w.settle(time.Hour)
	if l := w.link("erp", sample(1, "")); l.State != store.Failed || l.FailureText != "Resource R1 has no unit of measure" {
		t.Errorf("%s %q", l.State, l.FailureText)
	}
	w.noticed("accepted by ERP erp, and failed there: Resource R1 has no unit of measure")

	there.set(backoffice.Processed, "")
	w.settle(7 * time.Hour)
	if l := w.link("erp", sample(1, "")); l.State != store.Agreed || l.FailureText != "" || l.Told.State != "processed" {
		t.Errorf("%s %+v", l.State, l.Told)
	}
	w.noticed("")
	w.expect("arrived", told(erp), []string{"I A"})
	w.expect("transactions", w.transactions(sample(1, "").Appointment), []string{"erp Create Success", "erp process Failed DSUNK001", "erp process Success"})
	looks := there.looks
	w.settle(24 * time.Hour)
	w.quiet()
	if there.looks != looks {
		t.Errorf("looked %d times more at what is done", there.looks-looks)
	}
}

// The same message is shown once, another one again.
func TestFailedThereIsShownOnce(t *testing.T) {
	w := newWorld(t)
	_, there := w.staging()
	there.set(backoffice.FailedThere, "first")
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(10 * time.Hour)
	w.expect("transactions", w.transactions(sample(1, "").Appointment), []string{"erp Create Success", "erp process Failed DSUNK001"})
	there.set(backoffice.FailedThere, "second")
	w.settle(10 * time.Hour)
	w.noticed("second")
	w.settle(10 * 24 * time.Hour)
	looks := there.looks
	w.settle(10 * 24 * time.Hour)
	if there.looks != looks || looks > 40 {
		t.Errorf("%d looks, and %d more after two weeks", looks, there.looks-looks)
	}
	w.quiet()
}

// A person's retry and a planner's change both send, and end what failed there.
func TestFailedThereEndsWithTheNextDelivery(t *testing.T) {
	for name, act := range map[string]func(*world){
		"retry":  func(w *world) { w.must(w.desk.Retry(w.t.Context(), "ann", "erp", sample(1, "").Appointment)) },
		"change": func(w *world) { w.announce(appointment.Update, sample(1, "B")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			erp, there := w.staging()
			there.set(backoffice.FailedThere, "no unit")
			w.announce(appointment.Create, sample(1, "A"))
			w.settle(time.Hour)
			there.set(backoffice.Processed, "")
			act(w)
			w.settle(time.Hour)
			if l := w.link("erp", sample(1, "")); l.State != store.Agreed || l.Told.State != "processed" {
				t.Errorf("%s %+v", l.State, l.Told)
			}
			if n := len(told(erp)); n != 2 {
				t.Errorf("%d deliveries", n)
			}
			w.noticed("")
			w.quiet()
		})
	}
}

// A row that a person has removed after it failed clears nothing, and is not asked for again.
func TestFailedRowRemoved(t *testing.T) {
	w := newWorld(t)
	_, there := w.staging()
	there.set(backoffice.FailedThere, "no unit")
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(time.Hour)
	there.set(backoffice.NoLongerThere, "")
	w.settle(24 * time.Hour)
	if l := w.link("erp", sample(1, "")); l.State != store.Failed || l.FailureText != "no unit" {
		t.Errorf("%s %q", l.State, l.FailureText)
	}
	w.noticed("no unit")
	w.quiet()
}

// What failed there is no longer the point when the newest can not be delivered:
// its look does not hide the later failure.
func TestLaterFailureIsNotCleared(t *testing.T) {
	w := newWorld(t)
	erp, there := w.staging()
	w.announce(appointment.Create, sample(1, "A"))
	w.settle(10 * time.Minute)
	erp.Before = func(backoffice.Delivery) error { return refusedForGood }
	w.announce(appointment.Update, sample(1, "B"))
	w.deliver()
	there.set(backoffice.Processed, "")
	w.settle(24 * time.Hour)
	l := w.link("erp", sample(1, ""))
	if l.State != store.Failed || !strings.Contains(l.FailureText, "In detail: Job J1 is closed") {
		t.Errorf("%s %q", l.State, l.FailureText)
	}
	w.noticed("not delivered to ERP erp")
	w.quiet()
}

// Killed at any point, it comes to the same.
func TestReadBackSurvivesKills(t *testing.T) {
	for at := 1; at <= 60; at++ {
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			_, there := w.staging()
			there.set(backoffice.FailedThere, "no unit")
			w.announce(appointment.Create, sample(1, "A"))
			w.dieAt, w.diesAfter = at, after
			w.settle(2 * time.Hour)
			w.noticed("no unit")
			there.set(backoffice.Processed, "")
			w.settle(7 * time.Hour)
			w.noticed("")
			w.quiet()
			if t.Failed() {
				t.Fatalf("killed at call %d, after it: %v", at, after)
			}
		}
	}
}

var refusedForGood = &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "test", Code: backoffice.CodeUndiagnosed, Err: backoffice.Said("Job J1 is closed")}
