package exchange

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

// DeltaFilter selects rows of the resource event deltas; what is empty does not
// restrict.
type DeltaFilter struct {
	Mailbox, Kind, Text string
	From, To            time.Time // of the event's time: what overlaps [From, To)
	Limit               int       // 0 = 500
}

// DeltaRow is one row: something seen in a mailbox that could not be aligned with
// an appointment, in words. It holds no content of the event.
type DeltaRow struct {
	Mailbox string    `json:"mailbox"`
	Email   string    `json:"email"`
	Event   string    `json:"event"`
	Kind    string    `json:"kind"`
	Text    string    `json:"text"`
	Start   time.Time `json:"start"` // zero = it has no usable time
	End     time.Time `json:"end"`
	Seen    time.Time `json:"seen"` // when it was last seen
}

// Deltas lists what could not be aligned, newest first.
func (d *Desk) Deltas(ctx context.Context, f DeltaFilter) ([]DeltaRow, error) {
	if f.Limit <= 0 {
		f.Limit = 500
	}
	all, err := d.Store.Deltas(ctx, f.Mailbox, 100_000)
	if err != nil {
		return nil, err
	}
	targets, err := d.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return nil, err
	}
	emails := map[string]string{}
	for _, t := range targets {
		emails[t.ID] = t.Email
	}
	var out []DeltaRow
	for _, x := range all {
		if f.Kind != "" && f.Kind != x.Kind || !strings.Contains(strings.ToLower(x.Text), strings.ToLower(f.Text)) ||
			!f.From.IsZero() && !x.End.IsZero() && !x.End.After(f.From) || !f.To.IsZero() && !x.Start.IsZero() && !x.Start.Before(f.To) {
			continue
		}
		if out = append(out, DeltaRow{x.Mailbox, emails[x.Mailbox], x.Event, x.Kind, x.Text, x.Start, x.End, x.At}); len(out) == f.Limit {
			break
		}
	}
	return out, nil
}

// DeltaKey names one row.
type DeltaKey struct{ Mailbox, Event string }

// DeleteDeltas removes rows from the list, one or many. It never touches a
// calendar; a row stays away until something else is seen of its event. Rows that
// are not there are no error.
func (d *Desk) DeleteDeltas(ctx context.Context, who string, rows ...DeltaKey) error {
	mailboxes := map[string]int{}
	for _, r := range rows {
		if r.Mailbox == "" || r.Event == "" {
			return fmt.Errorf("a row is named by its mailbox and its event; %q, %q are not enough", r.Mailbox, r.Event)
		}
	}
	for _, r := range rows {
		if err := d.Store.DismissDelta(ctx, r.Mailbox, r.Event); err != nil {
			return err
		}
		mailboxes[r.Mailbox]++
	}
	for id, n := range mailboxes {
		if err := d.audit(ctx, who, "delete deltas", id, fmt.Sprintf("%d rows", n)); err != nil {
			return err
		}
	}
	return nil
}
