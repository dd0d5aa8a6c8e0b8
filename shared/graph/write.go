package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	kjson "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// MarkProperty is the id of the named property that every event of ours carries
// (R13). Named properties use up a quota of the mailbox for ever: there is this
// one, and it never changes. The letter case of the name counts.
const MarkProperty = "String {a2d94b1c-6b0e-4d0f-9a53-3f2f6c1e7d84} Name DimeSchedulerAppointment"

// preferItem asks for ids that survive a move, for UTC and for text; it must be
// on every request, also inside a $batch and on every page.
const preferItem = `IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text"`

// batchItem is one request of a $batch.
type batchItem struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// encode returns the request of a write, or a Permanent fault for one that
// makes no sense.
func encode(mailbox, id string, w calendar.Write) ([]byte, error) {
	item := batchItem{ID: id, URL: "/users/" + url.PathEscape(mailbox) + "/events", Headers: map[string]string{"Prefer": preferItem}}
	var err error
	switch {
	case w.Op == calendar.Create && w.ID == "" && w.ETag == "":
		item.Method = http.MethodPost
	case w.Op == calendar.Patch && w.ID != "" && w.ETag != "":
		item.Method = http.MethodPatch
	case w.Op == calendar.Delete && w.ID != "" && w.ETag != "":
		item.Method = http.MethodDelete
	default:
		return nil, badWrite(fmt.Errorf("%q with id %t, etag %t: a create has neither, the others both", w.Op, w.ID != "", w.ETag != ""))
	}
	if w.Op != calendar.Create {
		item.URL += "/" + url.PathEscape(w.ID)
		item.Headers["If-Match"] = w.ETag
	}
	if w.Op != calendar.Delete {
		item.Headers["Content-Type"] = "application/json"
		if item.Body, err = eventBody(w); err != nil {
			return nil, badWrite(err)
		}
	}
	return json.Marshal(item)
}

func badWrite(err error) error {
	return opBatch.fault(fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Code: "InvalidWrite", Err: err})
}

// eventBody returns the JSON of the fields that the write sets, and no other.
func eventBody(w calendar.Write) ([]byte, error) {
	e := models.NewEvent()
	for f, v := range w.Content {
		if err := setField(e, f, v, w.Content); err != nil {
			return nil, err
		}
	}
	if w.Op == calendar.Create {
		// Unless it was asked for, nobody wants to be reminded of what a planner
		// moves about.
		e.SetIsReminderOn(ptr(w.Reminder != nil))
		if w.Reminder != nil {
			e.SetReminderMinutesBeforeStart(ptr(int32(*w.Reminder)))
		}
		if w.TransactionID != "" {
			e.SetTransactionId(&w.TransactionID)
		}
	}
	if w.Mark != "" {
		p := models.NewSingleValueLegacyExtendedProperty()
		p.SetId(ptr(MarkProperty))
		p.SetValue(&w.Mark)
		e.SetSingleValueExtendedProperties([]models.SingleValueLegacyExtendedPropertyable{p})
	}
	out := kjson.NewJsonSerializationWriter()
	defer out.Close()
	if err := out.WriteObjectValue("", e); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return out.GetSerializedContent()
}

func setField(e *models.Event, f appointment.Field, v string, c appointment.Content) error {
	switch f {
	case appointment.Subject:
		e.SetSubject(&v)
	case appointment.Body:
		body := models.NewItemBody()
		body.SetContentType(ptr(models.TEXT_BODYTYPE))
		body.SetContent(&v)
		e.SetBody(body)
	case appointment.When:
		if first, after, zone, days := appointment.Dates(v); days {
			from, to := dates(first, after, c[appointment.TimeZone], zone)
			e.SetStart(from)
			e.SetEnd(to)
			e.SetIsAllDay(ptr(true))
			return nil
		}
		start, end, err := appointment.ParseInterval(v)
		if err != nil {
			return err
		}
		if end.Before(start) {
			return fmt.Errorf("the event ends before it starts")
		}
		from, to := wallTimes(start, end, c[appointment.TimeZone])
		e.SetStart(from)
		e.SetEnd(to)
		// Graph keeps the flag of an event that a person made all-day, and then
		// refuses any other time than midnight (facts B1).
		e.SetIsAllDay(ptr(false))
	case appointment.TimeZone: // goes with When
	case appointment.Categories:
		e.SetCategories(appointment.CategoryNames(v)) // an empty list takes the last one away
	case appointment.ShowAs:
		if v != "unknown" { // what "unknown" means is for the calendar to say, not to be told
			return setEnum(f, v, models.ParseFreeBusyStatus, e.SetShowAs)
		}
	case appointment.Sensitivity:
		return setEnum(f, v, models.ParseSensitivity, e.SetSensitivity)
	case appointment.Importance:
		return setEnum(f, v, models.ParseImportance, e.SetImportance)
	default:
		return fmt.Errorf("field %q has no place in an event", f)
	}
	return nil
}

func setEnum[T any](f appointment.Field, v string, parse func(string) (any, error), set func(*T)) error {
	parsed, err := parse(v)
	value, ok := parsed.(*T)
	if err != nil || !ok {
		return fmt.Errorf("field %q has a value that Graph does not know", f)
	}
	set(value)
	return nil
}

// wallTimes returns start and end as wall times of the zone, so that the event
// looks native to its owner; in UTC if the zone is unknown or one of the two
// times occurs twice on its day. The zone is named as Windows does, and the wall
// time is that zone's own, so that the instant is right even where several IANA
// zones share a Windows name.
func wallTimes(start, end time.Time, zone string) (from, to models.DateTimeTimeZoneable) {
	windows, _ := windowsName(zone)
	if loc, ok := location(windows); ok {
		a, once := wallTime(start, loc)
		b, too := wallTime(end, loc)
		if once && too {
			return dateTime(a, windows), dateTime(b, windows)
		}
	}
	return dateTime(start.UTC(), "UTC"), dateTime(end.UTC(), "UTC")
}

// dates returns the two midnights of an all-day event, in the first of the zones
// whose clocks show both once, or in UTC: the same zone for both, as Graph
// demands. In another zone than the mailbox's Outlook for Windows draws the event
// over two days.
func dates(first, after time.Time, zones ...string) (from, to models.DateTimeTimeZoneable) {
	for _, zone := range zones {
		windows, _ := windowsName(zone)
		loc, ok := location(windows)
		if ok && hasMidnight(first, loc) && hasMidnight(after, loc) {
			return dateTime(first, windows), dateTime(after, windows)
		}
	}
	return dateTime(first, "UTC"), dateTime(after, "UTC")
}

// hasMidnight reports whether the day begins at midnight there, once: some zones
// change their clocks at midnight.
func hasMidnight(day time.Time, loc *time.Location) bool {
	t := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, loc)
	_, once := wallTime(t, loc)
	return once && isMidnight(t)
}

func dateTime(wall time.Time, zone string) models.DateTimeTimeZoneable {
	d := models.NewDateTimeTimeZone()
	d.SetDateTime(ptr(wall.Format("2006-01-02T15:04:05")))
	d.SetTimeZone(&zone)
	return d
}

func ptr[T any](v T) *T { return &v }
