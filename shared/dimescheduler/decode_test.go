package dimescheduler

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
)

const guid = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"

var enqueued = time.Date(2026, 2, 27, 15, 10, 0, 0, time.UTC)

func brussels(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func read(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func at(hour, minute int) time.Time { return time.Date(2026, 3, 2, hour, minute, 0, 0, time.UTC) }

func TestDecodeChange(t *testing.T) {
	cases := []struct {
		file, changeType string
		want             appointment.Change
	}{
		{"full-graph.json", "Update", appointment.Change{
			Operation: appointment.Update,
			Version:   appointment.Version{Modified: time.Date(2026, 2, 27, 15, 4, 5, 123456700, time.UTC), Sequence: 7},
			Appointment: appointment.Appointment{
				Guid: guid, ID: 1042, Number: "APT-0042",
				Modified: time.Date(2026, 2, 27, 15, 4, 5, 123456700, time.UTC),
				Content: appointment.Content{
					appointment.Subject:    "Install heat pump",
					appointment.Body:       "Ring twice.\nMind the <dog>.",
					appointment.When:       appointment.Interval(at(8, 0), at(10, 30)), // CET
					appointment.Importance: "high",
				},
				Assignees: []appointment.Assignee{{No: "R-ANN", Email: "ann@contoso.example"}, {No: "R-BOB"}},
				SourceApp: "BC", SourceType: "SERVICE", JobNo: "J0001", TaskNo: "10",
			},
		}},
		{"strings-and-other-case.json", "created", appointment.Change{
			Operation: appointment.Create,
			Version:   appointment.Version{Modified: enqueued, Sequence: 7},
			Appointment: appointment.Appointment{
				Guid: guid, ID: 1042, CreatedByExchange: true,
				Content: appointment.Content{
					appointment.Subject:     "",
					appointment.When:        appointment.Interval(at(9, 0), at(11, 0)),
					appointment.Importance:  "low",
					appointment.ShowAs:      "oof",
					appointment.Sensitivity: "private",
					appointment.TimeZone:    "Romance Standard Time",
				},
			},
		}},
		{"flat.json", "UPDATE", appointment.Change{
			Operation: appointment.Update,
			Version:   appointment.Version{Modified: time.Date(2026, 2, 27, 15, 4, 5, 0, time.UTC), Sequence: 7},
			Appointment: appointment.Appointment{
				Guid: guid, ID: 1042, Number: "APT-0042", Partial: true,
				Modified: time.Date(2026, 2, 27, 15, 4, 5, 0, time.UTC),
				Content: appointment.Content{
					appointment.Subject:    "Install heat pump",
					appointment.When:       appointment.Interval(at(8, 0), at(10, 30)),
					appointment.Importance: "normal",
				},
				Assignees: []appointment.Assignee{{No: "R-ANN"}},
				SourceApp: "BC", SourceType: "SERVICE", JobNo: "J0001", TaskNo: "10",
			},
		}},
		{"delete-with-nothing-but-the-guid.json", "Delete", appointment.Change{
			Operation:   appointment.Delete,
			Version:     appointment.Version{Modified: enqueued, Sequence: 7},
			Appointment: appointment.Appointment{Guid: guid, Content: appointment.Content{}},
		}},
		{"hostile-text.json", "Create", appointment.Change{
			Operation: appointment.Create,
			Version:   appointment.Version{Modified: enqueued, Sequence: 7},
			Appointment: appointment.Appointment{
				Guid: guid,
				Content: appointment.Content{
					appointment.Subject: "<img src=x onerror=alert(1)>  Set-Cookie: a=b",
					appointment.Body:    "<script>alert('x')</script>\n{{constructor}} ${jndi:ldap://x}",
					appointment.When:    appointment.Interval(at(9, 0), at(9, 0)),
				},
				Assignees: []appointment.Assignee{{No: "'; DROP TABLE links; --"}},
			},
		}},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			body := read(t, "messages", c.file)
			c.want.Raw = body
			got, err := DecodeChange(body, c.changeType, 7, enqueued, brussels(t))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

// TestRule_R9_WhatTheMessageLacksIsUnknown: a missing field must not look like
// an empty one, and a message without Assignments must unassign nobody.
func TestRule_R9_WhatTheMessageLacksIsUnknown(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":            `{"AppointmentGuid":"` + guid + `"}`,
		"null":               `{"AppointmentGuid":"` + guid + `","Subject":null,"Body":null,"StartDate":null,"EndDate":null,"Importance":null,"ShowAs":null,"Sensitivity":null,"TimeZone":null,"Assignments":null,"Task":null}`,
		"values of a future": `{"AppointmentGuid":"` + guid + `","Importance":9,"ShowAs":"77","StartDate":"0001-01-01T00:00:00","EndDate":"0001-01-01T00:00:00"}`,
	} {
		got, err := DecodeChange([]byte(body), "Update", 1, enqueued, time.UTC)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a := got.Appointment; len(a.Content) != 0 || !a.Partial || len(a.Assignees) != 0 {
			t.Errorf("%s: got %+v", name, a)
		}
	}
}

func TestPoisonSaysWhatIsWrongAndShowsNothing(t *testing.T) {
	says := map[string]string{
		"no-json.json":                     "not JSON",
		"broken-off.json":                  "breaks at byte",
		"a-list.json":                      "not an object",
		"no-guid.json":                     "AppointmentGuid is missing",
		"guid-of-zeros.json":               "AppointmentGuid is missing",
		"guid-is-text.json":                "AppointmentGuid is not a GUID",
		"ends-before-it-starts.json":       "EndDate lies before StartDate",
		"no-end.json":                      "one is missing",
		"time-in-words.json":               "StartDate is not a time",
		"year-zero.json":                   "StartDate lies outside",
		"assignment-without-resource.json": "Assignments[1] names no resource",
		"assignments-are-text.json":        "Assignments is not a list",
		"subject-is-an-object.json":        "Subject is neither",
		"importance-in-words.json":         "Importance is neither",
	}
	entries, err := os.ReadDir(filepath.Join("testdata", "poison"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(says) {
		t.Errorf("%d files, %d expectations", len(entries), len(says))
	}
	for _, e := range entries {
		_, err := DecodeChange(read(t, "poison", e.Name()), "Update", 1, enqueued, time.UTC)
		wantPoison(t, e.Name(), err, says[e.Name()])
	}

	big := `{"AppointmentGuid":"` + guid + `","Body":"` + strings.Repeat("x", MaxMessage) + `"}`
	_, err = DecodeChange([]byte(big), "Update", 1, enqueued, time.UTC)
	wantPoison(t, "too large", err, "256 KiB")
	_, err = DecodeChange(nil, "Update", 1, enqueued, time.UTC)
	wantPoison(t, "empty", err, "empty")
	_, err = DecodeChange(read(t, "messages", "flat.json"), "SECRET-TEXT", 1, enqueued, time.UTC)
	wantPoison(t, "changeType", err, "changeType is none of Create, Update, Delete")
	long := `{"AppointmentGuid":"` + guid + `","resourceNo":"` + strings.Repeat("x", maxKey+1) + `"}`
	_, err = DecodeChange([]byte(long), "Update", 1, enqueued, time.UTC)
	wantPoison(t, "long key", err, "ResourceNo is longer")
}

func wantPoison(t *testing.T, name string, err error, says string) {
	t.Helper()
	if err == nil || fault.Of(err).Kind != fault.Poison || says == "" || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got %v, want a poison that says %q", name, err, says)
		return
	}
	if strings.Contains(err.Error(), "SECRET-TEXT") {
		t.Errorf("%s: %v shows the body", name, err)
	}
}

func TestDecodeTakesAByteOrderMark(t *testing.T) {
	body := append([]byte("\xef\xbb\xbf"), read(t, "messages", "flat.json")...)
	got, err := DecodeChange(body, "Update", 1, enqueued, time.UTC)
	if err != nil || !json.Valid(got.Raw) {
		t.Errorf("got %v, raw valid %v", err, json.Valid(got.Raw))
	}
}

func TestDeleteOfOneResourceIsPartial(t *testing.T) {
	got, err := DecodeChange(read(t, "messages", "flat.json"), "Delete", 1, enqueued, time.UTC)
	if err != nil || !got.Appointment.Partial {
		t.Errorf("got %+v, %v", got.Appointment, err)
	}
}

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	s, err := c.Compile(filepath.Join("..", "..", "docs", "appointment-message.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t testing.TB, s *jsonschema.Schema, body []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// TestSchema holds the published contract against the decoder.
func TestSchema(t *testing.T) {
	s := schema(t)
	entries, err := os.ReadDir(filepath.Join("testdata", "messages"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := validate(t, s, read(t, "messages", e.Name())); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
	// What a schema can not say.
	beyond := map[string]bool{"guid-of-zeros.json": true, "ends-before-it-starts.json": true, "no-end.json": true, "year-zero.json": true, "importance-in-words.json": true}
	entries, err = os.ReadDir(filepath.Join("testdata", "poison"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := validate(t, s, read(t, "poison", e.Name())); (err == nil) != beyond[e.Name()] {
			t.Errorf("%s: the schema says %v", e.Name(), err)
		}
	}
}
