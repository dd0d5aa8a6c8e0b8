package boardsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // for machines without one

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

func TestPlannersDayIsAnnouncedInOrder(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	a := w.plan("R1")
	w.must(w.board.Move(a.GUID, nine.Add(time.Hour), nine.Add(2*time.Hour)))
	w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Subject = "Repair"; a.ID = 99 }))
	w.must(w.board.Assign(a.GUID, "R2"))
	w.must(w.board.Unassign(a.GUID, "R1"))
	w.must(w.board.Reassign(a.GUID, "R2", "R1"))
	got := w.get(a.GUID)
	if got.Subject != "Repair" || got.ID != a.ID || !got.Start.Equal(nine.Add(time.Hour)) || !slices.Equal(got.Resources, []string{"R1"}) {
		t.Errorf("after the day: %+v", got)
	}
	w.must(w.board.Delete(a.GUID))
	if _, err := w.board.Get(a.GUID); !errors.Is(err, boardsim.ErrNotFound) {
		t.Errorf("Get after Delete: %v, want ErrNotFound", err)
	}
	w.idle()
	want := []string{"Create", "Update", "Update", "Update", "Update", "Update", "Delete"}
	if diff := cmp.Diff(want, operations(w.board.Announced())); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	ids := map[string]bool{}
	for _, c := range w.board.Announced() {
		ids[c.MessageID] = true
	}
	if len(ids) != len(want) {
		t.Errorf("%d distinct message ids, want %d", len(ids), len(want))
	}
}

func TestPlannerIsRefused(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	a := w.plan("R1")
	for name, err := range map[string]error{
		"end before start":  w.board.Move(a.GUID, nine, nine.Add(-time.Hour)),
		"unknown resource":  w.board.Assign(a.GUID, "R9"),
		"unknown category":  w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Category = "X" }),
		"unknown task":      w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.TaskNo = "T9" }),
		"not assigned":      w.board.Unassign(a.GUID, "R2"),
		"from not assigned": w.board.Reassign(a.GUID, "R2", "R1"),
		"no appointment":    w.board.Delete(guidA),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if diff := cmp.Diff(a, w.get(a.GUID)); diff != "" {
		t.Errorf("a refused action changed something:\n%s", diff)
	}
	w.idle()
	if got := len(w.board.Announced()); got != 1 {
		t.Errorf("%d announcements, want only that of the creation", got)
	}
}

func TestGraphHasTheRealCasing(t *testing.T) {
	w := newWorld(t, boardsim.Options{NewGUID: func() string { return guidA }})
	w.board.AddCategory(boardsim.Category{Name: "SERVICE", DisplayName: "Service", Color: "#ff0000"})
	w.board.AddTimeMarker(boardsim.TimeMarker{Name: "PLANNED", Color: "#00ff00"})
	a := w.plan("R1")
	w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) {
		a.Category, a.TimeMarker, a.Importance = "SERVICE", "PLANNED", boardsim.ImportanceHigh
	}))
	w.idle()
	const want = `{"appointmentNo":"APP000001","id":1,"ExternalId":null,"Subject":"Service","Body":"Bring tools",` +
		`"StartDate":"2026-03-02T09:00:00Z","EndDate":"2026-03-02T10:00:00Z","Importance":1,` +
		`"AppointmentGuid":"` + guidA + `","Locked":false,"PlanningUOM":null,"PlanningQty":null,` +
		`"UseFixPlanningQty":false,"RoundToUOM":false,"LastModifiedDate":"2026-03-02T08:00:00.1234567Z",` +
		`"LastModifiedUser":"planner","IsRecurrenceException":false,"CapacityIndicator":null,` +
		`"AppointmentFieldValues":[],"AppointmentUrls":[],"AppointmentContainers":[],"Notifications":[],` +
		`"CreatedDate":"2026-03-02T08:00:00.1234567Z","CreatedUser":"planner",` +
		`"Task":{"TaskNo":"T1","Job":{"SourceApp":"BC","SourceType":"SERVICE","JobNo":"J1"}},` +
		`"Category":{"DisplayName":"Service","Color":"#ff0000"},"TimeMarker":{"Name":"PLANNED","Color":"#00ff00"},` +
		`"Assignments":[{"ResourceId":1,"Resource":{"ResourceType":{"DisplayName":"Person"},"SourceApp":"","SourceType":"",` +
		`"DisplayName":"Ann","Department":"","ResourceNo":"R1","Email":"ann@example.com"}}]}`
	if diff := cmp.Diff(want, string(w.board.Announced()[1].Body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestTimeSwitches(t *testing.T) {
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, boardsim.Options{ZonelessTimes: true, Zone: brussels, Granularity: time.Second})
	w.plan("R1")
	w.idle()
	var body struct{ StartDate, LastModifiedDate string }
	if err := json.Unmarshal(w.board.Announced()[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.StartDate != "2026-03-02T10:00:00" || body.LastModifiedDate != "2026-03-02T09:00:00" {
		t.Errorf("times %+v, want local, zoneless and whole seconds", body)
	}
}

func TestDeleteCarriesItsTimeUnlessStale(t *testing.T) {
	for _, stale := range []bool{false, true} {
		w := newWorld(t, boardsim.Options{StaleDeletes: stale})
		a := w.plan("R1")
		w.tick()
		w.must(w.board.Delete(a.GUID))
		w.idle()
		var created, deleted struct{ LastModifiedDate string }
		json.Unmarshal(w.board.Announced()[0].Body, &created)
		json.Unmarshal(w.board.Announced()[1].Body, &deleted)
		if created.LastModifiedDate == "" || (created == deleted) != stale {
			t.Errorf("stale %v: created %v, deleted %v", stale, created, deleted)
		}
	}
}

func TestFlatMessagesSpeakForOneResource(t *testing.T) {
	w := newWorld(t, boardsim.Options{FlatMessages: true})
	a := w.plan("R1")
	w.must(w.board.Assign(a.GUID, "R2"))
	w.must(w.board.Reassign(a.GUID, "R1", "R2")) // R2 is assigned already
	w.must(w.board.Unassign(a.GUID, "R2"))
	w.must(w.board.Move(a.GUID, nine, nine.Add(time.Minute)))
	w.must(w.board.Delete(a.GUID))
	w.idle()
	var got []string
	for _, c := range w.board.Announced() {
		var body map[string]any
		if err := json.Unmarshal(c.Body, &body); err != nil {
			t.Fatal(err)
		}
		if body["resourceNo"] != c.ResourceNo || body["appointmentGuid"] != a.GUID || body["start"] != "2026-03-02T09:00:00Z" {
			t.Errorf("body of %s for %q: %s", c.ChangeType, c.ResourceNo, c.Body)
		}
		got = append(got, c.ChangeType+" "+c.ResourceNo)
	}
	want := []string{"Create R1", "Update R1", "Create R2", "Delete R1", "Update R2", "Delete R2", "Update ", "Delete "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
}

func TestAnnounceFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault boardsim.AnnounceFault
		want  []string // message numbers in the order of arrival
	}{
		"none":      {boardsim.AnnounceFault{}, []string{"1", "2", "3", "4"}},
		"drop":      {boardsim.AnnounceFault{Drop: true}, []string{"1", "3", "4"}},
		"duplicate": {boardsim.AnnounceFault{Duplicate: 2}, []string{"1", "2", "2", "2", "3", "4"}},
		"reorder":   {boardsim.AnnounceFault{After: 1}, []string{"1", "3", "2", "4"}},
		"last":      {boardsim.AnnounceFault{After: 9}, []string{"1", "3", "4", "2"}},
		"delay":     {boardsim.AnnounceFault{Delay: time.Millisecond}, []string{"1", "2", "3", "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			// All four changes are queued before the first is looked at.
			queued := make(chan struct{})
			var subjects []string
			var mu sync.Mutex
			subject := func(c boardsim.Change) string {
				var body struct{ Subject string }
				json.Unmarshal(c.Body, &body)
				return body.Subject
			}
			w := newWorld(t, boardsim.Options{
				Announce: func(_ context.Context, c boardsim.Change) error {
					mu.Lock()
					defer mu.Unlock()
					subjects = append(subjects, subject(c))
					return nil
				},
				AnnounceFault: func(change boardsim.Change) boardsim.AnnounceFault {
					<-queued
					if subject(change) == "2" {
						return c.fault
					}
					return boardsim.AnnounceFault{}
				},
			})
			for _, s := range []string{"1", "2", "3", "4"} {
				if _, err := w.board.CreateAppointment(boardsim.Appointment{Subject: s, Start: nine, End: nine}); err != nil {
					t.Fatal(err)
				}
			}
			close(queued)
			w.idle()
			if diff := cmp.Diff(c.want, subjects); diff != "" {
				t.Errorf("arrived (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnnouncementIsRetriedThenFailsThenIsRetriedByHand(t *testing.T) {
	attempts, broken := 0, true
	var mu sync.Mutex
	w := newWorld(t, boardsim.Options{
		AnnouncePauses: []time.Duration{time.Millisecond, time.Millisecond},
		Announce: func(context.Context, boardsim.Change) error {
			mu.Lock()
			defer mu.Unlock()
			attempts++
			if broken {
				return errors.New("down")
			}
			return nil
		},
	})
	w.plan("R1")
	w.idle()
	if attempts != 3 || w.board.Failed() != 1 || len(w.board.Announced()) != 0 {
		t.Errorf("%d attempts, %d failed, want 3 and 1", attempts, w.board.Failed())
	}
	mu.Lock()
	broken = false
	mu.Unlock()
	w.board.RetryFailed()
	w.idle()
	if w.board.Failed() != 0 || len(w.board.Announced()) != 1 {
		t.Errorf("%d failed, %d announced after the retry, want 0 and 1", w.board.Failed(), len(w.board.Announced()))
	}
}

func TestCloseEndsAnAnnouncementInFlight(t *testing.T) {
	entered := make(chan struct{})
	w := newWorld(t, boardsim.Options{Announce: func(ctx context.Context, _ boardsim.Change) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}})
	a := w.plan("R1")
	<-entered
	w.board.Close()
	w.must(w.board.Delete(a.GUID))
	w.idle()
	if got := len(w.board.Announced()); got != 0 {
		t.Errorf("%d announced, want none", got)
	}
}

func TestRemovingAResourceUnassignsIt(t *testing.T) {
	w := newWorld(t, boardsim.Options{})
	a := w.plan("R1", "R2")
	w.must(w.board.RemoveResource("R1"))
	if got := w.get(a.GUID).Resources; !slices.Equal(got, []string{"R2"}) {
		t.Errorf("assigned %v, want R2", got)
	}
	if got := w.board.Resources(); len(got) != 1 || got[0].ResourceNo != "R2" {
		t.Errorf("resources %v, want R2", got)
	}
}
