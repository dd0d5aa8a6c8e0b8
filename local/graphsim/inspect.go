package graphsim

import (
	"fmt"
	"time"
)

// Events returns the events in the calendar of the user by start, then id: single events and series
// masters. It panics on an unknown user, which is a mistake of the caller.
func (s *Server) Events(user string) []Event {
	return s.inspect(user, func(b *mailbox) []*Event { return b.calendar() })
}

// DeletedEvents returns the events in Deleted Items by start, then id.
func (s *Server) DeletedEvents(user string) []Event {
	return s.inspect(user, func(b *mailbox) []*Event {
		var out []*Event
		for _, e := range b.events {
			if e.Deleted {
				out = append(out, e)
			}
		}
		sortEvents(out)
		return out
	})
}

// View returns what the person sees between two instants: single events, occurrences and exceptions.
func (s *Server) View(user string, from, to time.Time) []Event {
	return s.inspect(user, func(b *mailbox) []*Event { return b.view(from, to) })
}

// Tagged returns the events in the calendar whose extended property has the value; "" = any value.
func (s *Server) Tagged(user, property, value string) []Event {
	return s.inspect(user, func(b *mailbox) []*Event {
		var out []*Event
		for _, e := range b.calendar() {
			if v, set := e.Property(property); set && (value == "" || v == value) {
				out = append(out, e)
			}
		}
		return out
	})
}

// Event returns one event, occurrence or deleted event by its immutable or mutable id.
func (s *Server) Event(user, id string) (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, e, _, err := s.item(user, id)
	if err != nil {
		return Event{}, false
	}
	return *e.clone(), true
}

func (s *Server) inspect(user string, list func(*mailbox) []*Event) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.person(user)
	if err != nil {
		panic(fmt.Sprintf("%v", err))
	}
	out := []Event{}
	for _, e := range list(b) {
		out = append(out, *e.clone())
	}
	return out
}

// Category is an entry of a mailbox's master list.
type Category struct {
	DisplayName string
	Color       string // none, preset0 to preset24
}

// Categories returns the mailbox's master list in the order in which it was made.
func (s *Server) Categories(user string) []Category {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Category
	if b := s.lookup(user); b != nil {
		for _, k := range b.categories {
			out = append(out, Category{k.DisplayName, k.Color})
		}
	}
	return out
}
