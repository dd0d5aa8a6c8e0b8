package graphsim

import (
	"strings"
	"time"
)

// window reads startDateTime and endDateTime.
func (c *call) window() (from, to time.Time, err *graphError) {
	var okFrom, okTo bool
	for k, v := range c.query {
		switch strings.ToLower(k) {
		case "startdatetime":
			from, okFrom = parseInstant(v[0])
		case "enddatetime":
			to, okTo = parseInstant(v[0])
		}
	}
	if !okFrom || !okTo {
		return from, to, badRequest("ErrorInvalidParameter", "This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.")
	}
	if to.Before(from) {
		return from, to, badRequest("ErrorInvalidParameter", "The end of the time window lies before its start.")
	}
	return from, to, nil
}

// calendarView lists what lies in the window: single events, occurrences and exceptions, no masters.
func (s *Server) calendarView(c *call) (reply, *graphError) {
	from, to, err := c.window()
	if err != nil {
		return reply{}, err
	}
	return s.list(c, c.box.view(from, to))
}

// view expands the calendar into a window. Locked.
func (b *mailbox) view(from, to time.Time) []*Event {
	var out []*Event
	for _, e := range b.calendar() {
		if e.Recurrence != nil {
			out = append(out, e.occurrences(from, to)...)
		} else if e.overlaps(from, to) {
			out = append(out, e)
		}
	}
	sortEvents(out)
	return out
}

func (s *Server) listInstances(c *call) (reply, *graphError) {
	from, to, err := c.window()
	if err != nil {
		return reply{}, err
	}
	e, _, err := s.addressed(c)
	if err != nil {
		return reply{}, err
	}
	if e.Recurrence == nil {
		return reply{}, badRequest("ErrorInvalidRequest", "The event is not a series master.")
	}
	return s.list(c, e.occurrences(from, to))
}

// scope lets filters see an event.
func (e *Event) scope(path string) any {
	if t, isTime := e.sortTime(path); isTime {
		return t
	}
	switch strings.ToLower(path) {
	case "subject":
		return e.Subject
	case "isallday":
		return e.AllDay
	case "iscancelled":
		return e.Cancelled
	case "showas":
		return e.ShowAs
	case "sensitivity":
		return e.Sensitivity
	case "importance":
		return e.Importance
	case "type":
		return e.Type
	case "icaluid":
		return e.ICalUID
	case "categories":
		var all []scope
		for _, name := range e.Categories {
			all = append(all, func(string) any { return name })
		}
		return all
	case "singlevalueextendedproperties":
		return e.propertyScopes()
	}
	return nil
}

func (e *Event) sortTime(path string) (time.Time, bool) {
	switch strings.ToLower(path) {
	case "start/datetime":
		return e.Start, true
	case "end/datetime":
		return e.End, true
	case "createddatetime":
		return e.Created, true
	case "lastmodifieddatetime":
		return e.Modified, true
	}
	return time.Time{}, false
}
