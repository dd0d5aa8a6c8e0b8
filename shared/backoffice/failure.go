package backoffice

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// breakerAfter is how many deliveries in a row must fail for the connector to be
// taken for down as a whole: the circuit breaker opens.
const breakerAfter = 5

// failed puts a delivery's failure into the link (section 5 of the design). An
// ambiguous one stays open, to be looked up before anything is sent again. It
// returns an error only for faults of the whole connector, or of our own.
func (s *session) failed(ctx context.Context, l *store.Link, err error, took time.Duration) error {
	f := fault.Of(err)
	if f.Reason == fault.Canceled && ctx.Err() != nil {
		return err // we are being stopped: what is open is resolved next time
	}
	now, code := s.Now(), codeOf(f)
	text := sentence(f, code)
	final := f.Kind != fault.Transient && !f.WholeTarget
	expired := !final && !f.WholeTarget && f.Reason != fault.RateLimit && !l.Since.IsZero() && now.Sub(l.Since) >= s.settings.ttl()
	put := s.put(ctx, l, func(l *store.Link) {
		if !f.Ambiguous && !l.Sent.Doubt {
			l.Sent = nil
		}
		if l.Since.IsZero() {
			l.Since = now
		}
		l.FailureCode, l.FailureText = code, text
		switch {
		case final || expired:
			l.State, l.Since, l.Asked, l.Notice = store.Failed, time.Time{}, false, noticeShow
			l.DueAt = now // to be shown to the planner
		case f.WholeTarget || f.Reason == fault.RateLimit:
			l.State = store.Pending // it stays due; the connector as a whole waits
		default:
			l.State = store.Pending
			l.Attempts++
			l.DueAt = now.Add(target.Backoff(l.Appointment, l.Attempts, err))
		}
	})
	if put != nil {
		return put
	}
	s.log.WarnContext(ctx, "delivery failed", "appointment", l.Appointment, "operation", l.Sent.Op, "attempt", l.Sent.Attempt,
		"code", code, "ambiguous", f.Ambiguous, "final", final || expired, "error", err)
	s.record(l, operationName(Operation(l.Sent.Op)), code, text, took)
	switch {
	case final:
		return s.works(ctx) // it answers, and refuses this one
	case f.WholeTarget:
		return err
	case f.Reason == fault.RateLimit:
		return s.throttled(ctx, err)
	case f.Reason == fault.Conflict || ours(f):
		return nil
	}
	return s.stumbled(ctx, l, f)
}

// ours reports faults of our own vault.
func ours(f *fault.Error) bool { return strings.HasPrefix(f.Op, "key vault:") }

// throttled: the back office has asked to be left alone; all shards see it.
func (s *session) throttled(ctx context.Context, err error) error {
	until := s.Now().Add(target.Backoff(s.shard, 1, err))
	return s.whole.Save(ctx, func(t *store.Target) {
		if t.NotBefore.Before(until) {
			t.NotBefore = until
		}
	})
}

// stumbled counts a failure that may be the connector's as a whole. Each appointment
// counts once: one that fails again and again is not a back office that is down.
func (s *session) stumbled(ctx context.Context, l *store.Link, f *fault.Error) error {
	if !s.probing {
		if l.Attempts > 0 {
			return nil
		}
		if err := s.whole.Save(ctx, func(t *store.Target) { t.Probes++ }); err != nil {
			return err
		}
		if s.whole.Row.Probes < breakerAfter {
			return nil
		}
	}
	return &fault.Error{Kind: fault.Transient, Reason: f.Reason, Op: "backoffice: circuit breaker", Code: CodeCircuitOpen, RetryAfter: f.RetryAfter, WholeTarget: true, Err: f}
}

// works: the back office has answered to a delivery. A suspension ends, and the
// other shards go on at once.
func (s *session) works(ctx context.Context) error {
	row := s.whole.Row
	suspended := !row.SuspendedSince.IsZero()
	if !suspended && row.Probes == 0 || suspended && !s.probing {
		return nil
	}
	s.probing = false
	if err := s.whole.Save(ctx, resume); err != nil || !suspended {
		return err
	}
	s.log.InfoContext(ctx, "connector resumed", "suspended_since", row.SuspendedSince)
	s.journal = append(s.journal, s.transaction("", "resume", "", "the back office takes deliveries again", 0))
	return wake(ctx, s.Store, s.Bus, s.id, s.shard, s.Now())
}

func resume(t *store.Target) {
	t.SuspendedSince, t.Probe, t.NotBefore = time.Time{}, time.Time{}, time.Time{}
	t.SuspendedReason, t.SuspendedCode, t.SuspendedFor, t.Probes = "", "", "", 0
}

// wake nudges the shards of a connector that have something due, but for one.
func wake(ctx context.Context, targets store.Targets, b Bus, id, but string, now time.Time) error {
	rows, err := targets.Targets(ctx, store.Connector)
	if err != nil {
		return err
	}
	var nudges []bus.Nudge
	for _, t := range rows {
		if connector, _, ok := ParseTarget(t.ID); ok && connector == id && t.ID != but && !t.Due.IsZero() {
			nudges = append(nudges, bus.Nudge{Kind: bus.Push, Target: t.ID, Reason: "resumed", At: now})
		}
	}
	if len(nudges) == 0 {
		return nil
	}
	return b.Nudge(ctx, nudges...)
}

// byPerson is the reason of a suspension that a person has ordered: it is not probed.
const byPerson = "person"

// personLook is how often a shard looks whether a person has ended a suspension
// that nobody told it of.
const personLook = time.Hour

// claim decides whether this nudge may try a suspended connector: when the probe
// is due, or the record or the password has changed. One session takes the probe.
func (s *session) claim(ctx context.Context) error {
	row, now := s.whole.Row, s.Now()
	if row.SuspendedSince.IsZero() || row.SuspendedReason == byPerson {
		return nil
	}
	rotated := s.Connectors.rotated(ctx, s.entry)
	due := func(t *store.Target) bool { return rotated || !failedWith(t, s.entry.ETag) || !t.Probe.After(now) }
	if !due(row) {
		return nil
	}
	return s.whole.Save(ctx, func(t *store.Target) {
		s.probing = false
		if t.SuspendedSince.IsZero() || t.SuspendedReason == byPerson || !due(t) {
			return
		}
		s.probing = true
		t.Probe = now.Add(s.timeout() + reserve)
		failsWith(t, s.entry.ETag)
		if rotated {
			t.NotBefore = time.Time{}
		}
	})
}

// suspend stops the whole connector with its reason, to be probed with growing
// pauses (R39). A refused password is tried once an hour at most: servers lock
// accounts (facts C), and somebody has to act anyway.
func (s *session) suspend(ctx context.Context, err error) error {
	f, now, code := fault.Of(err), s.Now(), codeOf(fault.Of(err))
	n := s.whole.Row.Probes
	if s.whole.Row.SuspendedSince.IsZero() {
		n = 0
	}
	pause := min(30*time.Second<<min(n, 10), 15*time.Minute)
	switch password := s.entry.Config.Auth; {
	case len(s.entry.Problems) > 0:
		pause = 5 * time.Minute // looking costs nothing: nobody is called
	case f.Reason == fault.Auth && !ours(f) && (password == Basic || password == NTLM || password == Windows):
		pause = time.Hour
	case f.Reason == fault.Auth, f.Reason == fault.Invalid, f.Reason == fault.NotFound:
		pause = min(time.Minute<<min(n, 10), time.Hour)
	}
	if f.Reason == fault.Auth && !ours(f) {
		s.Connectors.remember(ctx, s.entry)
	}
	pause = max(pause+target.Spread(s.id, pause/4), f.RetryAfter)
	if s.whole.Row.SuspendedCode != code || s.whole.Row.SuspendedSince.IsZero() {
		s.log.WarnContext(ctx, "connector suspended", "code", code, "probe_in", pause, "error", err)
		s.journal = append(s.journal, s.transaction("", "suspend", code, sentence(f, code), 0))
	}
	s.probing = false
	return s.whole.Save(ctx, func(t *store.Target) {
		if t.SuspendedReason == byPerson {
			return
		}
		if t.SuspendedSince.IsZero() {
			t.SuspendedSince = now
		}
		t.SuspendedReason, t.SuspendedCode = string(f.Reason), code
		failsWith(t, s.entry.ETag)
		t.Probe, t.Probes = now.Add(pause), n+1
	})
}

// failedWith reports whether the record of this ETag was tried in this suspension.
// For half a minute two processes may hold different ones: each is news once, or
// they would take turns in trying a refused password.
func failedWith(t *store.Target, etag string) bool {
	return slices.Contains(strings.Fields(t.SuspendedFor), etag)
}

// failsWith notes that it was; the newest few are kept.
func failsWith(t *store.Target, etag string) {
	const kept = 4
	tried := slices.DeleteFunc(strings.Fields(t.SuspendedFor), func(s string) bool { return s == etag })
	tried = append([]string{etag}, tried...)
	t.SuspendedFor = strings.Join(tried[:min(kept, len(tried))], " ")
}
