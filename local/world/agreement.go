package world

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
)

// markProperty is the named property that the app puts on every event it makes;
// its value begins with the appointment's Guid and a bar. It is written here
// again, as seen from outside: the app must never change it, for the events of
// all customers carry it.
const markProperty = "String {a2d94b1c-6b0e-4d0f-9a53-3f2f6c1e7d84} Name DimeSchedulerAppointment"

// Card is what a person sees of one appointment, on either side.
type Card struct {
	Subject, Body, Importance string
	Start, End                time.Time
}

func (c Card) String() string {
	return fmt.Sprintf("%q %s-%s", c.Subject, c.Start.Format("02 Jan 15:04"), c.End.Format("15:04"))
}

// Differences compares board and Outlook and says, in words for a person, what
// differs; nothing if they agree.
//
// For each resource that takes part, the appointments on the board and the
// events in the calendar must be the same, by subject, body, times and
// importance, as often on one side as on the other. And each appointment must
// have exactly one event in each calendar that it belongs to, and no other; one
// of the category Placeholder has none, for the rules keep it out. A series
// counts as its occurrences. Private events that were born in Outlook stay there
// and are left out.
func Differences(board *boardsim.Board, graph *graphsim.Server) []string {
	var found []string
	for _, r := range board.Resources() {
		if r.ExchangeIntegrationEnabled && r.Email != "" {
			found = append(found, compare(r, board.List(time.Time{}, time.Time{}, r.ResourceNo), calendar(graph, r.Email))...)
		}
	}
	return found
}

// Differences compares the board with Outlook and with every back office.
func (w *World) Differences() []string {
	found := Differences(w.Board, w.Graph)
	for _, l := range w.Ledgers() {
		found = append(found, LedgerDifferences(w.Board, l)...)
	}
	return found
}

// calendar are a person's events, series as their occurrences. A series without
// an end is seen for a year.
func calendar(graph *graphsim.Server, user string) []graphsim.Event {
	var events []graphsim.Event
	for _, e := range graph.Events(user) {
		if e.Recurrence == nil {
			events = append(events, e)
			continue
		}
		for _, o := range graph.View(user, e.Start, e.Start.AddDate(1, 0, 0)) {
			if o.SeriesMasterID == e.ID {
				events = append(events, o)
			}
		}
	}
	return events
}

func compare(r boardsim.Resource, planned []boardsim.Appointment, events []graphsim.Event) []string {
	var found []string
	differ := func(format string, args ...any) {
		found = append(found, r.ResourceNo+": "+fmt.Sprintf(format, args...))
	}
	marked := map[string][]string{} // event ids by the appointment they are marked with
	inCalendar := map[string]bool{}
	masked := map[string]bool{} // appointments whose event a person has made private
	count := map[Card]int{}
	for _, e := range events {
		guid := markOf(e)
		private := e.Sensitivity == "private" || e.Sensitivity == "confidential"
		switch {
		case private && guid == "":
			continue
		case private:
			masked[guid] = true
		default:
			count[eventCard(e)]--
		}
		inCalendar[e.ID] = true
		if guid != "" {
			marked[guid] = append(marked[guid], e.ID)
		}
	}
	for _, a := range planned {
		if a.Category == Placeholder {
			if ids := eventsOf(a, r, marked, inCalendar); len(ids) > 0 {
				differ("%s is a placeholder and has an event", appointmentCard(a))
			}
			delete(marked, a.GUID)
			continue
		}
		if !masked[a.GUID] {
			count[appointmentCard(a)]++
		}
		switch ids := eventsOf(a, r, marked, inCalendar); len(ids) {
		case 1:
		case 0:
			differ("%s has no event", appointmentCard(a))
		default:
			differ("%s has %d events", appointmentCard(a), len(ids))
		}
		delete(marked, a.GUID)
	}
	for guid := range marked {
		differ("an event is marked with appointment %s, which is not planned for this resource", guid)
	}
	for card, n := range count {
		switch {
		case n > 0:
			differ("%s is %d times more on the board than in Outlook", card, n)
		case n < 0:
			differ("%s is %d times more in Outlook than on the board", card, -n)
		}
	}
	slices.Sort(found)
	return found
}

// eventsOf are the ids of the events in the calendar that belong to the
// appointment: those marked with it, and the one it was born from.
func eventsOf(a boardsim.Appointment, r boardsim.Resource, marked map[string][]string, inCalendar map[string]bool) []string {
	ids := slices.Clone(marked[a.GUID])
	for _, m := range a.Mappings {
		if strings.EqualFold(m.ResourceEmail, r.Email) && inCalendar[m.ExchangeID] && !slices.Contains(ids, m.ExchangeID) {
			ids = append(ids, m.ExchangeID)
		}
	}
	return ids
}

// markOf is the Guid of the appointment that the event was made for, or "".
func markOf(e graphsim.Event) string {
	value, _ := e.Property(markProperty)
	guid, _, _ := strings.Cut(value, "|")
	return strings.ToLower(guid)
}

func eventCard(e graphsim.Event) Card {
	return Card{line(e.Subject), text(e.Text()), e.Importance, e.Start.UTC().Truncate(time.Second), e.End.UTC().Truncate(time.Second)}
}

func appointmentCard(a boardsim.Appointment) Card {
	return Card{line(a.Subject), text(a.Body), ImportanceName(a.Importance), a.Start.UTC().Truncate(time.Second), a.End.UTC().Truncate(time.Second)}
}

// ImportanceName is Outlook's word for the board's importance.
func ImportanceName(n int) string {
	switch n {
	case boardsim.ImportanceHigh:
		return "high"
	case boardsim.ImportanceLow:
		return "low"
	}
	return "normal"
}

// line and text leave out what nobody sees: blanks at the ends.
func line(s string) string { return strings.TrimSpace(s) }

func text(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(strings.ReplaceAll(lines[i], "\u00a0", " "), " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
