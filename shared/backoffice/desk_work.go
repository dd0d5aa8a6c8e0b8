package backoffice

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// Retry delivers a failed or waiting appointment again, now.
func (d *Desk) Retry(ctx context.Context, who, id, appointment string) error {
	appointment = strings.ToLower(strings.TrimSpace(appointment))
	found := false
	err := d.eachShard(ctx, id, func(shard string) error {
		l, err := d.Store.Link(ctx, shard, appointment)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		return d.again(ctx, shard, []*store.Link{l}, func(*store.Link) bool { return true })
	})
	if err != nil {
		return err
	}
	if !found {
		return &fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Op: "connector: retry", Err: errors.New("the connector knows nothing of this appointment")}
	}
	return d.audit(ctx, who, "connector.retry", id, "appointment "+clip(appointment))
}

// RetryAll delivers every failed appointment of the connector again, now, and
// returns how many there are.
func (d *Desk) RetryAll(ctx context.Context, who, id string) (int, error) {
	n := 0
	err := d.eachShard(ctx, id, func(shard string) error {
		links, err := d.Store.Links(ctx, shard)
		if err != nil {
			return err
		}
		return d.again(ctx, shard, links, func(l *store.Link) bool {
			if l.State == store.Failed {
				n++
			}
			return l.State == store.Failed
		})
	})
	if err != nil {
		return 0, err
	}
	return n, d.audit(ctx, who, "connector.retry", id, fmt.Sprintf("all %d failed appointments", n))
}

// again makes links due, and wakes their worker.
func (d *Desk) again(ctx context.Context, shard string, links []*store.Link, which func(*store.Link) bool) error {
	now := d.Now()
	var guids []string
	for _, l := range links {
		if which(l) {
			guids = append(guids, l.Appointment)
		}
	}
	if len(guids) == 0 {
		return nil
	}
	if err := d.Store.LowerDue(ctx, store.Connector, shard, now.Add(target.DueSoon)); err != nil { // R1
		return err
	}
	_, errs := d.Store.UpdateLinks(ctx, shard, guids, func(l *store.Link) error {
		if l.ETag == "" || l.Wanted.Version.IsZero() {
			return nil
		}
		if l.State == store.Failed && l.Told != nil && l.Told.State == string(FailedThere) {
			t := *l.Told
			t.Digest, t.State, t.StateText = "", "", "" // accepted and failed there: tell it once more
			l.Told = &t
		}
		if l.Sent == nil && !wants(l) {
			return nil
		}
		l.State, l.DueAt, l.Since, l.Asked = store.Pending, now, time.Time{}, true
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := d.Store.TouchDue(ctx, store.Connector, shard, now.Add(target.DueSoon)); err != nil {
		return err
	}
	id, _, _ := ParseTarget(shard)
	return wake(ctx, d.Store, d.Bus, id, "", now)
}

// Suspend stops deliveries until Resume; what is to be delivered waits.
func (d *Desk) Suspend(ctx context.Context, who, id string) error {
	if _, err := d.record(ctx, id); err != nil {
		return err
	}
	err := d.changeWhole(ctx, id, func(t *store.Target) {
		if t.SuspendedReason == byPerson {
			return
		}
		t.SuspendedSince, t.SuspendedReason, t.SuspendedCode, t.Probe = d.Now(), byPerson, "", time.Time{}
	})
	if err != nil {
		return err
	}
	return d.audit(ctx, who, "connector.suspend", id, "suspended")
}

// Resume ends any suspension: what waits is delivered now.
func (d *Desk) Resume(ctx context.Context, who, id string) error {
	if _, err := d.record(ctx, id); err != nil {
		return err
	}
	if err := d.audit(ctx, who, "connector.resume", id, "resumed"); err != nil {
		return err
	}
	return d.moved(ctx, id, false, true)
}

// moved follows up on a changed record: the suspension of the one before ends, what
// was held back while it was off becomes due, and the workers look.
func (d *Desk) moved(ctx context.Context, id string, on, evenPerson bool) error {
	d.Directory.Forget()
	err := d.changeWhole(ctx, id, func(t *store.Target) {
		if evenPerson || t.SuspendedReason != byPerson {
			resume(t)
		}
	})
	if err != nil {
		return err
	}
	now := d.Now()
	err = d.eachShard(ctx, id, func(shard string) error {
		if on {
			links, err := d.Store.Links(ctx, shard)
			if err != nil {
				return err
			}
			return d.switchedOn(ctx, shard, links)
		}
		row, err := d.Store.Target(ctx, store.Connector, shard)
		if err != nil || row.Due.IsZero() {
			return err
		}
		return d.Store.TouchDue(ctx, store.Connector, shard, now.Add(target.DueSoon))
	})
	if err != nil {
		return err
	}
	return wake(ctx, d.Store, d.Bus, id, "", now)
}

// switchedOn makes due what was held back.
func (d *Desk) switchedOn(ctx context.Context, shard string, links []*store.Link) error {
	return d.makeDue(ctx, shard, links, heldBack, func(l *store.Link) {
		l.State, l.FailureCode, l.FailureText = store.Pending, "", ""
	})
}

// makeDue changes those links that are meant, and makes them due.
func (d *Desk) makeDue(ctx context.Context, shard string, links []*store.Link, which func(*store.Link) bool, change func(*store.Link)) error {
	now := d.Now()
	var guids []string
	for _, l := range links {
		if which(l) {
			guids = append(guids, l.Appointment)
		}
	}
	if len(guids) == 0 {
		return nil
	}
	if err := d.Store.LowerDue(ctx, store.Connector, shard, now.Add(target.DueSoon)); err != nil {
		return err
	}
	_, errs := d.Store.UpdateLinks(ctx, shard, guids, func(l *store.Link) error {
		if which(l) {
			change(l)
			l.DueAt = now
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return d.Store.TouchDue(ctx, store.Connector, shard, now.Add(target.DueSoon))
}

func heldBack(l *store.Link) bool {
	return l.State == store.Skipped && (l.FailureCode == CodeNotAllowed || l.FailureCode == CodeWebhookNotAllowed)
}

func (d *Desk) changeWhole(ctx context.Context, id string, change func(*store.Target)) error {
	row, err := d.Store.Target(ctx, store.Connector, id)
	if errors.Is(err, store.ErrNotFound) {
		row, err = &store.Target{Kind: store.Connector, ID: id}, nil
	}
	if err != nil {
		return err
	}
	k := target.Keeper{Store: d.Store, Bus: d.Bus, Now: d.Now, Log: d.Log, Row: row}
	return k.Save(ctx, change)
}

// eachShard calls f with every shard that the connector ever had something for.
func (d *Desk) eachShard(ctx context.Context, id string, f func(shard string) error) error {
	rows, err := d.Store.Targets(ctx, store.Connector)
	if err != nil {
		return err
	}
	for _, t := range rows {
		if connector, _, ok := ParseTarget(t.ID); ok && connector == id {
			if err := f(t.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Desk) eachLink(ctx context.Context, id string, f func(*store.Link) error) error {
	return d.eachShard(ctx, id, func(shard string) error {
		links, err := d.Store.Links(ctx, shard)
		if err != nil {
			return err
		}
		for _, l := range links {
			if err := f(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// changes names the fields that a person has changed, never their values.
func changes(was, is Config, f Form) string {
	var names []string
	a, b := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			names = append(names, strings.ToLower(a.Type().Field(i).Name))
		}
	}
	if f.Password != "" {
		names = append(names, "password")
	}
	if f.SigningKey != "" {
		names = append(names, "signing key")
	}
	if len(names) == 0 {
		return "saved without a change"
	}
	return "changed: " + strings.Join(names, ", ")
}
