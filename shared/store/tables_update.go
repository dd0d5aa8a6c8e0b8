package store

import (
	"context"
	"errors"
	"slices"
)

func (t *Tables) UpdateLink(ctx context.Context, target, appointment string, change func(*Link) error) (*Link, error) {
	return t.updateLink(ctx, target, appointment, change, "")
}

// updateLink is UpdateLink of a caller who may have written the link with this
// stamp already.
func (t *Tables) updateLink(ctx context.Context, target, appointment string, change func(*Link) error, written string) (*Link, error) {
	const op = "store: update link"
	for try := 0; ; try++ {
		there, err := t.find(ctx, op, t.links, key(target), linkKey(appointment))
		if err != nil {
			return nil, err
		}
		if there != nil && written != "" && there.columns[stampColumn] == written {
			return there.link(op)
		}
		if written == "" {
			written = stamp()
		}
		w, err := t.plan(ctx, op, target, appointment, there, change, written, try > 0)
		if err != nil || w.actions == nil {
			return w.link, err
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

// stored returns a link as it is in the store now, under its new ETag, which
// the answer to a transaction may lack.
func (t *Tables) stored(ctx context.Context, l *Link, etag string) (*Link, error) {
	if etag == "" {
		return t.Link(ctx, l.Target, l.Appointment)
	}
	l.ETag = etag
	return l, nil
}

// write is the planned change of one link: without actions there is nothing
// to write. The first action is that of the link's own row.
type write struct {
	link    *Link
	actions []action
}

// plan lets change edit what is there and returns what has to be written for
// it. With careful it does not trust that index rows are as the link says,
// which else saves a call.
func (t *Tables) plan(ctx context.Context, op, target, appointment string, there *row, change func(*Link) error, written string, careful bool) (write, error) {
	old := &Link{Target: target, Appointment: appointment}
	if there != nil {
		var err error
		if old, err = there.link(op); err != nil {
			return write{}, err
		}
	}
	next, err := changed(old, change)
	if err != nil {
		return write{}, err
	}
	if next == nil {
		return write{link: old}, nil
	}
	own, err := t.putLink(op, next, there, nil, written)
	if err != nil {
		return write{}, err
	}
	w := write{link: next, actions: []action{own}}
	if e := next.OutlookSeen.EventID; e != old.OutlookSeen.EventID {
		if err := t.unindexEvent(ctx, op, &w, old.OutlookSeen.EventID, appointment); err != nil {
			return write{}, err
		}
		w.indexEvent()
	}
	if !next.DueAt.Equal(old.DueAt) {
		if next.DueAt.IsZero() {
			err = t.unindexDue(ctx, op, &w, appointment, careful)
		} else {
			w.indexDue()
		}
	}
	return w, err
}

// putLink returns the action that stores l where there was read (nil: there
// was nothing), keeping the columns of base that this program does not know.
func (t *Tables) putLink(op string, l *Link, there *row, base columns, written string) (action, error) {
	l.Updated = instant(t.now())
	c, err := encode(l)
	if err != nil {
		return action{}, unreadable(op, err)
	}
	c[stampColumn] = written
	if base != nil {
		c = c.merged(base)
	}
	a := action{kind: add, partition: key(l.Target), key: linkKey(l.Appointment), columns: c.filled()}
	if there != nil {
		if c.merged(there.columns).size() > maxRow {
			return action{}, tooLarge(op)
		}
		a.kind, a.columns, a.etag = merge, c.changes(there.columns), there.etag
	}
	return a, nil
}

func (w *write) indexEvent() {
	if w.link.OutlookSeen.EventID != "" {
		w.index(eventKey(w.link.OutlookSeen.EventID), columns{"Appointment": w.link.Appointment})
	}
}

func (w *write) indexDue() {
	w.index(dueKey(w.link.Appointment), columns{"Appointment": w.link.Appointment, "DueAt": timeText(w.link.DueAt)})
}

func (w *write) index(key string, c columns) {
	w.actions = append(w.actions, action{kind: put, partition: w.actions[0].partition, key: key, columns: c})
}

// unindexEvent removes the index row of an event that these appointments' links
// give up, unless another link has claimed it since: it is read first, which
// costs a call, but events are given up rarely.
func (t *Tables) unindexEvent(ctx context.Context, op string, w *write, event string, appointments ...string) error {
	if event == "" {
		return nil
	}
	there, err := t.find(ctx, op, t.links, w.actions[0].partition, eventKey(event))
	if err != nil || there == nil {
		return err
	}
	index, err := there.index(op)
	if err == nil && slices.Contains(appointments, index.Appointment) {
		w.actions = append(w.actions, action{kind: drop, partition: there.partition, key: there.key, etag: there.etag})
	}
	return err
}

// unindexDue removes the index row of a link that is not due any more.
func (t *Tables) unindexDue(ctx context.Context, op string, w *write, appointment string, careful bool) error {
	a := action{kind: drop, partition: w.actions[0].partition, key: dueKey(appointment), etag: "*"}
	if careful {
		// A transaction fails if a row that it deletes is not there.
		there, err := t.find(ctx, op, t.links, a.partition, a.key)
		if err != nil || there == nil {
			return err
		}
	}
	w.actions = append(w.actions, a)
	return nil
}
