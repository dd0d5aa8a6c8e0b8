package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Retry lets a failed or waiting link be tried again at once: a person asks for
// it. A mailbox that is suspended is probed at once, and so is the board; a pause that the other
// side asked for is kept. It is no error if there is nothing to retry.
func (d *Desk) Retry(ctx context.Context, who, mailbox, appointment string) error {
	mailbox, appointment = strings.TrimSpace(mailbox), strings.ToLower(strings.TrimSpace(appointment))
	if mailbox == "" || appointment == "" {
		return errors.New("say which mailbox and which appointment are to be tried again")
	}
	if _, err := d.Store.Link(ctx, mailbox, appointment); errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("the appointment %s has never concerned the mailbox %s", appointment, mailbox)
	} else if err != nil {
		return err
	}
	if err := d.retry(ctx, mailbox, []string{appointment}); err != nil {
		return err
	}
	return d.audit(ctx, who, "retry", mailbox, "appointment "+appointment)
}

// RetryAll is Retry for all failed and waiting links of a mailbox; it returns how
// many there are.
func (d *Desk) RetryAll(ctx context.Context, who, mailbox string) (int, error) {
	links, err := d.Store.Links(ctx, strings.TrimSpace(mailbox))
	if err != nil {
		return 0, err
	}
	var ids []string
	for _, l := range links {
		if retryable(l) {
			ids = append(ids, l.Appointment)
		}
	}
	if err := d.retry(ctx, strings.TrimSpace(mailbox), ids); err != nil {
		return 0, err
	}
	return len(ids), d.audit(ctx, who, "retry all", mailbox, fmt.Sprintf("%d appointments", len(ids)))
}

// retryable reports whether trying again may change anything.
func retryable(l *store.Link) bool {
	return l.State == store.Failed || l.Attempts > 0 && !l.DueAt.IsZero() || waitsForBoard(l)
}

func (d *Desk) retry(ctx context.Context, mailbox string, appointments []string) error {
	now := d.Now()
	row, err := d.Store.Target(ctx, store.Mailbox, mailbox)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no mailbox %s takes part", mailbox)
	}
	if err != nil {
		return err
	}
	if err := d.Store.LowerDue(ctx, store.Mailbox, mailbox, now.Add(dueSoon)); err != nil { // R1
		return err
	}
	_, errs := d.Store.UpdateLinks(ctx, mailbox, appointments, func(l *store.Link) error {
		if l.ETag != "" && retryable(l) {
			again(l, now)
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := d.probeNow(ctx, store.Service, serviceBoard); err != nil {
		return err
	}
	n := bus.Nudge{Kind: bus.Push, Target: mailbox, Reason: reasonWebsite, At: now}
	if !row.SuspendedSince.IsZero() {
		n.Kind = bus.Subscribe
		if err := d.probeNow(ctx, store.Mailbox, mailbox); err != nil {
			return err
		}
		if row.SuspendedBy != "" {
			if err := d.probeNow(ctx, store.Service, row.SuspendedBy); err != nil {
				return err
			}
		}
	}
	if err := d.Store.TouchDue(ctx, store.Mailbox, mailbox, now.Add(dueSoon)); err != nil {
		return err
	}
	return d.Bus.Nudge(ctx, n)
}

// again makes a link due at once, as if it had never failed. A finding that the
// board refused is found again, with Outlook's shadow as it was before.
func again(l *store.Link, now time.Time) {
	if l.State == store.Failed && l.Inbound == nil && (len(l.Refused) > 0 || !boardKnows(l)) {
		seen := &l.OutlookSeen
		l.Inbound = &store.Inbound{
			ETag: seen.ETag, Modified: seen.Modified, ICalUID: seen.ICalUID, Content: seen.Content,
			Attendees: seen.Attendees, Organizer: seen.Organizer, Flow: l.Flow, Found: now,
		}
		seen.Content = seen.Content.With(l.Refused)
	}
	l.Refused = nil
	l.State, l.DueAt, l.Attempts, l.Asked = store.Pending, now, 0, true
}

// probeNow lets a suspended target be tried at once.
func (d *Desk) probeNow(ctx context.Context, kind store.TargetKind, id string) error {
	for {
		row, err := d.Store.Target(ctx, kind, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil // never suspended
		}
		if err != nil || row.SuspendedSince.IsZero() || !row.Probe.After(d.Now()) {
			return err
		}
		row.Probe = d.Now()
		if err := d.Store.SwapTarget(ctx, row); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}
