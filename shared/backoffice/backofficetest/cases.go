package backofficetest

import (
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
)

// operations: insert, update and delete arrive as such, with everything that the
// back office keeps, and in order.
func operations(s *suite) {
	r := Sample(1)
	first := s.mustDeliver(Delivery(r, 1))
	moved := r
	moved.Operation, moved.Subject, moved.Start, moved.End, moved.Assignees = backoffice.Update, "Boiler, second floor", r.Start.Add(24*time.Hour), r.End.Add(25*time.Hour), []string{"R2"}
	d := Delivery(moved, 2)
	d.Previous = first
	second := s.mustDeliver(d)
	gone := moved
	gone.Operation = backoffice.Delete
	d = Delivery(gone, 3)
	d.Previous = second
	s.mustDeliver(d)
	s.want(r, moved, gone)
}

// texts: letters of any alphabet, and what breaks sloppy encoders.
func texts(s *suite) {
	r := Sample(2)
	r.Subject = `Wärmepumpe "Süd" <b>&amp; 'Ost' – 東京 🚚 \ {"x":1}`
	r.Body = "Zeile 1\nZeile 2 ]]> &#13; <!-- -->\n\tEinzug " + strings.Repeat("ä", 500)
	r.JobNo, r.TaskNo = "JOB/2+3 & Co", "T 'x'"
	s.mustDeliver(Delivery(r, 1))
	s.want(r)
}

// times: instants stay what they are across changes of summer time, on whole days
// and over midnight.
func times(s *suite) {
	var all []Record
	for i, span := range [][2]time.Time{
		{time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC), time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)},   // spring forward in Europe
		{time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)}, // fall back
		{time.Date(2026, 6, 1, 22, 0, 0, 0, time.UTC), time.Date(2026, 6, 2, 22, 0, 0, 0, time.UTC)},     // a whole day in Brussels
		{time.Date(2026, 12, 31, 23, 15, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 45, 0, 0, time.UTC)},  // over the year's end
		{time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)},   // no length
	} {
		r := Sample(10 + i)
		r.Start, r.End = span[0], span[1]
		s.mustDeliver(Delivery(r, 1))
		all = append(all, r)
	}
	s.want(all...)
}

// minimal: what the board has not said is not invented.
func minimal(s *suite) {
	r := Sample(3)
	r.Body, r.Assignees, r.SourceType = "", nil, ""
	r.SentFromBackOffice = true
	s.mustDeliver(Delivery(r, 1))
	s.want(r)
}

// sameKeyTwice: the worker may send a delivery again that has arrived; how much
// comes of it is what the connector says of itself.
func sameKeyTwice(s *suite) {
	r := Sample(4)
	r.Operation = backoffice.Update
	d := Delivery(r, 1)
	s.mustDeliver(d)
	d.Attempt = 2
	s.mustDeliver(d)
	switch n := s.count(r.Appointment); {
	case s.h.Connector.Traits().Idempotent && n != 1:
		s.Errorf("%d deliveries stand there, though the same key is taken once", n)
	case n < 1 || n > 2:
		s.Errorf("%d deliveries stand there after two", n)
	}
}

// deleteUnknown: a delete of what the back office never had is done, or refused for
// good, but nothing to try for ever.
func deleteUnknown(s *suite) {
	r := Sample(5)
	r.Operation = backoffice.Delete
	if _, err := s.deliver(Delivery(r, 1)); err != nil {
		f := s.permanent(err)
		if f.WholeTarget {
			s.Errorf("%v stops the whole connector", err)
		}
	}
}
