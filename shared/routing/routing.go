// Package routing decides whom a change on the board concerns: it keeps the
// head of each appointment, writes what is wanted into the links of its targets,
// old and new, and nudges their workers. It knows targets only as rows; what is
// done there is the workers' (shared/exchange, shared/backoffice).
//
// Guarantees: the head is swapped first, links follow, nudges last (R6), so that
// a kill between any two lines is made good by the message's next delivery. The
// same message twice, or an older one later, changes nothing (R6, R7).
package routing

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// Board is what routing asks of the board.
type Board interface {
	Appointment(ctx context.Context, guid string, hint dimescheduler.Hint) (appointment.Appointment, error)
}

// Router routes changes. It keeps nothing in memory but the policy, for seconds.
type Router struct {
	Store interface {
		store.Links
		store.Targets
		store.Directory
		store.Journal
	}
	Board Board
	Bus   interface {
		Nudge(ctx context.Context, nudges ...bus.Nudge) error
	}
	// Connectors finds the back offices, Backoffice wakes their workers; nil = there are none.
	Connectors Connectors
	Backoffice interface {
		Nudge(ctx context.Context, nudges ...bus.Nudge) error
	}
	// Policies are the rules and the category links; nil = everything is sent.
	Policies *Policies
	Now      func() time.Time
	Log      *slog.Logger
}

const mailboxPrefix = string(store.Mailbox) + "/"

// MailboxTarget is the name of a mailbox in Head.Targets.
func MailboxTarget(id string) string { return mailboxPrefix + id }

// shared are the fields that the board shows alike to all its resources. Show-as
// and sensitivity stay in each resource's own link (R35).
var shared = []appointment.Field{appointment.When, appointment.Subject, appointment.Body, appointment.Importance}

// Digest tells two states of an appointment on the board apart: its shared
// content and its assignees.
func Digest(a appointment.Appointment) string {
	var who []string
	for _, x := range a.Assignees {
		who = append(who, x.No)
	}
	slices.Sort(who)
	return a.Content.Only(shared...).With(appointment.Content{"assignees": strings.Join(slices.Compact(who), "\n")}).Digest()
}

// dueSoon is when redrive looks at a target if the nudge for it is lost (R1).
const dueSoon = time.Minute

// Route takes one change. An error means that it is to be delivered again.
func (r *Router) Route(ctx context.Context, c appointment.Change) error {
	for {
		err := r.route(ctx, c)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (r *Router) route(ctx context.Context, c appointment.Change) error {
	guid := c.Appointment.Guid
	policy, err := r.Policies.Get(ctx)
	if err != nil {
		return err
	}
	head, err := r.Store.Head(ctx, guid)
	if errors.Is(err, store.ErrNotFound) {
		head = &store.Head{Appointment: guid}
	} else if err != nil {
		return err
	}
	switch order, known := c.Version.Compare(head.Version), head.ETag != ""; {
	case known && order == 0:
		targets, err := r.targets(ctx, head, c)
		if err != nil {
			return err
		}
		again := *head
		return r.fanOut(ctx, head, categorise(policy, &again, c), targets) // delivered again: what is missing is made good
	case known && c.Version.Sequence != 0 && r.doubtful(head, c):
		if c, err = r.settle(ctx, head, c); err != nil {
			return err
		}
		if c.Version.Compare(head.Version) <= 0 {
			return nil
		}
	case known && order > 0 && c.Operation == appointment.Delete && !speaksForAll(c):
		// Another resource of the same mailbox may still be assigned.
		shared, err := r.sharesMailbox(ctx, c)
		if err != nil {
			return err
		}
		if shared {
			if c, err = r.settle(ctx, head, c); err != nil {
				return err
			}
		}
	case known && order < 0:
		r.Log.DebugContext(ctx, "older than what is known: dropped", "appointment", guid, "version", c.Version.String())
		r.stale(ctx, head, c)
		return nil
	}
	targets, err := r.targets(ctx, head, c)
	if err != nil {
		return err
	}
	next := *head
	next.Targets = map[string]bool{}
	for t := range head.Targets {
		next.Targets[t] = head.Assigned(t) && !speaksForAll(c)
	}
	for _, t := range targets {
		next.Targets[t] = c.Operation != appointment.Delete
	}
	next.Version, next.Operation = c.Version, c.Operation
	next.Digest = Digest(c.Appointment)
	if next.Graph, _, err = dimescheduler.MergeGraph(head.Graph, c); err != nil {
		return err
	}
	if err := r.connectors(ctx, head, &next, c); err != nil {
		return err
	}
	if !speaksForAll(c) {
		next.Digest = "" // it says nothing of the others: the next read is news
		if wanted := slices.Collect(maps.Values(next.Targets)); c.Operation == appointment.Delete && slices.Contains(wanted, true) {
			next.Operation = appointment.Update
		}
	}
	c = categorise(policy, &next, c)
	outcome, err := r.judge(ctx, policy, head, &next)
	if err != nil {
		return err
	}
	if next.Operation == appointment.Delete && onlyMailboxes(next.Targets) {
		next.Graph = nil // nobody is told of it any more, and it may hold a person's words
	}
	if err := r.Store.SwapHead(ctx, &next); err != nil {
		return err
	}
	r.explain(ctx, head, &next, c, outcome)
	return r.fanOut(ctx, &next, c, targets)
}

func onlyMailboxes(targets map[string]bool) bool {
	for t := range targets {
		if !strings.HasPrefix(t, mailboxPrefix) {
			return false
		}
	}
	return true
}

// speaksForAll reports whether a change says who is assigned and who is not. The
// flat form speaks for its one resource only, and one that names nobody says
// nothing of anybody's assignment (R9); a Delete that names nobody is for all.
func speaksForAll(c appointment.Change) bool {
	return !c.Appointment.Partial || c.Operation == appointment.Delete && len(c.Appointment.Assignees) == 0
}

// doubtful reports whether the versions alone can not tell what the board shows:
// life after a Delete (R8), a Delete that claims to be older than what was sent
// before it, or two different changes within one tick of the board's clock.
func (r *Router) doubtful(head *store.Head, c appointment.Change) bool {
	later := c.Version.Sequence > head.Version.Sequence
	switch {
	case head.Operation == appointment.Delete:
		return c.Operation != appointment.Delete && c.Version.Compare(head.Version) > 0
	case c.Operation == appointment.Delete:
		return later && c.Version.Compare(head.Version) < 0
	}
	return later && c.Version.Modified.Equal(head.Version.Modified) && !c.Appointment.Partial && Digest(c.Appointment) != head.Digest
}

// sharesMailbox reports whether a resource that the change names shares its
// mailbox with another.
func (r *Router) sharesMailbox(ctx context.Context, c appointment.Change) (bool, error) {
	for _, who := range c.Appointment.Assignees {
		row, err := r.Store.Resource(ctx, who.No)
		if errors.Is(err, store.ErrNotFound) || err == nil && row.Mailbox == "" {
			continue
		}
		if err != nil {
			return false, err
		}
		all, err := r.Store.ResourcesOf(ctx, row.Mailbox)
		if err != nil || len(all) > 1 {
			return err == nil, err
		}
	}
	return false, nil
}

// settle asks the board which it is. The answer takes the change's place, with a
// version above the head's. Without an answer a doubtful deletion or revival is
// tried again later; of two changes the later message counts.
func (r *Router) settle(ctx context.Context, head *store.Head, c appointment.Change) (appointment.Change, error) {
	start, end, _ := c.Appointment.Content.Times()
	a, err := r.Board.Appointment(ctx, c.Appointment.Guid, dimescheduler.Hint{Seen: calendar.Window{Start: start, End: end}})
	version := appointment.Version{Modified: later(c.Version.Modified, head.Version.Modified), Sequence: c.Version.Sequence}
	switch {
	case err == nil:
		raw, err := dimescheduler.EncodeChange(a)
		if err != nil {
			return c, err
		}
		version.Modified = later(version.Modified, a.Modified)
		return appointment.Change{Operation: appointment.Update, Version: version, Appointment: a, Raw: raw}, nil
	case fault.Is(err, fault.NotFound) && fault.Of(err).Code == dimescheduler.CodeGone:
		if head.Operation == appointment.Delete {
			return appointment.Change{Version: head.Version}, nil // it stays deleted
		}
		c.Operation, c.Version = appointment.Delete, version
		return c, nil
	case fault.Is(err, fault.NotFound) && c.Operation == appointment.Delete:
		c.Version = version // not listed, and announced as deleted: two witnesses
		return c, nil
	case fault.Is(err, fault.NotFound) && head.Operation == appointment.Delete:
		return appointment.Change{Version: head.Version}, nil
	case head.Operation != appointment.Delete && c.Operation != appointment.Delete:
		return c, nil
	}
	// Whatever the board says to the question, the change itself is in order: it
	// must not be given up as refused.
	f := *fault.Of(err)
	f.Kind, f.Op, f.Err = fault.Transient, "routing: settle a doubtful change", err
	return c, &f
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// targets finds the mailboxes of the change's resources. Whoever takes no part
// is skipped, and that is recorded.
//
// A resource that was switched off after the appointment had reached its mailbox
// keeps it: switching off deletes nothing.
func (r *Router) targets(ctx context.Context, head *store.Head, c appointment.Change) ([]string, error) {
	if c.Operation == appointment.Delete && speaksForAll(c) {
		return nil, nil
	}
	var out []string
	for _, who := range c.Appointment.Assignees {
		row, err := r.Store.Resource(ctx, who.No)
		switch {
		case errors.Is(err, store.ErrNotFound):
			r.skip(ctx, c, "DSEX010", "resource "+who.No+" is not known: it takes part after the next resource synchronisation, if it is enabled for Exchange")
		case err != nil:
			return nil, err
		case row.Mailbox != "" && !row.Exchange && head.Assigned(MailboxTarget(row.Mailbox)):
			out = append(out, MailboxTarget(row.Mailbox))
		case !row.Exchange || row.Mailbox == "":
			r.skip(ctx, c, "DSEX011", "resource "+who.No+" takes no part: "+row.Problem)
		default:
			out = append(out, MailboxTarget(row.Mailbox))
		}
	}
	return out, nil
}

// skip records that an appointment is not sent. It is for people: that it can
// not be written must not stop the change.
func (r *Router) skip(ctx context.Context, c appointment.Change, code, text string) {
	cause := trace.Of(ctx)
	err := r.Store.Record(ctx, store.Transaction{
		Invocation: cause.Invocation, Trace: cause.TraceID, Family: "exchange", Appointment: c.Appointment.Guid, Operation: string(c.Operation),
		Status: "Skipped", Code: code, Text: text, Source: "service", At: r.Now(),
	})
	if err != nil {
		r.Log.WarnContext(ctx, "a skipped appointment could not be recorded", "error", err)
	}
}

// fanOut writes what is wanted into each target's link and nudges those for
// which there is something to do. It is safe twice.
func (r *Router) fanOut(ctx context.Context, head *store.Head, c appointment.Change, named []string) error {
	var nudges []bus.Nudge
	var connectors []string
	now := r.Now()
	for _, target := range slices.Sorted(maps.Keys(head.Targets)) {
		wanted := head.Targets[target]
		if strings.HasPrefix(target, connectorPrefix) {
			connectors = append(connectors, target)
		}
		id, isMailbox := strings.CutPrefix(target, mailboxPrefix)
		if !isMailbox {
			continue
		}
		said := c
		if len(c.Appointment.Assignees) > 0 && !speaksForAll(c) && !slices.Contains(named, target) {
			// It says nothing of this one, unless the rules do now.
			turned, err := r.turned(ctx, id, head)
			if err != nil {
				return err
			}
			if !turned {
				continue
			}
			said.Appointment.Content = c.Appointment.Content.Only(shared...)
		}
		due, err := r.want(ctx, id, said, !wanted, head.Held[target], now)
		if err != nil {
			return err
		}
		if due {
			nudges = append(nudges, bus.Nudge{Kind: bus.Push, Target: id, Reason: "appointmentpush", At: now})
		}
	}
	if err := r.tellConnectors(ctx, head, c, connectors); err != nil || len(nudges) == 0 {
		return err
	}
	return r.Bus.Nudge(ctx, firstNew(nudges, head)...)
}

// firstNew puts the targets that gain the appointment before those that lose it:
// a mailbox that can not be reached must not keep the other's event alive, nor
// the appointment be in neither calendar for longer than need be (graph.md E20).
func firstNew(nudges []bus.Nudge, head *store.Head) []bus.Nudge {
	slices.SortStableFunc(nudges, func(a, b bus.Nudge) int {
		return lost(head, a) - lost(head, b)
	})
	return nudges
}

func lost(head *store.Head, n bus.Nudge) int {
	if head.Targets[MailboxTarget(n.Target)] {
		return 0
	}
	return 1
}

// planAnew lets a link whose event is gone from the calendar, and which was not
// wanted there any more, begin anew when the board assigns its mailbox again: what
// was once born there, and maybe hidden by its person, is the planner's now. The
// head has seen to it that this is no late word from before (R6, R8).
func planAnew(l *store.Link, absent bool) {
	open := l.Sent != nil || l.BoardSent != nil || l.Inbound != nil
	if l.ETag == "" || absent || !l.Wanted.Absent || open || l.OutlookSeen.EventID != "" {
		return
	}
	l.Origin, l.Flow, l.Copied = store.Board, appointment.Open, nil
	if l.State == store.Hidden {
		l.State = store.Pending
	}
}

// letPass takes up an event again that stood in the calendar before the mailbox
// moved in, and was left alone as a rule kept its appointment back.
func letPass(l *store.Link) {
	if l.State == store.Released && l.FailureCode == CodeRule && !l.Wanted.Absent {
		l.State, l.FailureCode, l.FailureText = store.Pending, "", ""
	}
}

// want writes what the board wants into one link; due says that its worker has
// something to do. The larger version stays, and absence is a value (R7).
func (r *Router) want(ctx context.Context, mailbox string, c appointment.Change, absent bool, held string, now time.Time) (due bool, err error) {
	if err := r.Store.LowerDue(ctx, store.Mailbox, mailbox, now.Add(dueSoon)); err != nil { // R1
		return false, err
	}
	_, err = r.Store.UpdateLink(ctx, mailbox, c.Appointment.Guid, func(l *store.Link) error {
		due = false
		if l.ETag == "" {
			if absent {
				l.State = store.Gone
			} else {
				l.Origin, l.State = store.Board, store.Pending
			}
		}
		if c.Version.Compare(l.Wanted.Version) <= 0 {
			due = !l.DueAt.IsZero()
			return nil
		}
		planAnew(l, absent)
		content := l.Wanted.Content.With(c.Appointment.Content) // R9
		if l.State == store.Hidden {
			content = content.Wordless() // a message from before may still tell what it was about
		}
		news := absent != l.Wanted.Absent || held != l.Wanted.Held || l.Wanted.Version.IsZero() || !content.Equal(l.Wanted.Content)
		l.Wanted = store.Wanted{Version: c.Version, Absent: absent, Deleted: c.Operation == appointment.Delete, Held: held, Content: content}
		l.BoardMissing = time.Time{}
		letPass(l)
		if l.State == store.Hidden || l.State == store.Released {
			return nil
		}
		if news || l.State == store.Failed {
			l.DueAt, l.Attempts = now, 0
			if l.State != store.Creating {
				l.State = store.Pending
			}
		}
		due = !l.DueAt.IsZero()
		return nil
	})
	if err != nil || !due {
		return due, err
	}
	// The worker may have raised it since, or be about to (R1).
	return due, r.Store.TouchDue(ctx, store.Mailbox, mailbox, now.Add(dueSoon))
}
