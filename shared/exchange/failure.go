package exchange

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// linkFailed puts a write's or a look-up's failure into the link (section 5):
// with keep, the intent stays open, as its outcome is unknown. It returns
// errLater or a fault of the whole target if there is no point in going on.
func (s *session) linkFailed(ctx context.Context, l *store.Link, err error, keep bool) error {
	f := fault.Of(err)
	if f.Reason == fault.Canceled && ctx.Err() != nil || isOurs(f) {
		return err // we are being stopped, or our own vault fails (R5): what is open is resolved next time
	}
	s.failed[l.Appointment] = true
	put := s.put(ctx, l, func(l *store.Link) {
		if !keep {
			l.Sent = nil
		}
		l.FailureCode, l.FailureText = explain(err)
		if f.Kind == fault.Permanent && !f.WholeTarget {
			l.State, l.DueAt, l.Sent, l.Inbound, l.Asked = store.Failed, time.Time{}, nil, nil, false
			return
		}
		if f.WholeTarget || f.Reason == fault.RateLimit {
			return // it stays due; the target as a whole waits
		}
		failing(l, s.Now())
		l.Attempts++
		l.DueAt = s.Now().Add(target.Backoff(l.Appointment, l.Attempts, err))
	})
	switch {
	case put != nil:
		return put
	case f.Reason == fault.RateLimit && !f.WholeTarget:
		return s.throttled(ctx, err)
	case f.WholeTarget:
		return err
	}
	return nil
}

// throttled: the mailbox has asked to be left alone (graph.md B9).
func (s *session) throttled(ctx context.Context, err error) error {
	until := s.Now().Add(target.Backoff(s.mailbox, 0, err))
	saved := s.save(ctx, func(t *store.Target) {
		if t.NotBefore.Before(until) {
			t.NotBefore = until
		}
	})
	if saved != nil {
		return saved
	}
	return errLater
}

// boardFailed puts the board's failure into the link. The board being down
// stops nobody else: this finding waits, the rest of the mailbox goes on.
func (s *session) boardFailed(ctx context.Context, l *store.Link, err error) error {
	f := fault.Of(err)
	if f.Reason == fault.Canceled && ctx.Err() != nil || isOurs(f) {
		return err
	}
	if turnedAwayByBoard(err) {
		return s.waitForBoard(ctx, l, f)
	}
	s.failed[l.Appointment] = true
	return s.put(ctx, l, func(l *store.Link) {
		l.FailureCode, l.FailureText = explain(err)
		// What is hidden is not given up: it must not stay on the board.
		if l.State != store.Hidden && f.Kind == fault.Permanent && !f.WholeTarget && !inconclusive(err) {
			// Refused for good: a person, or the next change of the event, goes on.
			if in := l.Inbound; in != nil && !in.Removed && boardKnows(l) {
				l.Refused = l.OutlookSeen.Content.Only(changedFields(l.OutlookSeen.Content, in.Content)...).With(l.Refused)
			}
			l.State, l.DueAt, l.BoardSent, l.Asked = store.Failed, time.Time{}, nil, false
			accept(l)
			return
		}
		failing(l, s.Now())
		l.Attempts++
		l.DueAt = s.Now().Add(target.Backoff(l.Appointment, l.Attempts, err))
	})
}

// waitForBoard: the board as a whole is suspended and was not asked. What was found
// waits in its link, with its failures as they were, and looks again just after the
// next probe (R39).
func (s *session) waitForBoard(ctx context.Context, l *store.Link, f *fault.Error) error {
	code, text := explain(f)
	if l.FailureCode != code {
		s.record(l.Appointment, "wait for board", Explain(code).Status, code, text)
	}
	return s.put(ctx, l, func(l *store.Link) {
		l.FailureCode, l.FailureText = code, text
		l.DueAt = s.Now().Add(f.RetryAfter + target.Spread(l.Appointment, resumeSpread))
	})
}

// inconclusive reports that the board did not show an appointment, and that
// this proves nothing (R27).
func inconclusive(err error) bool {
	return fault.Is(err, fault.NotFound) && fault.Of(err).Code != dimescheduler.CodeGone
}

// targetFailed ends a round that failed as a whole. A fault of the mailbox is
// kept in its row: suspended with the reason, probed with growing pauses, and
// nothing is deleted meanwhile (R39). Only faults of our own store and broker,
// which are no faults of the target, go back to the host.
func (s *session) targetFailed(ctx context.Context, err error) error {
	f := fault.Of(err)
	now := s.Now()
	switch {
	case f.Op == "unclassified" || ctx.Err() != nil || isOurs(f):
		return err
	case f.Reason == fault.RateLimit && !f.WholeTarget:
		if err := s.throttled(ctx, err); err != errLater {
			return err
		}
		return s.book(ctx, s.row.NotBefore, true)
	case !f.WholeTarget:
		s.log.WarnContext(ctx, "round failed: tried again", "error", err)
		if err := s.save(ctx, func(t *store.Target) { t.Probes++ }); err != nil {
			return err
		}
		return s.book(ctx, now.Add(target.Backoff(s.mailbox, s.row.Probes, err)), true)
	}
	code, everybody := s.diagnose(ctx, f)
	if everybody {
		return s.suspendService(ctx, f, code)
	}
	if f.Code != "" { // an answer about this mailbox: Graph itself works
		if err := s.serviceWorks(ctx); err != nil {
			return err
		}
	}
	pause := min(time.Minute<<min(s.row.Probes, 10), 15*time.Minute)
	if f.Reason != fault.Auth {
		pause = min(time.Minute<<min(s.row.Probes, 10), 6*time.Hour)
	}
	pause = max(pause+target.Spread(s.mailbox, pause/4), f.RetryAfter)
	if s.row.SuspendedCode != code || s.row.SuspendedSince.IsZero() {
		s.log.WarnContext(ctx, "mailbox suspended", "error", err, "code", code, "probe_in", pause)
		c := Explain(code)
		s.note(store.Transaction{Operation: "suspend", Status: c.Status, Code: code, Remote: f.Code, Text: c.Sentence})
	}
	err = s.save(ctx, func(t *store.Target) {
		if t.SuspendedSince.IsZero() {
			t.SuspendedSince = now
		}
		t.SuspendedReason, t.SuspendedCode, t.SuspendedBy = string(f.Reason), code, ""
		t.Probe = now.Add(pause)
		t.Probes++
		t.Due = t.Probe
	})
	if err != nil {
		return err
	}
	return s.Bus.NudgeAt(ctx, s.row.Probe, busProbe(s.mailbox, s.row.Probe))
}

// onlySubscription reports a failure that is the subscription's alone.
func onlySubscription(err error) bool {
	f := fault.Of(err)
	return err != nil && f.Op != "unclassified" && f.Reason != fault.RateLimit && f.Reason != fault.Canceled && !f.WholeTarget && !isOurs(f)
}

// isOurs reports faults of our own store, broker and vault.
func isOurs(f *fault.Error) bool {
	for _, op := range []string{"store:", "service bus:", "key vault:"} {
		if len(f.Op) >= len(op) && f.Op[:len(op)] == op {
			return true
		}
	}
	return false
}

// resumed ends a suspension: the mailbox has answered again, and a full read
// has brought both sides together.
func (s *session) resumed(ctx context.Context) error {
	s.log.InfoContext(ctx, "mailbox resumed", "suspended_since", s.row.SuspendedSince)
	s.record("", "resume", StatusSuccess, "", "the mailbox can be reached again")
	if err := s.serviceWorks(ctx); err != nil {
		return err
	}
	return s.save(ctx, func(t *store.Target) {
		t.SuspendedSince, t.Probe = time.Time{}, time.Time{}
		t.SuspendedReason, t.SuspendedCode, t.SuspendedBy = "", "", ""
	})
}
