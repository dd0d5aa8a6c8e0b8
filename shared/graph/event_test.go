package graph

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
)

// The shapes are those of Graph v1.0 as in Microsoft's reference, with the
// oddities that were seen of it (facts B1, B5).
func TestReadItem(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want calendar.Item
	}{
		"whole event": {`{
			"@odata.etag": "W/\"ZlnW4RIAV06KYYwlrfNZvQAALfZeRQ==\"", "id": "AAMk=", "createdDateTime": "2026-11-20T08:00:00Z",
			"lastModifiedDateTime": "2026-11-21T09:00:00.1234567Z", "changeKey": "ZlnW4RIAV06KYYwlrfNZvQAALfZeRQ==",
			"transactionId": "ds-1", "originalStartTimeZone": "Romance Standard Time", "iCalUId": "0400", "subject": " Boiler\nrepair ",
			"importance": "high", "sensitivity": "private", "isAllDay": false, "isCancelled": true, "isOrganizer": true,
			"showAs": "oof", "type": "singleInstance", "responseStatus": {"response": "declined", "time": "0001-01-01T00:00:00Z"},
			"body": {"contentType": "text", "content": "two\r\nlines \r\n\r\n"},
			"start": {"dateTime": "2026-11-21T09:00:00.0000000", "timeZone": "UTC"}, "end": {"dateTime": "2026-11-21T10:30:00.9999999", "timeZone": "UTC"},
			"attendees": [{"type": "required"}, {"type": "new kind"}],
			"singleValueExtendedProperties": [{"id": "string {A2D94B1C-6b0e-4d0f-9a53-3f2f6c1e7d84} name DimeSchedulerAppointment", "value": "a|1"}]
		}`, calendar.Item{Event: calendar.Event{
			ID: "AAMk=", ETag: `W/"ZlnW4RIAV06KYYwlrfNZvQAALfZeRQ=="`, Modified: time.Date(2026, 11, 21, 9, 0, 0, 123456700, time.UTC),
			Type: calendar.Single, ICalUID: "0400", TransactionID: "ds-1", Mark: "a|1", Organizer: true, Attendees: 2, Cancelled: true, Declined: true,
			Content: appointment.Content{
				"when": "2026-11-21T09:00:00Z/2026-11-21T10:30:00Z", "subject": "Boiler repair", "body": "two\nlines", "importance": "high",
				"showAs": "oof", "sensitivity": "private", "timeZone": "Romance Standard Time",
			},
		}}},
		"values newer than this program": {`{"id": "1", "showAs": "napping", "sensitivity": "secret", "importance": "urgent"}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{"showAs": "unknown", "sensitivity": "private", "importance": "normal"}}}},
		"an answer newer than this program": {`{"id": "1", "responseStatus": {"response": "delegated"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Declined: true, Content: appointment.Content{}}}},
		"an answer in another letter case": {`{"id": "1", "responseStatus": {"response": "TentativelyAccepted"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{}}}},
		"other letter case": {`{"id": "1", "showAs": "WorkingElsewhere"}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{"showAs": "workingElsewhere"}}}},
		"no title": {`{"id": "1", "type": "singleInstance", "subject": null, "body": {"contentType": "text", "content": ""}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Type: calendar.Single, Content: appointment.Content{"subject": "", "body": ""}}}},
		"bare occurrence of a delta round": {`{"@odata.type": "#microsoft.graph.event", "@odata.etag": "W/\"x\"", "seriesMasterId": "m", "type": "occurrence", "id": "o",
			"start": {"dateTime": "2026-11-21T09:00:00.0000000", "timeZone": "UTC"}, "end": {"dateTime": "2026-11-21T10:00:00.0000000", "timeZone": "UTC"}}`,
			calendar.Item{Event: calendar.Event{ID: "o", ETag: `W/"x"`, Type: calendar.Occurrence,
				Series: "m", Original: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
				Content: appointment.Content{"when": "2026-11-21T09:00:00Z/2026-11-21T10:00:00Z"}}}},
		"removed": {`{"@removed": {"reason": "deleted"}, "id": "gone", "subject": "ignored"}`,
			calendar.Item{Event: calendar.Event{ID: "gone"}, Removed: true}},
		"all day": {`{"id": "1", "isAllDay": true, "start": {"dateTime": "2026-11-21T00:00:00.0000000", "timeZone": "UTC"}, "end": {"dateTime": "2026-11-22T00:00:00.0000000", "timeZone": "UTC"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{"when": "2026-11-21/2026-11-22"}}}},
		"all day, as instants of its zone": {`{"id": "1", "isAllDay": true, "originalStartTimeZone": "Romance Standard Time", "start": {"dateTime": "2026-03-27T23:00:00.0000000", "timeZone": "UTC"}, "end": {"dateTime": "2026-03-29T22:00:00.0000000", "timeZone": "UTC"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{"when": "2026-03-28/2026-03-30", "timeZone": "Romance Standard Time"}}}},
		"all day, of no length": {`{"id": "1", "isAllDay": true, "start": {"dateTime": "2026-11-21T00:00:00", "timeZone": "UTC"}, "end": {"dateTime": "2026-11-21T00:00:00", "timeZone": "UTC"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{"when": "2026-11-21/2026-11-22"}}}},
		"exception with the transactionId of its series": {`{"id": "x", "type": "exception", "seriesMasterId": "m", "originalStart": "2026-11-21T09:00:00Z", "transactionId": "ds-1",
			"start": {"dateTime": "2026-11-22T09:00:00", "timeZone": "UTC"}, "end": {"dateTime": "2026-11-22T10:00:00", "timeZone": "UTC"}}`,
			calendar.Item{Event: calendar.Event{ID: "x", Type: calendar.Exception, Series: "m", Original: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
				Content: appointment.Content{"when": "2026-11-22T09:00:00Z/2026-11-22T10:00:00Z"}}}},
		"sentinel dates": {`{"id": "1", "originalStartTimeZone": "tzone://Microsoft/Custom", "start": {"dateTime": "0001-01-01T00:00:00.0000000", "timeZone": "UTC"}, "end": {"dateTime": "9999-12-31T23:59:59.9999999", "timeZone": "UTC"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{}}}},
		"ends before it starts": {`{"id": "1", "start": {"dateTime": "2026-11-21T10:00:00", "timeZone": "UTC"}, "end": {"dateTime": "2026-11-21T09:00:00", "timeZone": "UTC"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{}}}},
		"zone not asked for": {`{"id": "1", "originalStartTimeZone": "tzone://Microsoft/Utc", "start": {"dateTime": "2026-07-01T10:00:00.0000000", "timeZone": "W. Europe Standard Time"}, "end": {"dateTime": "2026-07-01T11:00:00.0000000", "timeZone": "Europe/Berlin"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{"when": "2026-07-01T08:00:00Z/2026-07-01T09:00:00Z", "timeZone": "UTC"}}}},
		"html not asked for": {`{"id": "1", "subject": "s", "body": {"contentType": "html", "content": "<p>x</p>"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{"subject": "s"}}}},
		"unreadable field": {`{"id": "1", "subject": {"what": "is this"}}`,
			calendar.Item{Event: calendar.Event{ID: "1", Content: appointment.Content{}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readItem([]byte(c.json))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, json := range map[string]string{"no id": `{"subject": "x"}`, "no object": `"x"`, "id of another type": `{"id": 7}`} {
		if _, err := readItem([]byte(json)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzReadItem(f *testing.F) {
	f.Add([]byte(`{"id":"1","start":{"dateTime":"2026-11-21T09:00:00.0000000","timeZone":"UTC"},"end":{"dateTime":"9999-12-31T23:59:59.9999999","timeZone":"X"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		item, err := readItem(raw)
		if err == nil && item.ID == "" {
			t.Error("an event without an id")
		}
		if w, ok := item.Content[appointment.When]; ok {
			if _, _, err := appointment.ParseInterval(w); err != nil {
				t.Error(err)
			}
		}
	})
}
