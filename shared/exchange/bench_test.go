package exchange_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
)

// calendars is Graph as far as a drain needs it, in memory: what is measured
// with it is the engine alone.
type calendars struct {
	exchange.Calendar // nil: nothing else is asked
	mu                sync.Mutex
	events            map[string]map[string]calendar.Event // by mailbox, by id
	calls             int
}

func (c *calendars) Apply(_ context.Context, mailbox string, writes []calendar.Write) ([]calendar.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	box := c.events[mailbox]
	if box == nil {
		box = map[string]calendar.Event{}
		c.events[mailbox] = box
	}
	results := make([]calendar.Result, len(writes))
	for i, w := range writes {
		e := box[w.ID]
		switch {
		case w.Op == calendar.Create:
			e = calendar.Event{ID: fmt.Sprint("e", len(box)), Type: calendar.Single, Organizer: true, TransactionID: w.TransactionID, Mark: w.Mark}
		case e.ETag != w.ETag:
			results[i].Err = &fault.Error{Reason: fault.Conflict, Op: "calendars"}
			continue
		}
		e.ETag += "+"
		e.Content = e.Content.With(w.Content)
		box[e.ID] = e
		results[i].Event = e
	}
	return results, nil
}

func (c *calendars) count() (n int) {
	for _, box := range c.events {
		n += len(box)
	}
	return n
}

const (
	benchMailboxes = 100
	benchEach      = 20
	benchChanges   = benchMailboxes * benchEach
)

// BenchmarkDrain drains 2,000 pending changes over 100 mailboxes, in this order
// for each mailbox: one nudge, one batch, all links written back. The ratio says
// how much the engine costs over writing the same 2,000 events to the same fake
// directly; per change it is far below one HTTP call.
func BenchmarkDrain(b *testing.B) {
	var routed, drained, direct time.Duration
	rounds := 0
	for b.Loop() {
		r, d, w := drainOnce(b)
		routed, drained, direct = routed+r, drained+d, direct+w
		rounds++
	}
	changes := float64(rounds * benchChanges)
	b.ReportMetric(changes/drained.Seconds(), "drained/s")
	b.ReportMetric(changes/routed.Seconds(), "routed/s")
	b.ReportMetric(float64(drained)/float64(direct), "x-direct")
	b.ReportMetric(float64(drained.Microseconds())/changes, "µs/change")
}

func drainOnce(b *testing.B) (routed, drained, direct time.Duration) {
	ctx := b.Context()
	clock := func() time.Time { return start }
	mem, out := store.NewMem(clock), &calendars{events: map[string]map[string]calendar.Event{}}
	log := slog.New(slog.DiscardHandler)
	messages := &bus.Mem{}
	worker := &exchange.Worker{Store: mem, Calendar: out, Fits: graph.Fits, Bus: messages, Now: clock, Log: log}
	router := &routing.Router{Store: mem, Bus: messages, Now: clock, Log: log}
	for i := range benchMailboxes {
		no := fmt.Sprintf("R%03d", i)
		must(b, mem.PutResource(ctx, &store.Resource{No: no, Exchange: true, Mailbox: no}))
		must(b, mem.SwapTarget(ctx, &store.Target{Kind: store.Mailbox, ID: no, Participates: true, LastRead: start, SubscriptionExpires: start.AddDate(0, 0, 7)}))
	}
	began := time.Now()
	for i := range benchChanges {
		must(b, router.Route(ctx, benchChange(i)))
	}
	routed = time.Since(began)

	began = time.Now()
	for i := range benchMailboxes {
		must(b, worker.Handle(ctx, bus.Nudge{Kind: bus.Push, Target: fmt.Sprintf("R%03d", i), At: start}))
	}
	drained = time.Since(began)
	if n := out.count(); n != benchChanges || out.calls != benchMailboxes {
		b.Fatalf("%d events by %d calls, want %d by %d", n, out.calls, benchChanges, benchMailboxes)
	}

	bare := &calendars{events: map[string]map[string]calendar.Event{}}
	began = time.Now()
	for i := range benchMailboxes {
		writes := make([]calendar.Write, benchEach)
		for j := range writes {
			c := benchChange(j*benchMailboxes + i)
			writes[j] = calendar.Write{Op: calendar.Create, Content: c.Appointment.Content, TransactionID: c.Appointment.Guid}
		}
		_, err := bare.Apply(ctx, fmt.Sprintf("R%03d", i), writes)
		must(b, err)
	}
	direct = time.Since(began)
	if n := bare.count(); n != benchChanges {
		b.Fatalf("%d events, want %d", n, benchChanges)
	}
	return routed, drained, direct
}

// benchChange is the board's word of one new appointment.
func benchChange(i int) appointment.Change {
	from := start.Add(time.Duration(i) * time.Minute)
	return appointment.Change{
		Operation: appointment.Create, Version: appointment.Version{Modified: start, Sequence: int64(i + 1)},
		Appointment: appointment.Appointment{
			Guid: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Modified: start,
			Content: appointment.Content{
				appointment.Subject: "Repair of the pump", appointment.Body: "Ring twice, the bell is broken.",
				appointment.When: appointment.Interval(from, from.Add(time.Hour)), appointment.Importance: "normal",
			},
			Assignees: []appointment.Assignee{{No: fmt.Sprintf("R%03d", i%benchMailboxes)}},
		},
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
