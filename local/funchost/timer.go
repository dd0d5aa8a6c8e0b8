package funchost

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// timerLoop fires one timer: once at its start if an occurrence was missed since the last run, then at each
// occurrence. A run that takes longer than the pause to the next occurrence swallows it: runs never overlap.
type timerLoop struct {
	f     *function
	store *timerStore
	run   func(status *timerStatus, pastDue bool)
	log   *slog.Logger
}

// prepare finds how the timer stands at its start, and has the store know of it.
func (t *timerLoop) prepare() (status timerStatus, pastDue bool) {
	now, plan := time.Now(), t.f.Timer.Schedule
	status = timerStatus{Next: plan.next(now)}
	if !t.f.Timer.Monitored {
		return status, false
	}
	if known, ok := t.store.get(t.f.Name); ok {
		return known, now.After(known.due(plan))
	}
	// What is stored says when it was stored; what the first scheduled run shows does not.
	t.store.put(t.f.Name, timerStatus{Next: status.Next, LastUpdated: now})
	return status, false
}

func (t *timerLoop) loop(ctx context.Context, status timerStatus, pastDue bool) {
	plan := t.f.Timer.Schedule
	if pastDue || t.f.Timer.RunOnStartup {
		status = t.fire(status, pastDue, true)
	}
	for {
		next := plan.next(time.Now())
		if next.IsZero() {
			t.log.Warn("The schedule never comes round.", "function", t.f.Name)
			return
		}
		wait := time.NewTimer(time.Until(next))
		select {
		case <-wait.C:
			status = t.fire(status, false, false)
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

// fire runs the function and notes the run, whether it failed or not.
func (t *timerLoop) fire(status timerStatus, pastDue, atStart bool) timerStatus {
	now := time.Now()
	if t.f.Timer.Monitored {
		t.run(&status, pastDue)
	} else {
		t.run(nil, pastDue)
	}
	if !atStart && status.Next.After(now) { // fired a moment early
		now = status.Next
	}
	status = timerStatus{Last: now, Next: t.f.Timer.Schedule.next(now), LastUpdated: now}
	if t.f.Timer.Monitored {
		t.store.put(t.f.Name, status)
	}
	return status
}

// timerStore keeps the status of monitored timers, in a folder if it has one.
type timerStore struct {
	dir string
	log *slog.Logger

	mu  sync.Mutex
	all map[string]timerStatus
}

func (s *timerStore) get(name string) (timerStatus, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status, ok := s.all[name]; ok || s.dir == "" {
		return status, ok
	}
	var status timerStatus
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		return status, false
	}
	if err := json.Unmarshal(text, &status); err != nil {
		s.log.Warn("The timer's stored status cannot be read; it starts anew.", "function", name, "error", err)
		return timerStatus{}, false
	}
	return status, true
}

func (s *timerStore) put(name string, status timerStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]timerStatus{}
	}
	s.all[name] = status
	if s.dir == "" {
		return
	}
	if err := s.write(name, status); err != nil {
		s.log.Warn("The timer's status cannot be stored.", "function", name, "error", err)
	}
}

func (s *timerStore) write(name string, status timerStatus) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(status)
	if err != nil {
		return err
	}
	part := s.file(name) + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, s.file(name))
}

func (s *timerStore) file(name string) string {
	return filepath.Join(s.dir, fmt.Sprintf("timer-%s.json", name))
}

// due is the occurrence after the stored run. A schedule that changed since then counts from that run too.
func (s timerStatus) due(plan schedule) time.Time {
	if s.Last.IsZero() {
		return plan.next(s.LastUpdated)
	}
	return plan.next(s.Last)
}

// runTimer runs a timer by hand: with the status as it is stored, whatever else runs.
func (d *Double) runTimer(f *function) (Invocation, error) {
	var status *timerStatus
	if f.Timer.Monitored {
		if known, ok := d.timers.get(f.Name); ok {
			status = &known
		}
	}
	return d.call(f, timerPayload(f, status, false, time.Now()), nil)
}
