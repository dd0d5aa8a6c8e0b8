package graphsim

import (
	"strings"
	"time"
)

// view is how one request wants to see events.
type view struct {
	zone      string
	loc       *time.Location
	text      bool
	immutable bool
	selected  string
	expand    predicate // of singleValueExtendedProperties; nil = none
}

// newView reads the Prefer header, $select and $expand.
func newView(c *call) (view, *graphError) {
	v := view{zone: "UTC", loc: time.UTC, immutable: c.immutable(), selected: c.query.Get("$select")}
	v.text = strings.EqualFold(c.prefer["outlook.body-content-type"], "text")
	if zone := c.prefer["outlook.timezone"]; zone != "" {
		loc, err := loadZone(zone)
		if err != nil {
			return v, err
		}
		v.zone, v.loc = zone, loc
	}
	if x := c.query.Get("$expand"); x != "" {
		expand, err := parseExpand(x)
		if err != nil {
			return v, err
		}
		v.expand = expand
	}
	return v, nil
}

// parseExpand takes singleValueExtendedProperties($filter=id eq '...'), the filter being compulsory.
func parseExpand(x string) (predicate, *graphError) {
	const name = "singlevalueextendedproperties($filter="
	if len(x) <= len(name) || !strings.EqualFold(x[:len(name)], name) || !strings.HasSuffix(x, ")") {
		return nil, badRequest("ErrorInvalidUrlQueryFilter", "Only $expand=singleValueExtendedProperties($filter=id eq '...') is supported, not %q.", x)
	}
	p, err := parseFilter(x[len(name):len(x)-1], "id")
	if err != nil {
		return nil, badRequest("ErrorInvalidUrlQueryFilter", "Invalid filter clause in $expand: %v", err)
	}
	return p, nil
}

// identify returns the ids of the event and of its series under this view.
func (v view) identify(e *Event) (id, master string) {
	if v.immutable {
		return e.ID, e.SeriesMasterID
	}
	if e.SeriesMasterID != "" {
		master = e.MutableID[:idLength]
	}
	return e.MutableID, master
}

func (v view) dateTime(t time.Time, allDay bool) object {
	return object{"dateTime": inZone(t, v.loc, allDay).Format(dateTimeFormat), "timeZone": v.zone}
}

// event renders all properties, then applies $select.
func (v view) event(b *mailbox, e *Event) object {
	id, master := v.identify(e)
	owner := e.Organizer
	if owner == "" {
		owner = b.user.Mail
	}
	contentType := "html"
	if v.text {
		contentType = "text"
	}
	o := object{
		"@odata.etag": e.ETag(), "id": id, "changeKey": e.ChangeKey, "iCalUId": e.ICalUID,
		"createdDateTime": e.Created.Format(timeFormat), "lastModifiedDateTime": e.Modified.Format(timeFormat),
		"subject": e.Subject, "body": object{"contentType": contentType, "content": e.readBody(v.text)}, "bodyPreview": e.preview(),
		"start": v.dateTime(e.Start, e.AllDay), "end": v.dateTime(e.End, e.AllDay), "isAllDay": e.AllDay,
		"originalStartTimeZone": e.StartZone, "originalEndTimeZone": e.EndZone,
		"showAs": e.ShowAs, "sensitivity": e.Sensitivity, "importance": e.Importance, "categories": e.Categories,
		"isReminderOn": !e.ReminderOff, "reminderMinutesBeforeStart": e.ReminderMinutes,
		"isOrganizer": e.IsOrganizer, "organizer": object{"emailAddress": object{"name": owner, "address": owner}},
		"attendees": renderAttendees(e.Attendees), "isCancelled": e.Cancelled, "isDraft": false, "hasAttachments": false,
		"responseStatus":    object{"response": e.Response, "time": "0001-01-01T00:00:00Z"},
		"responseRequested": true, "allowNewTimeProposals": true, "hideAttendees": false, "isOnlineMeeting": false,
		"type": e.Type, "seriesMasterId": nullable(master), "transactionId": nullable(e.TransactionID),
		"recurrence": nil, "webLink": "https://outlook.office365.com/owa/?itemid=" + id + "&exvsurl=1&path=/calendar/item",
	}
	place := object{"displayName": e.Location, "locationType": "default", "uniqueId": e.Location, "uniqueIdType": "private"}
	o["location"], o["locations"] = place, []object{}
	if e.Location != "" {
		o["locations"] = []object{place}
	}
	if e.Recurrence != nil {
		o["recurrence"] = e.Recurrence.render()
	}
	if b.quirks.OriginalZone != nil {
		o["originalStartTimeZone"], o["originalEndTimeZone"] = *b.quirks.OriginalZone, *b.quirks.OriginalZone
	}
	if odd, ok := b.quirks.ShownTimes[e.ID]; ok {
		o["start"], o["end"] = object{"dateTime": odd[0], "timeZone": v.zone}, object{"dateTime": odd[1], "timeZone": v.zone}
	}
	if e.SeriesMasterID != "" {
		o["originalStart"] = e.OriginalStart.Format(timeFormat)
		o["occurrenceId"] = "OID." + master + "." + e.OriginalStart.Format(time.DateOnly)
	}
	if v.expand != nil {
		if p := v.properties(e); len(p) > 0 {
			o["singleValueExtendedProperties"] = p
		}
	}
	return v.pick(o)
}

// pick applies $select; expanded properties stay.
func (v view) pick(o object) object {
	if v.selected == "" {
		return o
	}
	return pick(o, v.selected+",singleValueExtendedProperties")
}

// occurrence is the little that delta says of an occurrence: no subject, no body, no times of change.
func (v view) occurrence(e *Event) object {
	id, master := v.identify(e)
	return object{
		"@odata.etag": e.ETag(), "id": id, "type": "occurrence", "seriesMasterId": master,
		"start": v.dateTime(e.Start, e.AllDay), "end": v.dateTime(e.End, e.AllDay),
	}
}

func (v view) properties(e *Event) []object {
	var out []object
	for _, s := range e.propertyScopes() {
		if v.expand(s) {
			out = append(out, object{"id": string(s("id").(propertyID)), "value": s("value")})
		}
	}
	return out
}

// series adds what a master shows only by $select on a GET by id.
func (v view) series(b *mailbox, e *Event, o object) {
	wanted := "," + strings.ToLower(strings.ReplaceAll(v.selected, " ", "")) + ","
	id, _ := v.identify(e)
	if strings.Contains(wanted, ",cancelledoccurrences,") {
		gone := []string{}
		for _, at := range e.cancelledStarts() {
			gone = append(gone, "OID."+id+"."+at.Format(time.DateOnly))
		}
		o["cancelledOccurrences"] = gone
	}
	if strings.Contains(wanted, ",exceptionoccurrences,") {
		list := []object{}
		full := v
		full.selected = ""
		for _, x := range e.exceptionList() {
			list = append(list, full.event(b, x))
		}
		o["exceptionOccurrences"] = list
	}
}

func renderAttendees(list []Attendee) []object {
	out := []object{}
	for _, a := range list {
		out = append(out, object{
			"type": a.Type, "status": object{"response": a.Response, "time": "0001-01-01T00:00:00Z"},
			"emailAddress": object{"name": a.Name, "address": a.Address},
		})
	}
	return out
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
