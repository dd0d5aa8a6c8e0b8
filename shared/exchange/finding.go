package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// transactionID is what we give an event that we create: the same for the same
// link and generation, so that creating it twice makes one (R13; graph.md B2).
func transactionID(mailbox, guid string, generation int) string {
	return fmt.Sprintf("ds-%s-%s-%d", guid, mailbox, generation)
}

// ours reads a transactionId back; ok only if we made it for this mailbox.
func ours(mailbox, id string) (guid string, generation int, ok bool) {
	rest, ours := strings.CutPrefix(id, "ds-")
	i := strings.LastIndexByte(rest, '-')
	if !ours || i < 0 {
		return "", 0, false
	}
	guid, ours = strings.CutSuffix(rest[:i], "-"+mailbox)
	generation, err := strconv.Atoi(rest[i+1:])
	return guid, generation, ours && err == nil
}

// shows reports whether an event may show on the board at all.
func shows(e calendar.Event) bool { return e.Flow == appointment.Open || e.Flow == appointment.Masked }

// finding puts what a read found of an event into its link. A side has changed
// iff it differs from its own shadow (R20); what does not is an echo, and only
// its etag and time are kept (R21).
func finding(l *store.Link, it calendar.Item, began time.Time) {
	unhold(l, heldOutlook) // seen, or known to be gone by better evidence than absence
	seen := &l.OutlookSeen
	if it.Removed {
		if seen.EventID != "" {
			l.Inbound = &store.Inbound{Removed: true, Found: began}
			l.DueAt = began
		}
		return
	}
	if it.Modified.Before(seen.Modified) {
		return // R18
	}
	now, flow := it.Content, it.Flow // without what may not be seen, see judged
	if flow == appointment.Unclear {
		flow = l.Flow
	}
	if l.State == store.Released {
		saw(seen, it.Event) // not ours any more, whatever becomes of its guests (R29)
		see(l, flow, now)
		l.Inbound = nil
		return
	}
	if flow == appointment.Open && l.Flow != appointment.Open && l.Origin == store.Board {
		reopen(l, now)
	}
	if l.State == store.Hidden && flow == appointment.Withheld ||
		l.State != store.Hidden && flow == l.Flow && len(changedFields(seen.Content, now)) == 0 && seen.Content != nil {
		saw(seen, it.Event)
		adoptFields(seen, now)
		l.Inbound = nil // whatever was found before is no more
		return
	}
	l.Inbound = &store.Inbound{
		ETag: it.ETag, Modified: it.Modified, ICalUID: it.ICalUID, Content: now,
		Attendees: it.Attendees, Organizer: it.Organizer, Cancelled: it.Cancelled, Declined: it.Declined, Found: began,
		Flow: flow,
	}
	l.DueAt = began
	if l.State != store.Failed && l.State != store.Hidden {
		l.State = store.Pending
	}
}

// changedFields are the fields whose value is another than the shadow's. One
// that the shadow does not know yet is none of them (R40).
func changedFields(shadow, now appointment.Content) []appointment.Field {
	var out []appointment.Field
	for _, f := range shadow.Differs(now) {
		if _, known := shadow[f]; known {
			out = append(out, f)
		}
	}
	return out
}

func adoptFields(seen *store.OutlookSeen, now appointment.Content) {
	seen.Content = now.With(seen.Content)
}

// saw keeps what identifies the state of the event that was seen, no content.
func saw(seen *store.OutlookSeen, e calendar.Event) {
	seen.EventID, seen.ETag, seen.Modified = e.ID, e.ETag, e.Modified
	seen.Attendees, seen.Organizer = e.Attendees, e.Organizer
	seen.Series, seen.Original = e.Series, e.Original
	if e.ICalUID != "" {
		seen.ICalUID = e.ICalUID
	}
}

// take makes an event that we created the link's, after a create whose answer
// was lost: fields that show what we sent are agreed, all else was changed by a
// person since and is a finding (R12, R14).
func take(l *store.Link, e calendar.Event) {
	if l.Wanted.Version.IsZero() && l.Sent == nil {
		// Our tables were lost: what stands there is taken as it is (R40).
		l.Origin = store.Board
		l.OutlookSeen.Content = e.Content.Clone()
		if e.Flow != appointment.Unclear {
			l.Flow = e.Flow
		}
		saw(&l.OutlookSeen, e)
		return
	}
	sent := l.Wanted.Content
	if l.Sent != nil && l.Sent.Op == string(calendar.Create) {
		sent = l.Sent.Content
	}
	sent = defaults.With(sent)
	l.OutlookSeen.Content = appointment.Content{}
	saw(&l.OutlookSeen, e)
	l.BoardSeen.Content = l.BoardSeen.Content.With(sent)
	for f, told := range outlookForm(l, sent) {
		// Words that may not be seen count as those that we sent.
		l.OutlookSeen.Content[f] = told
		if sameByDesign(f, told, e.Content[f]) {
			l.OutlookSeen.Content[f] = e.Content[f]
		}
	}
	l.Sent = nil
}

// defaults are the fields of a new event of which the board has said nothing (R9).
var defaults = appointment.Content{
	appointment.Subject:     "",
	appointment.Body:        "",
	appointment.Importance:  "normal",
	appointment.ShowAs:      "busy",
	appointment.Sensitivity: "normal",
}

// sameByDesign reports whether a side that was told the value sent shows it,
// given how both sides are known to rewrite: Exchange rebuilds white space of
// bodies and renames zones, the board may cut texts and seconds [INFER].
func sameByDesign(f appointment.Field, sent, shown string) bool {
	if sent == shown {
		return true
	}
	switch f {
	case appointment.TimeZone:
		return true
	case appointment.Categories:
		return appointment.SameCategories(sent, shown)
	case appointment.Subject, appointment.Body:
		a, b := strings.Join(strings.Fields(sent), " "), strings.Join(strings.Fields(shown), " ")
		return a == b || b != "" && len(b) >= minCut && strings.HasPrefix(a, b)
	case appointment.When:
		if appointment.Same(f, sent, shown) {
			return true
		}
		s1, e1, err1 := appointment.ParseInterval(sent)
		s2, e2, err2 := appointment.ParseInterval(shown)
		return err1 == nil && err2 == nil && s1.Truncate(time.Minute).Equal(s2.Truncate(time.Minute)) &&
			e1.Truncate(time.Minute).Equal(e2.Truncate(time.Minute))
	}
	return false
}

// minCut is the least length at which the start of a text counts as the text
// cut by the other side: shorter ones are rather a person's.
const minCut = 50
