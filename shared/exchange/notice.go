package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// noticeAfter is how long a link may keep failing, though it is tried again by
// itself, before its planner is told.
const noticeAfter = 2 * time.Hour

// noticeOf is the code that the planner is to see on the appointment for this
// resource, "" = none: it follows from the link alone, so that it comes and goes
// whoever mends the link.
func noticeOf(l *store.Link, now time.Time) (code string, severity dimescheduler.Severity) {
	switch {
	case !boardKnows(l) || plannerSentence(l.FailureCode) == "":
		return "", 0
	case l.State == store.Failed:
		return l.FailureCode, dimescheduler.Error
	case l.Attempts > 0 && !l.FailingSince.IsZero() && now.Sub(l.FailingSince) >= noticeAfter:
		return l.FailureCode, dimescheduler.Warning
	}
	return "", 0
}

// plannerSentence is what planners are told of a failure; "" = nothing.
func plannerSentence(code string) string {
	if published.MatchString(code) && Explain(code).Sentence == "" {
		code = codeBoardRefused // one of the board's own
	}
	return Explain(code).Planner
}

// failing notes in the link that it fails, and since when.
func failing(l *store.Link, now time.Time) {
	if l.Attempts == 0 || l.FailingSince.IsZero() {
		l.FailingSince = now
	}
}

// onlyNotice reports that a failed link is due for its notification and nothing
// else: it is not to be written again.
func onlyNotice(l *store.Link) bool {
	return l.State == store.Failed && !l.Planner.Due.IsZero() && l.DueAt.Equal(l.Planner.Due)
}

// notices brings the board's notifications up to date for links that were just
// dealt with. They are for people: no failure of theirs stops anything.
func (s *session) notices(ctx context.Context, due []*store.Link) error {
	for _, l := range due {
		if l.Planner == (store.PlannerNotice{}) && !s.failed[l.Appointment] {
			continue
		}
		delete(s.failed, l.Appointment)
		if err := s.notice(ctx, l.Appointment); err != nil {
			return err
		}
	}
	return nil
}

// staleNotices finds notifications that are not as they should be, among all links
// of the mailbox: those of which a process died before it told the board.
func (s *session) staleNotices(ctx context.Context, links []*store.Link) error {
	for _, l := range links {
		code, _ := noticeOf(l, s.Now())
		if code == l.Planner.Shown && (code == "" || l.Planner.Done) {
			continue
		}
		if err := s.notice(ctx, l.Appointment); err != nil {
			return err
		}
	}
	return nil
}

// notice shows or clears the notification of one link. What the board may show is
// stored before it is told, so that it is taken away again whatever dies in between;
// both calls have the same key each time (R12). The error is that of our own store.
func (s *session) notice(ctx context.Context, guid string) error {
	l, err := s.Store.Link(ctx, s.mailbox, guid)
	if errors.Is(err, store.ErrNotFound) {
		return nil // renamed
	}
	if err != nil {
		return err
	}
	want, severity := noticeOf(l, s.Now())
	if l.Planner.Shown != "" && l.Planner.Shown != want {
		failed := s.Board.DeleteNotification(ctx, s.notification(l, l.Planner.Shown))
		s.recordBoard(l, "clear notification", failed)
		if again, err := s.noticeLater(ctx, l, failed); again || err != nil {
			return err
		}
		if l, err = s.noticed(ctx, l, store.PlannerNotice{}); err != nil {
			return err
		}
	}
	if want == "" || l.Planner.Shown == want && l.Planner.Done {
		return nil
	}
	if l, err = s.noticed(ctx, l, store.PlannerNotice{Shown: want, Tries: l.Planner.Tries}); err != nil {
		return err
	}
	n := s.notification(l, want)
	a, failed := s.appointment(ctx, l)
	if failed == nil {
		n.Appointment, n.Severity, n.At = a, severity, s.Now()
		n.Text = plannerSentence(want)
		failed = s.Board.UpsertNotification(ctx, n)
		s.recordBoard(l, "notify", failed)
	}
	if again, err := s.noticeLater(ctx, l, failed); again || err != nil {
		return err
	}
	_, err = s.noticed(ctx, l, store.PlannerNotice{Shown: want, Done: true})
	return err
}

// notification names what the planner sees: one for each resource and code.
func (s *session) notification(l *store.Link, code string) dimescheduler.Notification {
	n := dimescheduler.Notification{Connector: plannerConnector + " " + s.mailbox, Code: code}
	n.Appointment.Guid, n.Appointment.ID = l.Appointment, l.BoardSeen.ID
	return n
}

// noticed stores what the board shows, as far as is known.
func (s *session) noticed(ctx context.Context, was *store.Link, n store.PlannerNotice) (*store.Link, error) {
	return s.Store.UpdateLink(ctx, s.mailbox, was.Appointment, func(l *store.Link) error {
		if l.ETag != "" {
			if onlyNotice(l) {
				l.DueAt = time.Time{}
			}
			l.Planner = n
		}
		return nil
	})
}

// noticeLater books another try if the board could not be told now. What it
// refuses for good is given up.
func (s *session) noticeLater(ctx context.Context, was *store.Link, failed error) (again bool, err error) {
	f := fault.Of(failed)
	switch {
	case failed == nil:
		return false, nil
	case isOurs(f):
		return true, failed
	case f.Kind == fault.Permanent && !f.WholeTarget:
		return false, nil // the appointment is gone, or the board has no notifications
	}
	s.log.WarnContext(ctx, "the planner's notification could not be brought up to date: tried again", "appointment", was.Appointment, "error", failed)
	if err := s.lower(ctx); err != nil {
		return true, err
	}
	_, err = s.Store.UpdateLink(ctx, s.mailbox, was.Appointment, func(l *store.Link) error {
		if l.ETag == "" {
			return nil
		}
		rests := l.DueAt.IsZero() || onlyNotice(l)
		l.Planner.Tries++
		l.Planner.Due = s.Now().Add(target.Backoff(l.Appointment, l.Planner.Tries+5, failed)) // minutes: nothing waits for it
		if rests {
			l.DueAt = l.Planner.Due
		}
		return nil
	})
	return true, err
}
