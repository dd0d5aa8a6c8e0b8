package exchange

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

// ResourceSync is the timer that reads the board's resources, finds the mailbox
// of each, and tells the mailboxes whether they take part.
type ResourceSync struct {
	Store interface {
		store.Targets
		store.Directory
		store.Journal
	}
	Board    Board
	Calendar Calendar
	Bus      Bus
	Now      func() time.Time
	Log      *slog.Logger
}

const (
	// lookupAge is after how long a mailbox that was found is looked up again,
	// for an address can move to another person.
	lookupAge = 24 * time.Hour
	// missingAge is how long a resource that the board's list lacks still takes
	// part: absence is not evidence (idea 7).
	missingAge = 24 * time.Hour
)

// Run compares once. One resource's failure does not stop the others.
func (r *ResourceSync) Run(ctx context.Context) error {
	var listed []appointment.Resource
	err := r.calls().ask(ctx, store.Transaction{Operation: "list resources"}, func(ctx context.Context) (err error) {
		listed, err = r.Board.Resources(ctx)
		return err
	})
	if err != nil {
		r.Log.WarnContext(ctx, "the board's resources could not be read: tried again by the next run", "error", err)
		return nil
	}
	return r.compare(ctx, listed, func(string) bool { return true })
}

func (r *ResourceSync) calls() timerCalls { return timerCalls{Store: r.Store, Now: r.Now, Log: r.Log} }

// Only compares one resource, at once. Its errors are the board's, too.
func (r *ResourceSync) Only(ctx context.Context, no string) error {
	listed, err := r.Board.Resources(ctx)
	if err != nil {
		return err
	}
	return r.compare(ctx, listed, func(other string) bool { return other == no })
}

// compare brings the rows of the chosen resources up to date, and then all mailboxes.
func (r *ResourceSync) compare(ctx context.Context, listed []appointment.Resource, chosen func(no string) bool) error {
	now := r.Now()
	known, err := r.Store.Resources(ctx)
	if err != nil {
		return err
	}
	targets, err := r.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	has := map[string]*store.Target{}
	for _, t := range targets {
		has[t.ID] = t
	}
	before := map[string]*store.Resource{}
	for _, k := range known {
		before[k.No] = k
	}
	var rows []*store.Resource
	for _, l := range listed {
		row := before[l.No]
		delete(before, l.No)
		if chosen(l.No) {
			if row, err = r.resource(ctx, l, row, has, now); err != nil {
				return err
			}
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	for _, gone := range before {
		if len(listed) > 0 && chosen(gone.No) && now.Sub(gone.Seen) > missingAge && gone.Exchange {
			gone, err = r.Store.UpdateResource(ctx, gone.No, func(row *store.Resource) {
				was := *row
				row.Exchange, row.Problem = false, problemMissing
				question(row, was, has, now)
			})
			if err != nil {
				return err
			}
		}
		rows = append(rows, gone)
	}
	return r.mailboxes(ctx, rows, has, now)
}

// resource brings one resource's row up to date.
func (r *ResourceSync) resource(ctx context.Context, l appointment.Resource, was *store.Resource, has map[string]*store.Target, now time.Time) (*store.Resource, error) {
	var row store.Resource
	if was != nil {
		row = *was
	}
	found := r.look(ctx, l, row, has, now)
	return r.Store.UpdateResource(ctx, l.No, func(row *store.Resource) {
		was := *row
		found.into(row, l, now)
		question(row, was, has, now)
		row.Seen = now
	})
}

// look asks the directory for the mailbox of a resource, if that has to be known.
func (r *ResourceSync) look(ctx context.Context, l appointment.Resource, row store.Resource, has map[string]*store.Target, now time.Time) lookup {
	wanted := row.Override == store.OverrideOn || row.Override == store.OverrideNone && l.Exchange
	if !wanted || !validEmail(l.Email) {
		return lookup{}
	}
	mailbox := has[row.Mailbox]
	suspended := mailbox != nil && !mailbox.SuspendedSince.IsZero() // maybe the user was deleted, and made anew
	if strings.EqualFold(row.Email, l.Email) && row.Problem == "" && !row.Found.IsZero() && now.Sub(row.Found) <= lookupAge && !suspended {
		return lookup{}
	}
	var id string
	err := r.calls().ask(ctx, store.Transaction{Operation: "look up mailbox", Resource: l.No}, func(ctx context.Context) (err error) {
		id, err = r.Calendar.Mailbox(ctx, l.Email)
		return err
	})
	switch {
	case err == nil:
		return lookup{asked: true, id: id}
	case fault.Is(err, fault.NotFound) && !fault.Of(err).WholeTarget:
		return lookup{asked: true, problem: problemMailbox}
	case fault.Is(err, fault.Conflict):
		return lookup{asked: true, problem: problemAmbiguous}
	}
	r.Log.WarnContext(ctx, "a resource's mailbox could not be looked up", "resource", l.No, "error", err)
	return lookup{asked: true}
}

// validEmail reports whether s is one bare address.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// mailboxes tells each mailbox whether it takes part, and nudges those that are new.
func (r *ResourceSync) mailboxes(ctx context.Context, rows []*store.Resource, has map[string]*store.Target, now time.Time) error {
	wanted := map[string]string{} // mailbox -> e-mail
	for _, row := range rows {
		if row.Exchange && row.Mailbox != "" {
			wanted[row.Mailbox] = row.Email
		}
	}
	for id := range wanted {
		if has[id] == nil {
			has[id] = &store.Target{Kind: store.Mailbox, ID: id}
		}
	}
	var nudges []bus.Nudge
	for _, id := range slices.Sorted(maps.Keys(has)) {
		t := has[id]
		email, takesPart := wanted[id]
		fresh, err := r.participate(ctx, t, takesPart, email, now)
		if err != nil {
			return err
		}
		if fresh {
			nudges = append(nudges, bus.Nudge{Kind: bus.Subscribe, Target: id, Reason: "resourcesync", At: now})
		}
	}
	r.Log.InfoContext(ctx, "resources compared", "resources", len(rows), "mailboxes", len(wanted), "new", len(nudges))
	if len(nudges) == 0 {
		return nil
	}
	return r.Bus.Nudge(ctx, nudges...)
}

// participate stores whether a mailbox takes part, whoever else writes its row;
// fresh says that it does now and did not before. A mailbox that is new waits for
// its release; one that was in before and begins again is adopted and compared
// from the start, and what was ordered when it was left is off.
func (r *ResourceSync) participate(ctx context.Context, t *store.Target, takesPart bool, email string, now time.Time) (fresh bool, err error) {
	for {
		if t.ETag != "" && t.Participates == takesPart && (!takesPart || t.Email == email) {
			return false, nil
		}
		row := *t
		fresh = takesPart && !row.Participates
		row.Participates = takesPart
		if takesPart {
			row.Email = email
		}
		if fresh {
			if row.Phase == store.PhaseReleased {
				row.Phase = store.PhaseNew
				if wasIn(row) {
					row.Phase = store.PhaseAdopting
				}
			}
			row.Leaving, row.LeavingBy, row.LeavingAt = "", "", time.Time{}
			row.DeltaLink, row.LastBaseline = "", time.Time{}
			row.Due, row.BookedRead = now, now // should the nudge be lost (R1)
		}
		err := r.Store.SwapTarget(ctx, &row)
		if err == nil {
			return fresh, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return false, err
		}
		if t, err = r.Store.Target(ctx, store.Mailbox, t.ID); err != nil {
			return false, err
		}
	}
}

// wasIn reports whether a mailbox that stands as released has ever been worked
// on. A row that was only touched by routing has not, and says nothing of phases.
func wasIn(t store.Target) bool {
	return t.Phase == store.PhaseReleased && (!t.LastRead.IsZero() || !t.ReleasedAt.IsZero())
}
