package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// decodeRow returns the row as a T, without its ETag.
func decodeRow[T any](op string, r *row) (*T, error) {
	v := new(T)
	if err := r.columns.decode(v); err != nil {
		return nil, unreadable(op, err)
	}
	return clone(v), nil
}

// listRows returns all rows that the filter lets pass.
func listRows[T any](ctx context.Context, t *Tables, op string, table *aztables.Client, filter, selection string, limit int) ([]*T, []*row, error) {
	var out []*T
	var rows []*row
	var failed error
	err := t.list(ctx, op, table, filter, selection, limit, func(r *row) bool {
		var v *T
		if v, failed = decodeRow[T](op, r); failed != nil {
			return false
		}
		out, rows = append(out, v), append(rows, r)
		return limit == 0 || len(out) < limit
	})
	if err = cmp.Or(err, failed); err != nil {
		return nil, nil, err
	}
	return out, rows, nil
}

// swapRow stores v, see swap.
func (t *Tables) swapRow(ctx context.Context, op string, table *aztables.Client, partition, key string, v any, etag string) (string, error) {
	c, err := encode(v)
	if err != nil {
		return "", unreadable(op, err)
	}
	return t.swap(ctx, op, table, partition, key, c, etag)
}

const headKey = "head"

func (t *Tables) Head(ctx context.Context, appointment string) (*Head, error) {
	const op = "store: head"
	r, err := t.get(ctx, op, t.appointments, key(appointment), headKey)
	if err != nil {
		return nil, err
	}
	h, err := decodeRow[Head](op, r)
	if err == nil {
		h.ETag = r.etag
	}
	return h, err
}

func (t *Tables) SwapHead(ctx context.Context, h *Head) error {
	updated := instant(t.now())
	c := clone(h)
	c.Updated = updated
	etag, err := t.swapRow(ctx, "store: swap head", t.appointments, key(h.Appointment), headKey, c, h.ETag)
	if err == nil {
		h.ETag, h.Updated = etag, updated
	}
	return err
}

func (t *Tables) Target(ctx context.Context, kind TargetKind, id string) (*Target, error) {
	const op = "store: target"
	r, err := t.get(ctx, op, t.targets, key(string(kind)), key(id))
	if err != nil {
		return nil, err
	}
	target, err := decodeRow[Target](op, r)
	if err == nil {
		target.ETag = r.etag
	}
	return target, err
}

func (t *Tables) Targets(ctx context.Context, kind TargetKind) ([]*Target, error) {
	return t.targetsWhere(ctx, partition(key(string(kind))))
}

func (t *Tables) DueTargets(ctx context.Context, kind TargetKind, now time.Time) ([]*Target, error) {
	due, err := t.targetsWhere(ctx, partition(key(string(kind)))+" and Due gt '' and Due le "+quote(timeText(now)))
	slices.SortStableFunc(due, func(a, b *Target) int { return a.Due.Compare(b.Due) })
	return due, err
}

func (t *Tables) targetsWhere(ctx context.Context, filter string) ([]*Target, error) {
	targets, rows, err := listRows[Target](ctx, t, "store: targets", t.targets, filter, "", 0)
	for i, r := range rows {
		targets[i].ETag = r.etag
	}
	slices.SortFunc(targets, func(a, b *Target) int { return cmp.Compare(a.ID, b.ID) })
	return targets, err
}

func (t *Tables) SwapTarget(ctx context.Context, target *Target) error {
	etag, err := t.swapRow(ctx, "store: swap target", t.targets, key(string(target.Kind)), key(target.ID), clone(target), target.ETag)
	if err == nil {
		target.ETag = etag
	}
	return err
}

func (t *Tables) LowerDue(ctx context.Context, kind TargetKind, id string, at time.Time) error {
	return t.lowerDue(ctx, "store: lower due", kind, id, at, false)
}

func (t *Tables) TouchDue(ctx context.Context, kind TargetKind, id string, at time.Time) error {
	return t.lowerDue(ctx, "store: touch due", kind, id, at, true)
}

func (t *Tables) lowerDue(ctx context.Context, op string, kind TargetKind, id string, at time.Time, touch bool) error {
	for try := 0; ; try++ {
		there, err := t.Target(ctx, kind, id)
		a := action{kind: merge, partition: key(string(kind)), key: key(id), columns: columns{stampColumn: stamp()}}
		switch {
		case errors.Is(err, ErrNotFound):
			a.kind = add
			a.columns["Kind"], a.columns["ID"], a.columns["Due"] = string(kind), id, timeText(at)
		case err != nil:
			return err
		case needsLower(there.Due, at):
			a.etag, a.columns["Due"] = there.ETag, timeText(at)
		case touch:
			a.etag = there.ETag
		default:
			return nil
		}
		if _, err = t.one(ctx, op, t.targets, a); !errors.Is(err, ErrConflict) {
			return err
		}
		if !wait(ctx, try) {
			return alive(ctx, op)
		}
	}
}

const resourcePartition = "resource"

func (t *Tables) Resource(ctx context.Context, no string) (*Resource, error) {
	const op = "store: resource"
	r, err := t.get(ctx, op, t.resources, resourcePartition, key(no))
	if err != nil {
		return nil, err
	}
	resource, err := decodeRow[Resource](op, r)
	if err == nil {
		resource.ETag = r.etag
	}
	return resource, err
}

func (t *Tables) Resources(ctx context.Context) ([]*Resource, error) {
	return t.resourcesWhere(ctx, partition(resourcePartition))
}

func (t *Tables) ResourcesOf(ctx context.Context, mailbox string) ([]*Resource, error) {
	return t.resourcesWhere(ctx, partition(resourcePartition)+" and Mailbox eq "+quote(mailbox))
}

func (t *Tables) resourcesWhere(ctx context.Context, filter string) ([]*Resource, error) {
	resources, rows, err := listRows[Resource](ctx, t, "store: resources", t.resources, filter, "", 0)
	for i, r := range rows {
		resources[i].ETag = r.etag
	}
	slices.SortFunc(resources, func(a, b *Resource) int { return cmp.Compare(a.No, b.No) })
	return resources, err
}

func (t *Tables) UpdateResource(ctx context.Context, no string, change func(*Resource)) (*Resource, error) {
	const op = "store: update resource"
	for try := 0; ; try++ {
		there, err := t.Resource(ctx, no)
		if errors.Is(err, ErrNotFound) {
			there = &Resource{No: no}
		} else if err != nil {
			return nil, err
		}
		next := edited(there, change)
		if next == nil {
			return there, nil
		}
		etag, err := t.swapRow(ctx, op, t.resources, resourcePartition, key(no), next, there.ETag)
		if err == nil {
			next.ETag = etag
			return next, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
		if !wait(ctx, try) {
			return nil, alive(ctx, op)
		}
	}
}

func (t *Tables) PutResource(ctx context.Context, r *Resource) error {
	const op = "store: put resource"
	c, err := encode(clone(r))
	if err != nil {
		return unreadable(op, err)
	}
	etag, err := t.upsert(ctx, op, t.resources, resourcePartition, key(r.No), c)
	if err == nil {
		r.ETag = etag
	}
	return err
}

// setting is the row of a named value.
type setting struct{ Name, Text string }

const settingPartition = "value"

func (t *Tables) Value(ctx context.Context, name string) (text, etag string, err error) {
	const op = "store: value"
	r, err := t.get(ctx, op, t.settingRows, settingPartition, key(name))
	if err != nil {
		return "", "", err
	}
	s, err := decodeRow[setting](op, r)
	if err != nil {
		return "", "", err
	}
	return s.Text, r.etag, nil
}

func (t *Tables) SwapValue(ctx context.Context, name, text, etag string) (string, error) {
	return t.swapRow(ctx, "store: swap value", t.settingRows, settingPartition, key(name), &setting{name, text}, etag)
}
