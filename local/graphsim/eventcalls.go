package graphsim

import (
	"net/http"
	"slices"
	"strings"
)

var errStaleChangeKey = &graphError{http.StatusPreconditionFailed, "ErrorIrresolvableConflict",
	"The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item."}

var eventFilters = []string{
	"subject", "start/dateTime", "end/dateTime", "createdDateTime", "lastModifiedDateTime", "isAllDay", "isCancelled",
	"showAs", "sensitivity", "importance", "type", "iCalUId", "categories", "singleValueExtendedProperties",
}

func (s *Server) getCalendar(c *call) (reply, *graphError) {
	return ok(object{
		"@odata.context": c.base + "/$metadata#users('" + c.box.user.ID + "')/calendar/$entity",
		"id":             mutablePrefix + c.box.prefix + "calendar", "name": "Calendar", "isDefaultCalendar": true, "canEdit": true,
		"owner": object{"name": c.box.user.DisplayName, "address": c.box.user.Mail},
	}), nil
}

// listEvents lists single events and series masters.
func (s *Server) listEvents(c *call) (reply, *graphError) { return s.list(c, c.box.calendar()) }

// list applies $filter and $orderby and renders a page.
func (s *Server) list(c *call, events []*Event) (reply, *graphError) {
	v, err := newView(c)
	if err != nil {
		return reply{}, err
	}
	if f := c.query.Get("$filter"); f != "" {
		wanted, err := parseFilter(f, eventFilters...)
		if err != nil {
			return reply{}, badRequest("ErrorInvalidUrlQueryFilter", "Invalid filter clause: %v", err)
		}
		events = slices.DeleteFunc(events, func(e *Event) bool { return !wanted(e.scope) })
	}
	if err := order(events, c.query.Get("$orderby")); err != nil {
		return reply{}, err
	}
	return collection(c, events, func(e *Event) object { return v.event(c.box, e) })
}

// order sorts by one property; "" leaves the order by start.
func order(events []*Event, by string) *graphError {
	if by == "" {
		return nil
	}
	path, direction, _ := strings.Cut(by, " ")
	if !slices.ContainsFunc(eventFilters[:5], func(f string) bool { return strings.EqualFold(f, path) }) {
		return badRequest("ErrorInvalidUrlQuery", "Events can not be ordered by %q.", by)
	}
	slices.SortStableFunc(events, func(a, b *Event) int {
		var c int
		if at, isTime := a.sortTime(path); isTime {
			bt, _ := b.sortTime(path)
			c = at.Compare(bt)
		} else {
			c = strings.Compare(strings.ToLower(a.Subject), strings.ToLower(b.Subject))
		}
		if strings.EqualFold(direction, "desc") {
			return -c
		}
		return c
	})
	return nil
}

func (s *Server) getEvent(c *call) (reply, *graphError) {
	v, err := newView(c)
	if err != nil {
		return reply{}, err
	}
	e, master, err := s.addressed(c)
	if err != nil {
		return reply{}, err
	}
	o := v.event(c.box, e)
	if master == nil && e.Recurrence != nil {
		v.series(c.box, e, o)
	}
	return s.entity(c, http.StatusOK, o), nil
}

// addressed finds the event of the path; one in Deleted Items only if the switch says so.
func (s *Server) addressed(c *call) (e, master *Event, err *graphError) {
	e, master = c.box.find(c.params["event"])
	if e == nil || e.Deleted && !s.behaviour.DeletedReadable {
		return nil, nil, errItemNotFound
	}
	return e, master, nil
}

func (s *Server) entity(c *call, code int, o object) reply {
	o["@odata.context"] = c.base + "/$metadata#users('" + c.box.user.ID + "')/events/$entity"
	r := reply{status: code, body: o}
	if etag, known := o["@odata.etag"].(string); known {
		r.set("ETag", etag)
	}
	return r
}

// ifMatch holds an If-Match header against the event.
func ifMatch(c *call, e *Event) *graphError {
	want := strings.TrimSpace(c.header.Get("If-Match"))
	if want == "" || want == "*" || want == e.ETag() {
		return nil
	}
	return errStaleChangeKey
}

func (s *Server) postEvent(c *call) (reply, *graphError) {
	v, err := newView(c)
	if err != nil {
		return reply{}, err
	}
	v.expand = nil // extended properties are not echoed
	e := &Event{IsOrganizer: true, ReminderMinutes: 15, BodyType: "text"}
	if err := apply(e, c.body); err != nil {
		return reply{}, err
	}
	if known := c.box.events[c.box.byTx[e.TransactionID]]; e.TransactionID != "" && known != nil {
		switch reuse := s.behaviour.TransactionAfterDelete; {
		case !known.Deleted || reuse == TransactionReturnsDeleted:
			return s.entity(c, http.StatusCreated, v.event(c.box, known)), nil
		case reuse == TransactionConflicts:
			return reply{}, &graphError{http.StatusConflict, "ErrorInvalidRequest", "The transactionId was used before."}
		}
	}
	e.complete()
	return s.entity(c, http.StatusCreated, v.event(c.box, s.create(c.box, e))), nil
}

func (s *Server) patchEvent(c *call) (reply, *graphError) {
	v, err := newView(c)
	if err != nil {
		return reply{}, err
	}
	v.expand = nil
	e, master, err := s.addressed(c)
	if err != nil {
		return reply{}, err
	}
	if err := ifMatch(c, e); err != nil {
		return reply{}, err
	}
	next := e.clone()
	if err := apply(next, c.body); err != nil {
		return reply{}, err
	}
	if master != nil {
		if next.Recurrence != nil {
			return reply{}, badRequest("ErrorInvalidRequest", "An occurrence can not have a recurrence.")
		}
		if err := master.checkNeighbours(next); err != nil {
			return reply{}, err
		}
		return s.entity(c, http.StatusOK, v.event(c.box, s.except(c.box, master, next))), nil
	}
	next.complete()
	e.repattern(next)
	s.update(c.box, next, next.ID)
	s.mailAttendees(c.box, next, "update")
	return s.entity(c, http.StatusOK, v.event(c.box, next)), nil
}

func (s *Server) deleteEvent(c *call) (reply, *graphError) {
	e, master, err := s.addressed(c)
	if err != nil {
		return reply{}, err
	}
	if err := ifMatch(c, e); err != nil {
		return reply{}, err
	}
	s.discard(c.box, e, master)
	return status(http.StatusNoContent), nil
}

// discard deletes as a person does: first to Deleted Items, from there for good. Locked.
func (s *Server) discard(b *mailbox, e, master *Event) {
	switch {
	case master != nil:
		s.cancelOccurrence(b, master, e.OriginalStart)
	case e.Deleted:
		s.purge(b, e)
	default:
		s.remove(b, e)
	}
}

func (s *Server) purgeEvent(c *call) (reply, *graphError) {
	e, master, err := s.addressed(c)
	if err != nil {
		return reply{}, err
	}
	if master != nil {
		s.cancelOccurrence(c.box, master, e.OriginalStart)
	} else {
		s.purge(c.box, e)
	}
	return status(http.StatusNoContent), nil
}

func (s *Server) cancelEvent(c *call) (reply, *graphError) {
	e, master, err := s.addressed(c)
	if err != nil {
		return reply{}, err
	}
	if !e.IsOrganizer {
		return reply{}, badRequest("ErrorInvalidRequest", "Your request can't be completed. You need to be an organizer to cancel a meeting.")
	}
	s.discard(c.box, e, master)
	return status(http.StatusAccepted), nil
}
