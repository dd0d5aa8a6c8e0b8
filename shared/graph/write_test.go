package graph

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func TestEncode(t *testing.T) {
	const prefer = `IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text"`
	for name, c := range map[string]struct {
		write calendar.Write
		want  string
	}{
		"create": {calendar.Write{Op: calendar.Create, TransactionID: "t", Mark: "m", Content: appointment.Content{
			"when": "2026-07-01T08:00:00Z/2026-07-01T09:00:00Z", "timeZone": "Europe/Brussels", "subject": `a "quote" <b> \ é`, "body": "x\ny",
			"importance": "low", "showAs": "workingElsewhere", "sensitivity": "confidential",
		}}, `{"id": "7", "method": "POST", "url": "/users/m%2F1/events", "headers": {"Prefer": P, "Content-Type": "application/json"}, "body": {
			"@odata.type": "#microsoft.graph.event", "transactionId": "t", "isReminderOn": false, "isAllDay": false,
			"singleValueExtendedProperties": [{"id": "String {a2d94b1c-6b0e-4d0f-9a53-3f2f6c1e7d84} Name DimeSchedulerAppointment", "value": "m"}],
			"start": {"dateTime": "2026-07-01T10:00:00", "timeZone": "Romance Standard Time"}, "end": {"dateTime": "2026-07-01T11:00:00", "timeZone": "Romance Standard Time"},
			"subject": "a \"quote\" <b> \\ é", "body": {"contentType": "text", "content": "x\ny"},
			"importance": "low", "showAs": "workingElsewhere", "sensitivity": "confidential"}}`},
		"patch of one field": {calendar.Write{Op: calendar.Patch, ID: "AA+/==", ETag: `W/"k"`, TransactionID: "never", Content: appointment.Content{"subject": ""}},
			`{"id": "7", "method": "PATCH", "url": "/users/m%2F1/events/AA+%2F==", "headers": {"Prefer": P, "Content-Type": "application/json", "If-Match": "W/\"k\""},
			"body": {"@odata.type": "#microsoft.graph.event", "subject": ""}}`},
		"patch of the mark alone": {calendar.Write{Op: calendar.Patch, ID: "1", ETag: "e", Mark: "m"},
			`{"id": "7", "method": "PATCH", "url": "/users/m%2F1/events/1", "headers": {"Prefer": P, "Content-Type": "application/json", "If-Match": "e"},
			"body": {"@odata.type": "#microsoft.graph.event",
			"singleValueExtendedProperties": [{"id": "String {a2d94b1c-6b0e-4d0f-9a53-3f2f6c1e7d84} Name DimeSchedulerAppointment", "value": "m"}]}}`},
		"ambiguous wall time goes as UTC": {calendar.Write{Op: calendar.Patch, ID: "1", ETag: "e", Content: appointment.Content{
			"when": "2026-10-25T00:30:00Z/2026-10-25T03:00:00Z", "timeZone": "Europe/Brussels"}},
			`{"id": "7", "method": "PATCH", "url": "/users/m%2F1/events/1", "headers": {"Prefer": P, "Content-Type": "application/json", "If-Match": "e"},
			"body": {"@odata.type": "#microsoft.graph.event", "isAllDay": false, "start": {"dateTime": "2026-10-25T00:30:00", "timeZone": "UTC"}, "end": {"dateTime": "2026-10-25T03:00:00", "timeZone": "UTC"}}}`},
		"unknown zone, and unknown is not told": {calendar.Write{Op: calendar.Patch, ID: "1", ETag: "e", Content: appointment.Content{
			"when": "2026-07-01T08:00:00Z/2026-07-01T08:00:00Z", "timeZone": "Nowhere", "showAs": "unknown"}},
			`{"id": "7", "method": "PATCH", "url": "/users/m%2F1/events/1", "headers": {"Prefer": P, "Content-Type": "application/json", "If-Match": "e"},
			"body": {"@odata.type": "#microsoft.graph.event", "isAllDay": false, "start": {"dateTime": "2026-07-01T08:00:00", "timeZone": "UTC"}, "end": {"dateTime": "2026-07-01T08:00:00", "timeZone": "UTC"}}}`},
		"delete": {calendar.Write{Op: calendar.Delete, ID: "1", ETag: "e"},
			`{"id": "7", "method": "DELETE", "url": "/users/m%2F1/events/1", "headers": {"Prefer": P, "If-Match": "e"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := encode("m/1", "7", c.write)
			if err != nil {
				t.Fatal(err)
			}
			quoted, _ := json.Marshal(prefer)
			if diff := cmp.Diff(tree(t, strings.ReplaceAll(c.want, "P,", string(quoted)+",")), tree(t, string(got))); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, w := range map[string]calendar.Write{
		"R11: patch without etag":  {Op: calendar.Patch, ID: "1"},
		"R11: delete without etag": {Op: calendar.Delete, ID: "1"},
		"delete without id":        {Op: calendar.Delete, ETag: "e"},
		"create with id":           {Op: calendar.Create, ID: "1", ETag: "e"},
		"no such operation":        {Op: "upsert", ID: "1", ETag: "e"},
		"no interval":              {Op: calendar.Create, Content: appointment.Content{"when": "today"}},
		"ends before it starts":    {Op: calendar.Create, Content: appointment.Content{"when": "2026-07-01T09:00:00Z/2026-07-01T08:00:00Z"}},
		"no such show-as":          {Op: calendar.Create, Content: appointment.Content{"showAs": "Busy!"}},
		"no such field":            {Op: calendar.Create, Content: appointment.Content{"colour": "red"}},
	} {
		_, err := encode("m", "0", w)
		if f := fault.Of(err); err == nil || f.Kind != fault.Permanent || f.Reason != fault.Invalid || f.Ambiguous {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func tree(t *testing.T, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}

// At most 20, one megabyte, and never none.
func TestRule_R15_FitsCutsABatch(t *testing.T) {
	write := func(body int) calendar.Write {
		return calendar.Write{Op: calendar.Create, Content: appointment.Content{"body": strings.Repeat("x", body)}}
	}
	many := func(n, body int) (out []calendar.Write) {
		for range n {
			out = append(out, write(body))
		}
		return out
	}
	for name, c := range map[string]struct {
		writes []calendar.Write
		want   int
	}{
		"none": {nil, 0}, "one": {many(1, 10), 1}, "twenty": {many(20, 10), 20}, "more": {many(21, 10), 20},
		"large": {many(20, 200<<10), 5}, "one that is too large": {many(3, 2<<20), 1},
	} {
		if got := Fits(c.writes); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
