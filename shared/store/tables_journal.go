package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Record writes each transaction twice, under its family's day and under its
// appointment, newest first. The rows are put under keys of their own, so that
// a repeated call of the SDK doubles nothing.
func (t *Tables) Record(ctx context.Context, transactions ...Transaction) error {
	const op = "store: record"
	now := t.now()
	groups := map[string][]action{}
	var order []string
	group := func(partition, key string, c columns) {
		if groups[partition] == nil {
			order = append(order, partition)
		}
		groups[partition] = append(groups[partition], action{kind: put, partition: partition, key: key, columns: c})
	}
	for i, tr := range transactions {
		tr = tr.at(now)
		c, err := encode(&tr)
		if err != nil {
			return unreadable(op, err)
		}
		c = c.filled()
		// Of one instant the later of this call comes first.
		k := fmt.Sprintf("%s|%06d|%s", instantKey(tr.At), 999_999-i, stamp())
		group(familyKey(tr.Family, tr.At), k, c)
		if tr.Appointment != "" {
			group(historyKey(tr.Appointment), k, c)
		}
	}
	var batches [][]action
	for _, p := range order {
		for batch := range slices.Chunk(groups[p], maxActions) {
			batches = append(batches, batch)
		}
	}
	return each(len(batches), func(i int) error {
		_, err := t.all(ctx, op, t.transactions, batches[i])
		return err
	})
}

func (t *Tables) Transactions(ctx context.Context, family string, limit int) ([]Transaction, error) {
	f := "f|" + key(family)
	return t.newest(ctx, between("PartitionKey", f+"|", f+"}"), limit)
}

func (t *Tables) TransactionsOf(ctx context.Context, appointment string, limit int) ([]Transaction, error) {
	return t.newest(ctx, partition(historyKey(appointment)), limit)
}

func (t *Tables) newest(ctx context.Context, filter string, limit int) ([]Transaction, error) {
	if limit <= 0 {
		return nil, nil
	}
	found, _, err := listRows[Transaction](ctx, t, "store: transactions", t.transactions, filter, "", limit)
	var out []Transaction
	for _, tr := range found {
		out = append(out, *tr)
	}
	return out, err
}

// FindTransactions reads a family's days in the order of their partitions, or
// an appointment's one partition; a page goes on behind the last row shown.
func (t *Tables) FindTransactions(ctx context.Context, q TransactionQuery) (TransactionPage, error) {
	const op = "store: find transactions"
	after, err := q.check(op)
	if err != nil {
		return TransactionPage{}, err
	}
	rows, keys, err := listRows[Transaction](ctx, t, op, t.transactions, q.filter(after), "", q.limit()+1)
	if err != nil {
		return TransactionPage{}, err
	}
	var page TransactionPage
	for i, tr := range rows {
		if i == q.limit() {
			page.Next = q.token(keys[i-1].partition, keys[i-1].key)
			break
		}
		page.Rows = append(page.Rows, *tr)
	}
	return page, nil
}

const parkedPartition = "parked"

func (t *Tables) Park(ctx context.Context, p *Parked) error {
	const op = "store: park"
	id, at := cmp.Or(p.ID, stamp()), p.At
	if at.IsZero() {
		at = instant(t.now())
	}
	row := clone(p)
	row.ID, row.At = id, at
	c, err := encode(row)
	if err != nil {
		return unreadable(op, err)
	}
	_, err = t.one(ctx, op, t.parked, action{kind: add, partition: parkedPartition, key: key(id), columns: c.filled()})
	if err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	p.ID, p.At = id, at
	return nil
}

// ParkedMessages lists the rows without their bodies first, as they may be
// many and large, and then reads those that are wanted.
func (t *Tables) ParkedMessages(ctx context.Context, limit int) ([]*Parked, error) {
	const op = "store: parked messages"
	all, _, err := listRows[Parked](ctx, t, op, t.parked, partition(parkedPartition), "PartitionKey,RowKey,ID,At", 0)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *Parked) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	all = first(all, limit)
	err = each(len(all), func(i int) error {
		r, err := t.find(ctx, op, t.parked, parkedPartition, key(all[i].ID))
		if err != nil || r == nil {
			all[i] = nil // unparked in between, if there was no error
			return err
		}
		all[i], err = decodeRow[Parked](op, r)
		return err
	})
	return slices.DeleteFunc(all, func(p *Parked) bool { return p == nil }), err
}

func (t *Tables) Unpark(ctx context.Context, id string) error {
	_, err := t.remove(ctx, "store: unpark", t.parked, parkedPartition, key(id), "*")
	return err
}

func (t *Tables) PutDelta(ctx context.Context, d Delta) error {
	const op = "store: put delta"
	d = d.at(t.now())
	was, err := t.delta(ctx, op, d.Mailbox, d.Event)
	if err != nil {
		return err
	}
	if was != nil && !d.news(*was) {
		d.Dismissed = was.Dismissed
	}
	return t.putDelta(ctx, op, d)
}

func (t *Tables) delta(ctx context.Context, op, mailbox, event string) (*Delta, error) {
	r, err := t.find(ctx, op, t.deltas, key(mailbox), key(event))
	if err != nil || r == nil {
		return nil, err
	}
	return decodeRow[Delta](op, r)
}

func (t *Tables) putDelta(ctx context.Context, op string, d Delta) error {
	c, err := encode(&d)
	if err != nil {
		return unreadable(op, err)
	}
	_, err = t.upsert(ctx, op, t.deltas, key(d.Mailbox), key(d.Event), c)
	return err
}

func (t *Tables) DismissDelta(ctx context.Context, mailbox, event string) error {
	const op = "store: dismiss delta"
	d, err := t.delta(ctx, op, mailbox, event)
	if err != nil || d == nil {
		return err
	}
	d.Dismissed = instant(t.now())
	return t.putDelta(ctx, op, *d)
}

func (t *Tables) RemoveDelta(ctx context.Context, mailbox, event string) error {
	_, err := t.remove(ctx, "store: remove delta", t.deltas, key(mailbox), key(event), "*")
	return err
}

func (t *Tables) Deltas(ctx context.Context, mailbox string, limit int) ([]Delta, error) {
	filter := partition(key(mailbox))
	if mailbox == "" {
		filter = "PartitionKey ge ''"
	}
	found, _, err := listRows[Delta](ctx, t, "store: deltas", t.deltas, filter, "", 0)
	var out []Delta
	for _, d := range found {
		if d.Dismissed.IsZero() {
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, deltaOrder)
	return first(out, limit), err
}
