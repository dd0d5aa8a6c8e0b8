// Package tour drives a local world through a scripted day, without a person,
// and says whether all sides agree after each step: appointments are planned,
// dragged, reassigned and deleted, on the board and in Outlook, while the
// handler is killed, notifications and answers are lost, subscriptions expire and
// back offices are down.
//
// It changes things as a planner and as people in Outlook do, and judges by
// what board, Outlook and back offices then show (world.Differences), never by
// what the app says.
// The same tour runs under the double of the host and under the real one.
//
// It is no load test: one change at a time, a handful of mailboxes.
package tour

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dime-scheduler/connectors/local/world"
)

// patience is how long a step may take until all sides agree and nothing is
// at work any more: generous, for a machine that does other things too.
const patience = 90 * time.Second

// Row is what one step did and what was observed.
type Row struct {
	Name string
	// Agreed is the time from the last change of the step until all sides showed the same.
	Agreed time.Duration
	// GraphCalls counts HTTP calls to Graph during the step, GraphWrites the
	// writes of events in them, BoardWrites those to the board's API.
	GraphCalls, GraphWrites, BoardWrites int
	// Deliveries counts what back offices have taken.
	Deliveries int
	// Echoes are the writes, to any side, after all sides had agreed.
	Echoes int
	Note   string
	Err    error // the step failed; nil = it did not

	counts func() string // makes the Note when the step is over
}

// step is one part of the script. act does it and returns when it was done,
// from which the latency counts.
type step struct {
	name  string
	kills int // how often the handler ends in it
	act   func(ctx context.Context, r *Row) (done time.Time, err error)
	// until, if set, must be content too for the step to be over.
	until func() error
}

// stage is what running a step needs of the world.
type stage interface {
	Pulse() world.Pulse
	AwaitAgreement(ctx context.Context) error
	AwaitQuiet(ctx context.Context) error
	Await(ctx context.Context, check func() error) error
}

// Run drives the world through the day and writes a line for each step as it
// goes. It goes on after a step that failed, as long as the world lives.
func Run(ctx context.Context, w *world.World, progress io.Writer) Report {
	d := &day{w: w, date: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, daysAhead)}
	r := Report{Startup: w.Startup, Size: w.HandlerSize(), Mailboxes: len(w.Graph.Users()), BackOffices: len(w.Ledgers())}
	for _, s := range d.script() {
		row := run(ctx, w, s)
		r.Rows = append(r.Rows, row)
		fmt.Fprintln(progress, row.line())
		if ctx.Err() != nil || w.Err() != nil {
			break
		}
	}
	r.judge(ctx, w)
	return r
}

// run does one step and watches what follows.
func run(ctx context.Context, w stage, s step) Row {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	r := Row{Name: s.name}
	before := w.Pulse()
	done, err := s.act(ctx, &r)
	if err == nil {
		err = w.AwaitAgreement(ctx)
	}
	if err == nil && s.until != nil {
		err = w.Await(ctx, s.until)
	}
	agreed := w.Pulse()
	r.Agreed = time.Since(done)
	if err == nil {
		err = w.AwaitQuiet(ctx)
	}
	after := w.Pulse()
	r.GraphCalls = after.GraphCalls - before.GraphCalls
	r.GraphWrites = after.GraphWrites - before.GraphWrites
	r.BoardWrites = after.BoardWrites - before.BoardWrites
	r.Deliveries = after.Deliveries - before.Deliveries
	r.Echoes = writes(after) - writes(agreed)
	if r.counts != nil {
		r.Note, r.counts = r.counts(), nil
	}
	switch ended := after.HandlerRestarts - before.HandlerRestarts; {
	case err != nil:
	case len(after.Differences) > 0:
		err = fmt.Errorf("all sides agreed, and then differed again: %s", after.Differences[0])
	case ended != s.kills:
		err = fmt.Errorf("the handler ended %d times, not %d", ended, s.kills)
	}
	r.Err = err
	return r
}

// writes are those to all sides.
func writes(p world.Pulse) int { return p.GraphWrites + p.BoardWrites + p.Deliveries }
