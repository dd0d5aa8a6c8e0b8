package exchange

import (
	"context"
	"strings"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// family is the tab under which people find this connector's transactions.
const family = "exchange"

// reasonWebsite is the reason of nudges that a person has caused.
const reasonWebsite = "website"

// timers are the reasons of nudges by which a timer makes good what was owed.
var timers = map[string]bool{"redrive": true, "sweep": true, "renewal": true, "resourcesync": true}

// sourceOf is the source of the transactions of a nudge (facts B.6).
func sourceOf(reason string) string {
	switch {
	case reason == reasonWebsite:
		return store.SourceWebsite
	case timers[reason]:
		return store.SourceTimer
	}
	return store.SourceService
}

// note keeps one transaction; the journal is written when the nudge ends.
func (s *session) note(t store.Transaction) {
	t.Family, t.Target, t.At = family, s.mailbox, s.Now()
	t.Invocation, t.Trace = s.cause.Invocation, s.cause.TraceID
	if t.Source == "" {
		t.Source = s.source
	}
	numbers := make([]string, len(s.resources))
	for i, r := range s.resources {
		numbers[i] = r.No
	}
	t.Resource = strings.Join(numbers, ",")
	s.journal = append(s.journal, t)
}

// record notes one decision.
func (s *session) record(guid, operation, status, code, text string) {
	s.note(store.Transaction{Appointment: guid, Operation: operation, Status: status, Code: code, Text: text})
}

// recordCall notes the call that was made last.
func (s *session) recordCall(t store.Transaction, err error, success string) {
	t.Status, t.Text = StatusSuccess, success
	if err != nil {
		c := Explain(codeOf(err))
		t.Code, t.Status, t.Text, t.Remote = c.ID, c.Status, c.Sentence, remoteOf(err)
	}
	t.Duration, t.Request, t.Client = s.last.took, s.last.ids.Request, s.last.ids.Client
	s.note(t)
}

// recordLink notes the call that was made last for a link.
func (s *session) recordLink(l *store.Link, operation string, batch int, err error, success string) {
	t := store.Transaction{Appointment: l.Appointment, Operation: operation, Attempt: l.Attempts + 1, Batch: batch}
	if l.Asked {
		t.Source = store.SourceWebsite
	}
	s.recordCall(t, err, success)
}

func (s *session) recordConflict(l *store.Link, text string) {
	s.record(l.Appointment, "merge", StatusConflict, codeConflict, text)
}

// recordWrite notes one write of a batch of that many.
func (s *session) recordWrite(l *store.Link, err error, batch int) {
	op := "write"
	if l.Sent != nil {
		op = l.Sent.Op
	}
	if calendar.Op(op) == calendar.Delete && gone(err) {
		err = nil
	}
	s.recordLink(l, op, batch, err, "sent to Outlook")
}

func (s *session) recordBoard(l *store.Link, op string, err error) {
	if turnedAwayByBoard(err) {
		return // no call was made
	}
	s.recordLink(l, op+" on board", 0, err, "sent to the board")
}

// flush writes the journal. It is for people: failing to write it must not undo
// the work that it tells of.
func (s *session) flush(ctx context.Context) {
	if len(s.journal) == 0 {
		return
	}
	if err := s.Store.Record(ctx, s.journal...); err != nil {
		s.log.WarnContext(ctx, "transactions could not be recorded", "count", len(s.journal), "error", err)
	}
	s.journal = nil
}

// begin prepares what a session notes of itself and of its calls.
func (s *session) begin(ctx context.Context, reason string) {
	s.cause, s.source = trace.Of(ctx), sourceOf(reason)
	s.Calendar = &judged{calendar: zoned{watchedCalendar{s.Worker.Calendar, s}, s.zone()}, filter: s.flowsBack}
	s.Board = watchedBoard{s.Worker.Board, s}
}
