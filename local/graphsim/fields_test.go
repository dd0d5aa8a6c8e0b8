package graphsim_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/graphsim"
)

func zoned(at, zone string) map[string]string {
	return map[string]string{"dateTime": at, "timeZone": zone}
}

func TestZones(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	for _, zone := range []string{"W. Europe Standard Time", "Europe/Berlin"} {
		made := w.post(map[string]any{"start": zoned("2026-07-01T09:00:00", zone), "end": zoned("2026-07-01T10:00:00", zone)})
		if start := made.body["start"].(map[string]any); start["dateTime"] != "2026-07-01T07:00:00.0000000" || made.text("originalStartTimeZone") != zone {
			t.Errorf("%s: start %v, original zone %s", zone, start, made.text("originalStartTimeZone"))
		}
		read := w.do("GET", w.events()+"/"+made.text("id"), nil, `Prefer: outlook.timezone="Tokyo Standard Time", IdType="ImmutableId"`).want(t, 200)
		if start := read.body["start"].(map[string]any); start["dateTime"] != "2026-07-01T16:00:00.0000000" || start["timeZone"] != "Tokyo Standard Time" {
			t.Errorf("in Tokyo: %v", start)
		}
	}
	for _, zone := range []string{"tzone://Microsoft/Custom", "Mars/Olympus", "Local"} {
		w.do("POST", w.events(), map[string]any{"start": zoned("2026-07-01T09:00:00", zone), "end": zoned("2026-07-01T10:00:00", zone)}).
			want(t, 400, "TimeZoneNotSupportedException")
	}
	w.do("POST", w.events(), event("E", "10:00:00", "09:00:00")).want(t, 400, "ErrorPropertyValidationFailure")
	w.do("POST", w.events(), map[string]any{"subject": "no times"}).want(t, 400, "ErrorPropertyValidationFailure")
	w.do("POST", w.events(), event("E", "09:00:00", "10:00:00", "colour", "red")).want(t, 400, "RequestBodyRead")
	w.do("POST", w.events(), event("E", "09:00:00", "10:00:00", "showAs", "office")).want(t, 400, "RequestBodyRead")
	w.do("POST", w.events(), "{").want(t, 400)
}

func TestAllDay(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	const zone = "W. Europe Standard Time"
	made := w.post(map[string]any{"isAllDay": true, "start": zoned("2026-11-24T00:00:00", zone), "end": zoned("2026-11-26T00:00:00", zone)})
	if start := made.body["start"].(map[string]any); start["dateTime"] != "2026-11-24T00:00:00.0000000" || start["timeZone"] != "UTC" {
		t.Errorf("an all-day event is a date: %v", start)
	}
	path := w.events() + "/" + made.text("id")
	// The flag stays unless it is sent.
	w.do("PATCH", path, map[string]any{"start": zoned("2026-11-24T09:00:00", zone), "end": zoned("2026-11-24T10:00:00", zone)}).want(t, 400, "ErrorInvalidRequest")
	w.do("PATCH", path, map[string]any{"isAllDay": false, "start": zoned("2026-11-24T09:00:00", zone), "end": zoned("2026-11-24T10:00:00", zone)}).want(t, 200)
	w.do("PATCH", path, map[string]any{"isAllDay": true}).want(t, 400, "ErrorInvalidRequest")
	w.do("POST", w.events(), map[string]any{"isAllDay": true, "start": zoned("2026-11-24T00:00:00", zone), "end": zoned("2026-11-25T00:00:00", "UTC")}).want(t, 400)
	w.do("POST", w.events(), map[string]any{"isAllDay": true, "start": zoned("2026-11-24T00:00:00", zone), "end": zoned("2026-11-24T00:00:00", zone)}).want(t, 400)
}

func TestBodies(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	const asText = `Prefer: outlook.body-content-type="text", IdType="ImmutableId"`
	content := func(id string, headers ...string) string {
		t.Helper()
		return w.do("GET", w.events()+"/"+id, nil, headers...).want(t, 200).body["body"].(map[string]any)["content"].(string)
	}
	text := w.post(event("T", "09:00:00", "10:00:00", "body", map[string]string{"contentType": "text", "content": "a < b\nsecond"})).text("id")
	if got := content(text, asText); got != "a < b\r\nsecond" {
		t.Errorf("text as text: %q", got)
	}
	if got := content(text); !strings.Contains(got, "a &lt; b<br>\r\nsecond") || !strings.Contains(got, `name="Generator"`) {
		t.Errorf("text as HTML: %q", got)
	}
	html := w.post(event("H", "09:00:00", "10:00:00", "body", map[string]string{
		"contentType": "html", "content": "<p>a &lt; <b>b</b></p><script>alert(1)</script><p>second</p>"})).text("id")
	if got := content(html, asText); got != "a < b\r\nsecond\r\n" {
		t.Errorf("HTML as text: %q", got)
	}
	if got := content(html); !strings.HasPrefix(got, "<html><head>") || strings.Contains(got, "script") || !strings.Contains(got, "<p>second</p>") {
		t.Errorf("HTML as HTML: %q", got)
	}
	if e, _ := w.sim.Event(w.user, html); e.Text() != "a < b\nsecond" {
		t.Errorf("Text() = %q", e.Text())
	}
}

func TestLossyFields(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	long := strings.Repeat("x", 254) + "😀"
	made := w.post(event("  two\nlines ", "09:00:00", "10:00:00", "categories", []string{"b", "A", "B"}, "location", map[string]string{"displayName": "Hall"},
		"sensitivity", "Private", "importance", "high", "showAs", "oof", "isReminderOn", false))
	if made.text("subject") != "two lines" || made.text("sensitivity") != "private" || made.body["isReminderOn"] != false {
		t.Errorf("made %v", made.body)
	}
	if k := made.body["categories"].([]any); len(k) != 2 || k[0] != "A" || k[1] != "b" {
		t.Errorf("categories %v", k)
	}
	if l := made.body["locations"].([]any); len(l) != 1 || l[0].(map[string]any)["displayName"] != "Hall" {
		t.Errorf("locations %v", l)
	}
	cut := w.do("PATCH", w.events()+"/"+made.text("id"), map[string]any{"subject": long, "location": nil}).want(t, 200)
	if cut.text("subject") != long[:254] || len(cut.body["locations"].([]any)) != 0 {
		t.Errorf("subject of %d bytes, locations %v", len(cut.text("subject")), cut.body["locations"])
	}
}

func TestAttendeesCauseMail(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	made := w.post(event("M", "09:00:00", "10:00:00", "attendees", []any{map[string]any{"emailAddress": map[string]string{"address": "x@contoso.test"}}}))
	w.do("DELETE", w.events()+"/"+made.text("id"), nil).want(t, 204)
	var kinds []string
	for _, m := range w.sim.Mails() {
		kinds = append(kinds, m.Kind+" to "+m.To[0])
	}
	if got := strings.Join(kinds, ", "); got != "invitation to x@contoso.test, cancellation to x@contoso.test" {
		t.Errorf("mails: %s", got)
	}
	invited, err := w.sim.CreateEvent(w.user, graphsim.Event{Organizer: "boss@contoso.test", Start: w.clock.now(), End: w.clock.now().Add(time.Hour)})
	if err != nil || invited.IsOrganizer || invited.Response != "notResponded" {
		t.Errorf("invited: %+v, %v", invited, err)
	}
	w.do("POST", w.events()+"/"+invited.ID+"/cancel", map[string]any{}).want(t, 400)
	w.do("POST", w.events()+"/"+invited.ID+"/permanentDelete", nil).want(t, 204)
	if len(w.sim.DeletedEvents(w.user)) != 1 {
		t.Error("permanentDelete leaves the event in Deleted Items")
	}
}

// Ids differ in letter case only, so that who folds them mixes events up.
func TestIDsAreCaseSensitive(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	folded, clash := map[string]string{}, 0
	for range 60 {
		id := w.post(event("E", "09:00:00", "10:00:00")).text("id")
		if other, seen := folded[strings.ToLower(id)]; seen && other != id {
			clash++
		}
		folded[strings.ToLower(id)] = id
	}
	if clash == 0 {
		t.Error("no two of 60 ids differ in letter case only")
	}
}

func TestPagingAndOrder(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	for _, name := range []string{"c", "a", "b"} {
		w.post(event(name, "09:00:00", "10:00:00"))
	}
	first := w.do("GET", w.events()+"?$top=2&$orderby=subject%20desc&$select=subject", nil).want(t, 200)
	second := w.do("GET", first.text("@odata.nextLink"), nil).want(t, 200)
	var got []string
	for _, v := range append(first.values(), second.values()...) {
		got = append(got, v["subject"].(string))
	}
	if strings.Join(got, "") != "cba" || second.body["@odata.nextLink"] != nil {
		t.Errorf("pages: %v", got)
	}
	w.do("GET", w.events()+"?$orderby=colour", nil).want(t, 400)
}

func TestEventFilters(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	w.post(event("Early", "07:00:00", "08:00:00", "categories", []string{"Dime"}))
	w.clock.advance(time.Minute)
	w.post(event("Late", "17:00:00", "18:00:00", "sensitivity", "private", "showAs", "oof", "importance", "low"))
	for filter, want := range map[string]string{
		"start/dateTime ge '2026-11-24T12:00:00'":                                        "Late",
		"end/dateTime lt '2026-11-24T12:00:00Z'":                                         "Early",
		"lastModifiedDateTime gt 2026-11-23T08:00:00Z":                                   "Late",
		"createdDateTime le 2026-11-23T08:00:00Z":                                        "Early",
		"categories/any(c:c eq 'dime')":                                                  "Early",
		"sensitivity eq 'private' and showAs eq 'oof' and importance ne 'high'":          "Late",
		"isAllDay eq false and isCancelled eq false and contains(subject,'arl')":         "Early",
		"type eq 'singleInstance' and subject gt 'f'":                                    "Late",
		"startswith(subject,'E') and singleValueExtendedProperties/any(p:p/value eq '')": "",
	} {
		var got []string
		for _, v := range w.do("GET", w.events()+"?$filter="+url.PathEscape(filter), nil).want(t, 200).values() {
			got = append(got, v["subject"].(string))
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s finds %v, want %s", filter, got, want)
		}
	}
}

func TestPropertyRules(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	set := func(id string, value any) map[string]any {
		return map[string]any{"singleValueExtendedProperties": []any{map[string]any{"id": id, "value": value}}}
	}
	path := w.events() + "/" + w.post(event("E", "09:00:00", "10:00:00")).text("id")
	w.do("PATCH", path, set("DimeAppointmentId", "x")).want(t, 400, "ErrorInvalidProperty")
	w.do("PATCH", path, set(property, "1")).want(t, 200)
	w.do("PATCH", path, set(strings.ToUpper(property[:45])+property[45:], "2")).want(t, 200) // the same property
	w.do("PATCH", path, map[string]any{"subject": "F"}).want(t, 200)
	if e := w.sim.Events(w.user)[0]; len(e.Properties) != 1 || len(w.sim.Tagged(w.user, property, "2")) != 1 {
		t.Errorf("properties %v", e.Properties)
	}
	w.do("PATCH", path, set(property, nil)).want(t, 200)
	if n := len(w.sim.Tagged(w.user, property, "")); n != 0 {
		t.Error("null does not remove the property")
	}
}

// What a person can not do either is an error, not a broken calendar.
func TestPersonErrors(t *testing.T) {
	w := newWorld(t, graphsim.Options{})
	now := w.clock.now()
	good, err := w.sim.CreateEvent(w.user, graphsim.Event{Start: now, End: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for name, attempt := range map[string]func() error{
		"unknown user": func() error { _, err := w.sim.CreateEvent("nobody", graphsim.Event{}); return err },
		"backwards": func() error {
			_, err := w.sim.MoveEvent(w.user, good.ID, now, now.Add(-time.Hour))
			return err
		},
		"zone": func() error {
			_, err := w.sim.CreateEvent(w.user, graphsim.Event{Start: now, End: now, StartZone: "Mars/Olympus"})
			return err
		},
		"all day": func() error {
			_, err := w.sim.UpdateEvent(w.user, good.ID, func(e *graphsim.Event) { e.AllDay = true })
			return err
		},
		"pattern": func() error {
			_, err := w.sim.UpdateEvent(w.user, good.ID, func(e *graphsim.Event) { e.Recurrence = &graphsim.Recurrence{Type: "hourly"} })
			return err
		},
		"unknown event": func() error { return w.sim.DeleteEvent(w.user, good.ID+"x") },
		"not deleted":   func() error { _, err := w.sim.UndeleteEvent(w.user, good.ID); return err },
	} {
		if attempt() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if events := w.sim.Events(w.user); len(events) != 1 || events[0].ChangeKey != good.ChangeKey {
		t.Errorf("the calendar changed: %v", events)
	}
	w.do("GET", w.events()+"/"+good.ID+"/instances?"+november, nil).want(t, 400)
	w.do("POST", w.events()+"/"+good.ID+"/cancel", map[string]any{}).want(t, 202)
	if len(w.sim.Events(w.user)) != 0 {
		t.Error("a cancelled event is still in the calendar")
	}
}
