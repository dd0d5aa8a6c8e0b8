package boardsim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// event is mboc_upsertExchangeAppointment of an event of Ann's.
func event(pairs ...any) map[string]any {
	return procedure("mboc_upsertExchangeAppointment", append([]any{
		"ExchangeId", "E1", "ICalUId", "U1", "ResourceEmail", "Ann@Example.com",
		"Start", "2026-03-02 09:00:00Z", "End", "2026-03-02 10:00:00Z", "Subject", "Dentist",
	}, pairs...)...)
}

func TestOutlookBornAppointmentIsCreatedOnce(t *testing.T) {
	for name, opts := range map[string]boardsim.Options{"our guid": {}, "its own": {OwnGUIDs: true}} {
		w := newWorld(t, opts)
		pairs := []any{"AppointmentGuid", guidA, "AppointmentId", "0", "CreatedByExchange", "True", "ShowAs", "4", "Sensitivity", "3", "Categories", "Red;Blue", "Importance", "1"}
		first := w.runs(event(pairs...)).Appointments
		again := w.runs(event(pairs...)).Appointments
		if len(first) != 1 || !slices.Equal(first, again) || (first[0].GUID == guidA) == opts.OwnGUIDs {
			t.Fatalf("%s: first %v, again %v", name, first, again)
		}
		list := w.board.List(time.Time{}, time.Time{})
		if len(list) != 1 {
			t.Fatalf("%s: %d appointments, want 1", name, len(list))
		}
		a := list[0]
		if !a.CreatedByExchange || a.TaskNo != "" || a.Subject != "Dentist" || a.Importance != 1 || !slices.Equal(a.Resources, []string{"R1"}) {
			t.Errorf("%s: %+v", name, a)
		}
		m := a.Mappings
		if len(m) != 1 || m[0].ExchangeID != "E1" || m[0].ICalUID != "U1" || m[0].ShowAs != 4 || m[0].Sensitivity != 3 || !slices.Equal(m[0].Categories, []string{"Red", "Blue"}) {
			t.Errorf("%s: mappings %+v", name, m)
		}
	}
}

func TestExchangeUpsertEditsAPlannedAppointment(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	planned := w.plan("R2")
	w.tick()
	w.runs(procedure("mboc_upsertExchangeAppointment", "AppointmentGuid", planned.GUID, "ExchangeId", "E2", "ResourceEmail", "bob@example.com", "Start", "2026-03-02 11:00:00Z", "End", "2026-03-02 12:00:00Z"))
	a := w.get(planned.GUID)
	if !a.Start.Equal(nine.Add(2*time.Hour)) || a.Subject != "Service" || a.TaskNo != "T1" || a.CreatedByExchange || !a.LastModified.After(planned.LastModified) {
		t.Errorf("appointment %+v", a)
	}
	// Ann is not assigned: her mapping is noted, but it assigns nobody.
	w.runs(event("AppointmentGuid", planned.GUID))
	if a := w.get(planned.GUID); !slices.Equal(a.Resources, []string{"R2"}) || len(a.Mappings) != 2 {
		t.Errorf("assigned %v, mappings %v, want Bob and two", a.Resources, a.Mappings)
	}
	// Found by the event alone.
	w.runs(procedure("mboc_upsertExchangeAppointment", "ExchangeId", "E2", "ResourceEmail", "bob@example.com", "Subject", "By event"))
	if a := w.get(planned.GUID); a.Subject != "By event" {
		t.Errorf("subject %q", a.Subject)
	}
}

func TestExchangeUpsertIsRefused(t *testing.T) {
	w := newWorld(t, boardsim.Options{RejectUnknownGUIDs: true})
	for name, request := range map[string]map[string]any{
		"unknown guid":     event("AppointmentGuid", guidA),
		"unknown id":       event("AppointmentId", "9"),
		"unknown e-mail":   procedure("mboc_upsertExchangeAppointment", "ExchangeId", "E", "ResourceEmail", "nobody@example.com"),
		"no times":         procedure("mboc_upsertExchangeAppointment", "ExchangeId", "E", "ResourceEmail", "ann@example.com"),
		"show-as":          event("ShowAs", "7"),
		"sensitivity":      event("Sensitivity", "5"),
		"no such field":    event("Location", "Ghent"),
		"number is no arg": event("AppointmentNo", "A1"),
	} {
		if got := w.imports(request); got.StatusCode == 200 {
			t.Errorf("%s: %+v, want a failure", name, got)
		}
	}
	if got := w.board.List(time.Time{}, time.Time{}); len(got) != 0 {
		t.Errorf("appointments %v, want none", got)
	}
}

func TestExchangeDelete(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	gone := func(guid string) bool { _, err := w.board.Get(guid); return err != nil }
	remove := func(guid, email string) map[string]any {
		return procedure("mboc_deleteExchangeAppointment", "AppointmentGuid", guid, "ResourceEmail", email)
	}

	planned := w.plan("R1", "R2").GUID
	w.runs(remove(planned, "ann@example.com"))
	if got := w.get(planned).Resources; !slices.Equal(got, []string{"R2"}) {
		t.Errorf("assigned %v, want Bob alone", got)
	}
	w.runs(remove(planned, "bob@example.com"))
	if gone(planned) || len(w.get(planned).Resources) != 0 {
		t.Error("a planned appointment does not stay on the board, unassigned")
	}

	born := w.runs(event("CreatedByExchange", "True")).Appointments[0].GUID
	w.must(w.board.Assign(born, "R2"))
	byEvent := procedure("mboc_deleteExchangeAppointment", "ExchangeId", "E1", "ResourceEmail", "ann@example.com")
	w.runs(byEvent)
	if gone(born) {
		t.Fatal("an Outlook-born appointment went although Bob is assigned")
	}
	w.runs(byEvent) // again
	if got := w.get(born).Resources; !slices.Equal(got, []string{"R2"}) {
		t.Errorf("assigned %v, want Bob", got)
	}
	w.runs(remove(born, "bob@example.com"))
	if !gone(born) {
		t.Error("an Outlook-born appointment stayed without anybody")
	}
	w.runs(remove(born, "bob@example.com")) // again
}
