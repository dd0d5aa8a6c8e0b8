package exchange_test

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/google/go-cmp/cmp"
)

// agree fails if the two sides do not show the same for every resource.
func (w *world) agree() {
	w.t.Helper()
	for _, r := range w.board.Resources() {
		if d := cmp.Diff(w.onBoard(r.ResourceNo), w.inOutlook(r.ResourceNo)); d != "" {
			w.t.Errorf("%s: board (-) and Outlook (+) differ:\n%s", r.ResourceNo, d)
		}
	}
}

func (w *world) plan(subject string, hour int, resources ...string) boardsim.Appointment {
	w.t.Helper()
	a, err := w.board.CreateAppointment(boardsim.Appointment{
		Subject: subject, Body: "as agreed", Start: start.Add(time.Duration(hour) * time.Hour), End: start.Add(time.Duration(hour+1) * time.Hour),
		SourceApp: "CRONUS", SourceType: "ORDER", JobNo: "J1", TaskNo: "T1", Resources: resources,
	})
	w.must(err)
	return a
}

func (w *world) event(no, subject string) graphsim.Event {
	w.t.Helper()
	for _, e := range w.graph.Events(email(no)) {
		if e.Subject == subject {
			return e
		}
	}
	w.t.Fatalf("%s has no event %q", no, subject)
	return graphsim.Event{}
}

func TestBoardToOutlook(t *testing.T) {
	w := newWorld(t, 2, options{})
	a := w.plan("Repair", 1, "R1", "R2")
	w.settle()
	w.agree()
	if n := len(w.inOutlook("R1")) + len(w.inOutlook("R2")); n != 2 {
		t.Fatalf("%d events, want one in each calendar", n)
	}
	w.must(w.board.Move(a.GUID, a.Start.Add(time.Hour), a.End.Add(time.Hour)))
	w.settle()
	w.agree()
	w.must(w.board.Unassign(a.GUID, "R2"))
	w.settle()
	w.agree()
	w.must(w.board.Reassign(a.GUID, "R1", "R2"))
	w.settle()
	w.agree()
	w.must(w.board.Delete(a.GUID))
	w.settle()
	w.agree()
	if n := len(w.inOutlook("R1")) + len(w.inOutlook("R2")); n != 0 {
		t.Errorf("%d events are left after the appointment was deleted", n)
	}
}

func TestOutlookToBoard(t *testing.T) {
	w := newWorld(t, 2, options{})
	w.plan("Repair", 1, "R1", "R2")
	w.settle()
	e := w.event("R1", "Repair")
	_, err := w.graph.UpdateEvent(email("R1"), e.ID, func(e *graphsim.Event) {
		e.Subject = "Repair, ring twice"
		e.Start, e.End = e.Start.Add(time.Hour), e.End.Add(2*time.Hour)
	})
	w.must(err)
	w.settle()
	w.agree() // also R2's calendar: it is one appointment
	if got := w.onBoard("R2"); len(got) != 1 || got[0].Subject != "Repair, ring twice" {
		t.Errorf("board shows %v", got)
	}

	own, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Dentist", Start: start.Add(5 * time.Hour), End: start.Add(6 * time.Hour)})
	w.must(err)
	w.settle()
	w.agree()
	_, err = w.graph.MoveEvent(email("R1"), own.ID, start.Add(7*time.Hour), start.Add(8*time.Hour))
	w.must(err)
	w.settle()
	w.agree()
	w.must(w.graph.DeleteEvent(email("R1"), own.ID))
	w.settle()
	w.agree()

	w.must(w.graph.DeleteEvent(email("R1"), e.ID))
	w.settle()
	w.agree()
	if got := w.onBoard("R2"); len(got) != 1 {
		t.Errorf("R2 shows %v: one resource must not delete for all (R31)", got)
	}
	w.must(w.graph.DeleteEvent(email("R2"), w.event("R2", "Repair, ring twice").ID))
	w.settle()
	w.agree()
	if got := w.board.List(start.AddDate(-1, 0, 0), start.AddDate(1, 0, 0)); len(got) != 0 {
		t.Errorf("the board still has %d appointments", len(got))
	}
}
