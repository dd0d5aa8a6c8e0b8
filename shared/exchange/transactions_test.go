package exchange_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// all returns the transactions of an operation, oldest first.
func (w *world) operations(operation string) []store.Transaction {
	w.t.Helper()
	page, err := w.mem.FindTransactions(context.Background(), store.TransactionQuery{Family: "exchange", Limit: 500})
	w.must(err)
	var out []store.Transaction
	for _, t := range page.Rows {
		if t.Operation == operation {
			out = append([]store.Transaction{t}, out...)
		}
	}
	return out
}

// handled lets the worker take a nudge as the host would have it.
func (w *world) handled(n bus.Nudge) {
	w.t.Helper()
	ctx := trace.With(context.Background(), trace.Cause{Invocation: "run-1", TraceID: "0af7651916cd43dd8448eb211c80319c"})
	n.At = w.clock()
	w.must(w.proc.worker.Handle(ctx, n))
}

// TestATransactionTellsAllOfItsCall: a write is one row, with what is needed to
// find it in our logs and in Microsoft's.
func TestATransactionTellsAllOfItsCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	a, b := w.plan("Repair", 1, "R1"), w.plan("Check", 3, "R1")
	w.routed()
	w.forget()
	w.handled(bus.Nudge{Kind: bus.Push, Target: w.mailbox("R1"), Reason: "appointmentpush"})
	rows := w.operations("create")
	if len(rows) != 2 {
		t.Fatalf("%d rows for two events: %+v", len(rows), rows)
	}
	for _, r := range rows {
		if r.Appointment != a.GUID && r.Appointment != b.GUID || r.Target != w.mailbox("R1") || r.Resource != "R1" ||
			r.Status != "Success" || r.Code != "" || r.Source != "service" || r.Attempt != 1 || r.Batch != 2 ||
			r.Invocation != "run-1" || r.Trace != "0af7651916cd43dd8448eb211c80319c" || r.Request == "" || r.Client == "" {
			t.Errorf("a row that does not tell all: %+v", r)
		}
	}
	if rows[0].Request != rows[1].Request {
		t.Error("one call, and two ids of it")
	}
	w.settle()
	before := len(w.told("Success")) + len(w.told("Failed"))
	w.graph.ResetCalls()
	w.timers()
	if after := len(w.told("Success")) + len(w.told("Failed")); after != before {
		t.Errorf("%d rows of calls that changed nothing", after-before)
	}
}

// TestAFailedCallIsOneRow: the failure, the retry by the timer, and the success,
// each with its code, source and attempt; a person finds them by appointment.
func TestAFailedCallIsOneRow(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == "PATCH" {
			return &graphsim.FaultResponse{Status: 503, Code: "ErrorServerBusy"}
		}
		return nil
	})
	w.drag(a.GUID, 5)
	w.routed()
	w.forget()
	w.handled(bus.Nudge{Kind: bus.Push, Target: w.mailbox("R1"), Reason: "appointmentpush"})
	w.forget()
	w.graph.SetFault(nil)
	w.advance(time.Hour)
	w.handled(bus.Nudge{Kind: bus.Push, Target: w.mailbox("R1"), Reason: "redrive"})
	w.settle()
	w.shows("R1", planned("Repair", 5))

	page, err := w.mem.FindTransactions(context.Background(), store.TransactionQuery{Appointment: a.GUID})
	w.must(err)
	var got []store.Transaction
	for _, r := range page.Rows {
		if r.Operation == "patch" {
			got = append(got, r)
		}
	}
	if len(got) != 2 {
		t.Fatalf("%d rows for two calls: %+v", len(got), page.Rows)
	}
	if r := got[1]; r.Status != "Failed" || r.Code != "DSEX051" || r.Remote != "ErrorServerBusy" || r.Source != "service" || r.Attempt != 1 || r.Text == "" {
		t.Errorf("the failure: %+v", r)
	}
	if r := got[0]; r.Status != "Success" || r.Source != "timer" || r.Attempt != 2 {
		t.Errorf("the retry: %+v", r)
	}
}

// TestAFailedReadIsARow: also what asks only is recorded when it fails, and what
// belongs to no appointment.
func TestAFailedReadIsARow(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if strings.Contains(r.Route, "calendarView/delta") {
			return &graphsim.FaultResponse{Status: 500, Code: "ErrorInternalServerError"}
		}
		return nil
	})
	w.advance(time.Hour)
	w.handled(bus.Nudge{Kind: bus.Read, Target: w.mailbox("R1"), Reason: "sweep"})
	rows := w.operations("read")
	if len(rows) != 1 || rows[0].Status != "Failed" || rows[0].Code != "DSEX051" || rows[0].Source != "timer" || rows[0].Request == "" {
		t.Errorf("%+v: want one failed read", rows)
	}
	if subscribed := w.operations("subscribe"); len(subscribed) != 1 || subscribed[0].Status != "Success" {
		t.Errorf("%+v: want the subscription that was made", subscribed)
	}
}

// What timers and routing record can be found by the run that made it, as what the
// worker records, and calls of timers that fail are recorded at all.
func TestTimersAndRoutingRecordTheirRun(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	run := trace.With(context.Background(), trace.Cause{Invocation: "run", TraceID: "0af7651916cd43dd8448eb211c80319c"})
	w.board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 503} })
	w.must(w.proc.sync.Run(run))
	w.board.SetFault(nil)
	if err := w.proc.router.Route(run, appointment.Change{
		Operation: appointment.Update, Version: appointment.Version{Modified: w.clock(), Sequence: 99},
		Appointment: appointment.Appointment{Guid: w.guid(), Assignees: []appointment.Assignee{{No: "nobody"}}},
	}); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	page, err := w.mem.FindTransactions(context.Background(), store.TransactionQuery{Family: "exchange", Limit: 500})
	w.must(err)
	for _, x := range page.Rows {
		if x.Invocation == "run" && x.Trace == "0af7651916cd43dd8448eb211c80319c" {
			found[x.Operation+" "+x.Code+" "+x.Source]++
		}
	}
	for _, want := range []string{"list resources DSEX061 timer", "Update DSEX010 service"} {
		if found[want] != 1 {
			t.Errorf("%q is recorded %d times: %v", want, found[want], found)
		}
	}
}
