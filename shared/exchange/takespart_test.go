package exchange_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// sync runs the resource synchronisation and lets everything follow.
func (w *world) sync() {
	w.t.Helper()
	w.must(w.proc.sync.Run(context.Background()))
	w.settle()
}

// resource is how the desk shows a resource.
func (w *world) resource(no string) exchange.ResourceState {
	w.t.Helper()
	all, err := w.office().Mailboxes(context.Background())
	w.must(err)
	for _, r := range all.Resources {
		if r.No == no {
			return r
		}
	}
	w.t.Fatalf("the desk shows no resource %s", no)
	return exchange.ResourceState{}
}

func (w *world) flag(no string, on bool) {
	for _, r := range w.board.Resources() {
		if r.ResourceNo == no {
			r.ExchangeIntegrationEnabled = on
			w.board.AddResource(r)
		}
	}
}

// turnedOff is a world whose R1 has been switched off on the board: what is over,
// what lies ahead, a meeting and an event that was made in Outlook.
func turnedOff(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 1, options{})
	w.plan("Yesterday", -20, "R1")
	w.plan("Repair", 2, "R1")
	w.plan("Meeting", 4, "R1")
	w.outlook("R1", "Dentist", 6)
	w.settle()
	_, err := w.graph.UpdateEvent(email("R1"), w.event("R1", "Meeting").ID, func(e *graphsim.Event) {
		e.Attendees = append(e.Attendees, graphsim.Attendee{Address: "customer@example.org"})
	})
	w.must(err)
	w.settle()
	w.flag("R1", false)
	w.sync()
	return w
}

func subjects(cards []card) string {
	var out []string
	for _, c := range cards {
		out = append(out, c.Subject)
	}
	return strings.Join(out, ", ")
}

func TestTurnOff_NothingFlowsAndNothingIsDeletedUntilSomebodySays(t *testing.T) {
	t.Parallel()
	w := turnedOff(t)
	if r := w.resource("R1"); r.TakesPart || r.Problem == "" || r.Do == "" || len(r.Left) != 1 {
		t.Errorf("the desk shows %+v", r)
	}
	a := w.board.List(at(2), at(3), "R1")[0]
	w.drag(a.GUID, 9)
	w.plan("New", 12, "R1")
	own := w.event("R1", "Dentist").ID
	w.dragInOutlook("R1", own, 7)
	w.settle()
	w.timers()
	if got := subjects(w.inOutlook("R1")); got != "Dentist, Meeting, Repair, Yesterday" {
		t.Errorf("Outlook shows %s", got)
	}
	if e := w.event("R1", "Repair"); !e.Start.Equal(at(2)) {
		t.Error("the board still reaches the calendar")
	}
	if n := len(w.graph.Subscriptions()); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}

	w.flag("R1", true)
	w.sync()
	w.timers()
	if got := subjects(w.inOutlook("R1")); got != "Dentist, Meeting, New, Repair, Yesterday" {
		t.Errorf("on again, Outlook shows %s", got)
	}
	w.agree()
	if r := w.resource("R1"); !r.TakesPart || len(r.Left) != 0 {
		t.Errorf("the desk shows %+v", r)
	}
	w.silent()
}

func TestTurnOff_KeepLetsAllEventsStay(t *testing.T) {
	t.Parallel()
	w := turnedOff(t)
	w.must(w.office().TurnOff(t.Context(), admin, "R1", "keep"))
	w.must(w.board.Delete(w.board.List(at(2), at(3), "R1")[0].GUID))
	w.settle()
	w.timers()
	if got := subjects(w.inOutlook("R1")); got != "Dentist, Meeting, Repair, Yesterday" {
		t.Errorf("Outlook shows %s", got)
	}
	if r := w.resource("R1"); len(r.Left) != 0 || w.target("R1").Leaving != "" {
		t.Errorf("the question is still open: %+v", r)
	}
	w.flag("R1", true)
	w.sync()
	w.timers()
	if got := subjects(w.inOutlook("R1")); got != "Dentist, Meeting, Repair, Yesterday" {
		t.Errorf("on again, Outlook shows %s: what was let go stays, the rest is there once", got)
	}
	if got := subjects(w.onBoard("R1")); got != "Dentist, Meeting, Yesterday" {
		t.Errorf("on again, the board shows %s", got)
	}
	w.silent()
}

func TestTurnOff_RemoveTakesWhatLiesAhead(t *testing.T) {
	t.Parallel()
	for die := range 14 { // 0 = never
		w := turnedOff(t)
		// A person has touched it meanwhile: If-Match must not stand in the way for good.
		w.dragInOutlook("R1", w.event("R1", "Repair").ID, 3)
		w.must(w.office().TurnOff(t.Context(), admin, "R1", "remove"))
		w.mu.Lock()
		w.calls, w.dieAt, w.diesAfter = 0, 2*die, die%2 == 0
		w.mu.Unlock()
		w.settle()
		w.mu.Lock()
		w.dieAt = 0
		w.mu.Unlock()
		w.timers()
		if got := subjects(w.inOutlook("R1")); got != "Dentist, Meeting, Yesterday" {
			t.Fatalf("killed at call %d: Outlook shows %s", 2*die, got)
		}
		if got := subjects(w.onBoard("R1")); got != "Dentist, Meeting, Repair, Yesterday" {
			t.Fatalf("killed at call %d: the board shows %s", 2*die, got)
		}
		if die > 0 {
			continue
		}
		if err := w.office().TurnOff(t.Context(), admin, "R1", "remove"); err == nil {
			t.Error("there is nothing to decide any more, and no error says so")
		}
		w.flag("R1", true)
		w.sync()
		w.timers()
		if got := subjects(w.inOutlook("R1")); got != "Dentist, Meeting, Repair, Yesterday" {
			t.Errorf("on again, Outlook shows %s", got)
		}
		w.agree()
		w.silent()
	}
}

func TestTakesPart_AnAdministratorOverrides(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	d := w.office()
	w.must(d.SetTakesPart(t.Context(), admin, "R1", "off"))
	if r := w.resource("R1"); r.TakesPart || !r.Flag || r.OverrideBy != admin || len(r.Left) != 1 {
		t.Errorf("off: %+v", r)
	}
	w.sync() // the board's flag does not take it back
	if r := w.resource("R1"); r.TakesPart {
		t.Errorf("after a synchronisation: %+v", r)
	}
	w.flag("R1", false)
	w.must(d.SetTakesPart(t.Context(), admin, "R1", "on"))
	w.settle()
	if r := w.resource("R1"); !r.TakesPart || r.Flag || len(r.Left) != 0 {
		t.Errorf("on: %+v", r)
	}
	w.must(d.SetTakesPart(t.Context(), admin, "R1", "board"))
	if r := w.resource("R1"); r.TakesPart {
		t.Errorf("left to the board: %+v", r)
	}
	for _, bad := range []error{d.SetTakesPart(t.Context(), admin, "R1", "maybe"), d.SetTakesPart(t.Context(), admin, "nobody", "on"), d.TurnOff(t.Context(), admin, "R1", "burn"), d.Release(t.Context(), admin, "nobody")} {
		if bad == nil {
			t.Error("bad input is taken")
		}
	}
	log, err := w.mem.AuditLog(t.Context(), 10)
	if err != nil || len(log) != 3 {
		t.Errorf("%d audit entries, %v", len(log), err)
	}
	if all, err := d.Mailboxes(t.Context()); err != nil || all.TakePart != 0 || all.Questions != 1 {
		t.Errorf("overview: %+v, %v", all, err)
	}
}

// The address is an alias, or the main address, of a user who signs in by another name.
func TestTakesPart_EmailThatIsNotTheUPN(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, options{})
	for _, u := range []graphsim.User{
		{UPN: "anna.p@corp.example", Mail: "anna@example.com"},
		{UPN: "bram.s@corp.example", Mail: "bram.s@example.com", ProxyAddresses: []string{"SMTP:bram.s@example.com", "smtp:bram@example.com"}},
	} {
		w.graph.AddUser(u)
	}
	for no, address := range map[string]string{"A": "anna@example.com", "B": "bram@example.com", "C": "nobody@example.com", "D": "no address"} {
		w.board.AddResource(boardsim.Resource{ResourceNo: no, DisplayName: no, Email: address, ExchangeIntegrationEnabled: true})
	}
	w.plan("Repair", 1, "A", "B")
	w.sync()
	w.timers()
	for _, upn := range []string{"anna.p@corp.example", "bram.s@corp.example"} {
		if n := len(w.graph.Events(upn)); n != 1 {
			t.Errorf("%s shows %d events", upn, n)
		}
	}
	for _, no := range []string{"C", "D"} {
		if r := w.resource(no); r.TakesPart || r.Problem == "" || r.Do == "" {
			t.Errorf("%s: %+v", no, r)
		}
	}
}

// The resource gets another address: the old mailbox keeps its events until
// somebody says, the new one gets its own.
func TestTakesPart_ChangedEmailIsAnotherMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, options{})
	a := w.plan("Repair", 9, "R1")
	w.settle()
	w.graph.AddUser(graphsim.User{UPN: "new@example.com"})
	old := w.mailbox("R1")
	for _, r := range w.board.Resources() {
		r.Email = "new@example.com"
		w.board.AddResource(r)
	}
	w.sync()
	w.timers()
	if n, m := len(w.graph.Events("new@example.com")), len(w.graph.Events(email("R1"))); n != 1 || m != 1 {
		t.Errorf("%d events in the new calendar, %d in the old", n, m)
	}
	if r := w.resource("R1"); !r.TakesPart || !cmp.Equal(r.Left, []string{old}) {
		t.Errorf("the desk shows %+v", r)
	}
	w.drag(a.GUID, 10)
	w.settle()
	if e := w.graph.Events("new@example.com"); len(e) != 1 || !e[0].Start.Equal(at(10)) {
		t.Errorf("the new calendar shows %v", e)
	}
	w.must(w.office().TurnOff(t.Context(), admin, "R1", "remove"))
	w.settle()
	if n, m := len(w.graph.Events("new@example.com")), len(w.graph.Events(email("R1"))); n != 1 || m != 0 {
		t.Errorf("%d events in the new calendar, %d in the old", n, m)
	}
	if n := len(w.onBoard("R1")); n != 1 {
		t.Errorf("the board shows %d appointments", n)
	}
}

// The mailbox's user is deleted, and made anew with the same address: a new set
// of links, and nothing is deleted on the board.
func TestCase_E23_NewUserWithTheSameEmail(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.outlook("R1", "Dentist", 6)
	w.settle()
	old := w.mailbox("R1")
	w.must(w.graph.SetMailboxState(old, graphsim.UserGone))
	w.timers()
	w.sync()
	if n := len(w.onBoard("R1")); n != 2 {
		t.Fatalf("without a mailbox the board shows %d appointments", n)
	}
	row, err := w.mem.Target(t.Context(), store.Mailbox, old)
	if err != nil || row.SuspendedSince.IsZero() {
		t.Errorf("the old mailbox is not suspended: %v", err)
	}
	fresh := w.graph.AddUser(graphsim.User{UPN: email("R1")})
	w.sync()
	w.timers()
	if got := w.graph.Events(fresh.ID); len(got) != 2 {
		t.Errorf("the new calendar shows %d events", len(got))
	}
	if n := len(w.onBoard("R1")); n != 2 {
		t.Errorf("the board shows %d appointments", n)
	}
	links, err := w.mem.Links(t.Context(), old)
	if err != nil || len(links) == 0 {
		t.Errorf("the old links are gone: %v", err)
	}
}

// An appointment moves from A to B while B's mailbox is out of order: A's event
// goes all the same, and B gets its own when it is back. One of several resources
// keeps its event throughout.
func TestCase_E20_ReassignmentToAMailboxThatIsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, options{})
	a := w.plan("Repair", 1, "R1", "R3")
	w.settle()
	kept := w.event("R3", "Repair").ID
	w.must(w.graph.SetMailboxState(email("R2"), graphsim.MailboxNotEnabled))
	w.timers()
	w.must(w.board.Reassign(a.GUID, "R1", "R2"))
	w.settle()
	if n := len(w.inOutlook("R1")); n != 0 {
		t.Errorf("R1 still shows %d events", n)
	}
	if w.event("R3", "Repair").ID != kept {
		t.Error("R3's event was made anew")
	}
	w.must(w.graph.SetMailboxState(email("R2"), graphsim.MailboxOK))
	w.advance(12 * time.Hour)
	w.timers()
	w.agree()
	if n, m := len(w.inOutlook("R2")), len(w.onBoard("R1")); n != 1 || m != 0 {
		t.Errorf("R2 shows %d events, R1 %d appointments", n, m)
	}
	w.silent()
}
