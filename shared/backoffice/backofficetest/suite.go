package backofficetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// patience bounds a call whose connector has a timeout of about a second, on a
// machine that may be slow.
const patience = 60 * time.Second

// suite is one case.
type suite struct {
	*testing.T
	h Harness
}

// fail arms a fault, or skips the case for the reason that the harness gives.
func (s *suite) fail(f Fault, n int) {
	s.Helper()
	if why, lacks := s.h.Lacks[f]; lacks {
		s.Skipf("the simulator can not make %q: %s", f, why)
	}
	s.h.Fail(f, n)
}

func (s *suite) deliver(d backoffice.Delivery) (backoffice.Receipt, error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	r, err := s.h.Connector.Deliver(ctx, d)
	s.clean(err, d)
	return r, err
}

func (s *suite) mustDeliver(d backoffice.Delivery) backoffice.Receipt {
	s.Helper()
	r, err := s.deliver(d)
	if err != nil {
		s.Fatalf("deliver %s: %v", d.Operation, err)
	}
	return r
}

func (s *suite) find(d backoffice.Delivery) (backoffice.Receipt, bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	r, found, err := s.h.Connector.Find(ctx, d)
	s.clean(err, d)
	if err != nil {
		s.Fatalf("find: %v", err)
	}
	return r, found
}

// clean holds an error against what no error may hold, and against being classified.
func (s *suite) clean(err error, d backoffice.Delivery) {
	s.Helper()
	if err == nil {
		return
	}
	if _, ok := errors.AsType[*fault.Error](err); !ok {
		s.Errorf("the error is not classified: %v", err)
	}
	s.silent(err.Error())
	for _, field := range []string{"subject", "body"} {
		text := string(d.Appointment.Content["subject"])
		if field == "body" {
			text = string(d.Appointment.Content["body"])
		}
		if len(text) > 3 && strings.Contains(err.Error(), text) {
			s.Errorf("the error holds the appointment's %s", field)
		}
	}
}

func (s *suite) silent(text string) {
	s.Helper()
	for _, secret := range s.h.Secrets {
		if secret != "" && strings.Contains(text, secret) {
			s.Error("a secret stands in: " + strings.ReplaceAll(text, secret, "[SECRET]"))
		}
	}
}

// want compares what stands on the other side.
func (s *suite) want(records ...Record) {
	s.Helper()
	got := slices.Clone(s.h.Received())
	for i := range records {
		if s.h.Keeps != nil {
			records[i] = s.h.Keeps(records[i])
		}
	}
	byKey := func(a, b Record) int {
		return strings.Compare(a.Appointment+string(a.Operation), b.Appointment+string(b.Operation))
	}
	if s.h.Unordered {
		slices.SortStableFunc(got, byKey)
		slices.SortStableFunc(records, byKey)
	}
	if diff := cmp.Diff(records, got, cmpopts.EquateEmpty()); diff != "" {
		s.Errorf("what stands in the back office: want (-), got (+):\n%s", diff)
	}
}

// count is how many deliveries of an appointment stand there.
func (s *suite) count(guid string) int {
	n := 0
	for _, r := range s.h.Received() {
		if r.Appointment == guid {
			n++
		}
	}
	return n
}

// transient holds a failure against what a failure that passes has to say.
func (s *suite) transient(err error, reasons ...fault.Reason) *fault.Error {
	s.Helper()
	if err == nil {
		s.Fatal("no error")
	}
	f := fault.Of(err)
	if f.Kind != fault.Transient || !slices.Contains(reasons, f.Reason) {
		s.Errorf("%v: want transient, one of %v", err, reasons)
	}
	if f.Code == "" {
		s.Errorf("%v: no stable code", err)
	}
	return f
}
