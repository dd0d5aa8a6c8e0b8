package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// A link's partition is its target's. Beside the links "a|<appointment>" it
// holds their index rows: "e|<event id>" finds the link of an event, and
// "p|<shard>|<appointment>" is there iff the link is due. They change in one
// transaction with the link. A reader that all the same meets an index row
// whose link says otherwise (an interrupted repair by hand, a restored backup)
// removes it, if it is still the one that was read.

// indexRow is what both kinds of index rows hold.
type indexRow struct {
	Appointment string
	DueAt       time.Time
}

func (r *row) index(op string) (indexRow, error) {
	var i indexRow
	if err := r.columns.decode(&i); err != nil {
		return i, unreadable(op, err)
	}
	return i, nil
}

func (r *row) link(op string) (*Link, error) {
	l := &Link{}
	if err := r.columns.decode(l); err != nil {
		return nil, unreadable(op, err)
	}
	l = clone(l)
	l.ETag = r.etag
	return l, nil
}

func (t *Tables) Link(ctx context.Context, target, appointment string) (*Link, error) {
	const op = "store: link"
	r, err := t.get(ctx, op, t.links, key(target), linkKey(appointment))
	if err != nil {
		return nil, err
	}
	return r.link(op)
}

func (t *Tables) LinkByEvent(ctx context.Context, target, event string) (*Link, error) {
	const op = "store: link by event"
	if event == "" {
		return nil, notFound(op)
	}
	for try := 0; ; try++ {
		at, err := t.get(ctx, op, t.links, key(target), eventKey(event))
		if err != nil {
			return nil, err
		}
		index, err := at.index(op)
		if err != nil {
			return nil, err
		}
		l, err := t.Link(ctx, target, index.Appointment)
		if err == nil && l.OutlookSeen.EventID == event {
			return l, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		healed, err := t.remove(ctx, op, t.links, at.partition, at.key, at.etag)
		if err != nil {
			return nil, err
		}
		if healed {
			return nil, notFound(op)
		}
		// Somebody moved it between the two reads: look again.
		if !wait(ctx, try) {
			return nil, alive(ctx, op)
		}
	}
}

func (t *Tables) Links(ctx context.Context, target string) ([]*Link, error) {
	const op = "store: links"
	var out []*Link
	var failed error
	err := t.list(ctx, op, t.links, partition(key(target))+" and "+between("RowKey", "a|", "a}"), "", 0, func(r *row) bool {
		var l *Link
		if l, failed = r.link(op); failed != nil {
			return false
		}
		out = append(out, l)
		return true
	})
	if err = cmp.Or(err, failed); err != nil {
		return nil, err
	}
	slices.SortFunc(out, byAppointment)
	return out, nil
}

// due is an index row of a due link.
type due struct {
	at       indexRow
	key, tag string
}

func (t *Tables) DueLinks(ctx context.Context, target string, now time.Time, limit int) ([]*Link, time.Time, error) {
	const op = "store: due links"
	waiting, err := t.waiting(ctx, op, target)
	if err != nil {
		return nil, time.Time{}, err
	}
	var out []*Link
	// Usually one pass: another is needed for what turned out not to be due.
	for len(waiting) > 0 && len(out) < limit && !waiting[0].at.DueAt.After(now) {
		n := 0
		for n < len(waiting) && n < limit-len(out) && !waiting[n].at.DueAt.After(now) {
			n++
		}
		links := make([]*Link, n)
		err := each(n, func(i int) (err error) {
			links[i], err = t.dueLink(ctx, op, target, waiting[i])
			return err
		})
		if err != nil {
			return nil, time.Time{}, err
		}
		waiting = waiting[n:]
		for _, l := range links {
			switch {
			case l == nil:
			case l.DueAt.After(now):
				waiting = append(waiting, due{at: indexRow{Appointment: l.Appointment, DueAt: l.DueAt}})
			default:
				out = append(out, l)
			}
		}
		slices.SortStableFunc(waiting, dueOrder)
	}
	slices.SortFunc(out, byDue)
	if len(waiting) == 0 {
		return out, time.Time{}, nil
	}
	return out, waiting[0].at.DueAt, nil
}

// waiting returns the index rows of all due links of a target, the longest due first.
func (t *Tables) waiting(ctx context.Context, op, target string) ([]due, error) {
	var out []due
	var failed error
	filter := partition(key(target)) + " and " + between("RowKey", "p|"+shard+"|", "p|"+shard+"}")
	err := t.list(ctx, op, t.links, filter, "", 0, func(r *row) bool {
		var at indexRow
		if at, failed = r.index(op); failed != nil {
			return false
		}
		out = append(out, due{at: at, key: r.key, tag: r.etag})
		return true
	})
	slices.SortFunc(out, dueOrder)
	return out, cmp.Or(err, failed)
}

func dueOrder(a, b due) int {
	return cmp.Or(a.at.DueAt.Compare(b.at.DueAt), cmp.Compare(a.at.Appointment, b.at.Appointment))
}

// dueLink reads the link of an index row; nil if it is not due at all.
func (t *Tables) dueLink(ctx context.Context, op, target string, d due) (*Link, error) {
	l, err := t.Link(ctx, target, d.at.Appointment)
	if err == nil && !l.DueAt.IsZero() {
		return l, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if d.tag != "" {
		_, err = t.remove(ctx, op, t.links, key(target), d.key, d.tag)
		return nil, err
	}
	return nil, nil
}
