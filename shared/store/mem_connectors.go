package store

import (
	"cmp"
	"context"
	"slices"
)

func (m *Mem) Connector(ctx context.Context, id string) (*ConnectorRecord, error) {
	const op = "store: connector"
	if err := alive(ctx, op); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.connectors[id]; r != nil {
		return clone(r), nil
	}
	return nil, notFound(op)
}

func (m *Mem) Connectors(ctx context.Context) ([]*ConnectorRecord, map[string]error, error) {
	if err := alive(ctx, "store: connectors"); err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*ConnectorRecord
	for _, r := range m.connectors {
		out = append(out, clone(r))
	}
	slices.SortFunc(out, func(a, b *ConnectorRecord) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil, nil
}

func (m *Mem) SwapConnector(ctx context.Context, r *ConnectorRecord) error {
	const op = "store: swap connector"
	if err := alive(ctx, op); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if there := m.connectors[r.ID]; there != nil && there.ETag != r.ETag || there == nil && r.ETag != "" {
		return conflict(op)
	}
	r.ETag, r.Updated = m.tag(), instant(m.now())
	m.connectors[r.ID] = clone(r)
	return nil
}

func (m *Mem) DeleteConnector(ctx context.Context, id, etag string) error {
	const op = "store: delete connector"
	if err := alive(ctx, op); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	there := m.connectors[id]
	if there != nil && there.ETag != etag {
		return conflict(op)
	}
	delete(m.connectors, id)
	return nil
}
