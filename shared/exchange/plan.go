package exchange

import (
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/merge"
	"github.com/dime-scheduler/connectors/shared/routing"
	"github.com/dime-scheduler/connectors/shared/store"
)

// plan decides what the link's next write to Outlook is and puts it into Sent,
// the intent that is stored before the effect (R12); with nothing to write it
// puts the link to rest. It decides on the link alone, so that it may run again
// on a fresh row.
func plan(l *store.Link, now time.Time) {
	if l.Sent != nil || l.BoardSent != nil || l.Inbound != nil {
		return // first things first (R12, R24)
	}
	exists := l.OutlookSeen.EventID != ""
	switch {
	case l.State == store.Hidden && plannedAnew(l): // its words are read from the board first
	case l.State == store.Hidden || l.State == store.Released:
		l.DueAt = time.Time{}
	case l.Wanted.Version.IsZero():
		settle(l, store.Agreed) // born in Outlook, the board has not spoken yet
	case l.Wanted.Held != "" && l.Origin == store.Outlook:
		settle(l, store.Agreed) // the rules take nobody's own event away
	case l.Wanted.Held != "" && !exists:
		settle(l, store.Skipped)
		l.FailureCode, l.FailureText = routing.CodeRule, l.Wanted.Held
	case l.Wanted.Absent && !exists:
		settle(l, store.Gone)
	case l.Wanted.Absent && l.OutlookSeen.Attendees > 0:
		settle(l, store.Released) // R29
	case l.Wanted.Absent:
		send(l, calendar.Delete, nil, now)
	case !exists && masked(l.Origin, l.Flow):
		settle(l, store.Gone) // its words are not ours to make an event of (R22), see routing.planAnew
	case !exists:
		send(l, calendar.Create, defaults.With(l.Wanted.Content), now)
		l.State = store.Creating
	case !l.OutlookSeen.Organizer:
		agree(l)
		settle(l, store.Skipped) // somebody else's meeting: a copy is not ours to change
		l.FailureCode, l.FailureText = codeForeignMeeting, "the event is a copy of somebody else's meeting and is not written"
	default:
		out := merge.Fields(merge.Input{
			BoardSeen: l.BoardSeen.Content, Board: l.Wanted.Content,
			OutlookSeen: l.OutlookSeen.Content, Outlook: l.OutlookSeen.Content,
		})
		if appointment.IsCut(l.OutlookSeen.Content[appointment.Body], appointment.CutInOutlook) {
			delete(out.ToOutlook, appointment.Body) // the board has but the beginning of it (R22)
		}
		if masked(l.Origin, l.Flow) {
			out.ToOutlook = out.ToOutlook.Wordless() // R22
		}
		if l.Unmarked && len(out.ToOutlook) == 0 && l.OutlookSeen.Attendees == 0 {
			send(l, calendar.Patch, nil, now) // the mark alone
			return
		}
		if len(out.ToOutlook) == 0 {
			agree(l)
			settle(l, store.Agreed)
			return
		}
		if zone, ok := l.OutlookSeen.Content[appointment.TimeZone]; ok && out.ToOutlook[appointment.When] != "" && out.ToOutlook[appointment.TimeZone] == "" {
			out.ToOutlook[appointment.TimeZone] = zone // keep the event's own zone
		}
		send(l, calendar.Patch, out.ToOutlook, now)
	}
}

func send(l *store.Link, op calendar.Op, c appointment.Content, now time.Time) {
	l.State = store.Pending
	l.Sent = &store.Sent{Op: string(op), Generation: l.Generation, Version: l.Wanted.Version, Content: c, At: now}
}

// settle puts a link to rest.
func settle(l *store.Link, state store.State) {
	l.State, l.DueAt, l.Attempts = state, time.Time{}, 0
	l.FailureCode, l.FailureText = "", ""
	l.Asked = false
	if l.Refused = stillRefused(l); len(l.Refused) > 0 && state == store.Agreed {
		// The rest is dealt with, but the two differ: seen, and to be retried.
		l.State, l.FailureCode, l.FailureText = store.Failed, codeBoardRefused, Explain(codeBoardRefused).Sentence
	}
}

// stillRefused is what is left of a change that the board has refused: the fields
// in which the two sides still differ.
func stillRefused(l *store.Link) appointment.Content {
	out := appointment.Content{}
	for f, before := range l.Refused {
		board, shown := l.Wanted.Content[f]
		outlook, seen := l.OutlookSeen.Content[f]
		same := appointment.Same(f, board, outlook) || lossy(l, f, board) || strings.Join(strings.Fields(outlook), " ") == strings.Join(strings.Fields(board), " ")
		switch f {
		case appointment.Categories:
			same = true // the two lists differ by design
		case appointment.When:
			same = same || sameByDesign(f, outlook, board)
		}
		if shown && seen && !l.Wanted.Absent && !same {
			out[f] = before
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// agree makes the board's shadow what the board shows, where the two sides are
// brought together.
func agree(l *store.Link) {
	l.BoardSeen.Content = l.BoardSeen.Content.With(l.Wanted.Content)
	l.BoardSeen.Version = l.Wanted.Version
}

// lose takes the event off the link: it is gone from the calendar. An event that
// is made in its place is of the next generation (R13, R23).
func lose(l *store.Link) {
	l.Generation++
	l.OutlookSeen = store.OutlookSeen{Former: l.OutlookSeen.EventID, Series: l.OutlookSeen.Series}
	l.Inbound, l.Sent = nil, nil
}

// proceed plans again and keeps the plan if it says that nothing is left to
// do; else the link stays due and the next pass stores the next intent.
func proceed(l *store.Link, now time.Time) {
	next := *l
	plan(&next, now)
	if next.Sent == nil {
		*l = next
	} else {
		l.DueAt = now
	}
}

// write is the call that carries out the link's intent.
func write(l *store.Link, mailbox string) calendar.Write {
	w := calendar.Write{Op: calendar.Op(l.Sent.Op), Content: outlookForm(l, l.Sent.Content)}
	if w.Op == calendar.Create {
		w.TransactionID = transactionID(mailbox, l.Appointment, l.Sent.Generation)
	} else {
		w.ID, w.ETag = l.OutlookSeen.EventID, l.OutlookSeen.ETag
	}
	if w.Op != calendar.Delete {
		w.Mark = markOf(l, w.ID, l.Sent.Content)
	}
	return w
}

// landed puts the outcome of a write that succeeded into the link. Only fields
// that we sent are taken from the response: it may hold a person's edit that is
// not merged yet (R14).
func landed(l *store.Link, sent store.Sent, e calendar.Event, now time.Time) {
	l.Sent = nil
	l.Attempts, l.FailureCode, l.FailureText, l.Asked, l.Unmarked = 0, "", "", false, false
	op := calendar.Op(sent.Op)
	if op == calendar.Delete {
		lose(l)
		return
	}
	told := outlookForm(l, sent.Content)
	l.OutlookSeen.Content = l.OutlookSeen.Content.With(told)
	l.BoardSeen.Content = l.BoardSeen.Content.With(sent.Content)
	l.BoardSeen.Version = sent.Version
	l.State = store.Agreed
	saw(&l.OutlookSeen, e)
	for f := range told {
		// A create that was sent twice answers with the event as a person may
		// have changed it since the first; the answer to a PATCH is its effect.
		if shown, ok := e.Content[f]; ok && (op == calendar.Patch || sameByDesign(f, told[f], shown) || f == appointment.Body) {
			l.OutlookSeen.Content[f] = shown
		}
	}
	at, zone := told[appointment.When], told[appointment.TimeZone]
	if shown := e.Content[appointment.When]; !told.AllDay() && zone != "" && zone != utc && shown != "" && !sameByDesign(appointment.When, at, shown) {
		// Exchange reads our wall time in that zone as another instant, as its
		// rules of the zone differ from ours: write it again, in UTC.
		l.OutlookSeen.Content[appointment.When], l.OutlookSeen.Content[appointment.TimeZone] = shown, utc
		l.BoardSeen.Content[appointment.When] = shown
	}
	if op == calendar.Create {
		if e.Flow != appointment.Unclear {
			l.Flow = e.Flow // nobody has written anything into it yet
		}
		finding(l, calendar.Item{Event: e}, now)
	}
}

// utc is the zone in which a time can not be misread.
const utc = "UTC"
