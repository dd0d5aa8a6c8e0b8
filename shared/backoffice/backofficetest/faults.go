package backofficetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func (s *suite) permanent(err error) *fault.Error {
	s.Helper()
	f := fault.Of(err)
	if f.Kind != fault.Permanent || f.Code == "" {
		s.Errorf("%v: want a permanent fault with a stable code", err)
	}
	return f
}

func rateLimited(s *suite) {
	s.fail(RateLimited, 1)
	r := Sample(1)
	_, err := s.deliver(Delivery(r, 1))
	if f := s.transient(err, fault.RateLimit); f.RetryAfter != 7*time.Second || f.Ambiguous {
		s.Errorf("Retry-After %v, ambiguous %v: want 7s and not", f.RetryAfter, f.Ambiguous)
	}
	s.want()
	s.mustDeliver(Delivery(r, 1)) // the connector has no memory of it
	s.want(r)
}

func unavailable(s *suite) {
	s.fail(Unavailable, 1)
	_, err := s.deliver(Delivery(Sample(1), 1))
	if f := s.transient(err, fault.Unavailable); f.RetryAfter != 7*time.Second {
		s.Errorf("Retry-After %v: want 7s", f.RetryAfter)
	}
	s.want()
}

func serverError(s *suite) {
	s.fail(ServerError, 1)
	_, err := s.deliver(Delivery(Sample(1), 1))
	s.transient(err, fault.Unavailable, fault.Other)
	s.want()
}

// lostReply: the delivery stands there, and the worker does not know. Looking has
// to show it; without looking, sending it again must be harmless.
func lostReply(s *suite) {
	s.fail(LostReply, 1)
	r := Sample(1)
	d := Delivery(r, 1)
	_, err := s.deliver(d)
	if f := s.transient(err, fault.Unavailable, fault.Timeout, fault.Other); !f.Ambiguous {
		s.Errorf("%v: it may have happened, and is not ambiguous", err)
	}
	s.want(r)
	s.settled(d, true)
}

func lostRequest(s *suite) {
	s.fail(LostRequest, 1)
	d := Delivery(Sample(1), 1)
	_, err := s.deliver(d)
	if f := s.transient(err, fault.Unavailable, fault.Timeout, fault.Other); !f.Ambiguous {
		s.Errorf("%v: the request left, and it is not ambiguous", err)
	}
	s.want()
	s.settled(d, false)
}

func slowReply(s *suite) {
	s.fail(Slow, 1)
	r := Sample(1)
	d := Delivery(r, 1)
	_, err := s.deliver(d)
	if f := s.transient(err, fault.Timeout); !f.Ambiguous {
		s.Errorf("%v: it may have happened, and is not ambiguous", err)
	}
	s.want(r)
	s.settled(d, true)
}

// settled goes on after an ambiguous outcome as the worker does.
func (s *suite) settled(d backoffice.Delivery, there bool) {
	s.Helper()
	switch traits := s.h.Connector.Traits(); {
	case traits.Finds:
		receipt, found := s.find(d)
		if found != there {
			s.Fatalf("found %v, want %v", found, there)
		}
		if traits.ReadsStatus && found && receipt == (backoffice.Receipt{}) {
			s.Error("it was found, but its receipt is empty, so that its status can not be read")
		}
	case traits.Idempotent:
		d.Attempt = 2
		s.mustDeliver(d)
		if n := s.count(d.Appointment.Guid); n != 1 {
			s.Errorf("%d deliveries stand there, though the same key is taken once", n)
		}
	}
}

// findTellsApart: another appointment's delivery, another operation's and an
// earlier one's are not the one that is looked for.
func findTellsApart(s *suite) {
	if !s.h.Connector.Traits().Finds {
		s.Skip("this connector does not find (Traits)")
	}
	r := Sample(1)
	d := Delivery(r, 1)
	s.mustDeliver(d)
	if _, found := s.find(d); !found {
		s.Error("what was delivered is not found")
	}
	other := Delivery(Sample(2), 1)
	if _, found := s.find(other); found {
		s.Error("another appointment's delivery was taken for it")
	}
	r.Operation = backoffice.Delete
	if _, found := s.find(Delivery(r, 2)); found {
		s.Error("the insert was taken for the delete")
	}
}

func denied(s *suite) {
	if s.h.Rotate == nil {
		s.Skip("this connector signs in without a secret")
	}
	r := Sample(1)
	s.fail(Denied, 2) // a connector may try once more with a fresh token
	_, err := s.deliver(Delivery(r, 1))
	if f := s.transient(err, fault.Auth); !f.WholeTarget {
		s.Errorf("%v: a refused sign-in concerns the whole connector", err)
	}
	s.want()
	s.h.Fail(Denied, 0)
	s.h.Rotate()
	s.mustDeliver(Delivery(r, 1))
	s.want(r)
}

func canceled(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	d := Delivery(Sample(1), 1)
	_, err := s.h.Connector.Deliver(ctx, d)
	s.clean(err, d)
	if f := fault.Of(err); err == nil || f.Reason != fault.Canceled || f.Kind != fault.Transient {
		s.Errorf("%v: want a canceled call", err)
	}
	s.want()
}

// unreadable: a 200 whose body is not what it should be is no success that the
// connector may make up, unless the status is all that it goes by.
func unreadable(s *suite, f Fault) {
	s.fail(f, 1)
	d := Delivery(Sample(1), 1)
	_, err := s.deliver(d)
	there := s.count(d.Appointment.Guid)
	switch e := fault.Of(err); {
	case err == nil && f == HTML && !s.h.StatusOnly:
		s.Error("a web page was taken for success")
	case err == nil && s.h.StatusOnly:
	case err == nil && there == 0:
		s.Error("success, but nothing stands there")
	case err != nil && (e.Kind == fault.Poison || e.Code == ""):
		s.Errorf("%v: want a classified fault with a stable code", err)
	case err != nil && there > 0 && !e.Ambiguous:
		s.Errorf("%v: it stands there, and the fault is not ambiguous", err)
	}
}

func redirect(s *suite) {
	s.fail(Redirect, 3)
	_, err := s.deliver(Delivery(Sample(1), 1))
	if f := s.transient(err, fault.Invalid); !f.WholeTarget {
		s.Errorf("%v: a wrong address concerns the whole connector", err)
	}
	s.want()
	if s.h.Stranger == nil {
		return
	}
	if requests, credentials := s.h.Stranger(); requests > 0 || credentials {
		s.Errorf("the other host got %d requests, with credentials: %v", requests, credentials)
	}
}

func testConnection(s *suite) {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	checks := s.h.Connector.Test(ctx)
	if len(checks) == 0 {
		s.Error("nothing was checked")
	}
	for _, c := range checks {
		if !c.OK || c.Name == "" || c.Text == "" || c.Code != "" {
			s.Errorf("check %+v of a back office that works", c)
		}
		s.silent(c.Text)
	}
	s.want() // no side effects
}

func testDenied(s *suite) {
	if s.h.Rotate == nil {
		s.Skip("this connector signs in without a secret")
	}
	s.fail(Denied, 100)
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	failed := false
	for _, c := range s.h.Connector.Test(ctx) {
		s.silent(c.Text)
		if c.OK {
			continue
		}
		failed = true
		if c.Code == "" || c.Text == "" {
			s.Errorf("failed check %+v says neither what is wrong nor what to do", c)
		}
	}
	if !failed {
		s.Error("every check passes though the sign-in is refused")
	}
	s.want()
}

// concurrent: the shards of a connector deliver at the same time.
func concurrent(s *suite) {
	const n = 8
	var group sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		group.Go(func() {
			_, err := s.h.Connector.Deliver(s.Context(), Delivery(Sample(100+i), 1))
			if err != nil {
				errs[i] = fmt.Errorf("delivery %d: %w", i, err)
			}
		})
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			s.Error(err)
		}
		if got := s.count(Sample(100 + i).Appointment); err == nil && got != 1 {
			s.Errorf("delivery %d stands there %d times", i, got)
		}
	}
}
