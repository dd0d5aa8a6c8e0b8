package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

func (w *world) desk() *exchange.Desk {
	return &exchange.Desk{Store: w.mem, Calendar: w.proc.worker.Calendar, Board: w.proc.worker.Board, Bus: fakeBus{w}, Now: w.clock, Log: w.proc.worker.Log}
}

// refuses lets Graph refuse all PATCHes for good.
func (w *world) refuses(code string, status int) {
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == http.MethodPatch && r.Item {
			return &graphsim.FaultResponse{Status: status, Code: code}
		}
		return nil
	})
}

// TestThePlannerIsToldOfAFailureAndThatItIsMended: one notification with the
// stable code, however often it fails; gone when it succeeds, by a person's retry.
func TestThePlannerIsToldOfAFailureAndThatItIsMended(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.refuses("ErrorPropertyValidationFailure", http.StatusBadRequest)
	w.drag(a.GUID, 5)
	w.settle()
	w.drag(a.GUID, 6)
	w.settle()
	shown := w.board.Notifications()
	if len(shown) != 1 || shown[0].AppointmentGUID != a.GUID || shown[0].Code != "DSEX021" || shown[0].Type != 2 ||
		shown[0].Text == "" || shown[0].SourceApp != "CRONUS" || shown[0].SourceType != "ORDER" {
		t.Fatalf("the planner sees %+v, want one error DSEX021 on the appointment", shown)
	}
	if strings.Contains(shown[0].Text, "@") || strings.Contains(shown[0].Text, "Repair") {
		t.Errorf("the planner is told %q", shown[0].Text)
	}
	w.timers()
	if n := len(w.board.Notifications()); n != 1 || w.link("R1", a.GUID).State != store.Failed {
		t.Fatalf("%d notifications after a day of timers, want the one, and nothing tried again by itself", n)
	}

	w.graph.SetFault(nil)
	w.must(w.desk().Retry(context.Background(), "admin@example.com", w.mailbox("R1"), strings.ToUpper(a.GUID)))
	w.settle()
	w.shows("R1", planned("Repair", 6))
	if n := w.board.Notifications(); len(n) != 0 {
		t.Errorf("it is mended, and the planner still sees %+v", n)
	}
	patches := w.operations("patch")
	if last := patches[len(patches)-1]; last.Source != "website" || last.Status != "Success" || last.Attempt != 1 {
		t.Errorf("the retry is recorded as %+v", last)
	}
	log, err := w.mem.AuditLog(context.Background(), 10)
	w.must(err)
	if len(log) != 1 || log[0].Who != "admin@example.com" || log[0].Action != "retry" {
		t.Errorf("the audit log says %+v", log)
	}
	w.silent()
}

// TestANoticeThatCanNotBeShownStopsNothing: the board is down for it for an hour;
// the sync goes on, and the planner is told later.
func TestANoticeThatCanNotBeShownStopsNothing(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	other := w.plan("Check", 3, "R1")
	w.settle()
	w.refuses("ErrorPropertyValidationFailure", http.StatusBadRequest)
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if len(c.Procedures) > 0 && strings.HasSuffix(c.Procedures[0], "Notification") {
			return boardsim.Fault{Status: 503, AfterCommit: c.N%2 == 0}
		}
		return boardsim.Fault{}
	})
	w.drag(a.GUID, 5)
	w.settle()
	w.graph.SetFault(nil)
	w.drag(other.GUID, 8)
	w.settle()
	if got := w.inOutlook("R1"); len(got) != 2 || !got[1].Start.Equal(at(1)) && !got[0].Start.Equal(at(8)) {
		t.Errorf("Outlook shows %+v: the other drag has to arrive", got)
	}
	w.board.SetFault(nil)
	for range 4 {
		w.timers()
	}
	if n := w.board.Notifications(); len(n) != 1 || n[0].Code != "DSEX021" {
		t.Errorf("the board is back, and the planner sees %+v", n)
	}
	w.drag(a.GUID, 6) // the next change tries again, and succeeds
	w.settle()
	if n := w.board.Notifications(); len(n) != 0 {
		t.Errorf("it is mended, and the planner still sees %+v", n)
	}
}

// TestANoticeSurvivesADyingProcess: whichever call it dies at, in showing and in
// clearing, no more than one day later the board shows what it should.
func TestANoticeSurvivesADyingProcess(t *testing.T) {
	t.Parallel()
	for i, after := range []bool{false, true, false, true} {
		for n := 1; n <= 40; n += 3 {
			atOnce := i > 1 // it is mended before anybody looks again
			w, a := world1(t, options{})
			w.refuses("ErrorPropertyValidationFailure", http.StatusBadRequest)
			w.drag(a.GUID, 5)
			w.routed()
			w.mu.Lock()
			w.dieAt, w.diesAfter = w.calls+n, after
			w.mu.Unlock()
			if atOnce { // one delivery, and the process is gone
				_ = w.nudge(bus.Push, "R1")
				w.forget()
			} else {
				w.settle()
			}
			w.mu.Lock()
			w.dieAt = 0
			w.mu.Unlock()
			w.revive()
			if !atOnce {
				w.advance(25 * time.Hour)
				w.timers()
				if shown := w.board.Notifications(); len(shown) != 1 {
					t.Fatalf("died at call %d (after: %t): the planner sees %+v", n, after, shown)
				}
			}
			w.graph.SetFault(nil)
			w.drag(a.GUID, 6)
			w.routed()
			w.mu.Lock()
			w.dieAt, w.diesAfter = w.calls+n, after
			w.mu.Unlock()
			w.settle()
			w.mu.Lock()
			w.dieAt = 0
			w.mu.Unlock()
			w.revive()
			w.advance(25 * time.Hour)
			w.timers()
			if shown := w.board.Notifications(); len(shown) != 0 {
				t.Fatalf("died at call %d (after: %t): it is mended, and the planner still sees %+v", n, after, shown)
			}
		}
	}
}

// TestWhatFailsForLongIsToldToo: a transient failure is not worth a word until it
// has lasted; it goes with the success.
func TestWhatFailsForLongIsToldToo(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.refuses("ErrorServerBusy", http.StatusBadGateway)
	w.drag(a.GUID, 5)
	w.settle()
	if n := w.board.Notifications(); len(n) != 0 {
		t.Fatalf("after an hour the planner sees %+v", n)
	}
	w.settle()
	w.settle()
	if n := w.board.Notifications(); len(n) != 1 || n[0].Type != 1 || n[0].Code != "DSEX051" {
		t.Fatalf("after three hours the planner sees %+v, want a warning", n)
	}
	w.graph.SetFault(nil)
	w.settle()
	w.shows("R1", planned("Repair", 5))
	if n := w.board.Notifications(); len(n) != 0 {
		t.Errorf("it is mended, and the planner still sees %+v", n)
	}
}

// TestTwoResourcesFailAlone: of two resources of one appointment each has its own
// notification; what mends one leaves the other's.
func TestTwoResourcesFailAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, options{})
	a := w.plan("Repair", 1, "R1", "R2")
	w.settle()
	w.refuses("ErrorPropertyValidationFailure", http.StatusBadRequest)
	w.drag(a.GUID, 5)
	w.settle()
	if n := len(w.board.Notifications()); n != 2 {
		t.Fatalf("%d notifications, want one for each resource", n)
	}
	w.graph.SetFault(nil)
	if n, err := w.desk().RetryAll(context.Background(), "admin", w.mailbox("R2")); n != 1 || err != nil {
		t.Fatalf("%d retried, %v", n, err)
	}
	w.settle()
	if n := w.board.Notifications(); len(n) != 1 || !strings.HasSuffix(n[0].ConnectorID, w.mailbox("R1")) {
		t.Errorf("the planner sees %+v, want that of R1", n)
	}
	w.must(w.board.Delete(a.GUID))
	w.settle()
	if n := w.board.Notifications(); len(n) != 0 {
		t.Errorf("the appointment is gone, and the planner still sees %+v", n)
	}
}

// TestARefusedFindingIsRetried: the board refuses what a person did in Outlook; a
// retry carries it over, for a change, a birth and a deletion.
func TestARefusedFindingIsRetried(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	mine := w.outlook("R1", "Dentist", 12)
	w.settle()
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if len(c.Procedures) > 0 && !strings.HasSuffix(c.Procedures[0], "Notification") {
			return boardsim.Fault{Error: "DSCFG002 a field is missing"}
		}
		return boardsim.Fault{}
	})
	event := w.link("R1", a.GUID).OutlookSeen.EventID
	w.dragInOutlook("R1", event, 5)
	w.must(w.graph.DeleteEvent(email("R1"), mine.ID))
	w.outlook("R1", "Lunch", 15)
	w.settle()
	if n := w.board.Notifications(); len(n) == 0 {
		t.Error("the planner is not told that board and calendar differ")
	}
	w.board.SetFault(nil)
	w.timers()
	if got := w.onBoard("R1"); len(got) != 2 || !got[1].Start.Equal(at(1)) {
		t.Fatalf("the board shows %+v: want it as it was, for nobody has asked", got)
	}
	n, err := w.desk().RetryAll(context.Background(), "admin", w.mailbox("R1"))
	w.must(err)
	if n != 3 {
		t.Errorf("%d links retried, want 3", n)
	}
	w.settle()
	w.shows("R1", planned("Repair", 5), born("Lunch", 15))
	for _, n := range w.board.Notifications() {
		if n.Code != "DSEX042" { // that the resource has moved it, which is news
			t.Errorf("it is mended, and the planner still sees %+v", n)
		}
	}
	w.silent()
}

// TestARefusedFieldStaysVisibleUntilBothAgree: the board refuses a new subject. The
// person then moves the event, which goes through; that the subjects differ is not
// forgotten, but failed and told, until a retry, the person or the planner mends it.
func TestARefusedFieldStaysVisibleUntilBothAgree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mend func(w *world, guid, event string)
		want string
	}{
		"retry": {func(w *world, _, _ string) {
			n, err := w.desk().RetryAll(context.Background(), "admin", w.mailbox("R1"))
			if w.must(err); n != 1 {
				w.t.Errorf("%d links retried, want 1", n)
			}
		}, "Pump"},
		"the person":  {func(w *world, _, event string) { w.retitle("R1", event, "Repair") }, "Repair"},
		"the planner": {func(w *world, guid, _ string) { w.rename(guid, "Valve") }, "Valve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a := world1(t, options{})
			event := w.link("R1", a.GUID).OutlookSeen.EventID
			refuse := func(c boardsim.Call) boardsim.Fault {
				if len(c.Procedures) > 0 && !strings.HasSuffix(c.Procedures[0], "Notification") {
					return boardsim.Fault{Error: "DSCFG002 a field is missing"}
				}
				return boardsim.Fault{}
			}
			w.board.SetFault(refuse)
			w.retitle("R1", event, "Pump")
			w.settle()
			w.board.SetFault(nil)
			w.dragInOutlook("R1", event, 5)
			w.settle()
			w.timers()
			w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair", 5)})
			if l := w.link("R1", a.GUID); l.State != store.Failed || l.FailureCode != "DSEX062" {
				t.Errorf("the subjects differ, and the link is %s %s", l.State, l.FailureCode)
			}
			told := func() bool {
				return slices.ContainsFunc(w.board.Notifications(), func(n boardsim.Notification) bool { return n.Code == "DSEX062" })
			}
			if !told() {
				t.Error("the planner is not told that the two differ")
			}
			w.silent()
			c.mend(w, a.GUID, event)
			w.settle()
			w.timers()
			w.shows("R1", planned(c.want, 5))
			if l := w.link("R1", a.GUID); l.State != store.Agreed || l.Refused != nil || told() {
				t.Errorf("mended, and the link is %s %v, told %t", l.State, l.Refused, told())
			}
			w.silent()
		})
	}
}

// TestRetryChecksItsInput: a clear error, and nothing is changed.
func TestRetryChecksItsInput(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	ctx, d := context.Background(), w.desk()
	for _, in := range [][2]string{{"", a.GUID}, {w.mailbox("R1"), ""}, {w.mailbox("R1"), "no-such"}, {"no-such", a.GUID}} {
		if err := d.Retry(ctx, "admin", in[0], in[1]); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Retry(%q): %v, want an error for people", in, err)
		}
	}
	w.must(d.Retry(ctx, "admin", w.mailbox("R1"), a.GUID)) // there is nothing to retry
	w.silent()
}
