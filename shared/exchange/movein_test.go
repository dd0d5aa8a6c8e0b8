package exchange_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/graph"
	"github.com/dime-scheduler/connectors/shared/store"
)

const admin = "admin@example.com"

// office is the desk with the process's own clients.
func (w *world) office() *exchange.Desk {
	p := w.proc.worker
	return &exchange.Desk{Store: w.mem, Calendar: p.Calendar, Board: p.Board, Bus: p.Bus, Now: w.clock, Log: p.Log}
}

func (w *world) release(no string) {
	w.t.Helper()
	w.must(w.office().Release(context.Background(), admin, w.mailbox(no)))
	w.settle()
}

// foreign is a copy of an appointment that another connector has made.
func (w *world) foreign(no, subject string, hour int) graphsim.Event {
	w.t.Helper()
	e, err := w.graph.CreateEvent(email(no), graphsim.Event{Subject: subject, Body: "by the old connector", Start: at(hour), End: at(hour + 1)})
	w.must(err)
	return e
}

func (w *world) counts(no string) store.Preview {
	w.t.Helper()
	p := w.target(no).Preview
	p.At = time.Time{}
	return p
}

// preview returns the actions of a preview, sorted.
func (w *world) actions(no string) []string {
	w.t.Helper()
	rows, err := w.office().Preview(context.Background(), w.mailbox(no))
	w.must(err)
	var out []string
	for _, r := range rows.Rows {
		out = append(out, r.Action)
	}
	slices.Sort(out)
	return out
}

// world0 has one resource that is not in yet, whose calendar is full of another
// connector's copies.
func world0(t *testing.T, o options) (w *world, a, b boardsim.Appointment, copyOfA graphsim.Event) {
	t.Helper()
	o.preview = true
	w = newWorld(t, 0, o)
	w.addResource("R1")
	a, b = w.plan("Repair", 1, "R1"), w.plan("Inspection", 4, "R1")
	copyOfA = w.foreign("R1", "Repair", 1)
	w.outlook("R1", "Dentist", 7)
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Divorce lawyer", Sensitivity: "private", Start: at(9), End: at(10)})
	w.must(err)
	w.must(w.proc.sync.Run(context.Background()))
	w.settle()
	return w, a, b, copyOfA
}

func TestMoveIn_NothingIsWrittenBeforeTheRelease(t *testing.T) {
	t.Parallel()
	w, a, _, e := world0(t, options{})
	want := store.Preview{Adopt: 1, Create: 1, ToBoard: 1}
	if d := cmp.Diff(want, w.counts("R1")); d != "" {
		t.Errorf("preview, want (-), got (+):\n%s", d)
	}
	w.graph.ResetCalls()
	w.board.ResetCalls()
	w.drag(a.GUID, 2) // arrives meanwhile, and waits
	w.dragInOutlook("R1", e.ID, 3)
	w.drag(a.GUID, 1)
	w.dragInOutlook("R1", e.ID, 1)
	w.settle()
	w.timers()
	if g, b := w.graph.Calls().Writes(), w.board.Calls()["POST /import"]; g+b != 0 || len(w.graph.Subscriptions()) != 0 {
		t.Errorf("before the release %d writes to Outlook, %d to the board, %d subscriptions", g, b, len(w.graph.Subscriptions()))
	}
	rows, err := w.office().Preview(t.Context(), w.mailbox("R1"))
	w.must(err)
	text, err := json.Marshal(rows)
	w.must(err)
	for _, word := range []string{"Repair", "Dentist", "lawyer", "old connector"} {
		if strings.Contains(string(text), word) || strings.Contains(w.kept(), "lawyer") {
			t.Errorf("the preview holds content: %s", text)
		}
	}
	if due := w.target("R1").Due; !due.IsZero() {
		t.Errorf("a mailbox that waits is due at %s", due)
	}

	w.release("R1")
	w.shown("the board", "R1", w.onBoard("R1"), []card{planned("Repair", 1), planned("Inspection", 4), born("Dentist", 7)})
	copied := planned("Repair", 1)
	copied.Body = "by the old connector"
	w.shown("Outlook", "R1", w.inOutlook("R1"), []card{copied, planned("Inspection", 4), born("Dentist", 7), born("Divorce lawyer", 9)})
	if got := w.event("R1", "Repair"); got.ID != e.ID || !strings.HasPrefix(got.Properties[graph.MarkProperty], a.GUID+"|") {
		t.Errorf("adopted: id %t, mark %q", got.ID == e.ID, got.Properties[graph.MarkProperty])
	}
	w.drag(a.GUID, 11)
	w.settle()
	if got := w.event("R1", "Repair"); got.ID != e.ID || !got.Start.Equal(at(11)) {
		t.Error("an adopted event does not follow the board")
	}
	w.dragInOutlook("R1", e.ID, 12)
	w.settle()
	if got := w.onBoard("R1"); !slices.ContainsFunc(got, func(c card) bool { return c.Subject == "Repair" && c.Start.Equal(at(12)) }) {
		t.Errorf("the board does not follow an adopted event: %v", got)
	}
	w.silent()
	log, err := w.mem.AuditLog(t.Context(), 10)
	if err != nil || len(log) != 1 || log[0].Who != admin || log[0].Action != "release" {
		t.Errorf("audit: %+v, %v", log, err)
	}
}

// The board knows the event by its id, though it looks otherwise by now.
func TestMoveIn_TheBoardKnowsTheEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, options{preview: true, board: boardsim.Options{ShowExchangeIDs: true}})
	w.addResource("R1")
	e := w.foreign("R1", "Repair, ring twice", 2)
	_, err := w.board.CreateAppointment(boardsim.Appointment{
		Subject: "Repair", Body: "as agreed", Start: at(1), End: at(2), Resources: []string{"R1"},
		Mappings: []boardsim.Mapping{{ResourceEmail: email("R1"), ExchangeID: "another form of the id", ICalUID: e.ICalUID}},
	})
	w.must(err)
	w.must(w.proc.sync.Run(t.Context()))
	w.settle()
	if d := cmp.Diff(store.Preview{Adopt: 1}, w.counts("R1")); d != "" {
		t.Errorf("preview (-want +got):\n%s", d)
	}
	w.release("R1")
	want := planned("Repair", 1)
	want.Body = "by the old connector"
	w.shown("Outlook", "R1", w.inOutlook("R1"), []card{want})
	if w.event("R1", "Repair").ID != e.ID {
		t.Error("the event was made anew")
	}
	w.silent()
}

// Two events look like one appointment, one of them is a copy of a meeting of
// somebody else's: one is adopted, nothing becomes a second appointment.
func TestMoveIn_TwinsAreLeftAloneAndListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, options{preview: true})
	w.addResource("R1")
	w.plan("Repair", 1, "R1")
	w.foreign("R1", "Repair", 1)
	w.foreign("R1", "Repair", 1)
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Repair", Start: at(1), End: at(2), Organizer: "boss@example.com"})
	w.must(err)
	w.must(w.proc.sync.Run(t.Context()))
	w.settle()
	if d := cmp.Diff([]string{"adopt", "leave", "leave"}, w.actions("R1")); d != "" {
		t.Errorf("preview (-want +got):\n%s", d)
	}
	w.release("R1")
	w.timers()
	if n, m := len(w.onBoard("R1")), len(w.graph.Events(email("R1"))); n != 1 || m != 3 {
		t.Errorf("%d appointments, %d events", n, m)
	}
	deltas, err := w.mem.Deltas(t.Context(), w.mailbox("R1"), 10)
	if err != nil || len(deltas) != 2 {
		t.Errorf("listed are %d, %v", len(deltas), err)
	}
	w.silent()
}

// Once a mailbox is in, an event that looks like an appointment is the person's.
func TestRule_R26_EqualLooksAreAdoptedOnlyWhileMovingIn(t *testing.T) {
	t.Parallel()
	w, _ := world1(t, options{})
	w.outlook("R1", "Repair", 1)
	w.settle()
	w.timers()
	if n, m := len(w.onBoard("R1")), len(w.graph.Events(email("R1"))); n != 2 || m != 2 {
		t.Errorf("%d appointments, %d events, want two of each", n, m)
	}
}

// Release is safe to be killed at any of its calls.
func TestMoveIn_KilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for die := 1; die < 60; die += 3 {
			w, _, _, e := world0(t, options{})
			w.must(w.office().Release(t.Context(), admin, w.mailbox("R1")))
			w.mu.Lock()
			w.calls, w.dieAt, w.diesAfter = 0, die, after
			w.mu.Unlock()
			w.settle()
			w.mu.Lock()
			w.dieAt = 0
			w.mu.Unlock()
			w.timers()
			if n, m := len(w.onBoard("R1")), len(w.graph.Events(email("R1"))); n != 3 || m != 4 || w.event("R1", "Repair").ID != e.ID {
				t.Fatalf("killed at call %d (after: %t): %d appointments, %d events", die, after, n, m)
			}
		}
	}
}

// All tables are deleted in the middle of a day, while both sides have changed
// things that the other has not heard of.
func TestRule_R13_LostTablesInTheMiddleOfADay(t *testing.T) {
	t.Parallel()
	for _, preview := range []bool{false, true} {
		w := newWorld(t, 2, options{})
		a := w.plan("Repair", 1, "R1", "R2")
		b := w.plan("Inspection", 4, "R1")
		c := w.plan("Survey", 6, "R1")
		gone := w.plan("Cancelled", 8, "R1")
		own := w.outlook("R1", "Dentist", 10)
		w.settle()
		ids := map[string]bool{}
		for _, no := range []string{"R1", "R2"} {
			for _, e := range w.graph.Events(email(no)) {
				ids[e.ID] = true
			}
		}
		// Nobody hears of these.
		w.board.SetAnnounceFault(func(boardsim.Change) boardsim.AnnounceFault { return boardsim.AnnounceFault{Drop: true} })
		w.drag(a.GUID, 2)
		w.retitle("R1", w.event("R1", "Inspection").ID, "Inspection, bring a ladder")
		w.rename(c.GUID, "Survey, second floor")
		w.dragInOutlook("R1", w.event("R1", "Survey").ID, 7)
		w.must(w.board.Delete(gone.GUID))
		w.dragInOutlook("R1", own.ID, 12)
		copied, err := w.graph.CopyEvent(email("R2"), w.event("R2", "Repair").ID)
		w.must(err)
		w.forget()
		w.board.SetAnnounceFault(nil)
		_ = b

		w.mem = store.NewMem(w.clock)
		w.set(exchange.Settings{ReleaseAll: !preview})
		w.start()
		w.must(w.proc.sync.Run(t.Context()))
		w.settle()
		if preview {
			if d := cmp.Diff(store.Preview{Adopt: 3, Delete: 1, Create: 1, ToBoard: 1}, w.counts("R1")); d != "" {
				t.Errorf("preview (-want +got):\n%s", d)
			}
			w.release("R1")
			w.release("R2")
		}
		w.timers()
		w.shows("R1", planned("Repair", 2), planned("Inspection, bring a ladder", 4), planned("Survey, second floor", 7), born("Dentist", 12))
		w.shows("R2", planned("Repair", 2), planned("Repair", 1)) // the copy is the person's, an appointment of its own
		for _, no := range []string{"R1", "R2"} {
			for _, e := range w.graph.Events(email(no)) {
				if !ids[e.ID] && e.ID != copied.ID {
					t.Errorf("%s: %q was made anew", no, e.Subject)
				}
			}
		}
		w.silent()
	}
}
