package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

func (m *Mem) Head(ctx context.Context, appointment string) (*Head, error) {
	const op = "store: head"
	if err := alive(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.heads[appointment]; h != nil {
		return clone(h), nil
	}
	return nil, notFound(op)
}

func (m *Mem) SwapHead(ctx context.Context, h *Head) error {
	const op = "store: swap head"
	if err := alive(ctx, op); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if there := m.heads[h.Appointment]; there != nil && there.ETag != h.ETag || there == nil && h.ETag != "" {
		return conflict(op)
	}
	h.ETag, h.Updated = m.tag(), instant(m.now())
	m.heads[h.Appointment] = clone(h)
	return nil
}

func (m *Mem) Target(ctx context.Context, kind TargetKind, id string) (*Target, error) {
	const op = "store: target"
	if err := alive(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.targets[targetKey{kind, id}]; t != nil {
		return clone(t), nil
	}
	return nil, notFound(op)
}

func (m *Mem) Targets(ctx context.Context, kind TargetKind) ([]*Target, error) {
	if err := alive(ctx, "store: targets"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Target
	for key, t := range m.targets {
		if key.kind == kind {
			out = append(out, clone(t))
		}
	}
	slices.SortFunc(out, func(a, b *Target) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

func (m *Mem) DueTargets(ctx context.Context, kind TargetKind, now time.Time) ([]*Target, error) {
	all, err := m.Targets(ctx, kind)
	due := slices.DeleteFunc(all, func(t *Target) bool { return t.Due.IsZero() || t.Due.After(now) })
	slices.SortStableFunc(due, func(a, b *Target) int { return a.Due.Compare(b.Due) })
	return due, err
}

func (m *Mem) SwapTarget(ctx context.Context, t *Target) error {
	const op = "store: swap target"
	if err := alive(ctx, op); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := targetKey{t.Kind, t.ID}
	if there := m.targets[key]; there != nil && there.ETag != t.ETag || there == nil && t.ETag != "" {
		return conflict(op)
	}
	t.ETag = m.tag()
	m.targets[key] = clone(t)
	return nil
}

func (m *Mem) LowerDue(ctx context.Context, kind TargetKind, id string, at time.Time) error {
	return m.lowerDue(ctx, "store: lower due", kind, id, at, false)
}

func (m *Mem) TouchDue(ctx context.Context, kind TargetKind, id string, at time.Time) error {
	return m.lowerDue(ctx, "store: touch due", kind, id, at, true)
}

func (m *Mem) lowerDue(ctx context.Context, op string, kind TargetKind, id string, at time.Time, touch bool) error {
	if err := alive(ctx, op); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := targetKey{kind, id}
	t := &Target{Kind: kind, ID: id}
	if there := m.targets[key]; there != nil {
		t = clone(there)
	}
	switch {
	case needsLower(t.Due, at):
		t.Due = instant(at)
	case !touch:
		return nil
	}
	t.ETag = m.tag()
	m.targets[key] = t
	return nil
}

func (m *Mem) Resource(ctx context.Context, no string) (*Resource, error) {
	const op = "store: resource"
	if err := alive(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.resources[no]; r != nil {
		return clone(r), nil
	}
	return nil, notFound(op)
}

func (m *Mem) Resources(ctx context.Context) ([]*Resource, error) {
	return m.resourcesWhere(ctx, func(*Resource) bool { return true })
}

func (m *Mem) ResourcesOf(ctx context.Context, mailbox string) ([]*Resource, error) {
	return m.resourcesWhere(ctx, func(r *Resource) bool { return r.Mailbox == mailbox })
}

func (m *Mem) resourcesWhere(ctx context.Context, fits func(*Resource) bool) ([]*Resource, error) {
	if err := alive(ctx, "store: resources"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Resource
	for _, r := range m.resources {
		if fits(r) {
			out = append(out, clone(r))
		}
	}
	slices.SortFunc(out, func(a, b *Resource) int { return cmp.Compare(a.No, b.No) })
	return out, nil
}

func (m *Mem) UpdateResource(ctx context.Context, no string, change func(*Resource)) (*Resource, error) {
	for {
		there, err := m.Resource(ctx, no)
		if errors.Is(err, ErrNotFound) {
			there = &Resource{No: no}
		} else if err != nil {
			return nil, err
		}
		next := edited(there, change) // outside of the lock, as on the real one
		if next == nil {
			return there, nil
		}
		m.mu.Lock()
		current := m.resources[no]
		if current == nil && there.ETag == "" || current != nil && current.ETag == there.ETag {
			next.ETag = m.tag()
			m.resources[no] = clone(next)
			m.mu.Unlock()
			return next, nil
		}
		m.mu.Unlock()
	}
}

func (m *Mem) PutResource(ctx context.Context, r *Resource) error {
	if err := alive(ctx, "store: put resource"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r.ETag = m.tag()
	m.resources[r.No] = clone(r)
	return nil
}

func (m *Mem) Value(ctx context.Context, name string) (text, etag string, err error) {
	const op = "store: value"
	if err := alive(ctx, op); err != nil {
		return "", "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.values[name]; ok {
		return v.text, v.etag, nil
	}
	return "", "", notFound(op)
}

func (m *Mem) SwapValue(ctx context.Context, name, text, etag string) (string, error) {
	const op = "store: swap value"
	if err := alive(ctx, op); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values[name].etag != etag {
		return "", conflict(op)
	}
	v := value{text: text, etag: m.tag()}
	m.values[name] = v
	return v.etag, nil
}
