package backoffice

import (
	"context"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

// A back office may accept a delivery and fail to work on it later (facts
// backoffice.md 0.2). Of a connector with Config.ReadStatus the link of what was
// accepted is looked at again: Told.ReadAt books the look, Told.State keeps what
// was seen. One that failed there counts as failed, is shown to the planner, and is
// looked at further, so that it clears itself once somebody has mended the cause over there.

// readPauses lie between the looks; the last one repeats.
var readPauses = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}

// readFor ends the looking, counted from when it was accepted.
const readFor = 7 * 24 * time.Hour

// codeFailedThere is that of a delivery which the back office accepted and then
// failed to work on: the incumbent, which does not look, has no code for it.
const codeFailedThere = CodeUndiagnosed

// nextRead is when the back office is asked next, a little apart for each
// appointment; zero = no more.
func nextRead(guid string, t *store.Told, now time.Time) time.Time {
	pause := readPauses[min(t.Reads, len(readPauses)-1)]
	at := now.Add(pause + target.Spread(guid, pause/4))
	if at.Sub(t.At) > readFor {
		return time.Time{}
	}
	return at
}

// readDue reports whether it is time to ask.
func readDue(l *store.Link, now time.Time) bool {
	return l.Told != nil && !l.Told.ReadAt.IsZero() && !l.Told.ReadAt.After(now)
}

// failedThere reports a link that failed because of what the back office made of
// what is wanted, and not because that could not be delivered.
func failedThere(l *store.Link) bool {
	return l.State == store.Failed && l.Sent == nil && !wants(l) && l.Told != nil && l.Told.State == string(FailedThere)
}

// readStatus asks the back office what it has made of what it accepted.
func (s *session) readStatus(ctx context.Context, l *store.Link) error {
	was := *l.Told
	s.calls++
	p, err := s.entry.Connector.Status(ctx, Receipt{ID: was.ID, Location: was.Location, BackOfficeID: was.BackOfficeID, Correlation: was.Correlation})
	f := fault.Of(err)
	if err != nil && (f.Reason == fault.Canceled && ctx.Err() != nil || f.WholeTarget) {
		return err
	}
	news := ""
	err2 := s.put(ctx, l, func(l *store.Link) {
		news = ""
		if l.Told == nil || !l.Told.At.Equal(was.At) {
			return // something newer was delivered meanwhile
		}
		t := *l.Told
		t.Reads++
		t.ReadAt = nextRead(l.Appointment, &t, s.Now())
		if err != nil {
			if f.Kind != fault.Transient {
				t.ReadAt = time.Time{} // it never will tell
			} else if at := s.Now().Add(f.RetryAfter); !t.ReadAt.IsZero() && t.ReadAt.Before(at) {
				t.ReadAt = at
			}
			l.Told = &t
			schedule(l, s.Now())
			return
		}
		if t.State != string(p.State) || t.StateText != clipped(p.Text) {
			news = t.State + ">" + string(p.State)
		}
		cleared := failedThere(l) && p.State == Processed
		t.State, t.StateText = string(p.State), clipped(p.Text)
		l.Told = &t
		s.judge(l, p, cleared, news != "")
	})
	if err2 != nil {
		return err2
	}
	s.reported(ctx, l, p, f, news)
	if err != nil && f.Reason == fault.RateLimit {
		return s.throttled(ctx, err)
	}
	return nil
}

// judge draws the conclusions of what was seen, in a link whose Told has it already.
func (s *session) judge(l *store.Link, p Processing, cleared, news bool) {
	current := l.Sent == nil && !wants(l)
	switch {
	case p.State == Waiting:
	case p.State == FailedThere && current && (l.State != store.Failed || failedThere(l)):
		l.State, l.FailureCode, l.FailureText = store.Failed, codeFailedThere, clipped(strings.TrimSpace(p.Text))
		if news {
			l.Notice = noticeShow
		}
	case p.State == FailedThere:
	case p.State == NoLongerThere && l.State == store.Failed:
		// Whoever removed the row has not said what became of the appointment.
		l.Told.ReadAt = time.Time{}
		l.Told.State = string(FailedThere)
	default:
		l.Told.ReadAt = time.Time{}
		if cleared {
			rest(l, s.Now())
			return
		}
	}
	schedule(l, s.Now())
}

// reported writes down what is news to people.
func (s *session) reported(ctx context.Context, l *store.Link, p Processing, f *fault.Error, news string) {
	switch {
	case f != nil:
		s.log.WarnContext(ctx, "status could not be read back", "appointment", l.Appointment, "code", codeOf(f), "error", f)
	case news == "":
	case p.State == FailedThere:
		text := "accepted by the back office, and failed there"
		if p.Text != "" {
			text += ": " + clipped(strings.TrimSpace(p.Text))
		}
		s.journal = append(s.journal, s.transaction(l.Appointment, "process", codeFailedThere, text, 0))
	case p.State == Processed && strings.HasPrefix(news, string(FailedThere)):
		s.journal = append(s.journal, s.transaction(l.Appointment, "process", "", "worked on by the back office after all", 0))
	}
}
