package exchange

import (
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/merge"
	"github.com/dime-scheduler/connectors/shared/store"
)

// takeMatch makes a match's event the link's. It returns what was decided on fields
// that both sides have changed since they last agreed. It depends on nothing but
// the link and the match, and changes nothing the second time.
func (s *session) takeMatch(l *store.Link, p match, before appointment.Version) (conflicts []string) {
	if id := l.OutlookSeen.EventID; id == p.event.ID {
		s.want(l, p.appointment, before)
		if p.linked && l.State == store.Released && l.FailureCode == codeLeft {
			l.State, l.FailureCode, l.FailureText = store.Agreed, "", ""
		}
		if l.State != store.Released && l.State != store.Hidden {
			finding(l, calendar.Item{Event: p.event}, s.Now())
			proceed(l, s.Now())
		}
		return nil
	} else if id != "" {
		return nil // it got another since
	}
	l.Origin = store.Board
	if p.ofOutlook() {
		l.Origin = store.Outlook
	}
	l.Unmarked = l.Origin == store.Board && p.mark == nil && p.event.Series == ""
	if p.mark != nil {
		l.Generation = max(l.Generation, p.mark.generation)
	}
	l.Sent, l.BoardSent, l.Inbound, l.BoardMissing = nil, nil, nil, time.Time{}
	l.State, l.Attempts, l.FailureCode, l.FailureText = store.Agreed, 0, "", ""
	if !s.want(l, p.appointment, before) && l.Wanted.Absent {
		l.Wanted.Content = l.Wanted.Content.With(p.appointment.Content)
	}
	board, shown := p.appointment.Content, p.event.Content
	l.BoardSeen = store.BoardSeen{Version: l.Wanted.Version, ID: p.appointment.ID, Number: p.appointment.Number, Content: board.With(nil)}
	l.OutlookSeen = store.OutlookSeen{}
	saw(&l.OutlookSeen, p.event)
	flow := p.event.Flow
	if flow == appointment.Unclear {
		flow = appointment.Withheld
	}
	see(l, flow, shown)
	if masked(l.Origin, l.Flow) && board[appointment.Subject] != MaskedSubject {
		l.Flow = appointment.Open // the board shows words that it may not: they are erased as those of any that became private
	}
	news := false
	for f := range board.With(shown) {
		b, bKnown := board[f]
		o, oKnown := shown[f]
		if !bKnown || !oKnown || sameByDesign(f, outlookForm(l, appointment.Content{f: b})[f], o) {
			continue
		}
		byBoard, inOutlook := s.whoChanged(l, p, f, b, o)
		if byBoard && inOutlook {
			conflicts = append(conflicts, "both sides changed "+string(f)+" while nobody kept account of it: "+string(s.winner())+" wins (board "+
				appointment.Content{f: b}.Digest()+", Outlook "+appointment.Content{f: o}.Digest()+")")
			byBoard, inOutlook = s.winner() != merge.Outlook, s.winner() == merge.Outlook
		}
		// A side's shadow that differs from what it shows is what makes its word a
		// change; the other side's value stands for what both once agreed on.
		if byBoard {
			l.BoardSeen.Content[f] = o
		}
		if inOutlook {
			l.OutlookSeen.Content[f] = b
			news = true
		}
	}
	if news {
		in := p.event
		l.Inbound = &store.Inbound{
			ETag: in.ETag, Modified: in.Modified, ICalUID: in.ICalUID, Content: shown, Attendees: in.Attendees,
			Organizer: in.Organizer, Cancelled: in.Cancelled, Declined: in.Declined, Flow: in.Flow, Found: s.Now(),
		}
		l.DueAt = s.Now()
		return conflicts
	}
	l.DueAt = time.Time{}
	proceed(l, s.Now())
	return conflicts
}

func (s *session) winner() merge.Side {
	if s.settings.Wins == merge.Outlook {
		return merge.Outlook
	}
	return merge.Board
}

// whoChanged tells of a field that differs which side's value is news. The mark
// tells it where it holds what both had agreed on. Where it does not, the policy
// decides on what people plan by; the text of an event that we did not make
// stays as it stands until somebody changes it.
func (s *session) whoChanged(l *store.Link, p match, f appointment.Field, board, outlook string) (byBoard, inOutlook bool) {
	if p.mark != nil {
		if byBoard, inOutlook, known := p.mark.changed(l, f, board, outlook); known {
			return byBoard, inOutlook
		}
	}
	switch f {
	case appointment.When, appointment.Subject:
		return true, true
	case appointment.Body, appointment.Importance:
		return p.mark != nil, p.mark != nil
	}
	return false, false
}
