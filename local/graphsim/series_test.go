package graphsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

// daily is a series of five from 24 November 2026, 09:00 in the zone.
func daily(zone string) map[string]any {
	return map[string]any{
		"subject": "Stand-up", "start": map[string]string{"dateTime": "2026-11-24T09:00:00", "timeZone": zone},
		"end": map[string]string{"dateTime": "2026-11-24T09:15:00", "timeZone": zone},
		"recurrence": map[string]any{
			"pattern": map[string]any{"type": "daily", "interval": 1},
			"range":   map[string]any{"type": "numbered", "startDate": "2026-11-24", "numberOfOccurrences": 5},
		},
	}
}

func (w *world) view() []map[string]any {
	w.Helper()
	return w.do("GET", "/users/"+w.user+"/calendarView?"+november+"&$top=100", nil).want(w.T, 200).values()
}

func TestSeries(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	master := w.post(daily("W. Europe Standard Time"))
	id := master.text("id")
	if master.text("type") != "seriesMaster" {
		t.Fatalf("type = %s", master.text("type"))
	}
	items, link := w.firstRound()
	if len(items) != 6 || items[0]["id"] != id || items[1]["subject"] != nil || items[1]["seriesMasterId"] != id {
		t.Fatalf("delta shows %v", items)
	}
	for _, o := range items[1:] {
		if len(o) != 6 || o["type"] != "occurrence" {
			t.Errorf("an occurrence in delta has only id, type, seriesMasterId, start, end and etag: %v", o)
		}
	}
	second, third := items[2]["id"].(string), items[3]["id"].(string)
	if got := w.do("GET", w.events()+"/"+second, nil).want(t, 200); got.text("subject") != "Stand-up" || got.text("type") != "occurrence" {
		t.Errorf("occurrence = %v", got.body)
	}

	// A deleted occurrence leaves no tombstone: the series is sent again without it.
	w.do("DELETE", w.events()+"/"+second, nil).want(t, 204)
	w.do("GET", w.events()+"/"+second, nil).want(t, 404)
	items, link = w.round(link)
	if len(items) != 5 || removed(items[0]) {
		t.Errorf("after the deletion of an occurrence: %v", items)
	}
	// A changed one becomes an exception with its content.
	w.do("PATCH", w.events()+"/"+third, map[string]any{"subject": "Moved", "start": dt("2026-11-26T13:00:00"), "end": dt("2026-11-26T14:00:00")}).want(t, 200)
	w.do("PATCH", w.events()+"/"+third, map[string]any{"start": dt("2026-11-28T13:00:00"), "end": dt("2026-11-28T14:00:00")}).want(t, 400, "ErrorOccurrenceCrossingBoundary")
	items, link = w.round(link)
	found := false
	for _, o := range items {
		found = found || o["id"] == third && o["type"] == "exception" && o["subject"] == "Moved"
	}
	if !found {
		t.Errorf("no exception in %v", items)
	}
	got := w.do("GET", w.events()+"/"+id+"?$select=subject,cancelledOccurrences,exceptionOccurrences", nil).want(t, 200)
	if gone, _ := got.body["cancelledOccurrences"].([]any); len(gone) != 1 || gone[0] != "OID."+id+".2026-11-25" {
		t.Errorf("cancelledOccurrences = %v", gone)
	}
	if list, _ := got.body["exceptionOccurrences"].([]any); len(list) != 1 {
		t.Errorf("exceptionOccurrences = %v", list)
	}
	if got := w.do("GET", w.events()+"/"+id, nil); got.body["cancelledOccurrences"] != nil {
		t.Error("cancelledOccurrences without $select")
	}
	if n := len(w.do("GET", w.events()+"/"+id+"/instances?"+november, nil).want(t, 200).values()); n != 4 {
		t.Errorf("%d instances, want 4", n)
	}
	if n := len(w.view()); n != 4 {
		t.Errorf("%d in the calendarView, want 4", n)
	}
	if n := len(w.sim.Events(w.user)); n != 1 {
		t.Errorf("%d events, want the master alone", n)
	}
	// Another pattern drops exceptions and gives the occurrences new ids.
	if _, err := w.sim.UpdateEvent(w.user, id, func(e *graphsim.Event) { e.Recurrence.Count = 3 }); err != nil {
		t.Fatal(err)
	}
	w.do("GET", w.events()+"/"+third, nil).want(t, 404)
	if n := len(w.view()); n != 3 {
		t.Errorf("%d in the calendarView of the new pattern, want 3", n)
	}
	w.do("DELETE", w.events()+"/"+id, nil).want(t, 204)
	items, _ = w.round(link)
	if len(items) != 1 || !removed(items[0]) || items[0]["id"] != id || items[0]["type"] != nil {
		t.Errorf("a deleted series: %v", items)
	}
}

// A series keeps its wall time when the clocks change.
func TestSeriesAcrossDST(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	start := time.Date(2026, 10, 19, 7, 0, 0, 0, time.UTC) // 09:00 in Berlin, summer time until 25 October
	if _, err := w.sim.CreateEvent(w.user, graphsim.Event{
		Subject: "Weekly", Start: start, End: start.Add(time.Hour), StartZone: "Europe/Berlin",
		Recurrence: &graphsim.Recurrence{Type: "weekly", RangeType: "numbered", Count: 3},
	}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range w.sim.View(w.user, start, start.AddDate(0, 1, 0)) {
		got = append(got, e.Start.Format("02 15:04"))
	}
	if want := "19 07:00,26 08:00,02 08:00"; strings.Join(got, ",") != want {
		t.Errorf("starts %v, want %s", got, want)
	}
}

func TestMonthlySeries(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	start := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	if _, err := w.sim.CreateEvent(w.user, graphsim.Event{
		Start: start, End: start.Add(time.Hour),
		Recurrence: &graphsim.Recurrence{Type: "absoluteMonthly", RangeType: "endDate", EndDate: "2026-04-30"},
	}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range w.sim.View(w.user, start, start.AddDate(1, 0, 0)) {
		got = append(got, e.Start.Format("01-02"))
	}
	if want := "01-31,02-28,03-31,04-30"; strings.Join(got, ",") != want {
		t.Errorf("starts %v, want %s", got, want)
	}
}

func TestSeriesMovesAsAWhole(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	id := w.post(daily("UTC")).text("id")
	start := time.Date(2026, 11, 30, 11, 0, 0, 0, time.UTC)
	if _, err := w.sim.MoveEvent(w.user, id, start, start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	view := w.view()
	if len(view) != 5 || view[0]["start"].(map[string]any)["dateTime"] != "2026-11-30T11:00:00.0000000" {
		t.Errorf("the series did not move: %v", view)
	}
}

// A single event can become a series, and a series a single event.
func TestRecurrenceComesAndGoes(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	id := w.post(event("E", "09:00:00", "10:00:00")).text("id")
	path := w.events() + "/" + id
	if got := w.do("PATCH", path, map[string]any{"recurrence": daily("UTC")["recurrence"]}).want(t, 200); got.text("type") != "seriesMaster" {
		t.Errorf("type = %s", got.text("type"))
	}
	if n := len(w.view()); n != 5 {
		t.Errorf("%d occurrences", n)
	}
	if got := w.do("PATCH", path, map[string]any{"recurrence": nil}).want(t, 200); got.text("type") != "singleInstance" || len(w.view()) != 1 {
		t.Errorf("type = %s, %d in the view", got.text("type"), len(w.view()))
	}
	w.do("PATCH", path, map[string]any{"recurrence": map[string]any{"pattern": map[string]any{"type": "hourly"}}}).want(t, 400)
}

func TestPatternsOfMonthsAndYears(t *testing.T) {
	day := time.Date(2026, 1, 30, 9, 0, 0, 0, time.UTC) // a Friday
	for name, c := range map[string]struct {
		pattern graphsim.Recurrence
		want    string
	}{
		"the last day":           {graphsim.Recurrence{Type: "absoluteMonthly", DayOfMonth: 31}, "2026-01-31 2026-02-28 2026-03-31 2026-04-30"},
		"the last Friday":        {graphsim.Recurrence{Type: "relativeMonthly", Index: "last"}, "2026-01-30 2026-02-27 2026-03-27 2026-04-24"},
		"every other 2nd Monday": {graphsim.Recurrence{Type: "relativeMonthly", Index: "second", DaysOfWeek: []string{"monday"}, Interval: 2}, "2026-03-09 2026-05-11 2026-07-13 2026-09-14"},
		"the first working day": {graphsim.Recurrence{Type: "relativeMonthly", DaysOfWeek: []string{"monday", "tuesday", "wednesday", "thursday", "friday"}},
			"2026-02-02 2026-03-02 2026-04-01 2026-05-01"},
		"every year":               {graphsim.Recurrence{Type: "absoluteYearly"}, "2026-01-30 2027-01-30 2028-01-30 2029-01-30"},
		"the 4th Thursday of Nov.": {graphsim.Recurrence{Type: "relativeYearly", Index: "fourth", Month: 11, DaysOfWeek: []string{"thursday"}}, "2026-11-26 2027-11-25 2028-11-23 2029-11-22"},
	} {
		t.Run(name, func(t *testing.T) {
			s := graphsim.New(graphsim.Options{})
			t.Cleanup(s.Close)
			s.AddUser(graphsim.User{UPN: "ann@contoso.test"})
			c.pattern.RangeType, c.pattern.Count = "numbered", 4
			if _, err := s.CreateEvent("ann@contoso.test", graphsim.Event{Subject: "x", Start: day, End: day.Add(time.Hour), Recurrence: &c.pattern}); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range s.View("ann@contoso.test", day.AddDate(-1, 0, 0), day.AddDate(9, 0, 0)) {
				got = append(got, e.Start.Format(time.DateOnly))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}
