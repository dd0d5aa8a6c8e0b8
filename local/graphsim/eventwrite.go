package graphsim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// ignored are properties of an event that a request may carry without effect: read-only ones, which
// Graph ignores too, and those that are not modelled.
var ignored = []string{
	"id", "changekey", "icaluid", "uid", "createddatetime", "lastmodifieddatetime", "bodypreview", "isorganizer", "organizer",
	"responsestatus", "iscancelled", "isdraft", "hasattachments", "weblink", "type", "seriesmasterid", "originalstart",
	"originalstarttimezone", "originalendtimezone", "occurrenceid", "locations", "responserequested", "allownewtimeproposals",
	"hideattendees", "isonlinemeeting", "onlinemeeting", "onlinemeetingprovider", "onlinemeetingurl",
	"extensions", "attachments", "multivalueextendedproperties",
}

// times are the parts of a request that only make sense together.
type times struct {
	start, end *dateTimeZone
	allDay     *bool
}

// apply writes the properties that a request names into e, which is new or a copy.
func apply(e *Event, body []byte) *graphError {
	var fields map[string]json.RawMessage
	if err := decode(body, &fields); err != nil {
		return err
	}
	var t times
	for name, raw := range fields {
		if strings.Contains(name, "@") {
			continue
		}
		if err := applyField(e, &t, strings.ToLower(name), raw); err != nil {
			return err
		}
	}
	if err := t.apply(e); err != nil {
		return err
	}
	if r := e.Recurrence; r != nil {
		return r.check(e)
	}
	return nil
}

func applyField(e *Event, t *times, name string, raw json.RawMessage) *graphError {
	switch name {
	case "subject":
		return into(name, raw, &e.Subject)
	case "body":
		return applyBody(e, raw)
	case "start":
		return into(name, raw, &t.start)
	case "end":
		return into(name, raw, &t.end)
	case "isallday":
		return into(name, raw, &t.allDay)
	case "showas":
		return oneOf(name, raw, &e.ShowAs, "free", "tentative", "busy", "oof", "workingElsewhere", "unknown")
	case "sensitivity":
		return oneOf(name, raw, &e.Sensitivity, "normal", "personal", "private", "confidential")
	case "importance":
		return oneOf(name, raw, &e.Importance, "low", "normal", "high")
	case "categories":
		return into(name, raw, &e.Categories)
	case "location":
		var l struct{ DisplayName string }
		err := into(name, raw, &l)
		e.Location = l.DisplayName
		return err
	case "attendees":
		return applyAttendees(e, raw)
	case "reminderminutesbeforestart":
		return into(name, raw, &e.ReminderMinutes)
	case "isreminderon":
		on := true
		err := into(name, raw, &on)
		e.ReminderOff = !on
		return err
	case "transactionid":
		if e.ID != "" { // immutable once set
			return nil
		}
		return into(name, raw, &e.TransactionID)
	case "recurrence":
		return applyRecurrence(e, raw)
	case "singlevalueextendedproperties":
		return applyProperties(e, raw)
	}
	if slices.Contains(ignored, name) {
		return nil
	}
	return badRequest("RequestBodyRead", "The property '%s' does not exist on type 'microsoft.graph.event'. Make sure to only use property names that are defined by the type.", name)
}

// into decodes one property; null leaves the zero value.
func into[T any](name string, raw json.RawMessage, v *T) *graphError {
	var fresh T
	if err := json.Unmarshal(raw, &fresh); err != nil {
		return badRequest("RequestBodyRead", "Cannot read the value of the property '%s'.", name)
	}
	*v = fresh
	return nil
}

func oneOf(name string, raw json.RawMessage, v *string, values ...string) *graphError {
	var got string
	if err := into(name, raw, &got); err != nil {
		return err
	}
	i := slices.IndexFunc(values, func(s string) bool { return strings.EqualFold(s, got) })
	if i < 0 {
		return badRequest("RequestBodyRead", "Requested value '%s' was not found for the property '%s'.", got, name)
	}
	*v = values[i]
	return nil
}

func applyBody(e *Event, raw json.RawMessage) *graphError {
	body := struct{ ContentType, Content string }{}
	if err := into("body", raw, &body); err != nil {
		return err
	}
	switch strings.ToLower(body.ContentType) {
	case "", "text":
		e.BodyType = "text"
	case "html":
		e.BodyType = "html"
	default:
		return badRequest("RequestBodyRead", "Requested value '%s' was not found for the property 'contentType'.", body.ContentType)
	}
	e.Body = body.Content
	return nil
}

func applyAttendees(e *Event, raw json.RawMessage) *graphError {
	var list []struct {
		Type         string
		EmailAddress struct{ Address, Name string }
	}
	if err := into("attendees", raw, &list); err != nil {
		return err
	}
	e.Attendees = nil
	for _, a := range list {
		fill(&a.Type, "required")
		fill(&a.EmailAddress.Name, a.EmailAddress.Address)
		e.Attendees = append(e.Attendees, Attendee{Address: a.EmailAddress.Address, Name: a.EmailAddress.Name, Type: a.Type, Response: "none"})
	}
	return nil
}

// apply checks start, end and the all-day flag together, the stored ones standing in for those not named.
func (t times) apply(e *Event) *graphError {
	if t.start == nil && t.end == nil && t.allDay == nil {
		if e.ID == "" {
			return badRequest("ErrorPropertyValidationFailure", "At least one property failed validation: start and end are required.")
		}
		return nil
	}
	if e.ID == "" && (t.start == nil || t.end == nil) {
		return badRequest("ErrorPropertyValidationFailure", "At least one property failed validation: start and end are required.")
	}
	start, startZone, err := t.wall(t.start, e.Start, e.StartZone, e.AllDay)
	if err != nil {
		return err
	}
	end, endZone, err := t.wall(t.end, e.End, e.EndZone, e.AllDay)
	if err != nil {
		return err
	}
	allDay := e.AllDay
	if t.allDay != nil {
		allDay = *t.allDay
	}
	if allDay {
		if err := checkAllDay(start, end); err != nil {
			return err
		}
	}
	if end.Before(start) {
		return badRequest("ErrorPropertyValidationFailure", "At least one property failed validation: the event ends before it starts.")
	}
	e.AllDay, e.StartZone, e.EndZone = allDay, startZone, endZone
	e.Start, e.End = stored(start, allDay), stored(end, allDay)
	return nil
}

func (t times) wall(named *dateTimeZone, at time.Time, zone string, allDay bool) (time.Time, string, *graphError) {
	if named == nil {
		loc, err := loadZone(zone)
		if err != nil {
			return time.Time{}, "", err
		}
		return inZone(at, loc, allDay), zone, nil
	}
	w, err := named.wall()
	zone = named.TimeZone
	fill(&zone, "UTC")
	return w, zone, err
}

func checkAllDay(start, end time.Time) *graphError {
	for _, x := range []struct {
		name string
		at   time.Time
	}{{"Start", start}, {"End", end}} {
		if h, m, s := x.at.Clock(); h+m+s != 0 {
			return badRequest("ErrorInvalidRequest", "The Event.%s property for an all-day event needs to be set to midnight.", x.name)
		}
	}
	if start.Location().String() != end.Location().String() {
		return badRequest("ErrorInvalidRequest", "The Event.Start and Event.End properties of an all-day event need to be in the same time zone.")
	}
	if !end.After(start) {
		return badRequest("ErrorInvalidRequest", "The duration of an all-day event needs to be at least 24 hours.")
	}
	return nil
}
