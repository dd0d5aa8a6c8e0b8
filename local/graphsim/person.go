package graphsim

import (
	"fmt"
	"time"
)

// The methods here act as the person in Outlook does: they cause the same notifications and delta
// changes as requests, and know neither tokens nor limits. Users are named by id, UPN or mail
// address, events by immutable or mutable id.

// person finds a user by id, UPN or mail address. Locked.
func (s *Server) person(user string) (*mailbox, error) {
	if b := s.lookup(user); b != nil {
		return b, nil
	}
	for _, b := range s.mailboxes {
		if b.user.Mail == user {
			return b, nil
		}
	}
	return nil, fmt.Errorf("graphsim: there is no user %s", user)
}

// item finds an event and its mailbox. Locked.
func (s *Server) item(user, id string) (b *mailbox, e, master *Event, err error) {
	if b, err = s.person(user); err != nil {
		return nil, nil, nil, err
	}
	if e, master = b.find(id); e == nil {
		return nil, nil, nil, fmt.Errorf("graphsim: %s has no event %s", user, id)
	}
	return b, e, master, nil
}

// CreateEvent puts an event into the calendar. Empty fields get Outlook's defaults; ids and stamps
// are given; the person is the organizer unless Organizer names another.
func (s *Server) CreateEvent(user string, e Event) (Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.person(user)
	if err != nil {
		return Event{}, err
	}
	next := e.clone()
	next.ID, next.MutableID, next.Deleted = "", "", false
	next.IsOrganizer = e.Organizer == "" || e.Organizer == b.user.Mail
	if err := next.check(); err != nil {
		return Event{}, err
	}
	return *s.create(b, next).clone(), nil
}

// UpdateEvent lets change alter the event, or one occurrence of a series, which becomes an exception.
// Ids and stamps can not be altered. change must not call the Server.
func (s *Server) UpdateEvent(user, id string, change func(*Event)) (Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, e, master, err := s.item(user, id)
	if err != nil {
		return Event{}, err
	}
	next := e.clone()
	change(next)
	next.ID, next.MutableID, next.ICalUID, next.Created = e.ID, e.MutableID, e.ICalUID, e.Created
	next.Deleted, next.SeriesMasterID, next.OriginalStart = e.Deleted, e.SeriesMasterID, e.OriginalStart
	if master != nil {
		next.Recurrence = nil
	}
	if err := next.check(); err != nil {
		return Event{}, err
	}
	if master == nil {
		e.repattern(next)
		s.update(b, next, next.ID)
		s.mailAttendees(b, next, "update")
		return *next.clone(), nil
	}
	if err := master.checkNeighbours(next); err != nil {
		return Event{}, err
	}
	return *s.except(b, master, next).clone(), nil
}

// check completes an event and says what Outlook would not let a person do.
func (e *Event) check() error {
	e.complete()
	if e.End.Before(e.Start) {
		return fmt.Errorf("graphsim: the event %q ends before it starts", e.Subject)
	}
	if e.AllDay && (!stored(e.Start, true).Equal(e.Start) || !stored(e.End, true).Equal(e.End)) {
		return fmt.Errorf("graphsim: the all-day event %q needs dates at midnight UTC", e.Subject)
	}
	for _, zone := range []string{e.StartZone, e.EndZone} {
		if _, err := loadZone(zone); err != nil {
			return err
		}
	}
	if e.Recurrence != nil {
		if err := e.Recurrence.check(e); err != nil {
			return err
		}
	}
	return nil
}

// MoveEvent drags an event to other times.
func (s *Server) MoveEvent(user, id string, start, end time.Time) (Event, error) {
	return s.UpdateEvent(user, id, func(e *Event) { e.Start, e.End = start, end })
}

// DeleteEvent moves an event to Deleted Items, and one that is there out of the mailbox; an
// occurrence is cancelled.
func (s *Server) DeleteEvent(user, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, e, master, err := s.item(user, id)
	if err != nil {
		return err
	}
	s.discard(b, e, master)
	return nil
}

// UndeleteEvent moves an event from Deleted Items back into the calendar: same immutable id, new
// mutable id, and a created notification.
func (s *Server) UndeleteEvent(user, id string) (Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, e, master, err := s.item(user, id)
	if err != nil {
		return Event{}, err
	}
	if !e.Deleted || master != nil {
		return Event{}, fmt.Errorf("graphsim: the event %s is not in Deleted Items", id)
	}
	next := e.clone()
	next.Deleted = false
	s.rehome(b, next)
	s.commit(b, next, "created", next.ID)
	return *next.clone(), nil
}

// CopyEvent duplicates an event in the same calendar, extended properties included, as copy and
// paste in Outlook does. The copy has its own ids and no transactionId.
func (s *Server) CopyEvent(user, id string) (Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, e, master, err := s.item(user, id)
	if err != nil {
		return Event{}, err
	}
	if master != nil || e.Recurrence != nil {
		return Event{}, fmt.Errorf("graphsim: copying a series or an occurrence is not modelled")
	}
	next := e.clone()
	next.TransactionID, next.MutableID, next.previousMutable, next.Deleted = "", "", "", false
	return *s.create(b, next).clone(), nil
}
