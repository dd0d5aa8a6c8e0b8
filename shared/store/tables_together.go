package store

import (
	"context"
	"errors"
	"slices"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// manyLinks is from how many links on a range of the partition is read instead
// of one row at a time.
const manyLinks = 50

func (t *Tables) UpdateLinks(ctx context.Context, target string, appointments []string, change func(*Link) error) ([]*Link, []error) {
	const op = "store: update links"
	links, errs := make([]*Link, len(appointments)), make([]error, len(appointments))
	written := stamp()
	rows, err := t.rows(ctx, op, target, appointments)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return links, errs
	}
	writes := make([]write, len(appointments))
	var group []int // indexes of what goes into the next transaction
	actions, size := 0, 0
	submit := func() {
		t.together(ctx, op, target, appointments, change, written, writes, group, links, errs)
		group, actions, size = nil, 0, 0
	}
	for i, a := range appointments {
		w, err := t.plan(ctx, op, target, a, rows[i], change, written, false)
		if err != nil || w.actions == nil {
			links[i], errs[i] = w.link, err
			continue
		}
		writes[i] = w
		s := w.size()
		if actions+len(w.actions) > maxActions || size+s > maxPayload {
			submit()
		}
		group = append(group, i)
		actions += len(w.actions)
		size += s
	}
	submit()
	return links, errs
}

// together stores a group of writes in one transaction. If it is refused, each
// link goes its own way, so that one that somebody else has changed does not
// keep the others back.
func (t *Tables) together(ctx context.Context, op, target string, appointments []string, change func(*Link) error, written string, writes []write, group []int, links []*Link, errs []error) {
	if len(group) == 0 {
		return
	}
	var actions []action
	first := map[int]int{} // index -> that of its link's action
	for _, i := range group {
		first[i] = len(actions)
		actions = append(actions, writes[i].actions...)
	}
	etags, err := t.all(ctx, op, t.links, actions)
	switch {
	case err == nil:
		each(len(group), func(n int) error {
			i := group[n]
			links[i], errs[i] = t.stored(ctx, writes[i].link, etags[first[i]])
			return nil
		})
	case errors.Is(err, ErrConflict) || fault.Is(err, fault.Other) || fault.Is(err, fault.Invalid):
		each(len(group), func(n int) error {
			i := group[n]
			links[i], errs[i] = t.updateLink(ctx, target, appointments[i], change, written)
			return nil
		})
	default:
		for _, i := range group {
			errs[i] = err
		}
	}
}

// size returns about how many bytes the write takes within a transaction:
// base64 and JSON cost a third, each action its headers.
func (w write) size() int {
	n := 0
	for _, a := range w.actions {
		n += 1000 + a.columns.size()*4/3
	}
	return n
}

// rows reads the rows of several links of a target; nil where there is none.
func (t *Tables) rows(ctx context.Context, op, target string, appointments []string) ([]*row, error) {
	rows := make([]*row, len(appointments))
	if len(appointments) < manyLinks {
		err := each(len(rows), func(i int) (err error) {
			rows[i], err = t.find(ctx, op, t.links, key(target), linkKey(appointments[i]))
			return err
		})
		return rows, err
	}
	at := map[string][]int{}
	for i, a := range appointments {
		at[linkKey(a)] = append(at[linkKey(a)], i)
	}
	from, to := linkKey(slices.Min(appointments)), linkKey(slices.Max(appointments))
	for k := range at {
		from, to = min(from, k), max(to, k)
	}
	filter := partition(key(target)) + " and RowKey ge " + quote(from) + " and RowKey le " + quote(to)
	err := t.list(ctx, op, t.links, filter, "", 0, func(r *row) bool {
		for _, i := range at[r.key] {
			rows[i] = r
		}
		return true
	})
	return rows, err
}
