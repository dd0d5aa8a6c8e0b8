package erpsim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// AddCompany adds a company and returns its id; the first one is the default.
func (s *Server) AddCompany(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &company{id: s.guid(), name: name}
	s.companies = append(s.companies, c)
	return c.id
}

// Rows returns the staging rows of a company (its name or id; "" = the default
// one) in the order in which they came, after processing what is due.
func (s *Server) Rows(companyName string) []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, p := s.find(companyName)
	if p != nil {
		return nil
	}
	s.due(c)
	var out []Row
	for _, r := range c.rows {
		out = append(out, r.clone())
	}
	return out
}

// Documents returns what stands in a company, after processing what is due,
// sorted by appointment and resource.
func (s *Server) Documents(companyName string) []Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, p := s.find(companyName)
	if p != nil {
		return nil
	}
	s.due(c)
	out := slices.Clone(c.documents)
	slices.SortStableFunc(out, func(a, b Document) int {
		if n := strings.Compare(a.Appointment, b.Appointment); n != 0 {
			return n
		}
		return strings.Compare(a.Resource, b.Resource)
	})
	return out
}

// DocumentsOf returns those of one appointment.
func (s *Server) DocumentsOf(companyName, appointment string) []Document {
	return slices.DeleteFunc(s.Documents(companyName), func(d Document) bool { return !strings.EqualFold(d.Appointment, appointment) })
}

// SetReject replaces the codeunit's objections: a non-empty answer fails the
// row's processing with that message. nil = everything works. The hook must not call the Server.
func (s *Server) SetReject(reject func(Row) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reject = reject
}

// Process works on one row, as a person does with "Process" on the card; it
// reports whether there is such a row.
func (s *Server) Process(companyName string, entry int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, p := s.find(companyName)
	if p != nil {
		return false
	}
	r := c.row(func(r *Row) bool { return r.Entry == entry })
	if r != nil {
		s.process(c, r)
	}
	return r != nil
}

// Archive removes the staging rows received before t, as a clean-up job does.
func (s *Server) Archive(companyName string, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, p := s.find(companyName); p == nil {
		c.rows = slices.DeleteFunc(c.rows, func(r *Row) bool { return r.Received.Before(t) })
	}
}

// Calls counts requests by route ("POST appointments", "token", ...), refused ones included.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// MostAtOnce is the largest number of requests of one user that were worked on at a time.
func (s *Server) MostAtOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

// CompanyID returns the id of a company by its name; "" if there is none.
func (s *Server) CompanyID(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, p := s.find(name)
	if p != nil {
		return ""
	}
	return c.id
}

// SetColumns replaces the columns of the staging table, as an update of the app
// does. Rows keep what they have.
func (s *Server) SetColumns(columns []Column) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Columns = columns
}
