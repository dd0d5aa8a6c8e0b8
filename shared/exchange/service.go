package exchange

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// serviceGraph is the service whose target stands for Graph as a whole: when no
// mailbox can work, as with an expired secret, it is suspended once, and one
// mailbox at a time finds out whether it works again (R39).
const serviceGraph = "graph"

const (
	// probeLease is how long the one who tries a suspended service has for it.
	probeLease = 5 * time.Minute
	// resumeSpread is over how long the mailboxes come back when it works again.
	resumeSpread = time.Minute
)

// serviceCache spares a read of the service's row for each nudge. Only that it
// works is believed: a suspension is looked at anew each time.
type serviceCache struct {
	mu   sync.Mutex
	open time.Time // when it was last seen to work
}

func (c *serviceCache) works(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.open.IsZero() && now.Sub(c.open) < settingsAge && !now.Before(c.open)
}

func (c *serviceCache) saw(now time.Time, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = time.Time{}
	if open {
		c.open = now
	}
}

// turnedAway reports whether Graph as a whole is suspended and this mailbox is not
// the one to try it now. It follows the suspension then, so that it will catch up
// with a full comparison.
func (s *session) turnedAway(ctx context.Context) (bool, error) {
	now := s.Now()
	follows := s.row.SuspendedBy == serviceGraph
	if s.service.works(now) && !follows {
		return false, nil
	}
	row, err := s.serviceRow(ctx)
	if err != nil {
		return false, err
	}
	s.service.saw(now, row.SuspendedSince.IsZero())
	if row.SuspendedSince.IsZero() {
		return false, nil
	}
	if !row.Probe.After(now) {
		row.Probe = now.Add(probeLease)
		err := s.Store.SwapTarget(ctx, row)
		if err == nil {
			return false, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return false, err
		}
		if row, err = s.serviceRow(ctx); err != nil {
			return false, err // somebody else tries it
		}
	}
	return true, s.follow(ctx, row)
}

func (s *session) serviceRow(ctx context.Context) (*store.Target, error) {
	row, err := s.Store.Target(ctx, store.Service, serviceGraph)
	if errors.Is(err, store.ErrNotFound) {
		return &store.Target{Kind: store.Service, ID: serviceGraph}, nil
	}
	return row, err
}

// follow suspends the mailbox with the service, to be tried when that is.
func (s *session) follow(ctx context.Context, service *store.Target) error {
	now := s.Now()
	err := s.save(ctx, func(t *store.Target) {
		if t.SuspendedSince.IsZero() {
			t.SuspendedSince = now
		}
		t.SuspendedBy, t.SuspendedReason, t.SuspendedCode = serviceGraph, service.SuspendedReason, service.SuspendedCode
		t.Probe = service.Probe.Add(time.Second + target.Spread(s.mailbox, probeLease))
		t.Due = t.Probe
	})
	if err != nil {
		return err
	}
	return s.Bus.NudgeAt(ctx, s.row.Probe, busProbe(s.mailbox, s.row.Probe))
}

// suspendService: no mailbox can work.
func (s *session) suspendService(ctx context.Context, f *fault.Error, code string) error {
	s.service.saw(s.Now(), false)
	for {
		row, err := s.serviceRow(ctx)
		if err != nil {
			return err
		}
		now := s.Now()
		pause := max(min(time.Minute<<min(row.Probes, 10), 15*time.Minute), f.RetryAfter)
		fresh := row.SuspendedSince.IsZero() || row.SuspendedCode != code
		if row.SuspendedSince.IsZero() {
			row.SuspendedSince = now
		}
		row.SuspendedReason, row.SuspendedCode = string(f.Reason), code
		row.Probe = now.Add(pause)
		row.Probes++
		if err := s.Store.SwapTarget(ctx, row); errors.Is(err, store.ErrConflict) {
			continue
		} else if err != nil {
			return err
		}
		if fresh {
			c := Explain(code)
			s.log.ErrorContext(ctx, "Microsoft Graph as a whole is suspended", "error", f, "code", code, "probe_in", pause)
			s.note(store.Transaction{Operation: "suspend all", Status: c.Status, Code: code, Remote: f.Code, Text: c.Sentence})
		}
		return s.follow(ctx, row)
	}
}

// serviceWorks ends the service's suspension, if it is suspended: Graph has done
// something for us again. All who followed it are woken.
func (s *session) serviceWorks(ctx context.Context) error {
	if s.service.works(s.Now()) {
		return nil
	}
	for {
		row, err := s.serviceRow(ctx)
		if err != nil {
			return err
		}
		s.service.saw(s.Now(), true)
		if row.SuspendedSince.IsZero() {
			return nil
		}
		row.SuspendedSince, row.Probe, row.Probes = time.Time{}, time.Time{}, 0
		row.SuspendedReason, row.SuspendedCode = "", ""
		if err := s.Store.SwapTarget(ctx, row); errors.Is(err, store.ErrConflict) {
			continue
		} else if err != nil {
			return err
		}
		break
	}
	s.log.InfoContext(ctx, "Microsoft Graph as a whole works again")
	s.record("", "resume all", StatusSuccess, "", "Microsoft Graph can be used again")
	targets, err := s.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	now := s.Now()
	for _, t := range targets {
		if !t.Participates || t.SuspendedBy != serviceGraph || t.ID == s.mailbox {
			continue
		}
		at := now.Add(target.Spread(t.ID, resumeSpread))
		if err := s.Bus.NudgeAt(ctx, at, bus.Nudge{Kind: bus.Subscribe, Target: t.ID, Reason: "resumed", At: at}); err != nil {
			return err
		}
	}
	return nil
}
