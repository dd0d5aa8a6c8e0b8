package boardsim_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// upsert is mboc_upsertAppointment for the usual task.
func upsert(pairs ...any) map[string]any {
	return procedure("mboc_upsertAppointment", append([]any{
		"SourceApp", "BC", "SourceType", "SERVICE", "JobNo", "J1", "TaskNo", "T1",
		"Start", "2026-03-02 09:00:00Z", "End", "2026-03-02 10:00:00Z",
	}, pairs...)...)
}

func TestImportUpsertsByGuidAndID(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	got := w.runs(upsert("AppointmentGuid", strings.ToUpper(guidA), "Subject", "One", "ResourceNo", "R1", "Body", nil))
	if len(got.Appointments) != 1 || got.Appointments[0].GUID != guidA {
		t.Fatalf("appointments %+v, want one with the proposed guid", got.Appointments)
	}
	id := got.Appointments[0].ID
	w.runs(procedure("mboc_upsertAppointment", "AppointmentGuid", guidA, "Subject", "Two", "ResourceNo", "R2"))
	w.runs(procedure("mboc_upsertAppointment", "AppointmentId", "1", "Importance", "2", "Locked", "True"))
	a := w.get(guidA)
	if a.ID != id || a.Subject != "Two" || a.Importance != 2 || !a.Locked || !a.Start.Equal(nine) || !slices.Equal(a.Resources, []string{"R1", "R2"}) {
		t.Errorf("appointment %+v", a)
	}
	w.runs(procedure("mboc_upsertAppointment", "AppointmentGuid", guidA, "ResourceNo", "R2", "ReplaceResource", "1"))
	if got := w.get(guidA).Resources; !slices.Equal(got, []string{"R2"}) {
		t.Errorf("assigned %v after ReplaceResource, want R2", got)
	}
}

func TestImportUpdatesSingleFields(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	w.board.AddCategory(boardsim.Category{Name: "C"})
	w.board.AddTimeMarker(boardsim.TimeMarker{Name: "M"})
	guid := w.plan("R1").GUID
	w.runs(
		procedure("mboc_updateAppointmentContent", "AppointmentGuid", guid, "Subject", "S"),
		procedure("mboc_updateAppointmentCategory", "AppointmentGuid", guid, "Category", "C"),
		procedure("mboc_updateAppointmentTimeMarker", "AppointmentGuid", guid, "TimeMarker", "M"),
		procedure("mboc_updateAppointmentImportance", "AppointmentId", "1", "Importance", "1"),
		procedure("mboc_updateAppointmentLocked", "AppointmentNo", "APP000001", "Locked", "True"),
		procedure("mboc_addAppointmentResource", "AppointmentGuid", guid, "ResourceNo", "R2"),
		procedure("mboc_deleteAppointmentResource", "AppointmentGuid", guid, "ResourceNo", "R1"),
	)
	a := w.get(guid)
	if a.Subject != "S" || a.Body != "Bring tools" || a.Category != "C" || a.TimeMarker != "M" || a.Importance != 1 || !a.Locked || !slices.Equal(a.Resources, []string{"R2"}) {
		t.Errorf("appointment %+v", a)
	}
	w.idle()
	if got := len(w.board.Announced()); got != 8 {
		t.Errorf("%d announcements, want the creation and seven updates", got)
	}
}

func TestImportDeletes(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	guid := w.plan("R1", "R2").GUID
	w.runs(procedure("mboc_deleteAppointment", "AppointmentGuid", guid, "ResourceNo", "R1"))
	if got := w.get(guid).Resources; !slices.Equal(got, []string{"R2"}) {
		t.Errorf("assigned %v, want R2", got)
	}
	w.runs(procedure("mboc_deleteAppointment", "AppointmentGuid", guid))
	if _, err := w.board.Get(guid); err == nil {
		t.Error("the appointment is still there")
	}
	w.runs(procedure("mboc_deleteAppointment", "AppointmentGuid", guid)) // again
}

func TestImportFailsInsideA200(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	w.plan("R1")
	for name, c := range map[string]struct {
		request map[string]any
		want    string
	}{
		"procedure":     {procedure("mboc_nothing"), "mboc_nothing"},
		"parameter":     {procedure("mboc_deleteAppointment", "Colour", "red"), "@Colour"},
		"letter case":   {procedure("mboc_deleteAppointment", "appointmentid", "1"), "@appointmentid"},
		"lengths":       {map[string]any{"StoredProcedureName": "mboc_deleteAppointment", "ParameterNames": []string{"AppointmentId"}, "ParameterValues": []string{}}, "1 parameter names but 0 values"},
		"twice":         {procedure("mboc_deleteAppointment", "AppointmentId", "1", "AppointmentId", "1"), "twice"},
		"no number":     {procedure("mboc_deleteAppointment", "AppointmentId", "one"), "@AppointmentId"},
		"no guid":       {procedure("mboc_deleteAppointment", "AppointmentGuid", "g"), "@AppointmentGuid"},
		"no flag":       {upsert("IsManualAppointment", "maybe"), "@IsManualAppointment"},
		"no time":       {procedure("mboc_upsertAppointment", "AppointmentId", "1", "Start", "noon"), "@Start"},
		"too long":      {upsert("ResourceNo", strings.Repeat("x", 51)), "at most 50"},
		"required":      {procedure("mboc_addAppointmentResource", "AppointmentId", "1"), "@ResourceNo"},
		"no such id":    {upsert("AppointmentId", "77"), "not found"},
		"no such task":  {procedure("mboc_upsertAppointment", "TaskNo", "T9", "JobNo", "J1", "Start", "2026-03-02T09:00", "End", "2026-03-02T09:00"), "task"},
		"no resource":   {upsert("ResourceNo", "R9"), "resource"},
		"end too early": {procedure("mboc_upsertAppointment", "AppointmentId", "1", "End", "2026-03-01T00:00:00"), "ends before"},
	} {
		got := w.imports(c.request)
		if got.StatusCode == 200 || got.Success || got.Error == "" || !strings.Contains(got.Description, c.want) {
			t.Errorf("%s: %+v, want a failure with %q", name, got, c.want)
		}
	}
	for name, body := range map[string]string{"no array": `{"StoredProcedureName":"x"}`, "no JSON": `nonsense`, "empty": `[]`, "a number as value": `[{"StoredProcedureName":"mboc_deleteAppointment","ParameterNames":["AppointmentId"],"ParameterValues":[1]}]`} {
		if status, _, _, _ := w.call(http.MethodPost, "/import", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, status)
		}
	}
	if got := len(w.board.List(time.Time{}, time.Time{})); got != 1 {
		t.Errorf("%d appointments, want the one from before", got)
	}
}

func TestImportStopsAtTheFirstFailure(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	got := w.imports(upsert("AppointmentGuid", guidA), procedure("mboc_nothing"), upsert("AppointmentGuid", guidB))
	if got.StatusCode == 200 {
		t.Errorf("import %+v, want a failure", got)
	}
	if list := w.board.List(time.Time{}, time.Time{}); len(list) != 1 || list[0].GUID != guidA {
		t.Errorf("appointments %v, want only the first", list)
	}
}

func TestImportSwitches(t *testing.T) {
	t.Run("own guids", func(t *testing.T) {
		w := newWorld(t, boardsim.Options{OwnGUIDs: true})
		got := w.runs(upsert("AppointmentGuid", guidA))
		if got.Appointments[0].GUID == guidA {
			t.Error("the proposed guid was kept")
		}
	})
	t.Run("reject unknown guids", func(t *testing.T) {
		w := newWorld(t, boardsim.Options{RejectUnknownGUIDs: true})
		if got := w.imports(upsert("AppointmentGuid", guidA)); got.StatusCode == 200 {
			t.Errorf("import %+v, want a failure", got)
		}
		w.runs(upsert())
	})
	t.Run("silent", func(t *testing.T) {
		w := newWorld(t, boardsim.Options{SilentAPIWrites: true})
		w.runs(upsert("AppointmentGuid", guidA), procedure("mboc_deleteAppointment", "AppointmentGuid", guidA))
		w.plan("R1")
		w.idle()
		if got := operations(w.board.Announced()); !slices.Equal(got, []string{"Create"}) {
			t.Errorf("announced %v, want only the planner's", got)
		}
	})
	t.Run("zone of zoneless times", func(t *testing.T) {
		zone := time.FixedZone("here", 2*3600)
		w := newWorld(t, boardsim.Options{Zone: zone})
		w.runs(procedure("mboc_upsertAppointment", "AppointmentGuid", guidA, "IsManualAppointment", "True", "Start", "2026-03-02T11:00:00", "End", "2026-03-02T12:00:00+02:00"))
		if a := w.get(guidA); !a.Start.Equal(nine) || !a.End.Equal(nine.Add(time.Hour)) {
			t.Errorf("from %s to %s, want 9 to 10 UTC", a.Start, a.End)
		}
	})
}

func TestImportMasterData(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	w.runs(
		procedure("mboc_upsertResource", "ResourceNo", "R1", "Email", "new@example.com", "ExchangeIntegrationEnabled", "False", "FreeText20", "x"),
		procedure("mboc_upsertResource", "ResourceNo", "R3", "ResourceName", "Cem", "Email", "cem@example.com"),
		procedure("mboc_upsertJob", "SourceApp", "BC", "SourceType", "SERVICE", "JobNo", "J2"),
		procedure("mboc_upsertTask", "SourceApp", "BC", "SourceType", "SERVICE", "JobNo", "J2", "TaskNo", "T2"),
		procedure("mboc_upsertAppointment", "SourceApp", "BC", "SourceType", "SERVICE", "JobNo", "J2", "TaskNo", "T2", "Start", "2026-03-02T09:00:00.000Z", "End", "2026-03-02T10:00:00.000Z"),
	)
	resources := w.board.Resources()
	if len(resources) != 3 || resources[0].Email != "new@example.com" || resources[0].ExchangeIntegrationEnabled || resources[0].DisplayName != "Ann" || resources[2].DisplayName != "Cem" {
		t.Errorf("resources %+v", resources)
	}
	if got := w.imports(procedure("mboc_upsertTask", "SourceApp", "BC", "SourceType", "SERVICE", "JobNo", "J9", "TaskNo", "T")); got.StatusCode == 200 {
		t.Error("a task of an unknown job was taken")
	}
}

func TestImportNotifications(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	guid := w.plan("R1").GUID
	note := func(text string) map[string]any {
		return procedure("mboc_upsertNotification", "mboc_id", "exchange", "AppointmentGuid", guid, "NotificationType", "2", "NotificationCode", "DSEX1", "NotificationText", text)
	}
	w.runs(note("first"), note("second"))
	got := w.board.Notifications()
	if len(got) != 1 || got[0].Text != "second" || got[0].Type != 2 || got[0].AppointmentGUID != guid {
		t.Fatalf("notifications %+v, want the second in place of the first", got)
	}
	if got := w.imports(procedure("mboc_deleteNotification")); got.StatusCode == 200 {
		t.Error("a delete that names nothing was accepted")
	}
	w.runs(procedure("mboc_deleteNotification", "mboc_id", "exchange", "NotificationCode", "OTHER"))
	if got := len(w.board.Notifications()); got != 1 {
		t.Errorf("%d notifications after deleting another, want 1", got)
	}
	w.runs(procedure("mboc_deleteNotification", "mboc_id", "exchange", "AppointmentGuid", guid))
	if got := len(w.board.Notifications()); got != 0 {
		t.Errorf("%d notifications after the delete, want 0", got)
	}
}
