package store

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Probe looks into every table, and writes, reads and removes a row of the settings.
func (t *Tables) Probe(ctx context.Context) error {
	const op, name = "store: probe", "probe"
	all := []*aztables.Client{
		t.connectorRows, t.links, t.appointments, t.targets, t.resources, t.preferences,
		t.transactions, t.parked, t.deltas, t.settingRows, t.audit,
	}
	err := each(len(all), func(i int) error {
		return t.list(ctx, op, all[i], partition("probe"), "", 1, func(*row) bool { return false })
	})
	if err != nil {
		return err
	}
	if _, err := t.upsert(ctx, op, t.settingRows, name, name, columns{"At": timeText(t.now())}); err != nil {
		return err
	}
	if _, err := t.get(ctx, op, t.settingRows, name, name); err != nil {
		return err
	}
	if _, err := t.remove(ctx, op, t.settingRows, name, name, "*"); err != nil {
		return err
	}
	switch _, err := t.get(ctx, op, t.settingRows, name, name); {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &fault.Error{Kind: fault.Transient, Reason: fault.Other, Op: op, Err: errors.New("a row that was removed is still there")}
}
