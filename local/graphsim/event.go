package graphsim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Event is the state of an event as the store holds it. Values that the Server returns are copies.
type Event struct {
	ID            string // immutable id
	MutableID     string // what callers without Prefer: IdType="ImmutableId" see; changes on a move between folders
	ICalUID       string
	TransactionID string
	ChangeKey     string // the etag without W/"..."
	Created       time.Time
	Modified      time.Time

	Subject  string
	Body     string // as written
	BodyType string // text or html
	// Start and End are instants in UTC, End exclusive; of an all-day event the dates, as midnight UTC.
	Start, End         time.Time
	StartZone, EndZone string // Windows or IANA names, as written
	AllDay             bool

	ShowAs          string // free, tentative, busy, oof, workingElsewhere, unknown
	Sensitivity     string // normal, personal, private, confidential
	Importance      string // low, normal, high
	Categories      []string
	Location        string
	ReminderMinutes int
	ReminderOff     bool

	IsOrganizer bool
	Organizer   string // e-mail address; "" = the mailbox's own
	Attendees   []Attendee
	Response    string // of the mailbox's owner: none, organizer, accepted, tentativelyAccepted, declined, notResponded
	Cancelled   bool   // by the organizer

	Properties map[string]string // single-value extended properties by id

	Type           string // singleInstance, seriesMaster, occurrence, exception
	SeriesMasterID string
	OriginalStart  time.Time // of an occurrence or exception
	Recurrence     *Recurrence

	Deleted bool // in Deleted Items

	generation      int              // of the pattern; part of the occurrences' ids
	exceptions      map[int64]*Event // by original start, Unix seconds
	cancelled       map[int64]bool   // deleted occurrences
	previousMutable string           // id before the last move
}

// Attendee is an invited person.
type Attendee struct {
	Address, Name string
	Type          string // required, optional, resource
	Response      string
}

// Text is the body as a reader of plain text sees it.
func (e Event) Text() string {
	if e.BodyType == "html" {
		return htmlToText(e.Body)
	}
	return strings.ReplaceAll(e.Body, "\r\n", "\n")
}

// ETag is the event's @odata.etag.
func (e Event) ETag() string { return `W/"` + e.ChangeKey + `"` }

func (e *Event) clone() *Event {
	c := *e
	c.Categories = slices.Clone(e.Categories)
	c.Attendees = slices.Clone(e.Attendees)
	c.Properties = maps.Clone(e.Properties)
	c.cancelled = maps.Clone(e.cancelled)
	if e.Recurrence != nil {
		r := *e.Recurrence
		r.DaysOfWeek = slices.Clone(r.DaysOfWeek)
		c.Recurrence = &r
	}
	if e.exceptions != nil {
		c.exceptions = map[int64]*Event{}
		for k, x := range e.exceptions {
			c.exceptions[k] = x.clone()
		}
	}
	return &c
}

// overlaps tells whether the event lies in the half-open window; an event that ends when the window starts does not.
func (e *Event) overlaps(from, to time.Time) bool {
	return e.Start.Before(to) && (e.End.After(from) || e.End.Equal(e.Start) && e.Start.Equal(from))
}

// complete fills what a writer left out and applies what the store does to every event.
func (e *Event) complete() {
	e.Subject = storeSubject(e.Subject)
	e.Categories = storeCategories(e.Categories)
	e.Start, e.End = e.Start.UTC().Truncate(time.Second), e.End.UTC().Truncate(time.Second)
	fill(&e.BodyType, "html")
	fill(&e.StartZone, "UTC")
	fill(&e.EndZone, e.StartZone)
	fill(&e.ShowAs, "busy")
	fill(&e.Sensitivity, "normal")
	fill(&e.Importance, "normal")
	switch {
	case e.Response != "":
	case e.IsOrganizer:
		e.Response = "organizer"
	default:
		e.Response = "notResponded"
	}
	switch {
	case e.SeriesMasterID != "":
		e.Type = "exception"
	case e.Recurrence != nil:
		e.Type = "seriesMaster"
	default:
		e.Type = "singleInstance"
	}
}

func fill(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

const longestSubject = 255

// storeSubject makes a subject one line of at most 255 UTF-16 units, without splitting a character.
func storeSubject(s string) string {
	s = strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ").Replace(s))
	units := 0
	for i, r := range s {
		units++
		if r > 0xffff {
			units++
		}
		if units > longestSubject {
			return s[:i]
		}
	}
	return s
}

// storeCategories drops empty and repeated names and sorts, both without regard to case.
func storeCategories(names []string) []string {
	out := []string{}
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" && !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, n) }) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return out
}

func sortEvents(events []*Event) {
	slices.SortFunc(events, func(a, b *Event) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}
