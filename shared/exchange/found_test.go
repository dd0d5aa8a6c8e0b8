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
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

func bg() context.Context { return context.Background() }

func refuseBirths(w *world) {
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if slices.Contains(c.Procedures, "mboc_upsertExchangeAppointment") {
			return boardsim.Fault{Status: 500}
		}
		return boardsim.Fault{}
	})
}

// One event that the board answers with 500 for ever starves all new appointments.
func TestFound_01_OneUnbearableEventStarvesAllCreates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	refuseBirths(w)
	w.outlook("R1", "Dentist", 5)
	w.settle()
	w.plan("Repair", 1, "R1")
	w.settle() // an hour
	w.settle()
	if n := len(w.graph.Events(email("R1"))); n != 2 {
		t.Errorf("%d events after two hours, want Dentist and Repair", n)
	}
}

// Direction off, planner moves/creates/deletes, direction on.
func TestFound_02_ToOutlookOffAndOnAgainLosesWhatWasWanted(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.set(exchange.Settings{ToOutlookOff: true})
	w.drag(a.GUID, 3)
	w.plan("New", 7, "R1")
	w.settle()
	w.set(exchange.Settings{})
	w.timers()
	w.advance(25 * time.Hour)
	w.timers()
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1", planned("Repair", 3), planned("New", 7))
	w.silent()
}

// Planner takes R1 off (back to the pool of open work), person deletes the event
// at the same time: the appointment must survive, unassigned.
func TestFound_03_DeletingTheEventOfAnUnassignedAppointmentDeletesIt(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.advance(time.Minute)
	w.must(w.board.Unassign(a.GUID, "R1"))
	w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
	w.must(w.nudge(bus.Read, "R1")) // before the board's message is routed
	w.settle()
	w.timers()
	if _, err := w.board.Get(a.GUID); err != nil {
		t.Errorf("the planner has put it back into the pool, and it was deleted from the board: %v", err)
	}
	w.shows("R1")
	w.silent()
}

func TestFound_04_AReleasedEventIsDeletedWhenItsLastGuestIsTakenOff(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) {
		e.Attendees = []graphsim.Attendee{{Address: "customer@example.org"}}
	})
	w.must(err)
	w.settle()
	w.must(w.board.Delete(a.GUID))
	w.settle()
	if l := w.link("R1", a.GUID); l.State != store.Released {
		t.Fatalf("state %s", l.State)
	}
	_, err = w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Attendees, e.Subject = nil, "Mine now" })
	w.must(err)
	w.settle()
	w.timers()
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events: the released one was deleted", n)
	}
	w.silent()
}

func TestFound_05_AnEventThatBecomesPrivateBeforeItsBirthIsBorn(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		w := newWorld(t, 1, options{})
		w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
			if slices.Contains(c.Procedures, "mboc_upsertExchangeAppointment") {
				return boardsim.Fault{Status: 503, AfterCommit: crash}
			}
			return boardsim.Fault{}
		})
		w.advance(time.Minute)
		e := w.outlook("R1", "Clinic", 5)
		w.idle()
		for w.deliver() {
		}
		_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Sensitivity = "private" })
		w.must(err)
		w.advance(10 * time.Second)
		w.must(w.nudge(bus.Read, "R1"))
		w.board.SetFault(nil)
		w.settle()
		w.timers()
		if got := w.onBoard("R1"); !crash && len(got) != 0 {
			t.Errorf("crash %t: a private event shows on the board: %v", crash, got)
		}
		if n := len(w.graph.Events(email("R1"))); n != 1 {
			t.Errorf("crash %t: %d events in Outlook", crash, n)
		}
		w.silent()
		// public again: one appointment (R34)
		_, err = w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) { e.Sensitivity = "normal" })
		w.must(err)
		w.advance(time.Minute)
		w.settle()
		w.timers()
		w.shows("R1", born("Clinic", 5))
		w.silent()
	}
}

func sharedMailbox(t *testing.T, o options) *world {
	w := newWorld(t, 1, o)
	w.must(w.graph.UpdateUser(email("R1"), func(u *graphsim.User) {
		u.ProxyAddresses = []string{"SMTP:r1@example.com", "smtp:r2@example.com"}
	}))
	w.board.AddResource(boardsim.Resource{ResourceNo: "R2", DisplayName: "R2", Email: "r2@example.com", ExchangeIntegrationEnabled: true})
	w.must(w.proc.sync.Run(bg()))
	w.settle()
	r, err := w.mem.Resource(bg(), "R2")
	w.must(err)
	if r.Mailbox != w.mailbox("R1") {
		t.Fatal("not shared")
	}
	return w
}

func TestFound_06_DeletingABornEventInASharedMailboxLoopsForEver(t *testing.T) {
	t.Parallel()
	w := sharedMailbox(t, options{})
	e := w.outlook("R1", "Dentist", 5)
	w.settle()
	a := w.board.List(time.Time{}, time.Time{})[0]
	w.must(w.board.Reassign(a.GUID, "R1", "R2"))
	w.settle()
	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.board.ResetCalls()
	w.settle()
	w.settle()
	if n := w.board.Calls()["POST /import"]; n > 10 {
		t.Errorf("%d writes to the board within two hours for one deletion", n)
	}
	if n := w.countLive(); n != 0 {
		t.Errorf("%d appointments are left", n)
	}
}

func TestFound_07_AFailingSubscriptionStopsTheReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, options{})
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == http.MethodPost && strings.Contains(r.Route, "/subscriptions") {
			return &graphsim.FaultResponse{Status: 400, Code: "ValidationError"}
		}
		return nil
	})
	w.addResource("R1")
	w.must(w.proc.sync.Run(bg()))
	w.settle()
	w.outlook("R1", "Dentist", 5)
	w.timers()
	w.timers()
	w.shows("R1", born("Dentist", 5))
	w.graph.ResetCalls()
	w.settle()
	if n := w.graph.Calls().TotalHTTP(); n > 30 {
		t.Errorf("%d calls in an hour", n)
	}
}

type listHook struct {
	exchange.Calendar
	before func()
}

func (l listHook) Subscriptions(ctx context.Context) ([]calendar.Subscription, error) {
	l.before()
	return l.Calendar.Subscriptions(ctx)
}

func TestFound_08_RenewalDeletesAFreshSubscription(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	once := false
	w.proc.renewal.Calendar = listHook{w.proc.renewal.Calendar, func() {
		if once {
			return
		}
		once = true
		w.addResource("R2")
		w.must(w.proc.sync.Run(bg()))
		w.settle()
	}}
	w.must(w.proc.renewal.Run(bg()))
	if n := len(w.graph.Subscriptions()); n != 2 {
		t.Errorf("%d subscriptions, want 2: the timer has deleted the one that the worker has just made", n)
	}
}

func TestFound_09_A404OnPatchOfAnEventThatIsThereSpins(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Item && r.Method == http.MethodPatch {
			return &graphsim.FaultResponse{Status: 404, Code: "ErrorItemNotFound"}
		}
		return nil
	})
	w.drag(a.GUID, 3)
	w.routed()
	w.forget()
	w.graph.ResetCalls()
	w.must(w.nudge(bus.Push, "R1"))
	if n := w.graph.Calls().TotalHTTP(); n > 20 {
		t.Errorf("%d calls within one nudge", n)
	}
	w.graph.SetFault(nil)
	w.settle()
	w.shows("R1", planned("Repair", 3))
}

func TestFound_10_AFullMailboxIsBaselinedEveryMinute(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Item && r.Method == http.MethodPost {
			return &graphsim.FaultResponse{Status: 507, Code: "ErrorQuotaExceeded"}
		}
		return nil
	})
	w.plan("New", 5, "R1")
	w.routed()
	w.graph.ResetCalls()
	w.board.ResetCalls()
	began := w.clock()
	w.settle()
	t.Log(w.clock().Sub(began))
	if n := w.reads(); n > 12 {
		t.Errorf("%d full rounds within an hour, and %d lists of the board", n, w.board.Calls()["GET /appointment"])
	}
	w.graph.SetFault(nil)
	w.settle()
	for range 8 {
		w.timers()
	}
	w.shows("R1", planned("Repair", 1), planned("New", 5))
	w.silent()
}

func TestFound_11_AFailingReadIsRepeatedEveryFourSeconds(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(time.Hour)
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		return &graphsim.FaultResponse{Status: 500, Code: "generalException"}
	})
	w.graph.ResetCalls()
	w.must(w.nudge(bus.Read, "R1"))
	w.settle()
	if n := w.graph.Calls().TotalHTTP(); n > 60 {
		t.Errorf("%d calls of one mailbox within an hour of Graph being down", n)
	}
	w.graph.SetFault(nil)
	w.dragInOutlook("R1", w.event("R1", "Repair").ID, 4)
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair", 4))
	w.silent()
}

func TestFound_12_AReadThatIsCutByThrottlingIsForgotten(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	w.advance(time.Minute)
	w.graph.Change(func(b *graphsim.Behaviour) { b.Notifications.Drop = 1 })
	w.commits(http.MethodPatch)
	w.drag(a.GUID, 3)
	w.routed()
	w.must(w.nudge(bus.Push, "R1"))
	w.advance(time.Minute)
	w.outlook("R1", "Dentist", 5)
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if r.Method == http.MethodGet && strings.Contains(r.Route, "/events/") {
			w.graph.SetFault(nil)
			return &graphsim.FaultResponse{Status: 429, Code: "ApplicationThrottled", RetryAfter: "2"}
		}
		return nil
	})
	w.must(w.nudge(bus.Read, "R1")) // the one notification
	w.settle()
	w.shows("R1", planned("Repair", 3), born("Dentist", 5))
}

func TestFound_13_AFlatDeleteOfOneResourceInASharedMailbox(t *testing.T) {
	t.Parallel()
	w := sharedMailbox(t, options{board: boardsim.Options{FlatMessages: true}})
	a := w.plan("Repair", 1, "R1", "R2")
	w.settle()
	id := w.event("R1", "Repair").ID
	w.must(w.board.Unassign(a.GUID, "R1"))
	w.idle()
	for w.deliver() { // one message of the board, and its nudge at once
		w.must(w.nudge(bus.Push, "R1"))
	}
	w.settle()
	if n := len(w.inOutlook("R1")); n != 1 {
		t.Errorf("%d events, though R2 of the same mailbox is still assigned", n)
	} else if now := w.event("R1", "Repair").ID; now != id {
		t.Error("the event was deleted and made anew")
	}
	w.must(w.board.Unassign(a.GUID, "R2"))
	w.settle()
	w.timers()
	if n := len(w.inOutlook("R1")); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestFound_14_AnEventThatBecomesASeriesIsTakenOffTheBoard(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{})
	e := w.event("R1", "Repair")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) {
		e.Recurrence = &graphsim.Recurrence{Type: "daily", RangeType: "numbered", Count: 3, StartDate: e.Start.Format("2006-01-02")}
	})
	w.must(err)
	w.settle()
	w.timers()
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1", planned("Repair", 1), planned("Repair", 25), planned("Repair", 49))
	if _, err := w.board.Get(a.GUID); err != nil {
		t.Error("the planner's appointment is gone: nobody has removed it")
	}
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events", n)
	}
	w.silent()
}

func TestFound_15_ADragAfterADeletionInOutlookDeletesTheAppointment(t *testing.T) {
	t.Parallel()
	w, a := world1(t, options{graph: graphsim.Behaviour{DeletedReadable: true}})
	w.advance(time.Minute)
	w.must(w.graph.DeleteEvent(email("R1"), w.event("R1", "Repair").ID))
	w.drag(a.GUID, 3) // the planner's word is the later one, and the board wins
	w.routed()
	w.must(w.nudge(bus.Push, "R1")) // before the notification
	w.settle()
	w.timers()
	w.shows("R1", planned("Repair", 3))
	w.silent()
}

func TestFound_16_AMistypedAddressDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, transient := range []bool{false, true} {
		w, a := world1(t, options{})
		e := w.event("R1", "Repair")
		bad := boardsim.Resource{ResourceNo: "R1", DisplayName: "R1", Email: "r1 at example", ExchangeIntegrationEnabled: true}
		if transient {
			bad.Email = "R1.new@example.com"
			w.must(w.graph.UpdateUser(email("R1"), func(u *graphsim.User) { u.ProxyAddresses = []string{"smtp:r1.new@example.com"} }))
			w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
				return &graphsim.FaultResponse{Status: 503, Code: "x"}
			})
		}
		w.board.AddResource(bad)
		w.must(w.proc.sync.Run(bg()))
		w.graph.SetFault(nil)
		w.drag(a.GUID, 3)
		w.settle()
		if !transient {
			bad.Email = email("R1")
			w.board.AddResource(bad)
		}
		w.must(w.proc.sync.Run(bg()))
		w.settle()
		w.timers()
		w.shows("R1", planned("Repair", 3))
		if now := w.graph.Events(email("R1")); len(now) == 1 && now[0].ID != e.ID {
			t.Errorf("transient %t: the event was deleted and made anew", transient)
		}
		w.silent()
	}
}

func TestFound_17_ABoardWhoseListFailsMakesEveryReadAFullOne(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.advance(25 * time.Hour)
	w.board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if c.Route == "GET /appointment" {
			return boardsim.Fault{Status: 500}
		}
		return boardsim.Fault{}
	})
	w.graph.ResetCalls()
	full := 0
	tap := w.tap()
	tap.delta = func(ctx context.Context, mailbox, link string, win calendar.Window) (calendar.Round, error) {
		if link == "" {
			full++
		}
		return tap.Calendar.Delta(ctx, mailbox, link, win)
	}
	for range 10 {
		w.advance(time.Minute)
		w.must(w.nudge(bus.Read, "R1"))
	}
	if full > 2 {
		t.Errorf("%d of 10 reads within 10 minutes are full rounds", full)
	}
}

func TestFound_18_TwoRotationsOfTheKeyMakeAMailboxDeaf(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	k1, k2, k3 := []byte("0123456789abcdef0123456789abcdef"), []byte("1123456789abcdef0123456789abcdef"), []byte("2123456789abcdef0123456789abcdef")
	rotate := func(k ...[]byte) {
		w.proc.worker.Keys = func(context.Context) (exchange.Keys, error) { return k, nil }
		for range 8 { // eight days
			w.advance(24 * time.Hour)
			w.timers()
		}
	}
	rotate(k2, k1)
	rotate(k3, k2)
	for _, s := range w.graph.Subscriptions() {
		if _, ok := (exchange.Keys{k3, k2}).Verify(s.ClientState); !ok {
			t.Error("the subscription still carries the first key: none of its notifications is believed")
		}
	}
	_ = errors.New
}

// R1: a Read nudge with an open write whose lookup fails transiently.
func TestFound_19_ToBoardOffWhileABirthIsOpenLosesTheEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	refuseBirths(w)
	w.advance(time.Minute)
	w.outlook("R1", "Dentist", 5)
	w.idle()
	for w.deliver() {
	}
	w.set(exchange.Settings{ToBoardOff: true})
	w.settle()
	w.board.SetFault(nil)
	w.set(exchange.Settings{})
	w.timers()
	w.advance(25 * time.Hour)
	w.timers()
	w.shows("R1", born("Dentist", 5))
}

// R2 shares the mailbox and is switched off; a person edits R2's event.
func TestFound_20_AnEditOfASwitchedOffResourcesEventInASharedMailboxDeletesIt(t *testing.T) {
	t.Parallel()
	w := sharedMailbox(t, options{})
	w.plan("Repair", 1, "R2")
	w.settle()
	w.board.AddResource(boardsim.Resource{ResourceNo: "R2", DisplayName: "R2", Email: "r2@example.com"})
	w.must(w.proc.sync.Run(bg()))
	w.settle()
	e := w.event("R1", "Repair")
	w.advance(time.Minute)
	w.dragInOutlook("R1", e.ID, 4)
	w.settle()
	w.timers()
	if n := len(w.graph.Events(email("R1"))); n != 1 {
		t.Errorf("%d events: switching off deletes nothing", n)
	} else if now := w.event("R1", "Repair"); now.ID != e.ID || !now.Start.Equal(at(4)) {
		t.Errorf("same event: %t, at %s", now.ID == e.ID, now.Start)
	}
	w.silent()
}
