package storetest

import (
	"context"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

// Flaky is a store that can fail before or after the effect of any call, to
// crash or confuse whoever uses it at each of them.
//
// Hook is asked at every such point; its error is what the caller gets, and
// nil lets the call go on. The points of a call are "before Op" (nothing has
// happened yet) and "after Op" (the effect is there, its result is lost), Op
// being the method's name; UpdateLinks has "amid UpdateLinks" too, at which
// the first half of the links is stored. A call that the store itself refuses
// has no point after. A nil Hook lets everything pass. Hook must be safe for
// concurrent use, and may call runtime.Goexit or panic to stand for a crash.
type Flaky struct {
	store.Store
	Hook func(op string) error
}

var _ store.Store = (*Flaky)(nil)

func (f *Flaky) at(point string) error {
	if f.Hook == nil {
		return nil
	}
	return f.Hook(point)
}

// flaky1 and flaky0 run a call with its two points.
func flaky1[T any](f *Flaky, op string, call func() (T, error)) (T, error) {
	var none T
	if err := f.at("before " + op); err != nil {
		return none, err
	}
	v, err := call()
	if err != nil {
		return v, err
	}
	if err := f.at("after " + op); err != nil {
		return none, err
	}
	return v, nil
}

func flaky0(f *Flaky, op string, call func() error) error {
	_, err := flaky1(f, op, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

func (f *Flaky) Link(ctx context.Context, target, appointment string) (*store.Link, error) {
	return flaky1(f, "Link", func() (*store.Link, error) { return f.Store.Link(ctx, target, appointment) })
}

func (f *Flaky) LinkByEvent(ctx context.Context, target, event string) (*store.Link, error) {
	return flaky1(f, "LinkByEvent", func() (*store.Link, error) { return f.Store.LinkByEvent(ctx, target, event) })
}

func (f *Flaky) Links(ctx context.Context, target string) ([]*store.Link, error) {
	return flaky1(f, "Links", func() ([]*store.Link, error) { return f.Store.Links(ctx, target) })
}

func (f *Flaky) DueLinks(ctx context.Context, target string, now time.Time, limit int) (due []*store.Link, next time.Time, err error) {
	err = flaky0(f, "DueLinks", func() error {
		due, next, err = f.Store.DueLinks(ctx, target, now, limit)
		return err
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return due, next, nil
}

func (f *Flaky) UpdateLink(ctx context.Context, target, appointment string, change func(*store.Link) error) (*store.Link, error) {
	return flaky1(f, "UpdateLink", func() (*store.Link, error) {
		return f.Store.UpdateLink(ctx, target, appointment, change)
	})
}

func (f *Flaky) UpdateLinks(ctx context.Context, target string, appointments []string, change func(*store.Link) error) ([]*store.Link, []error) {
	links, errs := make([]*store.Link, len(appointments)), make([]error, len(appointments))
	half := len(appointments) / 2
	var failed error
	part := func(point string, from, to int) {
		if failed == nil {
			failed = f.at(point)
		}
		if failed != nil {
			for i := from; i < to; i++ {
				errs[i] = failed
			}
			return
		}
		if from < to {
			l, e := f.Store.UpdateLinks(ctx, target, appointments[from:to], change)
			copy(links[from:], l)
			copy(errs[from:], e)
		}
	}
	part("before UpdateLinks", 0, half)
	part("amid UpdateLinks", half, len(appointments))
	if failed == nil {
		failed = f.at("after UpdateLinks")
		for i := range errs {
			if failed != nil && errs[i] == nil {
				links[i], errs[i] = nil, failed
			}
		}
	}
	return links, errs
}

func (f *Flaky) RenameLink(ctx context.Context, target, from, to string, absorb func(moved, there *store.Link) error) (*store.Link, error) {
	return flaky1(f, "RenameLink", func() (*store.Link, error) { return f.Store.RenameLink(ctx, target, from, to, absorb) })
}

func (f *Flaky) Head(ctx context.Context, appointment string) (*store.Head, error) {
	return flaky1(f, "Head", func() (*store.Head, error) { return f.Store.Head(ctx, appointment) })
}

func (f *Flaky) SwapHead(ctx context.Context, h *store.Head) error {
	return flaky0(f, "SwapHead", func() error { return f.Store.SwapHead(ctx, h) })
}

func (f *Flaky) Target(ctx context.Context, kind store.TargetKind, id string) (*store.Target, error) {
	return flaky1(f, "Target", func() (*store.Target, error) { return f.Store.Target(ctx, kind, id) })
}

func (f *Flaky) Targets(ctx context.Context, kind store.TargetKind) ([]*store.Target, error) {
	return flaky1(f, "Targets", func() ([]*store.Target, error) { return f.Store.Targets(ctx, kind) })
}

func (f *Flaky) DueTargets(ctx context.Context, kind store.TargetKind, now time.Time) ([]*store.Target, error) {
	return flaky1(f, "DueTargets", func() ([]*store.Target, error) { return f.Store.DueTargets(ctx, kind, now) })
}

func (f *Flaky) SwapTarget(ctx context.Context, t *store.Target) error {
	return flaky0(f, "SwapTarget", func() error { return f.Store.SwapTarget(ctx, t) })
}

func (f *Flaky) TouchDue(ctx context.Context, kind store.TargetKind, id string, at time.Time) error {
	return flaky0(f, "TouchDue", func() error { return f.Store.TouchDue(ctx, kind, id, at) })
}

func (f *Flaky) LowerDue(ctx context.Context, kind store.TargetKind, id string, at time.Time) error {
	return flaky0(f, "LowerDue", func() error { return f.Store.LowerDue(ctx, kind, id, at) })
}

func (f *Flaky) Resource(ctx context.Context, no string) (*store.Resource, error) {
	return flaky1(f, "Resource", func() (*store.Resource, error) { return f.Store.Resource(ctx, no) })
}

func (f *Flaky) ResourcesOf(ctx context.Context, mailbox string) ([]*store.Resource, error) {
	return flaky1(f, "ResourcesOf", func() ([]*store.Resource, error) { return f.Store.ResourcesOf(ctx, mailbox) })
}

func (f *Flaky) Resources(ctx context.Context) ([]*store.Resource, error) {
	return flaky1(f, "Resources", func() ([]*store.Resource, error) { return f.Store.Resources(ctx) })
}

func (f *Flaky) UpdateResource(ctx context.Context, no string, change func(*store.Resource)) (*store.Resource, error) {
	return flaky1(f, "UpdateResource", func() (*store.Resource, error) { return f.Store.UpdateResource(ctx, no, change) })
}

func (f *Flaky) PutResource(ctx context.Context, r *store.Resource) error {
	return flaky0(f, "PutResource", func() error { return f.Store.PutResource(ctx, r) })
}

func (f *Flaky) Connector(ctx context.Context, id string) (*store.ConnectorRecord, error) {
	return flaky1(f, "Connector", func() (*store.ConnectorRecord, error) { return f.Store.Connector(ctx, id) })
}

func (f *Flaky) Connectors(ctx context.Context) (records []*store.ConnectorRecord, broken map[string]error, err error) {
	err = flaky0(f, "Connectors", func() error {
		records, broken, err = f.Store.Connectors(ctx)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return records, broken, nil
}

func (f *Flaky) SwapConnector(ctx context.Context, r *store.ConnectorRecord) error {
	return flaky0(f, "SwapConnector", func() error { return f.Store.SwapConnector(ctx, r) })
}

func (f *Flaky) DeleteConnector(ctx context.Context, id, etag string) error {
	return flaky0(f, "DeleteConnector", func() error { return f.Store.DeleteConnector(ctx, id, etag) })
}

func (f *Flaky) Preferences(ctx context.Context, resource string) (*store.Preferences, error) {
	return flaky1(f, "Preferences", func() (*store.Preferences, error) { return f.Store.Preferences(ctx, resource) })
}

func (f *Flaky) AllPreferences(ctx context.Context) ([]*store.Preferences, error) {
	return flaky1(f, "AllPreferences", func() ([]*store.Preferences, error) { return f.Store.AllPreferences(ctx) })
}

func (f *Flaky) SwapPreferences(ctx context.Context, p *store.Preferences) error {
	return flaky0(f, "SwapPreferences", func() error { return f.Store.SwapPreferences(ctx, p) })
}

func (f *Flaky) Record(ctx context.Context, t ...store.Transaction) error {
	return flaky0(f, "Record", func() error { return f.Store.Record(ctx, t...) })
}

func (f *Flaky) Transactions(ctx context.Context, family string, limit int) ([]store.Transaction, error) {
	return flaky1(f, "Transactions", func() ([]store.Transaction, error) { return f.Store.Transactions(ctx, family, limit) })
}

func (f *Flaky) TransactionsOf(ctx context.Context, appointment string, limit int) ([]store.Transaction, error) {
	return flaky1(f, "TransactionsOf", func() ([]store.Transaction, error) {
		return f.Store.TransactionsOf(ctx, appointment, limit)
	})
}

func (f *Flaky) FindTransactions(ctx context.Context, q store.TransactionQuery) (store.TransactionPage, error) {
	return flaky1(f, "FindTransactions", func() (store.TransactionPage, error) { return f.Store.FindTransactions(ctx, q) })
}

func (f *Flaky) Park(ctx context.Context, p *store.Parked) error {
	return flaky0(f, "Park", func() error { return f.Store.Park(ctx, p) })
}

func (f *Flaky) ParkedMessages(ctx context.Context, limit int) ([]*store.Parked, error) {
	return flaky1(f, "ParkedMessages", func() ([]*store.Parked, error) { return f.Store.ParkedMessages(ctx, limit) })
}

func (f *Flaky) Unpark(ctx context.Context, id string) error {
	return flaky0(f, "Unpark", func() error { return f.Store.Unpark(ctx, id) })
}

func (f *Flaky) Audit(ctx context.Context, e store.AuditEntry) error {
	return flaky0(f, "Audit", func() error { return f.Store.Audit(ctx, e) })
}

func (f *Flaky) AuditLog(ctx context.Context, limit int) ([]store.AuditEntry, error) {
	return flaky1(f, "AuditLog", func() ([]store.AuditEntry, error) { return f.Store.AuditLog(ctx, limit) })
}

func (f *Flaky) PutDelta(ctx context.Context, d store.Delta) error {
	return flaky0(f, "PutDelta", func() error { return f.Store.PutDelta(ctx, d) })
}

func (f *Flaky) DismissDelta(ctx context.Context, mailbox, event string) error {
	return flaky0(f, "DismissDelta", func() error { return f.Store.DismissDelta(ctx, mailbox, event) })
}

func (f *Flaky) RemoveDelta(ctx context.Context, mailbox, event string) error {
	return flaky0(f, "RemoveDelta", func() error { return f.Store.RemoveDelta(ctx, mailbox, event) })
}

func (f *Flaky) Deltas(ctx context.Context, mailbox string, limit int) ([]store.Delta, error) {
	return flaky1(f, "Deltas", func() ([]store.Delta, error) { return f.Store.Deltas(ctx, mailbox, limit) })
}

func (f *Flaky) Prune(ctx context.Context, before time.Time) (int, error) {
	return flaky1(f, "Prune", func() (int, error) { return f.Store.Prune(ctx, before) })
}

func (f *Flaky) Value(ctx context.Context, name string) (text, etag string, err error) {
	err = flaky0(f, "Value", func() error {
		text, etag, err = f.Store.Value(ctx, name)
		return err
	})
	if err != nil {
		return "", "", err
	}
	return text, etag, nil
}

func (f *Flaky) SwapValue(ctx context.Context, name, text, etag string) (string, error) {
	return flaky1(f, "SwapValue", func() (string, error) { return f.Store.SwapValue(ctx, name, text, etag) })
}

func (f *Flaky) Ping(ctx context.Context) error {
	return flaky0(f, "Ping", func() error { return f.Store.Ping(ctx) })
}

func (f *Flaky) Probe(ctx context.Context) error {
	return flaky0(f, "Probe", func() error { return f.Store.Probe(ctx) })
}
