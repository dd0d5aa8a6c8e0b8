package backoffice

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// Worker does everything that is done to back offices. A nudge makes it deliver
// what is due in one shard of one connector, one after the other. It has no state
// of its own but the directory's cache; the queue's sessions see to it that no two
// work on one shard.
type Worker struct {
	Store interface {
		store.Links
		store.Targets
		store.Journal
		store.Values
	}
	Connectors *Directory
	Board      Board
	Bus        Bus
	// Decode reads an appointment graph.
	Decode func(graph []byte) (appointment.Appointment, error)
	// Invocation names the run that ctx belongs to, for the other side's logs; nil = nobody does.
	Invocation func(ctx context.Context) string
	Now        func() time.Time
	Log        *slog.Logger
}

// Board is where planners see that a delivery has failed. Both calls are safe to repeat.
type Board interface {
	UpsertNotification(ctx context.Context, n dimescheduler.Notification) error
	DeleteNotification(ctx context.Context, n dimescheduler.Notification) error
}

// Bus sends nudges on the backoffice queue.
type Bus interface {
	Nudge(ctx context.Context, nudges ...bus.Nudge) error
	NudgeAt(ctx context.Context, at time.Time, n bus.Nudge) error
}

// TargetID names a shard of a connector: in links, targets and sessions.
func TargetID(connector string, shard int) string { return connector + "#" + strconv.Itoa(shard) }

// ParseTarget reads what TargetID wrote.
func ParseTarget(id string) (connector string, shard int, ok bool) {
	connector, n, found := strings.Cut(id, "#")
	shard, err := strconv.Atoi(n)
	return connector, shard, found && err == nil && shard >= 0 && ValidID(connector)
}

// Shard is where the appointments of a job are delivered, so that their order is kept.
func Shard(sourceApp, jobNo string, shards int) int {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s\x00%s", strings.ToLower(sourceApp), jobNo)
	return int(h.Sum32() % uint32(max(1, shards)))
}

// Handle does what a nudge asks for. It returns an error only if our own store or
// broker failed; faults of the back office are kept in the links and in the
// connector's row, and come back by themselves.
func (w *Worker) Handle(ctx context.Context, n bus.Nudge) error {
	id, _, ok := ParseTarget(n.Target)
	if !ok {
		return fault.Poisoned("backoffice: nudge", "the target is not connector#shard")
	}
	log := w.Log.With("connector", id, "target", n.Target, "reason", n.Reason)
	row, err := w.Store.Target(ctx, store.Connector, n.Target)
	if errors.Is(err, store.ErrNotFound) || err == nil && row.Due.IsZero() {
		return nil // R3: whoever made a link due has lowered Due first (R1)
	}
	if err != nil {
		return err
	}
	s := &session{Worker: w, id: id, shard: n.Target, trace: n.Traceparent, log: log}
	if w.Invocation != nil {
		s.invocation = w.Invocation(ctx)
	}
	s.keep = target.Keeper{Store: w.Store, Bus: w.Bus, Now: w.Now, Log: log, Row: row}
	defer s.flush(ctx)
	if s.entry, err = w.Connectors.Get(ctx, id); err != nil {
		return err
	}
	if err := s.readWhole(ctx); err != nil {
		return err
	}
	if s.settings, err = readSettings(ctx, w.Store); err != nil {
		return err
	}
	return s.work(ctx)
}

// session is one nudge's work on one shard.
type session struct {
	*Worker
	keep      target.Keeper // of the shard's row
	id, shard string
	entry     *Entry // nil = the connector is deleted
	// whole is the row of the connector, which all its shards see: whether it is
	// suspended, and how many deliveries have failed in a row (Probes).
	whole      target.Keeper
	settings   Settings
	probing    bool // one delivery is to show whether the connector works again
	calls      int
	journal    []store.Transaction
	invocation string
	trace      string
	log        *slog.Logger
}

func (s *session) readWhole(ctx context.Context) error {
	row, err := s.Store.Target(ctx, store.Connector, s.id)
	if errors.Is(err, store.ErrNotFound) {
		row, err = &store.Target{Kind: store.Connector, ID: s.id}, nil
	}
	s.whole = target.Keeper{Store: s.Store, Bus: s.Bus, Now: s.Now, Log: s.log, Row: row}
	return err
}

func (s *session) work(ctx context.Context) error {
	switch {
	case s.entry == nil:
		return s.keep.Rest(ctx, s.floor, s.forget)
	case len(s.entry.Problems) > 0:
		if row := s.whole.Row; !failedWith(row, s.entry.ETag) || !row.Probe.After(s.Now()) { // else it is known
			if err := s.suspend(ctx, s.entry.Problems.Fault()); err != nil {
				return err
			}
		}
		return s.keep.Rest(ctx, s.floor, nil)
	case !s.entry.Config.Send:
		return s.keep.Rest(ctx, s.floor, s.hold)
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	pass := s.pass
	if s.floor().After(s.Now()) {
		pass = nil
	}
	err := s.keep.Rest(ctx, s.floor, pass)
	if f := fault.Of(err); err != nil && f.WholeTarget && f.Op != "unclassified" {
		if err := s.suspend(ctx, err); err != nil {
			return err
		}
		return s.keep.Rest(ctx, s.floor, nil)
	}
	return err
}

// floor is the time before which the back office is left alone; zero = now.
func (s *session) floor() time.Time {
	row := s.whole.Row
	switch {
	case row.SuspendedReason == byPerson:
		return s.Now().Add(personLook)
	case !row.SuspendedSince.IsZero() && !s.probing && row.Probe.After(row.NotBefore):
		return row.Probe
	}
	return row.NotBefore
}

// pass deals once with links that are due.
func (s *session) pass(ctx context.Context, due []*store.Link) error {
	if s.probing {
		// Whether the back office works shows with what has not failed by itself.
		slices.SortStableFunc(due, func(a, b *store.Link) int { return a.Attempts - b.Attempts })
	}
	for _, l := range due {
		if s.short(ctx) || s.floor().After(s.Now()) {
			return target.ErrLater
		}
		if err := s.deal(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// deal does the next thing that is due of one link. What is wanted goes before
// what people are told of it: a board that is down keeps no back office waiting.
func (s *session) deal(ctx context.Context, l *store.Link) error {
	notice := l.Notice == noticeShow || l.Notice == noticeHide
	switch {
	case l.State == store.Failed && notice:
		return s.notify(ctx, l)
	case readDue(l, s.Now()) && (l.State == store.Failed || l.Sent == nil && !wants(l) && !notice):
		return s.readStatus(ctx, l)
	case l.State == store.Failed:
		return s.put(ctx, l, func(l *store.Link) { schedule(l, s.Now()) }) // a person, or news, goes on
	case l.Sent != nil:
		return s.resolve(ctx, l)
	case wants(l):
		return s.send(ctx, l)
	case notice:
		return s.notify(ctx, l)
	}
	return s.send(ctx, l)
}

// reserve is how much of the invocation's time is kept for putting things away.
const reserve = 20 * time.Second

// short reports whether too little time is left to begin another call. The first
// of an invocation is always begun.
func (s *session) short(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && s.calls > 0 && time.Until(deadline) < reserve+s.timeout()
}

func (s *session) timeout() time.Duration {
	if s.entry.Config.Timeout > 0 {
		return s.entry.Config.Timeout
	}
	return DefaultTimeout
}

// forget settles the links of a connector that was deleted: nothing is sent, what
// was sent stays on the other side, and what planners were told is taken back.
func (s *session) forget(ctx context.Context, due []*store.Link) error {
	for _, l := range due {
		err := s.put(ctx, l, func(l *store.Link) {
			l.Sent, l.DueAt = nil, time.Time{}
			l.State, l.FailureCode, l.FailureText = store.Gone, "", "the connector was deleted"
			if l.Notice != "" {
				l.Notice, l.DueAt = noticeHide, s.Now()
			}
		})
		if err != nil {
			return err
		}
		if l.Notice == "" {
			continue
		}
		l, err := s.Store.Link(ctx, s.shard, l.Appointment)
		if err == nil {
			err = s.notify(ctx, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hold settles the links of a switched-off connector until it is switched on:
// nothing is sent, which is recorded.
func (s *session) hold(ctx context.Context, due []*store.Link) error {
	code := CodeNotAllowed
	if s.entry.Config.Type == Webhook {
		code = CodeWebhookNotAllowed
	}
	for _, l := range due {
		if l.Sent == nil && !wants(l) {
			// Nothing is held back: what people are told, or a status, waits.
			err := s.put(ctx, l, func(l *store.Link) {
				if l.State != store.Failed {
					rest(l, s.Now())
				}
				if !l.DueAt.IsZero() {
					l.DueAt = s.Now().Add(recheck)
				}
			})
			if err != nil {
				return err
			}
			continue
		}
		fresh := l.FailureCode != code
		err := s.put(ctx, l, func(l *store.Link) {
			// Looked at again now and then, should nobody tell that it was switched on.
			l.State, l.DueAt, l.FailureCode, l.FailureText = store.Skipped, s.Now().Add(recheck), code, explain(code)
		})
		if err != nil {
			return err
		}
		if fresh {
			s.record(l, operationName(intended(l)), code, explain(code), 0)
		}
	}
	return nil
}

// recheck is how long a link of a switched-off connector is left alone.
const recheck = 24 * time.Hour

// put changes one link. What was decided on a link that another worker has dealt
// with since (a session lock can be lost) is dropped: it is due and looked at again.
func (s *session) put(ctx context.Context, was *store.Link, change func(*store.Link)) error {
	_, err := s.Store.UpdateLink(ctx, s.shard, was.Appointment, func(l *store.Link) error {
		if l.ETag != "" && sameSent(l.Sent, was.Sent) {
			change(l)
		}
		return nil
	})
	return err
}

func sameSent(a, b *store.Sent) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Op == b.Op && a.Version == b.Version && a.At.Equal(b.At) && a.Attempt == b.Attempt
}
