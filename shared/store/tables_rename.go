package store

import (
	"context"
	"errors"
	"maps"
	"slices"
)

func (t *Tables) RenameLink(ctx context.Context, target, from, to string, absorb func(moved, there *Link) error) (*Link, error) {
	const op = "store: rename link"
	if from == to {
		return t.UpdateLink(ctx, target, to, func(l *Link) error { return absorb(l, nil) })
	}
	written := stamp()
	for try := 0; ; try++ {
		rows := make([]*row, 2)
		err := each(2, func(i int) (err error) {
			rows[i], err = t.find(ctx, op, t.links, key(target), linkKey([]string{from, to}[i]))
			return err
		})
		if err != nil {
			return nil, err
		}
		source, there := rows[0], rows[1]
		if there != nil && there.columns[stampColumn] == written {
			return there.link(op) // the answer to our write was lost
		}
		if source == nil {
			return nil, notFound(op)
		}
		w, err := t.planRename(ctx, op, from, to, source, there, absorb, written, try > 0)
		if err != nil {
			return nil, err
		}
		etags, err := t.all(ctx, op, t.links, w.actions)
		if err == nil {
			return t.stored(ctx, w.link, etags[0])
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
		if !wait(ctx, try) {
			return nil, alive(ctx, op)
		}
	}
}

// planRename returns what moves the link in source to the row of another
// appointment, over what is there.
func (t *Tables) planRename(ctx context.Context, op, from, to string, source, there *row, absorb func(moved, there *Link) error, written string, careful bool) (write, error) {
	old, err := source.link(op)
	if err != nil {
		return write{}, err
	}
	var other *Link
	if there != nil {
		if other, err = there.link(op); err != nil {
			return write{}, err
		}
	}
	moved, err := renamed(old, other, to, absorb)
	if err != nil {
		return write{}, err
	}
	own, err := t.putLink(op, moved, there, source.columns, written)
	if err != nil {
		return write{}, err
	}
	w := write{link: moved, actions: []action{
		own,
		{kind: drop, partition: source.partition, key: source.key, etag: source.etag},
	}}

	events := map[string]bool{old.OutlookSeen.EventID: true}
	if other != nil {
		events[other.OutlookSeen.EventID] = true
	}
	delete(events, moved.OutlookSeen.EventID)
	for _, event := range slices.Sorted(maps.Keys(events)) {
		if err := t.unindexEvent(ctx, op, &w, event, from, to); err != nil {
			return write{}, err
		}
	}
	w.indexEvent()

	if !old.DueAt.IsZero() {
		if err := t.unindexDue(ctx, op, &w, from, careful); err != nil {
			return write{}, err
		}
	}
	switch {
	case !moved.DueAt.IsZero():
		w.indexDue()
	case other != nil && !other.DueAt.IsZero():
		if err := t.unindexDue(ctx, op, &w, to, careful); err != nil {
			return write{}, err
		}
	}
	return w, nil
}
