package exchange

import (
	"context"
	"strings"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/store"
)

// plannerConnector is under which name planners see what this connector tells them.
const plannerConnector = "Exchange"

// tellWorthy are the fields of planned appointments whose change in Outlook the
// planner is told of, and how the board calls them.
var (
	tellWorthy = []appointment.Field{appointment.When, appointment.Subject, appointment.Body, appointment.Importance}
	boardWords = map[appointment.Field]string{appointment.When: "time", appointment.Subject: "subject", appointment.Body: "text", appointment.Importance: "importance"}
)

// tellOf tells the planner what an open write to the board has changed of a
// planned appointment, as the read a shows. It comes before the write is put
// away: after a crash it is told again, which replaces the same notification.
func (s *session) tellOf(ctx context.Context, l *store.Link, a appointment.Appointment) {
	sent := l.BoardSent
	if l.Origin != store.Board || sent == nil || sent.Op != opUpsert {
		return
	}
	var changed []string
	for _, f := range tellWorthy {
		if told, ok := sent.Content[f]; ok && sameByDesign(f, told, a.Content[f]) {
			changed = append(changed, boardWords[f])
		}
	}
	if len(changed) > 0 {
		s.tell(ctx, a, codeResourceChanged, "The resource has changed this appointment in Outlook: "+strings.Join(changed, ", ")+".")
	}
}

// tell shows a sentence on the appointment. It is for people: that it can not be
// shown undoes nothing.
func (s *session) tell(ctx context.Context, a appointment.Appointment, code, text string) {
	err := s.Board.UpsertNotification(ctx, dimescheduler.Notification{
		Appointment: a, Connector: plannerConnector, Severity: dimescheduler.Info, Code: code, Text: text, At: s.Now(),
	})
	if err != nil {
		s.log.WarnContext(ctx, "the planner could not be told of a change", "appointment", a.Guid, "error", err)
	}
}

// tellUnassigned tells that the resource has deleted its event. What is left of
// the appointment, or else its task, carries the notification.
func (s *session) tellUnassigned(ctx context.Context, l *store.Link, a appointment.Appointment, left *appointment.Appointment) {
	if l.Origin != store.Board {
		return
	}
	if left == nil {
		if a.TaskNo == "" {
			return
		}
		a = appointment.Appointment{SourceApp: a.SourceApp, SourceType: a.SourceType, JobNo: a.JobNo, TaskNo: a.TaskNo}
	}
	s.tell(ctx, a, codeResourceChanged, "The resource has deleted this appointment in Outlook, and is not assigned to it any more.")
}
