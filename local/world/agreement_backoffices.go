package world

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
)

// LedgerDifferences compares the board with what stands in one back office, and
// says in words what differs; nothing if they agree.
//
// Each appointment of the back office's source app must stand there as on the
// board, by subject, task and times: in a company exactly once for each of its
// resources, at a webhook once with all of them. Resources of another source app
// do not count. Nothing else may stand there, but for what a webhook was told to
// be deleted.
func LedgerDifferences(board *boardsim.Board, l Ledger) []string {
	var found []string
	differ := func(format string, args ...any) {
		found = append(found, l.Name+": "+fmt.Sprintf(format, args...))
	}
	there := map[string][]Entry{}
	for _, e := range l.Entries {
		if !e.Deleted {
			there[e.key(l)] = append(there[e.key(l)], e)
		}
	}
	foreign := map[string]bool{}
	for _, r := range board.Resources() {
		foreign[r.ResourceNo] = r.SourceApp != "" && !strings.EqualFold(r.SourceApp, l.SourceApp)
	}
	for _, a := range board.List(time.Time{}, time.Time{}) {
		if !strings.EqualFold(a.SourceApp, l.SourceApp) || a.JobNo == "" {
			continue
		}
		a.Resources = slices.DeleteFunc(a.Resources, func(no string) bool { return foreign[no] })
		for _, want := range expected(l, a) {
			switch entries := there[want.key(l)]; {
			case len(entries) == 0:
				differ("%s is missing", want)
			case len(entries) > 1:
				differ("%s stands %d times", want, len(entries))
			case entries[0].String() != want.String():
				differ("%s stands as %s", want, entries[0])
			}
			delete(there, want.key(l))
		}
	}
	for _, entries := range there {
		differ("%s is not on the board", entries[0])
	}
	slices.Sort(found)
	return found
}

// expected are the entries that the appointment must have.
func expected(l Ledger, a boardsim.Appointment) []Entry {
	whole := Entry{Appointment: a.GUID, Resources: slices.Sorted(slices.Values(a.Resources)), Subject: a.Subject, JobNo: a.JobNo, TaskNo: a.TaskNo, Start: a.Start, End: a.End}
	if !l.PerResource {
		return []Entry{whole}
	}
	var each []Entry
	for _, no := range a.Resources {
		e := whole
		e.Resources = []string{no}
		each = append(each, e)
	}
	return each
}

// key tells entries of a ledger apart.
func (e Entry) key(l Ledger) string {
	if l.PerResource {
		return e.Appointment + " " + strings.Join(e.Resources, " ")
	}
	return e.Appointment
}

// String is the entry as a person sees it.
func (e Entry) String() string {
	card := Card{Subject: line(e.Subject), Start: e.Start.UTC().Truncate(time.Second), End: e.End.UTC().Truncate(time.Second)}
	return fmt.Sprintf("%s of %s/%s for %s", card, e.JobNo, e.TaskNo, strings.Join(e.Resources, ", "))
}
