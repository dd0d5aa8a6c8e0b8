package exchange

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/mail"
	"reflect"
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
	}
	Board    Board
	Calendar Calendar
	Bus      Bus
	Now      func() time.Time
	Log      *slog.Logger
}

// Problems of a resource, for people.
const (
	problemOff     = "Exchange integration is off on the board"
	problemEmail   = "the resource has no valid e-mail address"
	problemMailbox = "no user with this e-mail address was found in the directory"
	problemMissing = "the board does not list the resource any more"
)

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
	now := r.Now()
	listed, err := r.Board.Resources(ctx)
	if err != nil {
		r.Log.WarnContext(ctx, "the board's resources could not be read: tried again by the next run", "error", err)
		return nil
	}
	known, err := r.Store.Resources(ctx)
	if err != nil {
		return err
	}
	before := map[string]*store.Resource{}
	for _, k := range known {
		before[k.No] = k
	}
	var rows []*store.Resource
	for _, l := range listed {
		row, err := r.resource(ctx, l, before[l.No], now)
		if err != nil {
			return err
		}
		rows = append(rows, row)
		delete(before, l.No)
	}
	for _, gone := range before {
		if len(listed) > 0 && now.Sub(gone.Seen) > missingAge && gone.Exchange {
			gone.Exchange, gone.Problem = false, problemMissing
			if err := r.Store.PutResource(ctx, gone); err != nil {
				return err
			}
		}
		rows = append(rows, gone)
	}
	return r.mailboxes(ctx, rows, now)
}

// resource brings one resource's row up to date.
func (r *ResourceSync) resource(ctx context.Context, l appointment.Resource, was *store.Resource, now time.Time) (*store.Resource, error) {
	row := store.Resource{No: l.No}
	if was != nil {
		row = *was
	}
	sameEmail := strings.EqualFold(row.Email, l.Email)
	row.Name, row.Email, row.Exchange = l.Name, l.Email, l.Exchange
	if !sameEmail {
		row.Found = time.Time{} // the mailbox is that of the old address
	}
	stale := row.Problem != "" || now.Sub(row.Found) > lookupAge
	row.Problem = ""
	switch {
	case !l.Exchange:
		row.Problem = problemOff
	case !validEmail(l.Email):
		row.Exchange, row.Problem = false, problemEmail
	case row.Found.IsZero() || stale:
		id, err := r.Calendar.Mailbox(ctx, l.Email)
		switch {
		case err == nil:
			row.Mailbox, row.Found = id, now
		case fault.Is(err, fault.NotFound) && row.Found.IsZero():
			row.Exchange, row.Problem = false, problemMailbox
		default:
			// Not to be told now: a mailbox that was found stays the resource's.
			r.Log.WarnContext(ctx, "a resource's mailbox could not be looked up", "resource", l.No, "error", err)
			if row.Found.IsZero() {
				row.Exchange, row.Problem = false, problemMailbox
			}
		}
	}
	row.Seen = now
	if was != nil && reflect.DeepEqual(row, *was) {
		return &row, nil
	}
	return &row, r.Store.PutResource(ctx, &row)
}

// validEmail reports whether s is one bare address.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// mailboxes tells each mailbox whether it takes part, and nudges those that are new.
func (r *ResourceSync) mailboxes(ctx context.Context, rows []*store.Resource, now time.Time) error {
	wanted := map[string]string{} // mailbox -> e-mail
	for _, row := range rows {
		if row.Exchange && row.Mailbox != "" {
			wanted[row.Mailbox] = row.Email
		}
	}
	targets, err := r.Store.Targets(ctx, store.Mailbox)
	if err != nil {
		return err
	}
	has := map[string]*store.Target{}
	for _, t := range targets {
		has[t.ID] = t
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
// fresh says that it does now and did not before. A mailbox that begins again is
// read and compared from the start.
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
