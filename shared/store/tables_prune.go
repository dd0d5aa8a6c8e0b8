package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// maxPruned is how many rows of each kind one call of Prune removes.
const maxPruned = 500

// Prune reads through whole tables, but for the transactions, whose old days
// lie together: it is for a timer, not for every round.
func (t *Tables) Prune(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for _, pass := range []func(context.Context, time.Time) (int, error){
		t.pruneLinks, t.pruneHeads, t.pruneTransactions,
		func(ctx context.Context, before time.Time) (int, error) { return t.pruneAll(ctx, t.parked, before) },
		func(ctx context.Context, before time.Time) (int, error) { return t.pruneAll(ctx, t.deltas, before) },
		func(ctx context.Context, before time.Time) (int, error) {
			return t.pruneAll(ctx, t.audit, before.Add(-auditKept))
		},
	} {
		n, err := pass(ctx, before)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

const pruning = "store: prune"

// pruneLinks removes tombstones. What the listing shows is old news: each row
// is read again, judged, and removed only as it was read.
func (t *Tables) pruneLinks(ctx context.Context, before time.Time) (int, error) {
	filter := "(State eq " + quote(string(Gone)) + " or State eq " + quote(string(Hidden)) + " and OutlookSeenEventID eq '') and Updated lt " + quote(timeText(before))
	return t.pruneRead(ctx, t.links, filter, func(r *row) (bool, error) {
		l, err := r.link(pruning)
		if err != nil || !tombstone(l, before) {
			return false, err
		}
		w := write{actions: []action{{kind: drop, partition: r.partition, key: r.key, etag: r.etag}}}
		if err := t.unindexEvent(ctx, pruning, &w, l.OutlookSeen.EventID, l.Appointment); err != nil {
			return false, err
		}
		_, err = t.all(ctx, pruning, t.links, w.actions)
		if errors.Is(err, ErrConflict) {
			return false, nil
		}
		return err == nil, err
	})
}

func (t *Tables) pruneHeads(ctx context.Context, before time.Time) (int, error) {
	filter := "Operation eq 'Delete' and Updated lt " + quote(timeText(before))
	return t.pruneRead(ctx, t.appointments, filter, func(r *row) (bool, error) {
		h, err := decodeRow[Head](pruning, r)
		if err != nil || !buried(h, before) {
			return false, err
		}
		return t.remove(ctx, pruning, t.appointments, r.partition, r.key, r.etag)
	})
}

// pruneRead calls remove with the fresh row of each that the filter lets pass.
func (t *Tables) pruneRead(ctx context.Context, table *aztables.Client, filter string, remove func(*row) (bool, error)) (int, error) {
	rows, err := t.pruned(ctx, table, filter, "PartitionKey,RowKey")
	if err != nil {
		return 0, err
	}
	var n atomic.Int64
	err = each(len(rows), func(i int) error {
		r, err := t.find(ctx, pruning, table, rows[i].partition, rows[i].key)
		if err != nil || r == nil {
			return err
		}
		done, err := remove(r)
		if done {
			n.Add(1)
		}
		return err
	})
	return int(n.Load()), err
}

// pruned lists the rows that one call may remove.
func (t *Tables) pruned(ctx context.Context, table *aztables.Client, filter, selection string) ([]*row, error) {
	var rows []*row
	err := t.list(ctx, pruning, table, filter, selection, maxPruned, func(r *row) bool {
		rows = append(rows, r)
		return len(rows) < maxPruned
	})
	return rows, err
}

// pruneAll removes the rows of a table by their time; nobody writes such a row twice.
func (t *Tables) pruneAll(ctx context.Context, table *aztables.Client, before time.Time) (int, error) {
	rows, err := t.pruned(ctx, table, "At lt "+quote(timeText(before)), "PartitionKey,RowKey")
	if err != nil {
		return 0, err
	}
	return t.removeEach(ctx, table, rows)
}

func (t *Tables) removeEach(ctx context.Context, table *aztables.Client, rows []*row) (int, error) {
	var n atomic.Int64
	err := each(len(rows), func(i int) error {
		done, err := t.remove(ctx, pruning, table, rows[i].partition, rows[i].key, "*")
		if done {
			n.Add(1)
		}
		return err
	})
	return int(n.Load()), err
}

// pruneTransactions goes from family to family; the old days of each are the
// end of its range. The rows under the appointments go first: whoever is
// interrupted finds them again by those under the family.
func (t *Tables) pruneTransactions(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for from := "f|"; ; {
		var next *Transaction
		var failed error
		err := t.list(ctx, pruning, t.transactions, between("PartitionKey", from, "f}"), "Family", 1, func(r *row) bool {
			next, failed = decodeRow[Transaction](pruning, r)
			return false
		})
		if err = cmp.Or(err, failed); err != nil || next == nil {
			return total, err
		}
		n, err := t.pruneFamily(ctx, next.Family, before)
		if total += n; err != nil {
			return total, err
		}
		from = "f|" + key(next.Family) + "}"
	}
}

func (t *Tables) pruneFamily(ctx context.Context, family string, before time.Time) (int, error) {
	filter := between("PartitionKey", familyKey(family, before), "f|"+key(family)+"}") + " and At lt " + quote(timeText(before))
	rows, err := t.pruned(ctx, t.transactions, filter, "PartitionKey,RowKey,Appointment")
	if err != nil {
		return 0, err
	}
	var twins []*row
	days := map[string][]*row{}
	for _, r := range rows {
		tr, err := decodeRow[Transaction](pruning, r)
		if err != nil {
			return 0, err
		}
		if tr.Appointment != "" {
			twins = append(twins, &row{partition: historyKey(tr.Appointment), key: r.key})
		}
		days[r.partition] = append(days[r.partition], r)
	}
	if _, err := t.removeEach(ctx, t.transactions, twins); err != nil {
		return 0, err
	}
	total := 0
	for _, of := range days {
		for rows := range slices.Chunk(of, maxActions) {
			var actions []action
			for _, r := range rows {
				actions = append(actions, action{kind: drop, partition: r.partition, key: r.key, etag: "*"})
			}
			n := len(rows)
			_, err := t.all(ctx, pruning, t.transactions, actions)
			if errors.Is(err, ErrConflict) { // another instance prunes as well
				n, err = t.removeEach(ctx, t.transactions, rows)
			}
			total += n
			if err != nil {
				return total, err
			}
		}
	}
	return total, nil
}
