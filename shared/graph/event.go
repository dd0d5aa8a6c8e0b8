package graph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
)

// wireEvent is what is read of Graph's event. It is not the SDK's model: that
// one has nil both for a field that is absent (unknown, R9) and for an
// enumeration value that is newer than the SDK, and one field that it can not
// read spoils the whole page.
type wireEvent struct {
	ID             string          `json:"id"`
	ETag           string          `json:"@odata.etag"`
	Removed        json.RawMessage `json:"@removed"`
	Type           calendar.Type   `json:"type"`
	Modified       string          `json:"lastModifiedDateTime"`
	Subject        *string         `json:"subject"`
	Body           *wireBody       `json:"body"`
	Start          *wireTime       `json:"start"`
	End            *wireTime       `json:"end"`
	OriginalZone   string          `json:"originalStartTimeZone"`
	Series         string          `json:"seriesMasterId"`
	OriginalStart  string          `json:"originalStart"`
	AllDay         bool            `json:"isAllDay"`
	ShowAs         *string         `json:"showAs"`
	Sensitivity    *string         `json:"sensitivity"`
	Importance     *string         `json:"importance"`
	Categories     *[]string       `json:"categories"`
	ICalUID        string          `json:"iCalUId"`
	TransactionID  string          `json:"transactionId"`
	IsOrganizer    bool            `json:"isOrganizer"`
	IsCancelled    bool            `json:"isCancelled"`
	ResponseStatus struct {
		Response string `json:"response"`
	} `json:"responseStatus"`
	Attendees  []json.RawMessage `json:"attendees"`
	Properties []struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	} `json:"singleValueExtendedProperties"`
}

type wireBody struct {
	ContentType string `json:"contentType"`
	Content     string `json:"content"`
}

type wireTime struct {
	DateTime string `json:"dateTime"`
	TimeZone string `json:"timeZone"`
}

// readItem reads one line of a list. An event that can not be read keeps its id
// and has no content; without an id it is an error.
func readItem(raw json.RawMessage) (calendar.Item, error) {
	var e wireEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		var least struct {
			ID      string          `json:"id"`
			Removed json.RawMessage `json:"@removed"`
		}
		if err := json.Unmarshal(raw, &least); err != nil {
			return calendar.Item{}, err
		}
		e = wireEvent{ID: least.ID, Removed: least.Removed}
	}
	if e.ID == "" {
		return calendar.Item{}, fmt.Errorf("event without an id")
	}
	if len(e.Removed) > 0 {
		return calendar.Item{Event: calendar.Event{ID: e.ID}, Removed: true}, nil
	}
	return calendar.Item{Event: e.event()}, nil
}

// readEvent reads the answer to a GET, POST or PATCH of one event.
func readEvent(raw json.RawMessage) (calendar.Event, error) {
	item, err := readItem(raw)
	return item.Event, err
}

func (e wireEvent) event() calendar.Event {
	modified, _ := time.Parse(time.RFC3339, e.Modified) // absent of bare occurrences: zero
	out := calendar.Event{
		ID: e.ID, ETag: e.ETag, Modified: modified.UTC(), Content: e.content(), Type: e.Type,
		ICalUID: e.ICalUID, TransactionID: e.TransactionID,
		Organizer: e.IsOrganizer, Attendees: len(e.Attendees), Cancelled: e.IsCancelled,
		Declined: declined(e.ResponseStatus.Response),
	}
	for _, p := range e.Properties {
		if strings.EqualFold(p.ID, MarkProperty) {
			out.Mark = p.Value
		}
	}
	if e.Series != "" && (e.Type == calendar.Occurrence || e.Type == calendar.Exception) {
		e.place(&out)
	}
	return out
}

// place says where in its series the event stands. What its series was created
// with is not its own: it must not be taken for an event that we made.
func (e wireEvent) place(out *calendar.Event) {
	out.Series, out.TransactionID, out.Mark = e.Series, "", ""
	if at, err := time.Parse(time.RFC3339, e.OriginalStart); err == nil {
		out.Original = at.UTC()
	} else if e.Type == calendar.Occurrence && e.Start != nil {
		out.Original, _ = e.Start.instant() // it stands where the pattern has it
	}
}

// answers are those of an owner who may come. One that nobody here knows counts
// as declined: rather too little is shown of the event than too much.
var answers = []string{"", "none", "organizer", "tentativelyAccepted", "accepted", "notResponded"}

func declined(response string) bool {
	return !slices.ContainsFunc(answers, func(a string) bool { return strings.EqualFold(a, response) })
}

// content returns what the event shows, in canonical form. What it does not
// show, as a bare occurrence of a delta round (facts B5), is absent.
func (e wireEvent) content() appointment.Content {
	c := appointment.Content{}
	switch {
	case e.Subject != nil:
		c[appointment.Subject] = appointment.Line(*e.Subject)
	case e.Type != calendar.Occurrence && e.Body != nil:
		c[appointment.Subject] = "" // null: an event without a title
	}
	// HTML, which Graph was asked not to send, is not the text that people see.
	if e.Body != nil && strings.EqualFold(e.Body.ContentType, "text") {
		c[appointment.Body] = appointment.Cut(appointment.Text(e.Body.Content), appointment.CutInOutlook)
	}
	if start, end, ok := e.times(); ok {
		c[appointment.When] = e.when(start, end)
	}
	if zone := zoneName(e.OriginalZone); zone != "" {
		c[appointment.TimeZone] = zone
	}
	if e.Categories != nil {
		c[appointment.Categories] = appointment.CategoryList(*e.Categories)
	}
	choose(c, appointment.ShowAs, e.ShowAs, "unknown", "free", "tentative", "busy", "oof", "workingElsewhere", "unknown")
	choose(c, appointment.Importance, e.Importance, "normal", "low", "normal", "high")
	// A sensitivity that nobody here knows is rather hidden than shown.
	choose(c, appointment.Sensitivity, e.Sensitivity, "private", "normal", "personal", "private", "confidential")
	return c
}

// choose sets the field to the value as Graph spells it, or to other if it is
// none of the known ones.
func choose(c appointment.Content, f appointment.Field, value *string, other string, known ...string) {
	if value == nil {
		return
	}
	c[f] = other
	for _, k := range known {
		if strings.EqualFold(k, *value) {
			c[f] = k
		}
	}
}

// zoneName returns the original zone; "" for one that only its mailbox knows.
func zoneName(s string) string {
	if rest, special := strings.CutPrefix(strings.ToLower(s), "tzone://microsoft/"); special {
		if rest == "utc" {
			return "UTC"
		}
		return ""
	}
	return s
}

// when returns the canonical time. Graph shows an all-day event as midnight of
// its dates in whatever zone one asks for.
//
// Guess: should it show the instants of these midnights instead, they are those
// of the event's original zone, and at most half a day from those of UTC.
func (e wireEvent) when(start, end time.Time) string {
	if !e.AllDay {
		return appointment.Interval(start, end)
	}
	loc, known := location(e.OriginalZone)
	if isMidnight(start) && isMidnight(end) || !known {
		loc = time.UTC
	}
	first, after := nearestDay(start.In(loc)), nearestDay(end.In(loc))
	if !first.Before(after) {
		after = first.AddDate(0, 0, 1) // an all-day event lasts a day at least
	}
	return appointment.Days(first, after, "")
}

func isMidnight(t time.Time) bool {
	h, m, s := t.Clock()
	return h+m+s == 0
}

// nearestDay is the date whose midnight is the nearest.
func nearestDay(t time.Time) time.Time {
	t = t.Add(12 * time.Hour)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// times returns start and end; ok is false if they are absent, make no sense or
// are one of the dates by which Exchange says "none" (0001-01-01, 9999-12-31).
func (e wireEvent) times() (start, end time.Time, ok bool) {
	if e.Start == nil || e.End == nil {
		return start, end, false
	}
	start, startOK := e.Start.instant()
	end, endOK := e.End.instant()
	return start, end, startOK && endOK && !end.Before(start)
}

// instant reads "2026-11-21T09:00:00.0000000" in its zone, which is UTC as asked
// for, and an offset if there is one all the same.
func (w wireTime) instant() (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, w.DateTime)
	if err != nil {
		loc, ok := location(w.TimeZone)
		if w.TimeZone == "" {
			loc, ok = time.UTC, true
		}
		if !ok {
			return t, false
		}
		if t, err = time.ParseInLocation("2006-01-02T15:04:05", w.DateTime, loc); err != nil {
			return t, false
		}
	}
	t = t.UTC()
	return t, t.Year() > 1900 && t.Year() < 9999
}
