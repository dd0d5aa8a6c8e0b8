package boardsim_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

type key struct{ AppointmentGuid string }

func guids(list []key) []string {
	var all []string
	for _, each := range list {
		all = append(all, each.AppointmentGuid)
	}
	return all
}

func TestKeyIsChecked(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	w.board.SetAPIKey("rotated")
	if status, _, _, _ := w.call(http.MethodGet, "/resource", nil); status != http.StatusUnauthorized {
		t.Errorf("old key: %d, want 401", status)
	}
	w.board.SetAPIKey(apiKey)
	w.ok(http.MethodGet, "/Resource/", nil, nil)
	if got := w.board.Calls(); got["401"] != 1 || got["GET /resource"] != 1 {
		t.Errorf("calls %v", got)
	}
}

func TestListByRangeAndResources(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	first, second := w.plan("R1").GUID, w.plan("R1", "R2").GUID
	w.must(w.board.Move(second, nine.Add(time.Hour), nine.Add(2*time.Hour)))
	unassigned := w.plan().GUID
	for query, want := range map[string][]string{
		"startDate=2026-03-02T09:00:00Z&endDate=2026-03-02T10:00:00Z":       {first, unassigned},
		"startDate=2026-03-02&endDate=2026-03-03":                           {first, unassigned, second},
		"startDate=2026-03-02&endDate=2026-03-03&resources=R2":              {second},
		"startDate=2026-03-02&endDate=2026-03-03&resources=R1&resources=R2": {first, second},
		"startDate=2026-03-02&endDate=2026-03-03&resources=R9":              nil,
		"startDate=2026-03-03&endDate=2026-03-04":                           nil,
	} {
		var list []key
		w.ok(http.MethodGet, "/appointment?"+query, nil, &list)
		if got := guids(list); list == nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	if status, _, _, _ := w.call(http.MethodGet, "/appointment?startDate=2026-03-02", nil); status != http.StatusBadRequest {
		t.Errorf("without endDate: %d, want 400", status)
	}
}

func TestGetByID(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	a := w.plan("R1")
	for _, id := range []string{a.GUID, fmt.Sprint(a.ID)} {
		var got key
		w.ok(http.MethodGet, "/appointment/"+id, nil, &got)
		if got.AppointmentGuid != a.GUID {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if status, _, _, _ := w.call(http.MethodGet, "/appointment/"+guidA, nil); status != http.StatusNotFound {
		t.Errorf("unknown: %d, want 404", status)
	}
	without := newWorld(t, boardsim.Options{NoGetByID: true})
	b := without.plan("R1")
	if status, _, _, _ := without.call(http.MethodGet, "/appointment/"+b.GUID, nil); status != http.StatusNotFound {
		t.Errorf("NoGetByID: %d, want 404 although it exists", status)
	}
}

func TestNarrowedKeySeesEmptyLists(t *testing.T) {
	w := newWorld(t, boardsim.Options{NarrowedStatus: http.StatusForbidden})
	a := w.plan("R1")
	const list = "/appointment?startDate=2026-03-02&endDate=2026-03-03"
	w.board.Narrow()
	for _, path := range []string{list, "/resource"} {
		var got []any
		w.ok(http.MethodGet, path, nil, &got)
		if got == nil || len(got) != 0 {
			t.Errorf("%s: %v, want []", path, got)
		}
	}
	if status, _, _, _ := w.call(http.MethodGet, "/appointment/"+a.GUID, nil); status != http.StatusForbidden {
		t.Errorf("by id: %d, want 403", status)
	}
	w.board.Narrow("R1")
	var got []key
	w.ok(http.MethodGet, list, nil, &got)
	if !slices.Equal(guids(got), []string{a.GUID}) {
		t.Errorf("narrowed to R1: %v", got)
	}
	w.board.Widen()
	var resources []struct {
		ResourceNo                 string `json:"resourceNo"`
		Email                      string `json:"email"`
		ExchangeIntegrationEnabled bool   `json:"exchangeIntegrationEnabled"`
	}
	w.ok(http.MethodGet, "/resource", nil, &resources)
	if len(resources) != 2 || resources[0].ResourceNo != "R1" || resources[0].Email != "ann@example.com" || !resources[0].ExchangeIntegrationEnabled {
		t.Errorf("resources %+v", resources)
	}
}

func TestRestWrites(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	var done struct {
		Success      bool `json:"success"`
		Appointments []struct {
			ID   int64  `json:"id"`
			GUID string `json:"guid"`
		} `json:"appointments"`
	}
	w.ok(http.MethodPost, "/appointment", []any{map[string]any{
		"appointmentGuid": guidA, "sourceApp": "BC", "sourceType": "SERVICE", "jobNo": "J1", "taskNo": "T1", "resourceNo": "R1",
		"subject": "Rest", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z", "importance": 1, "body": nil,
		"isAllDay": false, "unitOfMeasure": "HOUR", "somethingNew": "ignored",
	}}, &done)
	if !done.Success || len(done.Appointments) != 1 || done.Appointments[0].GUID != guidA {
		t.Fatalf("answer %+v", done)
	}
	w.ok(http.MethodPut, "/appointment", map[string]any{"appointmentId": done.Appointments[0].ID, "subject": "Put", "locked": true}, nil)
	w.ok(http.MethodPost, "/assignment", map[string]any{"appointmentGuid": guidA, "resourceNo": "R2"}, nil)
	w.ok(http.MethodDelete, "/assignment", map[string]any{"appointmentGuid": guidA, "resourceNo": "R1"}, nil)
	if a := w.get(guidA); a.Subject != "Put" || !a.Locked || a.Importance != 1 || !slices.Equal(a.Resources, []string{"R2"}) {
		t.Errorf("appointment %+v", a)
	}
	for name, c := range map[string]struct {
		path string
		body any
		want int
	}{
		"unknown appointment": {"/assignment", map[string]any{"appointmentGuid": guidB, "resourceNo": "R1"}, 404},
		"bad guid":            {"/assignment", map[string]any{"appointmentGuid": "x", "resourceNo": "R1"}, 400},
		"no object":           {"/appointment", "17", 400},
		"no route":            {"/container", map[string]any{}, 404},
	} {
		if status, _, _, _ := w.call(http.MethodPost, c.path, c.body); status != c.want {
			t.Errorf("%s: %d, want %d", name, status, c.want)
		}
	}
	w.ok(http.MethodDelete, "/appointment", map[string]any{"appointmentGuid": guidA}, nil)
	if _, err := w.board.Get(guidA); err == nil {
		t.Error("the appointment is still there")
	}
}

func TestRestNotificationsAndMessages(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	guid := w.plan("R1").GUID
	for _, code := range []string{"A", "B", "C"} {
		w.tick()
		w.ok(http.MethodPost, "/notification", map[string]any{"connectorId": "exchange", "appointmentGuid": guid, "type": 1, "code": code, "text": "Text " + code}, nil)
	}
	var page []struct {
		Code        string `json:"code"`
		ConnectorID string `json:"connectorId"`
		Type        int    `json:"type"`
		CreatedAt   string `json:"createdAt"`
	}
	w.ok(http.MethodGet, "/notification?page=2&limit=2&sort=createdAt:desc", nil, &page)
	if len(page) != 1 || page[0].Code != "A" || page[0].ConnectorID != "exchange" || page[0].Type != 1 || page[0].CreatedAt == "" {
		t.Errorf("second page %+v, want the oldest", page)
	}
	w.ok(http.MethodDelete, "/notification", map[string]any{"connectorId": "exchange", "code": "B"}, nil)
	if got := len(w.board.Notifications()); got != 2 {
		t.Errorf("%d notifications, want 2", got)
	}
	w.must(w.board.Delete(guid))
	if got := len(w.board.Notifications()); got != 0 {
		t.Errorf("%d notifications of an appointment that is gone", got)
	}
	w.ok(http.MethodPost, "/message", map[string]any{"text": "Hello", "user": "planner", "severity": 3}, nil)
	if got := w.board.Messages(); len(got) != 1 || got[0] != (boardsim.Message{Text: "Hello", User: "planner", Severity: 3}) {
		t.Errorf("messages %+v", got)
	}
	if status, _, _, _ := w.call(http.MethodPost, "/message", map[string]any{"severity": 3}); status != http.StatusBadRequest {
		t.Errorf("message without text: %d, want 400", status)
	}
}

func TestIndicatorLists(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	w.board.AddCategory(boardsim.Category{Name: "C", DisplayName: "Cat", Color: "#123456"})
	w.board.AddTimeMarker(boardsim.TimeMarker{Name: "M", Color: "#654321"})
	var categories, markers []struct{ Name, DisplayName, Color string }
	w.ok(http.MethodGet, "/categories", nil, &categories)
	w.ok(http.MethodGet, "/timeMarker", nil, &markers)
	if len(categories) != 1 || categories[0].DisplayName != "Cat" || len(markers) != 1 || markers[0].Color != "#654321" {
		t.Errorf("categories %v, time markers %v", categories, markers)
	}
}
