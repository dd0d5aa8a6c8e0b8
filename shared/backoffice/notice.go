package backoffice

import (
	"context"

	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// Where the planner's notification stands (Link.Notice): the step is stored before
// it is taken, and is safe twice.
const (
	noticeShow  = "show"
	noticeShown = "shown"
	noticeHide  = "hide"
)

// noticeCode is the key of our notification of an appointment and a connector.
const noticeCode = "DELIVERY"

// notify shows the planner that a delivery has failed, or takes that away. A
// board that can not be reached is asked again later.
func (s *session) notify(ctx context.Context, l *store.Link) error {
	show := l.Notice == noticeShow
	graph := l.Wanted.Graph
	if len(graph) == 0 && l.Sent != nil {
		graph = l.Sent.Graph
	}
	a, err := s.Decode(graph)
	if err == nil && !s.settings.SilentPlanner && !(l.Wanted.Deleted && !show) {
		a.Guid = l.Appointment
		n := dimescheduler.Notification{Appointment: a, Connector: s.id, Severity: dimescheduler.Error, Code: noticeCode, At: s.Now()}
		if show {
			n.Text = "[" + l.FailureCode + "] not delivered to " + s.name() + ": " + l.FailureText
			if failedThere(l) {
				n.Text = "[" + l.FailureCode + "] accepted by " + s.name() + ", and failed there: " + l.FailureText
			}
			err = s.Board.UpsertNotification(ctx, n)
		} else {
			err = s.Board.DeleteNotification(ctx, n)
		}
	} else {
		err = nil // there is nothing to show it on
	}
	f := fault.Of(err)
	if err != nil && f.Reason == fault.Canceled && ctx.Err() != nil {
		return err
	}
	if err != nil {
		s.log.WarnContext(ctx, "the planner could not be notified", "appointment", l.Appointment, "error", err)
	}
	return s.put(ctx, l, func(l *store.Link) {
		switch {
		case err != nil && f.Kind == fault.Transient:
			l.DueAt = s.Now().Add(target.Backoff(l.Appointment, 6, err))
			return
		case show && l.Notice == noticeShow:
			l.Notice = noticeShown
		case !show && l.Notice == noticeHide:
			l.Notice = ""
		}
		schedule(l, s.Now())
	})
}

func (s *session) name() string {
	if s.entry != nil && s.entry.Config.Name != "" {
		return s.entry.Config.Name
	}
	return s.id
}
