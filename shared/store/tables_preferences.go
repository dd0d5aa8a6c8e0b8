package store

import (
	"cmp"
	"context"
	"slices"
)

const preferencePartition = "preference"

func (t *Tables) Preferences(ctx context.Context, resource string) (*Preferences, error) {
	const op = "store: preferences"
	r, err := t.get(ctx, op, t.preferences, preferencePartition, key(resource))
	if err != nil {
		return nil, err
	}
	p, err := decodeRow[Preferences](op, r)
	if err == nil {
		p.ETag = r.etag
	}
	return p, err
}

func (t *Tables) AllPreferences(ctx context.Context) ([]*Preferences, error) {
	all, rows, err := listRows[Preferences](ctx, t, "store: all preferences", t.preferences, partition(preferencePartition), "", 0)
	for i, r := range rows {
		all[i].ETag = r.etag
	}
	slices.SortFunc(all, func(a, b *Preferences) int { return cmp.Compare(a.Resource, b.Resource) })
	return all, err
}

func (t *Tables) SwapPreferences(ctx context.Context, p *Preferences) error {
	etag, err := t.swapRow(ctx, "store: swap preferences", t.preferences, preferencePartition, key(p.Resource), clone(p), p.ETag)
	if err == nil {
		p.ETag = etag
	}
	return err
}
