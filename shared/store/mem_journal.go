package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

func (m *Mem) Record(ctx context.Context, transactions ...Transaction) error {
	if err := alive(ctx, "store: record"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range transactions {
		m.transactions = append(m.transactions, t.at(m.now()))
	}
	return nil
}

func (m *Mem) Transactions(ctx context.Context, family string, limit int) ([]Transaction, error) {
	return m.newest(ctx, limit, func(t *Transaction) bool { return t.Family == family })
}

func (m *Mem) TransactionsOf(ctx context.Context, appointment string, limit int) ([]Transaction, error) {
	return m.newest(ctx, limit, func(t *Transaction) bool { return t.Appointment == appointment && appointment != "" })
}

func (m *Mem) newest(ctx context.Context, limit int, wanted func(*Transaction) bool) ([]Transaction, error) {
	if err := alive(ctx, "store: transactions"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Transaction
	for i := len(m.transactions) - 1; i >= 0; i-- {
		if wanted(&m.transactions[i]) {
			out = append(out, m.transactions[i])
		}
	}
	slices.SortStableFunc(out, func(a, b Transaction) int { return b.At.Compare(a.At) })
	return first(out, limit), nil
}

func (m *Mem) FindTransactions(ctx context.Context, q TransactionQuery) (TransactionPage, error) {
	const op = "store: find transactions"
	if err := alive(ctx, op); err != nil {
		return TransactionPage{}, err
	}
	after, err := q.check(op)
	if err != nil {
		return TransactionPage{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	type numbered struct {
		Transaction
		key string // sorts as the rows of a table do
	}
	var found []numbered
	for i, t := range m.transactions {
		k := fmt.Sprintf("%s|%012d", instantKey(t.At), 999_999_999_999-i)
		if q.selects(&t) && (len(after) == 0 || k > after[1]) {
			found = append(found, numbered{t, k})
		}
	}
	slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.key, b.key) })
	var page TransactionPage
	for i, f := range found {
		if i == q.limit() {
			page.Next = q.token("", found[i-1].key)
			break
		}
		page.Rows = append(page.Rows, f.Transaction)
	}
	return page, nil
}

func (m *Mem) Park(ctx context.Context, p *Parked) error {
	if err := alive(ctx, "store: park"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.ID == "" {
		p.ID = rand.Text()
	}
	if p.At.IsZero() {
		p.At = instant(m.now())
	}
	if m.parked[p.ID] == nil {
		m.parked[p.ID] = clone(p)
	}
	return nil
}

func (m *Mem) ParkedMessages(ctx context.Context, limit int) ([]*Parked, error) {
	if err := alive(ctx, "store: parked messages"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Parked
	for _, p := range m.parked {
		out = append(out, clone(p))
	}
	slices.SortFunc(out, func(a, b *Parked) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return first(out, limit), nil
}

func (m *Mem) Unpark(ctx context.Context, id string) error {
	if err := alive(ctx, "store: unpark"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.parked, id)
	return nil
}

func (m *Mem) PutDelta(ctx context.Context, d Delta) error {
	if err := alive(ctx, "store: put delta"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if was, ok := m.deltas[[2]string{d.Mailbox, d.Event}]; ok && !d.news(was) {
		d.Dismissed = was.Dismissed
	}
	m.deltas[[2]string{d.Mailbox, d.Event}] = d.at(m.now())
	return nil
}

func (m *Mem) DismissDelta(ctx context.Context, mailbox, event string) error {
	if err := alive(ctx, "store: dismiss delta"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.deltas[[2]string{mailbox, event}]; ok {
		d.Dismissed = instant(m.now())
		m.deltas[[2]string{mailbox, event}] = d
	}
	return nil
}

func (m *Mem) RemoveDelta(ctx context.Context, mailbox, event string) error {
	if err := alive(ctx, "store: remove delta"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.deltas, [2]string{mailbox, event})
	return nil
}

func (m *Mem) Deltas(ctx context.Context, mailbox string, limit int) ([]Delta, error) {
	if err := alive(ctx, "store: deltas"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Delta
	for key, d := range m.deltas {
		if (mailbox == "" || key[0] == mailbox) && d.Dismissed.IsZero() {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, deltaOrder)
	return first(out, limit), nil
}

// first returns at most limit of the sorted rows.
func first[T any](rows []T, limit int) []T { return rows[:min(max(limit, 0), len(rows))] }

func deltaOrder(a, b Delta) int {
	return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Mailbox, b.Mailbox), cmp.Compare(a.Event, b.Event))
}

func (m *Mem) Prune(ctx context.Context, before time.Time) (int, error) {
	if err := alive(ctx, "store: prune"); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for target, links := range m.links {
		for guid, l := range links {
			if tombstone(l, before) {
				m.drop(target, guid)
				n++
			}
		}
	}
	old := func(at time.Time) bool {
		if !at.Before(before) {
			return false
		}
		n++
		return true
	}
	for guid, h := range m.heads {
		if buried(h, before) {
			delete(m.heads, guid)
			n++
		}
	}
	m.transactions = slices.DeleteFunc(m.transactions, func(t Transaction) bool { return old(t.At) })
	for id, p := range m.parked {
		if old(p.At) {
			delete(m.parked, id)
		}
	}
	for key, d := range m.deltas {
		if old(d.At) {
			delete(m.deltas, key)
		}
	}
	m.auditLog = slices.DeleteFunc(m.auditLog, func(e AuditEntry) bool { return old(e.At.Add(auditKept)) })
	return n, nil
}
