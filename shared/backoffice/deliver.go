package backoffice

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// send stores what is sent next as the link's intent, and carries it out.
func (s *session) send(ctx context.Context, l *store.Link) error {
	var skipped Operation
	var why string
	mine := false
	now := s.Now()
	planned, err := s.Store.UpdateLink(ctx, s.shard, l.Appointment, func(l *store.Link) error {
		skipped, why, mine = "", "", false
		if l.ETag == "" || l.Sent != nil || l.DueAt.IsZero() || l.DueAt.After(now) {
			return nil
		}
		skipped, why = plan(l, s.entry.Config, now)
		mine = l.Sent != nil
		return nil
	})
	if err != nil {
		return err
	}
	if skipped != "" {
		s.recordSkipped(planned, operationName(skipped), why)
	}
	if !mine {
		return nil
	}
	return s.call(ctx, planned)
}

// call carries out the link's intent and puts the outcome away.
func (s *session) call(ctx context.Context, l *store.Link) error {
	d, err := s.delivery(l)
	if err != nil {
		return s.failed(ctx, l, err, 0)
	}
	began := s.Now()
	s.calls++
	receipt, err := s.entry.Connector.Deliver(ctx, d)
	if err != nil {
		return s.failed(ctx, l, err, s.Now().Sub(began))
	}
	return s.landed(ctx, l, receipt, s.Now().Sub(began), "delivered")
}

// delivery is what the connector is handed for the link's intent.
func (s *session) delivery(l *store.Link) (Delivery, error) {
	a, err := s.Decode(l.Sent.Graph)
	if err != nil {
		return Delivery{}, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "backoffice: read graph", Code: CodeSchema, Err: err}
	}
	from, _ := echo(l.Sent.Graph)
	d := Delivery{
		Key: key(s.id, l), Operation: Operation(l.Sent.Op), Appointment: a, Graph: l.Sent.Graph, Version: l.Sent.Version,
		SentFromBackOffice: from, Attempt: l.Sent.Attempt, First: l.Sent.At, Invocation: s.invocation, Trace: s.trace,
	}
	d.Appointment.Guid = l.Appointment
	if l.Told != nil {
		d.Previous = Receipt{ID: l.Told.ID, Location: l.Told.Location, BackOfficeID: l.Told.BackOfficeID, Correlation: l.Told.Correlation}
	}
	return d, nil
}

// landed: the back office has taken it.
func (s *session) landed(ctx context.Context, l *store.Link, r Receipt, took time.Duration, text string) error {
	s.record(l, operationName(Operation(l.Sent.Op)), "", text, took)
	s.journal[len(s.journal)-1].Request = r.Correlation
	now := s.Now()
	_, err := s.Store.UpdateLink(ctx, s.shard, l.Appointment, func(f *store.Link) error {
		if f.ETag == "" {
			return nil
		}
		if !sameSent(f.Sent, l.Sent) {
			// Another worker went on meanwhile, and what it sent may have arrived
			// before this: tell the back office once more what is wanted (R12).
			if f.Sent == nil && f.Told != nil {
				t := *f.Told
				t.Digest, t.Exists = "", t.Exists || l.Sent.Op != string(Delete)
				f.Told, f.DueAt = &t, now
			}
			return nil
		}
		told(f, Operation(f.Sent.Op), now)
		f.Told.ID, f.Told.Location, f.Told.Correlation = r.ID, r.Location, r.Correlation
		if r.BackOfficeID != "" {
			f.Told.BackOfficeID = r.BackOfficeID
		}
		if s.entry.Config.ReadStatus && s.entry.Connector.Traits().ReadsStatus {
			f.Told.ReadAt = nextRead(f.Appointment, f.Told, now)
		}
		f.Sent, f.Attempts, f.Since, f.FailureCode, f.FailureText = nil, 0, time.Time{}, "", ""
		if wants(f) {
			f.State, f.DueAt = store.Pending, now // news came in meanwhile
			return nil
		}
		rest(f, now)
		return nil
	})
	if err != nil {
		return err
	}
	return s.works(ctx)
}

// landGrace is how long a call whose answer was lost may still take effect unseen:
// longer than a back office waits for a lock (facts C: 3 min). What is sent before
// it is over could be undone by it. Guess: no vendor promises an upper bound below
// the operation timeout.
const landGrace = 4 * time.Minute

// resolve finds out what became of an intent whose outcome is not known, before
// anything else is sent (R12): also when nothing is wanted any more.
func (s *session) resolve(ctx context.Context, l *store.Link) error {
	traits := s.entry.Connector.Traits()
	if traits.Finds {
		d, err := s.delivery(l)
		if err != nil {
			return s.failed(ctx, l, err, 0)
		}
		s.calls++
		receipt, found, err := s.entry.Connector.Find(ctx, d)
		switch f := fault.Of(err); {
		case err != nil && f.Kind == fault.Permanent && !f.WholeTarget:
			// It will never tell: the same as a back office that can not be asked.
			s.log.WarnContext(ctx, "an unknown outcome can not be looked up", "appointment", l.Appointment, "code", codeOf(f), "error", err)
		case err != nil:
			f := *f
			f.Ambiguous = true // it still is not known
			return s.failed(ctx, l, &f, 0)
		case found:
			return s.landed(ctx, l, receipt, 0, "found in the back office after an unknown outcome")
		}
	}
	now := s.Now()
	if traits.Idempotent && !traits.Finds && l.Sent.Version == l.Wanted.Version {
		return s.again(ctx, l)
	}
	deleting := l.Sent.Op == string(Delete) && l.Wanted.Absent // twice is no harm
	if wait := l.Sent.At.Add(landGrace); !traits.Idempotent && !deleting && now.Before(wait) {
		return s.put(ctx, l, func(l *store.Link) { l.DueAt = wait })
	}
	return s.put(ctx, l, func(l *store.Link) {
		if l.Sent.Op == string(Insert) {
			// It may have landed all the same: never again as an insert. If nothing
			// is wanted any more, the deletion has to be sent too.
			l.Told = &store.Told{Exists: true, At: l.Sent.At}
			l.Wanted.Created = false
		}
		if l.Told != nil && l.Sent.Op != string(Delete) {
			t := *l.Told
			t.Digest, t.Exists = "", true
			l.Told = &t
		}
		l.Sent, l.DueAt = nil, now
	})
}

// again sends the same under the same key, to a back office that takes a key once.
func (s *session) again(ctx context.Context, l *store.Link) error {
	mine := false
	next, err := s.Store.UpdateLink(ctx, s.shard, l.Appointment, func(f *store.Link) error {
		if mine = f.ETag != "" && sameSent(f.Sent, l.Sent); mine {
			again := *f.Sent
			again.Attempt++
			again.Doubt = true
			f.Sent = &again
		}
		return nil
	})
	if err != nil || !mine {
		return err
	}
	return s.call(ctx, next)
}

func clipped(s string) string {
	if r := []rune(s); len(r) > 500 {
		return string(r[:500]) + "…"
	}
	return s
}
