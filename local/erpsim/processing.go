package erpsim

import (
	"slices"
	"time"
)

// Document is what the processing has made of a staging row: one for each
// appointment and resource, if all went well. More than one is the duplicate
// that a repeated insert makes.
type Document struct {
	No          int
	Appointment string // "Appointment Id"
	Resource    string // "Resource No."
	Job, Task   string
	Start, End  time.Time
	Subject     string
	Backoffice  string // "Backoffice Id"
	// Entry is the staging row that wrote it last.
	Entry int
	// Echo: nothing was created, only a link to what the ERP has had already.
	Echo bool
}

// due processes, in the order of their entries, the rows that have lain long
// enough. The real ERP does it in the background; here it happens whenever
// somebody looks. Locked.
func (s *Server) due(c *company) {
	for _, r := range c.rows {
		if r.Status == statusWaiting && !s.opts.Manual && !s.now().Before(r.Received.Add(s.opts.ProcessDelay)) {
			s.process(c, r)
		}
	}
}

// process runs the codeunit of the row's source type on it. Locked.
func (s *Server) process(c *company, r *Row) {
	r.Processed++
	r.Version++
	if s.reject != nil {
		if message := s.reject(r.clone()); message != "" {
			r.Status, r.Error = statusError, message
			return
		}
	}
	switch r.Text(DatabaseAction) {
	case "I":
		for _, no := range r.ResourceNos() {
			s.create(c, r, no)
		}
	case "U":
		for _, no := range r.ResourceNos() {
			if i := linked(c, r, no); i >= 0 {
				write(&c.documents[i], r)
			} else {
				s.create(c, r, no)
			}
		}
		c.documents = slices.DeleteFunc(c.documents, func(d Document) bool {
			return d.Appointment == r.Text(AppointmentID) && !slices.Contains(r.ResourceNos(), d.Resource)
		})
	case "D":
		c.documents = slices.DeleteFunc(c.documents, func(d Document) bool { return d.Appointment == r.Text(AppointmentID) })
	default:
		r.Status, r.Error = statusError, "Database Action must be I, U or D."
		return
	}
	r.Status, r.Error = statusProcessed, ""
}

// create does not look whether there is one already: as the real one's insert,
// it makes a second. Locked.
func (s *Server) create(c *company, r *Row, resource string) {
	c.nextDoc++
	d := Document{No: c.nextDoc, Resource: resource}
	write(&d, r)
	c.documents = append(c.documents, d)
}

func write(d *Document, r *Row) {
	d.Appointment, d.Subject, d.Backoffice = r.Text(AppointmentID), r.Text(Subject), r.Text(BackofficeID)
	d.Job, d.Task = r.Text(JobNo), r.Text(TaskNo)
	d.Start, _ = r.Values[Start].(time.Time)
	d.End, _ = r.Values[End].(time.Time)
	d.Echo, _ = r.Values[SentFrom].(bool)
	d.Entry = r.Entry
}

func linked(c *company, r *Row, resource string) int {
	return slices.IndexFunc(c.documents, func(d Document) bool {
		return d.Appointment == r.Text(AppointmentID) && d.Resource == resource
	})
}
