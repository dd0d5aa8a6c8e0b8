package exchange_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Every notification is lost. The sweep finds what a person did within the hour.
func TestCase_E4_LostNotificationsAreFoundByTheSweep(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 5)
	w.outlook("R1", "Mine", 8)
	w.settle()
	if b := w.onBoard("R1"); len(b) != 1 || !b[0].Start.Equal(at(1)) {
		t.Fatalf("the board shows %v: who told it?", b)
	}
	w.timers()
	w.shows("R1", planned("Repair", 5), born("Mine", 8))
	if l := w.link("R1", a.GUID); l.State != store.Agreed {
		t.Errorf("the link is %s", l.State)
	}
	w.silent()
}

// Each notification comes twice and in disorder, with a forged one among them:
// both sides agree, nothing is doubled, and a burst does not cost a read each.
func TestCase_E5_DuplicatesAndDisorderChangeNothing(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.graph.Change(func(b *graphsim.Behaviour) {
		b.Notifications = graphsim.NotificationFaults{Duplicate: 1, Reorder: true, Forge: true}
	})
	id := w.event("R1", "Repair").ID
	w.graph.ResetCalls()
	for hour := range 10 {
		w.dragInOutlook("R1", id, hour+2)
	}
	w.outlook("R1", "Mine", 20)
	w.settle()
	w.shows("R1", planned("Repair", 11), born("Mine", 20))
	if n := w.reads(); n > 8 {
		t.Errorf("%d reads for one burst of notifications", n)
	}
	w.silent()
}

// Graph takes the subscription away, tells, and a person goes on working. The new
// subscription stands before the read that closes the gap.
func TestCase_E6_ARemovedSubscriptionLeavesNoGap(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	sub := w.graph.Subscriptions()[0]
	w.must(w.graph.RemoveSubscription(sub.ID))
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 5) // nobody is told of it
	w.graph.ResetCalls()
	w.settle()
	w.shows("R1", planned("Repair", 5))
	subscribed, read := -1, -1
	for i, r := range w.graph.Requests() {
		switch r.Route {
		case "POST /subscriptions":
			subscribed = i
		case "GET /users/{user}/calendarView/delta":
			read = max(read, i)
		}
	}
	if subscribed < 0 || read < subscribed {
		t.Errorf("subscribed at call %d, last read at %d: want the read behind it", subscribed, read)
	}
	if n := len(w.graph.Subscriptions()); n != 1 {
		t.Errorf("%d subscriptions, want one", n)
	}
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 7)
	w.settle()
	w.shows("R1", planned("Repair", 7))
}

// The same lifecycle event comes five times within a minute: one PATCH.
func TestCase_E7_RepeatedLifecycleEventsRenewOnce(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(time.Hour)
	sub := w.graph.Subscriptions()[0]
	w.graph.ResetCalls()
	for range 5 {
		w.must(w.graph.RequestReauthorization(sub.ID))
		w.settle()
		w.advance(10 * time.Second)
	}
	if n := w.graph.Calls().Of("PATCH /subscriptions/{subscription}"); n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
	if n := w.graph.Calls().Of("POST /subscriptions"); n != 0 {
		t.Errorf("%d new subscriptions, want none", n)
	}
}

// The POST of a create takes effect, and its answer is lost: one event.
func TestCase_E8_ACreateThatTimesOutAfterItsEffectMakesOneEvent(t *testing.T) {
	t.Parallel()
	for _, reuse := range []graphsim.TransactionReuse{graphsim.TransactionForgotten, graphsim.TransactionConflicts} {
		w := newWorld(t, 1, options{graph: graphsim.Behaviour{TransactionAfterDelete: reuse}})
		w.commits(http.MethodPost)
		w.plan("Repair", 1, "R1")
		w.settle()
		w.shows("R1", planned("Repair", 1))
		w.silent()
	}
}

// The process dies at each of its calls around a create, before and after the
// effect: one event, and the link knows it.
func TestCase_E9_ACrashBetweenPostAndSavingMakesOneEvent(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n := 1; n <= 24; n++ {
			w := newWorld(t, 1, options{})
			w.plan("Repair", 1, "R1")
			w.routed()
			w.mu.Lock()
			w.dieAt, w.diesAfter = w.calls+n, after
			w.mu.Unlock()
			w.settle()
			w.mu.Lock()
			w.dieAt = 0
			w.mu.Unlock()
			w.revive()
			w.timers()
			if got := w.inOutlook("R1"); len(got) != 1 {
				t.Fatalf("died at call %d (after: %t): %d events", n, after, len(got))
			}
			if l := w.links("R1"); len(l) != 1 || l[0].State != store.Agreed || l[0].OutlookSeen.EventID != w.event("R1", "Repair").ID {
				t.Fatalf("died at call %d (after: %t): the link does not know its event", n, after)
			}
		}
	}
}

// A round fails on its way, answers like an empty calendar, or names no event of
// ours: nothing is deleted, and what so many are missing of waits for a person.
func TestCase_E12_AFailedOrEmptyReadDeletesNothing(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*graphsim.FaultResponse{
		"500": {Status: 500, Code: "ErrorInternalServerError"}, "404": {Status: 404, Code: "ErrorItemNotFound"},
		"403": {Status: 403, Code: "ErrorAccessDenied"}, "cut": {Cut: true}, "empty": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, options{})
			var want []card
			for hour := range 10 { // more than a page holds
				w.plan(fmt.Sprintf("Repair %d", hour), hour, "R1")
				want = append(want, planned(fmt.Sprintf("Repair %d", hour), hour))
			}
			w.settle()
			w.advance(25 * time.Hour) // a full round is owed
			if fault == nil {
				tap := w.tap()
				tap.delta = emptyRound(tap)
				defer func() { tap.delta = nil }()
			}
			w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
				if fault != nil && r.Route == "GET /users/{user}/calendarView/delta" && r.Query["$skiptoken"] != nil {
					return fault
				}
				return nil
			})
			_ = w.nudge(bus.Read, "R1")
			w.shows("R1", want...)
			w.graph.SetFault(nil)
			w.settle()
			w.timers()
			w.shows("R1", want...)
		})
	}
}

// One mailbox asks to be left alone for ten minutes: it is, the others go on, and
// nobody sleeps meanwhile.
func TestCase_E21_AThrottledMailboxStarvesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, options{})
	a := w.plan("Repair", 1, "R1", "R2", "R3")
	w.settle()
	until := w.clock().Add(10 * time.Minute)
	throttled := w.mailbox("R2")
	early := 0
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.User != throttled || !w.clock().Before(until) {
			return nil
		}
		early++
		return &graphsim.FaultResponse{Status: 429, Code: "ApplicationThrottled", RetryAfter: "600"}
	})
	w.drag(a.GUID, 5)
	w.routed()
	began := w.clock()
	for w.deliver() {
		w.idle()
	}
	if w.clock().Sub(began) > time.Minute {
		t.Errorf("it took %s: somebody slept", w.clock().Sub(began))
	}
	w.shows("R1", planned("Repair", 5))
	w.shows("R3", planned("Repair", 5))
	w.shown("Outlook", "R2", w.inOutlook("R2"), []card{planned("Repair", 1)})
	if early > 2 {
		t.Errorf("asked %d times though it asked to be left alone", early)
	}
	if row := w.target("R2"); !row.SuspendedSince.IsZero() || !row.NotBefore.After(w.clock()) {
		t.Errorf("suspended since %s, not before %s: want a pause, no suspension", row.SuspendedSince, row.NotBefore)
	}
	w.settle()
	w.shows("R2", planned("Repair", 5))
	rows := w.operations("patch")
	codes := map[string]int{}
	for _, r := range rows {
		codes[r.Code]++
	}
	if codes["DSEX050"] == 0 || codes[""] != 3 {
		t.Errorf("the transactions say %v, want the refusal and three successes", codes)
	}
}

// Of a batch of five one is refused, one throttled, one fails and one is cut off
// by its dependency: each is judged alone, and only those are sent again.
func TestCase_E22_APartlyFailedBatchRepeatsWhatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	faults := map[int]*graphsim.FaultResponse{
		1: {Status: 429, Code: "MailboxConcurrency", RetryAfter: "3"},
		2: {Status: 503, Code: "ErrorServerBusy"},
		3: {Status: 424, Code: "FailedDependency"},
		4: {Status: 400, Code: "ErrorPropertyValidationFailure"},
	}
	seen := 0
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if !r.Item || r.Method != http.MethodPost {
			return nil
		}
		seen++
		return faults[seen-1]
	})
	for hour := range 5 {
		w.plan(fmt.Sprintf("Repair %d", hour), hour, "R1")
	}
	w.settle()
	if got := w.inOutlook("R1"); len(got) != 4 {
		t.Errorf("%d events, want four: %v", len(got), got)
	}
	if seen != 8 {
		t.Errorf("%d items were sent, want five and the three that could be tried again", seen)
	}
	failed := 0
	for _, l := range w.links("R1") {
		if l.State == store.Failed {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d links failed for good, want the one that was refused", failed)
	}
	for _, r := range w.operations("create")[:5] {
		if r.Batch != 5 {
			t.Errorf("a row says a batch of %d, want 5", r.Batch)
		}
	}
}
