package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// HeldBack is one appointment whose suspected deletion is held back. It holds no
// content.
type HeldBack struct {
	Mailbox     string    `json:"mailbox"`
	Appointment string    `json:"appointment"`
	Side        string    `json:"side"` // where it was missed: "outlook" or "board"
	Reason      string    `json:"reason"`
	Suspected   int       `json:"suspected"` // how many were missed at once
	Linked      int       `json:"linked"`    // of how many
	Since       time.Time `json:"since"`
	Start       time.Time `json:"start"` // when it is planned
	End         time.Time `json:"end"`
}

// Held lists what is held back in a mailbox and nobody has decided on.
func (d *Desk) Held(ctx context.Context, mailbox string) ([]HeldBack, error) {
	links, err := d.Store.Links(ctx, mailbox)
	if err != nil {
		return nil, err
	}
	var out []HeldBack
	for _, l := range links {
		if l.Held == nil || l.Held.Verdict != "" {
			continue
		}
		h := HeldBack{Mailbox: mailbox, Appointment: l.Appointment, Side: l.Held.Side, Reason: l.Held.Reason,
			Suspected: l.Held.Suspected, Linked: l.Held.Linked, Since: l.Held.Since}
		if start, end, ok := l.Wanted.Content.Times(); ok {
			h.Start, h.End = start, end
		} else if start, end, ok := l.OutlookSeen.Content.Times(); ok {
			h.Start, h.End = start, end
		}
		out = append(out, h)
	}
	return out, nil
}

// ReleaseHeld lets the deletions proceed that are held back in a mailbox; each is
// still proved before anything is deleted (R27). It returns how many there were.
func (d *Desk) ReleaseHeld(ctx context.Context, who, mailbox string) (int, error) {
	return d.decide(ctx, who, mailbox, heldReleased, codeHeldReleased)
}

// RefuseHeld keeps what is held back: the appointments stay on the board, events
// that are gone from Outlook are made again, and nobody is asked for the same ones
// until they have been seen again. It returns how many there were.
func (d *Desk) RefuseHeld(ctx context.Context, who, mailbox string) (int, error) {
	return d.decide(ctx, who, mailbox, heldRefused, codeHeldRefused)
}

func (d *Desk) decide(ctx context.Context, who, mailbox, verdict, code string) (int, error) {
	held, err := d.Held(ctx, mailbox)
	if err != nil || len(held) == 0 {
		return 0, err
	}
	now := d.Now()
	if err := d.Store.LowerDue(ctx, store.Mailbox, mailbox, now.Add(dueSoon)); err != nil { // R1
		return 0, err
	}
	for _, h := range held {
		_, err := d.Store.UpdateLink(ctx, mailbox, h.Appointment, func(l *store.Link) error {
			if l.Held == nil || l.Held.Verdict != "" {
				return nil // seen again since, or decided by somebody else
			}
			next := *l.Held
			next.Verdict, next.Open = verdict, true
			l.Held, l.DueAt = &next, now
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	for _, side := range []string{heldOutlook, heldBoard, heldMoveIn} {
		if err := d.Store.RemoveDelta(ctx, mailbox, heldEvent(side)); err != nil {
			return 0, err
		}
	}
	err = d.Store.Record(ctx, store.Transaction{Family: family, Target: mailbox, Operation: "delete", Status: StatusSuccess, Code: code,
		Text: fmt.Sprintf("%d deletions that were held back were %s", len(held), verdict), Source: store.SourceWebsite, At: now})
	if err != nil {
		return 0, err
	}
	if err := d.Store.TouchDue(ctx, store.Mailbox, mailbox, now.Add(dueSoon)); err != nil {
		return 0, err
	}
	if err := d.Bus.Nudge(ctx, bus.Nudge{Kind: bus.Push, Target: mailbox, Reason: reasonWebsite, At: now}); err != nil {
		return 0, err
	}
	return len(held), d.audit(ctx, who, "held deletions "+verdict, mailbox, fmt.Sprintf("%d appointments", len(held)))
}
