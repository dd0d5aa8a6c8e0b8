package store

import (
	"cmp"
	"context"
	"slices"
)

func (m *Mem) Preferences(ctx context.Context, resource string) (*Preferences, error) {
	const op = "store: preferences"
	if err := alive(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.preferences[resource]; p != nil {
		return clone(p), nil
	}
	return nil, notFound(op)
}

func (m *Mem) AllPreferences(ctx context.Context) ([]*Preferences, error) {
	if err := alive(ctx, "store: all preferences"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Preferences
	for _, p := range m.preferences {
		out = append(out, clone(p))
	}
	slices.SortFunc(out, func(a, b *Preferences) int { return cmp.Compare(a.Resource, b.Resource) })
	return out, nil
}

func (m *Mem) SwapPreferences(ctx context.Context, p *Preferences) error {
	const op = "store: swap preferences"
	if err := alive(ctx, op); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var etag string
	if there := m.preferences[p.Resource]; there != nil {
		etag = there.ETag
	}
	if etag != p.ETag {
		return conflict(op)
	}
	p.ETag = m.tag()
	m.preferences[p.Resource] = clone(p)
	return nil
}
