package bus

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Mem is an in-memory twin of Sender for tests: it records what is sent and
// hands it to functions. Its zero value only records. It is safe for
// concurrent use; set the functions before the first call.
type Mem struct {
	// OnNudge and OnChange, if set, get each message after it was recorded, in
	// the sender's goroutine. at is zero for a nudge that is not booked for later.
	OnNudge  func(n Nudge, at time.Time)
	OnChange func(c Change)
	// Fail, if set, is asked first, with the name of the method; its error is
	// returned, and nothing is sent.
	Fail func(method string) error

	mu      sync.Mutex
	nudges  []MemNudge
	changes []Change
	sends   int
}

// MemNudge is a recorded nudge; At is zero if it was not booked for later.
type MemNudge struct {
	Nudge
	At time.Time
}

// Nudge records the nudges as one send.
func (m *Mem) Nudge(_ context.Context, ns ...Nudge) error {
	if len(ns) == 0 {
		return nil
	}
	return m.nudge("Nudge", time.Time{}, ns...)
}

// NudgeAt records a nudge that is booked for later.
func (m *Mem) NudgeAt(_ context.Context, at time.Time, n Nudge) error {
	return m.nudge("NudgeAt", at.UTC(), n)
}

func (m *Mem) nudge(method string, at time.Time, ns ...Nudge) error {
	if m.Fail != nil {
		if err := m.Fail(method); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.sends++
	for _, n := range ns {
		m.nudges = append(m.nudges, MemNudge{n, at})
	}
	m.mu.Unlock()
	if m.OnNudge != nil {
		for _, n := range ns {
			m.OnNudge(n, at)
		}
	}
	return nil
}

// Send records changes; one with a MessageID that was sent before is dropped,
// as the queue's duplicate detection does.
func (m *Mem) Send(_ context.Context, cs ...Change) error {
	if len(cs) == 0 {
		return nil
	}
	if m.Fail != nil {
		if err := m.Fail("Send"); err != nil {
			return err
		}
	}
	var fresh []Change
	m.mu.Lock()
	m.sends++
	for _, c := range cs {
		if !slices.ContainsFunc(m.changes, func(x Change) bool { return x.MessageID == c.MessageID }) {
			c.Body = slices.Clone(c.Body)
			m.changes = append(m.changes, c)
			fresh = append(fresh, c)
		}
	}
	m.mu.Unlock()
	if m.OnChange != nil {
		for _, c := range fresh {
			m.OnChange(c)
		}
	}
	return nil
}

// Nudges returns the nudges so far, in order.
func (m *Mem) Nudges() []MemNudge {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.nudges)
}

// Changes returns the changes so far, in order.
func (m *Mem) Changes() []Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.changes)
}

// Sends counts the sends: one for each call that had something to send.
func (m *Mem) Sends() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sends
}

// Reset forgets what was recorded, message ids too.
func (m *Mem) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nudges, m.changes, m.sends = nil, nil, 0
}
