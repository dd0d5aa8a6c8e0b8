package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

const connectorPartition = "connector"

func (t *Tables) Connector(ctx context.Context, id string) (*ConnectorRecord, error) {
	const op = "store: connector"
	r, err := t.get(ctx, op, t.connectorRows, connectorPartition, key(id))
	if err != nil {
		return nil, err
	}
	c, err := decodeRow[ConnectorRecord](op, r)
	if err == nil {
		c.ETag = r.etag
	}
	return c, err
}

func (t *Tables) Connectors(ctx context.Context) ([]*ConnectorRecord, map[string]error, error) {
	const op = "store: connectors"
	var out []*ConnectorRecord
	broken := map[string]error{}
	err := t.list(ctx, op, t.connectorRows, partition(connectorPartition), "", 0, func(r *row) bool {
		c, err := decodeRow[ConnectorRecord](op, r)
		if err != nil {
			broken[r.key] = err
			return true
		}
		c.ETag = r.etag
		out = append(out, c)
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	if len(broken) == 0 {
		broken = nil
	}
	slices.SortFunc(out, func(a, b *ConnectorRecord) int { return cmp.Compare(a.ID, b.ID) })
	return out, broken, nil
}

func (t *Tables) SwapConnector(ctx context.Context, c *ConnectorRecord) error {
	updated := instant(t.now())
	next := clone(c)
	next.Updated = updated
	etag, err := t.swapRow(ctx, "store: swap connector", t.connectorRows, connectorPartition, key(c.ID), next, c.ETag)
	if err == nil {
		c.ETag, c.Updated = etag, updated
	}
	return err
}

func (t *Tables) DeleteConnector(ctx context.Context, id, etag string) error {
	const op = "store: delete connector"
	if etag == "" {
		return conflict(op)
	}
	done, err := t.remove(ctx, op, t.connectorRows, connectorPartition, key(id), etag)
	if err != nil || done {
		return err
	}
	if _, err := t.get(ctx, op, t.connectorRows, connectorPartition, key(id)); errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return conflict(op)
}
