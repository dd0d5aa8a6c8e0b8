package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Mem is a Store in memory, the twin of Tables for tests: what it takes in and
// hands out is copied, and its changes run outside of its lock, so that they
// collide as they do on the real one. Its zero value is not usable; see NewMem.
type Mem struct {
	now func() time.Time

	mu           sync.Mutex
	writes       uint64 // counts up; the next ETag
	links        map[string]map[string]*Link
	events       map[[2]string]string // target, event id -> appointment
	heads        map[string]*Head
	targets      map[targetKey]*Target
	resources    map[string]*Resource
	preferences  map[string]*Preferences
	transactions []Transaction // oldest first
	auditLog     []AuditEntry  // oldest first
	parked       map[string]*Parked
	deltas       map[[2]string]Delta
	connectors   map[string]*ConnectorRecord
	values       map[string]value
}

type targetKey struct {
	kind TargetKind
	id   string
}

type value struct{ text, etag string }

var _ Store = (*Mem)(nil)

// NewMem returns an empty store; now is the clock of Updated.
func NewMem(now func() time.Time) *Mem {
	return &Mem{
		now:         now,
		links:       map[string]map[string]*Link{},
		events:      map[[2]string]string{},
		heads:       map[string]*Head{},
		targets:     map[targetKey]*Target{},
		resources:   map[string]*Resource{},
		preferences: map[string]*Preferences{},
		parked:      map[string]*Parked{},
		deltas:      map[[2]string]Delta{},
		connectors:  map[string]*ConnectorRecord{},
		values:      map[string]value{},
	}
}

// tag returns a new ETag; the lock is held.
func (m *Mem) tag() string {
	m.writes++
	return strconv.FormatUint(m.writes, 10)
}

// Ping fails only when ctx is done.
func (m *Mem) Ping(ctx context.Context) error { return alive(ctx, "store: ping") }

// Probe fails only when ctx is done.
func (m *Mem) Probe(ctx context.Context) error { return alive(ctx, "store: probe") }

func (m *Mem) Link(ctx context.Context, target, appointment string) (*Link, error) {
	const op = "store: link"
	if err := alive(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.links[target][appointment]; l != nil {
		return clone(l), nil
	}
	return nil, notFound(op)
}

func (m *Mem) LinkByEvent(ctx context.Context, target, event string) (*Link, error) {
	const op = "store: link by event"
	if err := alive(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if guid, ok := m.events[[2]string{target, event}]; ok {
		if l := m.links[target][guid]; l != nil && l.OutlookSeen.EventID == event {
			return clone(l), nil
		}
	}
	return nil, notFound(op)
}

func (m *Mem) Links(ctx context.Context, target string) ([]*Link, error) {
	if err := alive(ctx, "store: links"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Link
	for _, l := range m.links[target] {
		out = append(out, clone(l))
	}
	slices.SortFunc(out, byAppointment)
	return out, nil
}

func (m *Mem) DueLinks(ctx context.Context, target string, now time.Time, limit int) ([]*Link, time.Time, error) {
	if err := alive(ctx, "store: due links"); err != nil {
		return nil, time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var waiting []*Link
	for _, l := range m.links[target] {
		if !l.DueAt.IsZero() {
			waiting = append(waiting, l)
		}
	}
	slices.SortFunc(waiting, byDue)
	var due []*Link
	for i, l := range waiting {
		if l.DueAt.After(now) || len(due) >= limit {
			return due, waiting[i].DueAt, nil
		}
		due = append(due, clone(l))
	}
	return due, time.Time{}, nil
}

func byAppointment(a, b *Link) int { return cmp.Compare(a.Appointment, b.Appointment) }

func byDue(a, b *Link) int {
	return cmp.Or(a.DueAt.Compare(b.DueAt), byAppointment(a, b))
}

func (m *Mem) UpdateLink(ctx context.Context, target, appointment string, change func(*Link) error) (*Link, error) {
	const op = "store: update link"
	for {
		if err := alive(ctx, op); err != nil {
			return nil, err
		}
		old := &Link{Target: target, Appointment: appointment}
		m.mu.Lock()
		if l := m.links[target][appointment]; l != nil {
			old = clone(l)
		}
		m.mu.Unlock()

		next, err := changed(old, change)
		if err != nil {
			return nil, err
		}
		if next == nil {
			return old, nil
		}
		m.mu.Lock()
		if m.etag(target, appointment) == old.ETag {
			m.put(next)
			m.mu.Unlock()
			return clone(next), nil
		}
		m.mu.Unlock()
	}
}

// etag returns that of the stored link, empty if there is none; the lock is held.
func (m *Mem) etag(target, appointment string) string {
	if l := m.links[target][appointment]; l != nil {
		return l.ETag
	}
	return ""
}

// put stores l, which it keeps, and moves its event's index; the lock is held.
func (m *Mem) put(l *Link) {
	m.drop(l.Target, l.Appointment)
	l.ETag, l.Updated = m.tag(), instant(m.now())
	if m.links[l.Target] == nil {
		m.links[l.Target] = map[string]*Link{}
	}
	m.links[l.Target][l.Appointment] = l
	if l.OutlookSeen.EventID != "" {
		m.events[[2]string{l.Target, l.OutlookSeen.EventID}] = l.Appointment
	}
}

// drop removes a link and its index; the lock is held.
func (m *Mem) drop(target, appointment string) {
	l := m.links[target][appointment]
	if l == nil {
		return
	}
	delete(m.links[target], appointment)
	if key := [2]string{target, l.OutlookSeen.EventID}; m.events[key] == appointment {
		delete(m.events, key)
	}
}

func (m *Mem) UpdateLinks(ctx context.Context, target string, appointments []string, change func(*Link) error) ([]*Link, []error) {
	links, errs := make([]*Link, len(appointments)), make([]error, len(appointments))
	for i, a := range appointments {
		links[i], errs[i] = m.UpdateLink(ctx, target, a, change)
	}
	return links, errs
}

func (m *Mem) RenameLink(ctx context.Context, target, from, to string, absorb func(moved, there *Link) error) (*Link, error) {
	if from == to {
		return m.UpdateLink(ctx, target, to, func(l *Link) error { return absorb(l, nil) })
	}
	for {
		source, err := m.Link(ctx, target, from)
		if err != nil {
			return nil, err
		}
		var there *Link
		m.mu.Lock()
		if l := m.links[target][to]; l != nil {
			there = clone(l)
		}
		m.mu.Unlock()

		moved, err := renamed(source, there, to, absorb)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		if m.etag(target, from) == source.ETag && m.etag(target, to) == moved.ETag {
			m.drop(target, from)
			m.put(moved)
			m.mu.Unlock()
			return clone(moved), nil
		}
		m.mu.Unlock()
	}
}
