package exchange

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/store"
)

// adoptable is what a decision on whose events these are looks at.
type adoptable struct {
	mailbox string
	now     time.Time
	// events is all that the calendar shows in the window, with marks, and without
	// the words that may not be seen; looks has what they look like to their owner,
	// by event id, to be compared and forgotten.
	events []calendar.Event
	looks  map[string]looks
	// board is the board's list for the mailbox's resources.
	board []appointment.Appointment
	// links are those of the mailbox: none if it is new, or the tables were lost.
	links []*store.Link
	// asked is what the board says of appointments that our marks name and its
	// list lacks.
	asked map[string]answer
	// kept are the appointments that a rule keeps from Outlook, by Guid, and what it
	// says of them.
	kept map[string]string
	// born reports whether an event of nobody's becomes an appointment.
	born func(calendar.Event) bool
}

// answer is what the board says of one appointment: that it is there, that it is
// gone, or (neither) nothing that could be relied on.
type answer struct {
	appointment *appointment.Appointment
	gone        bool // or not assigned here any more
}

// match is an event that is an appointment's.
type match struct {
	appointment appointment.Appointment
	event       calendar.Event
	mark        *marking // ours on this event; nil = it carries none
	linked      bool     // by a link that is there
	why         string
	kept        string // what the rule says that keeps the appointment from Outlook
}

// single is an event that is nobody's, or not any more.
type single struct {
	event      calendar.Event
	guid       string // of the appointment that it was, or looks like
	generation int
	why        string
}

// adoption is whose events these are (issue 4, moving in): by our property, by
// the id under which the board knows the event, else by subject, start and end,
// one to one.
type adoption struct {
	matches []match
	kept    []match                   // left alone, as a rule keeps the appointment back
	create  []appointment.Appointment // without an event
	remove  []single                  // ours, of an appointment that is gone
	left    []single                  // left alone, and a person should look
	toBoard []calendar.Event
	away    []appointment.Appointment // masked, and no event here is theirs: none is made
}

// Why an event is whose: for administrators, without content.
const (
	whyLinked   = "linked before"
	whyMark     = "carries our mark"
	whyBoard    = "the board knows the event by its id"
	whySame     = "same subject, start and end"
	whyGone     = "made by us, and its appointment is deleted or not assigned any more"
	whySecond   = "made by us, a second event of the appointment"
	whyPast     = "its appointment is deleted or not assigned any more, but it is over: it stays"
	whyGuests   = "its appointment is gone, but the event has attendees"
	whyUnknown  = "carries our mark, and the board does not say what became of its appointment"
	whyTwin     = "looks the same as an event that is adopted"
	whyKept     = "a rule keeps its appointment from Outlook: the event is left as it stands"
	whyCapped   = "made by us, and its appointment is deleted or not assigned any more, as are so many that a person is asked"
	whyForeign  = "a copy of somebody else's meeting that looks the same as an appointment: it can not be written, the appointment gets an event of its own"
	whyMasked   = "a private event at the time of an appointment that only says that it is private"
	whyAway     = "made in Outlook of a private event that can not be told any more: no event is made that says so"
	whyNew      = "no event is the appointment's"
	whyPersonal = "made in Outlook"
)

// adopting is an adoption under way.
type adopting struct {
	adoptable
	adoption
	open   map[string]appointment.Appointment // appointments without an event yet
	all    map[string]appointment.Appointment
	paired map[string]bool // by Guid: has an event
}

// adopt decides. It depends on nothing but its input, and gives the same whatever
// the order of it.
func adopt(in adoptable) adoption {
	a := &adopting{adoptable: in, open: map[string]appointment.Appointment{}, all: map[string]appointment.Appointment{}, paired: map[string]bool{}}
	for _, x := range in.board {
		a.open[x.Guid], a.all[x.Guid] = x, x
	}
	rest := slices.Clone(in.events)
	slices.SortFunc(rest, func(x, y calendar.Event) int { return cmp.Compare(x.ID, y.ID) })
	rest = a.byLink(rest)
	rest = a.byMark(rest)
	rest = a.byBoard(rest)
	rest = a.byLooks(rest)
	rest = a.byMask(rest)
	for _, e := range rest {
		if a.born(e) {
			a.toBoard = append(a.toBoard, e)
		}
	}
	for _, x := range a.open {
		_, kept := a.adoptable.kept[x.Guid]
		switch {
		case maskedBirth(x):
			a.away = append(a.away, x)
		case !kept:
			a.create = append(a.create, x)
		}
	}
	slices.SortFunc(a.away, func(x, y appointment.Appointment) int { return cmp.Compare(x.Guid, y.Guid) })
	slices.SortFunc(a.create, func(x, y appointment.Appointment) int { return cmp.Compare(x.Guid, y.Guid) })
	return a.adoption
}

// match pairs an event with its appointment. Rules take nobody's own event away,
// and of what was linked before they have been asked already.
func (a *adopting) match(m match) {
	if says, kept := a.adoptable.kept[m.appointment.Guid]; kept && !m.ofOutlook() && !m.linked {
		m.why, m.kept = whyKept, says
		a.adoption.kept = append(a.adoption.kept, m)
	} else {
		a.matches = append(a.matches, m)
	}
	a.paired[m.appointment.Guid] = true
	delete(a.open, m.appointment.Guid)
}

// byLink takes the events that links hold already.
func (a *adopting) byLink(events []calendar.Event) (rest []calendar.Event) {
	links := map[string]*store.Link{}
	for _, l := range a.links {
		if id := l.OutlookSeen.EventID; id != "" {
			links[id] = l
		}
	}
	for _, e := range events {
		l := links[e.ID]
		if l == nil {
			rest = append(rest, e)
			continue
		}
		delete(links, e.ID)
		x, assigned := a.open[l.Appointment]
		switch {
		case l.State == store.Hidden || l.State == store.Released && l.FailureCode != codeLeft:
			a.paired[l.Appointment] = true // not ours to touch, but the appointment's
			delete(a.open, l.Appointment)
		case assigned:
			a.match(match{appointment: x, event: e, linked: true, why: whyLinked})
		case l.State == store.Released || !l.Wanted.Absent:
			// Let go when the mailbox was left; or the board's next list decides (R27).
		default:
			a.unwanted(e, l.Appointment, l.Generation)
		}
	}
	return rest
}

// byMark takes the events that carry our transactionId, or a mark that was
// written on them. A copy that a person made is the person's (R26).
func (a *adopting) byMark(events []calendar.Event) (rest []calendar.Event) {
	for _, e := range events {
		m, marked := parseMark(e.Mark)
		guid, generation, created := ours(a.mailbox, e.TransactionID)
		switch {
		case created:
			if !marked || m.appointment != guid {
				m = marking{appointment: guid, generation: generation}
			}
		case !marked || !m.of(e.ID):
			rest = append(rest, e)
			continue
		}
		if x, open := a.open[m.appointment]; open {
			a.match(match{appointment: x, event: e, mark: &m, why: whyMark})
			continue
		}
		was := a.asked[m.appointment]
		switch {
		case a.paired[m.appointment] && created && e.Attendees == 0:
			a.remove = append(a.remove, single{e, m.appointment, m.generation, whySecond})
		case a.paired[m.appointment]:
			a.left = append(a.left, single{e, m.appointment, m.generation, whyTwin})
		case was.appointment != nil:
			a.match(match{appointment: *was.appointment, event: e, mark: &m, why: whyMark})
		case was.gone:
			a.unwanted(e, m.appointment, m.generation)
		default:
			a.left = append(a.left, single{e, m.appointment, m.generation, whyUnknown})
		}
	}
	return rest
}

// unwanted deals with an event of ours whose appointment is gone. What is over
// stays, so that nobody's past changes.
func (a *adopting) unwanted(e calendar.Event, guid string, generation int) {
	s := single{e, guid, generation, whyGone}
	_, end, timed := e.Content.Times()
	switch {
	case e.Attendees > 0:
		s.why = whyGuests // R29
	case !timed || !end.After(a.now):
		s.why = whyPast
	default:
		a.remove = append(a.remove, s)
		return
	}
	a.left = append(a.left, s)
}

// byBoard takes the events that the board knows by id, as another connector told it.
func (a *adopting) byBoard(events []calendar.Event) (rest []calendar.Event) {
	known := map[string]string{}
	for guid, x := range a.open {
		for _, id := range x.EventIDs {
			known[id] = guid
		}
	}
	for _, e := range events {
		x, open := a.open[cmp.Or(known[e.ID], known[e.ICalUID])]
		if !open || !mayAdopt(e) {
			rest = append(rest, e)
			continue
		}
		a.match(match{appointment: x, event: e, why: whyBoard})
	}
	return rest
}

// mayAdopt reports whether an event may become an appointment's by what others
// say of it: one that is on, and not a copy of somebody else's meeting.
func mayAdopt(e calendar.Event) bool {
	return e.Type != calendar.Master && !e.Cancelled && !e.Declined && e.Organizer
}

// byLooks takes the events that show the same subject, start and end as an
// appointment: as many as there are such appointments, in the order of their ids.
func (a *adopting) byLooks(events []calendar.Event) (rest []calendar.Event) {
	open := map[looks][]string{}
	planned := map[looks]bool{}
	for guid, x := range a.all {
		l, ok := looksOf(outlookForm(&store.Link{}, x.Content))
		planned[l] = planned[l] || ok
		if _, free := a.open[guid]; free && ok {
			open[l] = append(open[l], guid)
		}
	}
	for _, guids := range open {
		slices.Sort(guids)
	}
	for _, e := range events {
		l, ok := a.looks[e.ID]
		switch {
		case !ok || !planned[l] || e.Type == calendar.Master || e.Cancelled || e.Declined:
			rest = append(rest, e)
		case !e.Organizer:
			a.left = append(a.left, single{event: e, why: whyForeign})
		case len(open[l]) == 0:
			a.left = append(a.left, single{event: e, why: whyTwin})
		default:
			a.match(match{appointment: a.open[open[l][0]], event: e, why: whySame})
			open[l] = open[l][1:]
		}
	}
	return rest
}

// maskedBirth reports an appointment that was made of an event whose words nobody
// but its owner may see.
//
// Guess: reads of the board need not show CreatedByExchange. One of no task that
// shows the mask and nothing else counts, too: nobody plans with these words.
func maskedBirth(x appointment.Appointment) bool {
	if x.Content[appointment.Subject] != MaskedSubject {
		return false
	}
	return x.CreatedByExchange || x.TaskNo == "" && len(x.Content.Differs(mask)) == 0
}

// ofOutlook reports a match whose appointment was made of the event.
func (m match) ofOutlook() bool {
	return m.event.TransactionID == "" && (m.appointment.CreatedByExchange || m.mark == nil && maskedBirth(m.appointment))
}

// byMask takes the private events that stand where an appointment does that says
// nothing but that it is private: it can not have come from another's words. Which
// of several at the same time is whose makes no difference, as all show the same.
func (a *adopting) byMask(events []calendar.Event) (rest []calendar.Event) {
	open := map[looks][]string{}
	for guid, x := range a.open {
		if l, ok := looksOf(outlookForm(&store.Link{}, x.Content)); ok && maskedBirth(x) {
			l.subject = ""
			open[l] = append(open[l], guid)
		}
	}
	for _, guids := range open {
		slices.Sort(guids)
	}
	for _, e := range events {
		l := a.looks[e.ID]
		l.subject = ""
		sensitivity := e.Content[appointment.Sensitivity]
		if e.Flow == appointment.Open || sensitivity != "private" && sensitivity != "confidential" || e.Type == calendar.Master || len(open[l]) == 0 {
			rest = append(rest, e)
			continue
		}
		a.match(match{appointment: a.open[open[l][0]], event: e, why: whyMasked})
		open[l] = open[l][1:]
	}
	return rest
}

// looks is by what a person would call two entries the same.
type looks struct {
	subject    string
	start, end time.Time
}

func looksOf(c appointment.Content) (looks, bool) {
	start, end, ok := c.Times()
	subject, known := c[appointment.Subject]
	return looks{strings.Join(strings.Fields(subject), " "), start.Truncate(time.Minute), end.Truncate(time.Minute)}, ok && known
}
