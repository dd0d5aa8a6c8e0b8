package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// AuditEntry is one thing that a person has changed.
type AuditEntry struct {
	Who    string // e-mail address or id of the person
	Action string // stable: "settings", "release", "connector.save", ...
	Object string // what it was done to: a resource, a connector, an appointment
	Text   string // for people, without content and secrets
	At     time.Time
}

// auditKept is for how much longer than other old rows entries are kept: about a
// year in all, if the others are kept for 30 days.
const auditKept = 335 * day

const auditPartition = "audit"

func (e AuditEntry) at(now time.Time) AuditEntry {
	if e.At.IsZero() {
		e.At = now
	}
	return *clone(&e)
}

func (t *Tables) Audit(ctx context.Context, e AuditEntry) error {
	const op = "store: audit"
	e = e.at(t.now())
	c, err := encode(&e)
	if err != nil {
		return unreadable(op, err)
	}
	_, err = t.upsert(ctx, op, t.audit, auditPartition, fmt.Sprintf("%s|%s", instantKey(e.At), stamp()), c.filled())
	return err
}

func (t *Tables) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	if limit <= 0 {
		return nil, nil
	}
	found, _, err := listRows[AuditEntry](ctx, t, "store: audit log", t.audit, partition(auditPartition), "", limit)
	var out []AuditEntry
	for _, e := range found {
		out = append(out, *e)
	}
	return out, err
}

func (m *Mem) Audit(ctx context.Context, e AuditEntry) error {
	if err := alive(ctx, "store: audit"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.auditLog = append(m.auditLog, e.at(m.now()))
	return nil
}

func (m *Mem) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	if err := alive(ctx, "store: audit log"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.auditLog)
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b AuditEntry) int { return b.At.Compare(a.At) })
	return first(out, limit), nil
}
