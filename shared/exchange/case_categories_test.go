package exchange_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/routing"
)

// categories are the categories of a resource's event.
func (w *world) categories(no, subject string) string {
	w.t.Helper()
	return strings.Join(w.event(no, subject).Categories, ",")
}

func (w *world) person(no, subject string, change func(*graphsim.Event)) {
	w.t.Helper()
	_, err := w.graph.UpdateEvent(email(no), w.event(no, subject).ID, change)
	w.must(err)
	w.settle()
}

func TestCategoriesReachOutlook(t *testing.T) {
	w := withCategories(t, 1)
	a := w.plan("Repair", 1, "R1")
	w.must(w.board.Edit(a.GUID, marked("SERVICE")))
	w.settle()
	if got := w.categories("R1", "Repair"); got != "SERVICE" {
		t.Errorf("the event shows %q", got)
	}
	if got := w.graph.Categories(email("R1")); !slices.Equal(got, []graphsim.Category{{DisplayName: "SERVICE", Color: "preset0"}}) {
		t.Errorf("the mailbox's list: %v, want SERVICE in red", got)
	}
	// The person's own categories stay, whatever the board does.
	w.person("R1", "Repair", func(e *graphsim.Event) { e.Categories = []string{"Mine", "SERVICE", "zz"} })
	w.must(w.board.Edit(a.GUID, marked("HOLD")))
	w.settle()
	if got := w.categories("R1", "Repair"); got != "HOLD,Mine,zz" {
		t.Errorf("the event shows %q", got)
	}
	w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Category, a.Subject = "", "Repair" }))
	w.settle()
	if got := w.categories("R1", "Repair"); got != "Mine,zz" {
		t.Errorf("the event shows %q", got)
	}
	if n := len(w.graph.Categories(email("R1"))); n != 2 {
		t.Errorf("%d entries in the mailbox's list: none is ever deleted", n)
	}
	// One of ours that a person takes away stays away until the board's changes.
	w.must(w.board.Edit(a.GUID, marked("SERVICE")))
	w.settle()
	w.person("R1", "Repair", func(e *graphsim.Event) { e.Categories = []string{"Mine"} })
	w.must(w.board.Move(a.GUID, a.Start.Add(time.Hour), a.End.Add(time.Hour)))
	w.settle()
	if got := w.categories("R1", "Repair"); got != "Mine" {
		t.Errorf("the event shows %q", got)
	}
	if got := w.appointments()[0].Category; got != "SERVICE" {
		t.Errorf("the board shows %q: a category in Outlook is no word on the board's", got)
	}
	w.agree()
	w.quiet()
}

func TestCategoryLinks(t *testing.T) {
	w := withCategories(t, 1)
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Dentist", Start: start.Add(6 * time.Hour), End: start.Add(7 * time.Hour), IsOrganizer: true, Categories: []string{"Red work"}})
	w.must(err)
	a := w.plan("Repair", 1, "R1")
	w.must(w.board.Edit(a.GUID, func(a *boardsim.Appointment) { a.Category, a.TimeMarker = "SERVICE", "URGENT" }))
	w.settle()
	if got := w.categories("R1", "Repair"); got != "SERVICE" {
		t.Errorf("without links the event shows %q: time markers are not shown unless they are linked", got)
	}
	w.keep(routing.CategoriesName, `{"categories":[{"dime":"service","outlook":"Red work"}],"timeMarkers":[{"dime":"URGENT","outlook":"Hurry"}]}`)
	w.read()
	if got := w.categories("R1", "Repair"); got != "Hurry,Red work" {
		t.Errorf("with links the event shows %q", got)
	}
	want := []graphsim.Category{{DisplayName: "SERVICE", Color: "preset0"}, {DisplayName: "Hurry", Color: "preset4"}, {DisplayName: "Red work", Color: "preset0"}}
	if got := w.graph.Categories(email("R1")); !slices.Equal(got, want) {
		t.Errorf("the mailbox's list: %v", got)
	}
	w.quiet()
	w.keep(routing.CategoriesName, `{"categories":[{"dime":"service","outlook":""}]}`)
	w.read()
	if got := w.categories("R1", "Repair"); got != "" {
		t.Errorf("linked to nothing the event shows %q", got)
	}
	w.keep(routing.CategoriesName, `not json`)
	w.must(w.board.Edit(a.GUID, marked("HOLD")))
	w.settle()
	w.read()
	if got := w.categories("R1", "Repair"); got != "" {
		t.Errorf("with links that can not be read the event shows %q: categories stay as they are", got)
	}
}

func TestCategoriesOfEventsBornInOutlook(t *testing.T) {
	w := withCategories(t, 1)
	w.keep(routing.CategoriesName, `{"categories":[{"dime":"SERVICE","outlook":"Red work"}]}`)
	_, err := w.graph.CreateEvent(email("R1"), graphsim.Event{Subject: "Dentist", Start: start.Add(time.Hour), End: start.Add(2 * time.Hour), IsOrganizer: true, Categories: []string{"Red work", "Mine"}})
	w.must(err)
	w.settle()
	told := func() string {
		all := w.appointments()
		if len(all) != 1 || len(all[0].Mappings) != 1 {
			t.Fatalf("board: %+v", all)
		}
		return strings.Join(all[0].Mappings[0].Categories, ";")
	}
	if got := told(); got != "Mine;SERVICE" {
		t.Errorf("the board was told %q", got)
	}
	w.person("R1", "Dentist", func(e *graphsim.Event) { e.Categories = []string{"Mine", "Other"} })
	if got := told(); got != "Mine;Other" {
		t.Errorf("the board was told %q", got)
	}
	w.quiet()
	// A planner marks it: added to the person's own.
	w.must(w.board.Edit(w.appointments()[0].GUID, marked("SERVICE")))
	w.settle()
	if got := w.categories("R1", "Dentist"); got != "Mine,Other,Red work" {
		t.Errorf("the event shows %q", got)
	}
	w.must(w.board.Edit(w.appointments()[0].GUID, marked("")))
	w.settle()
	if got := w.categories("R1", "Dentist"); got != "Mine,Other" {
		t.Errorf("the event shows %q", got)
	}
	w.quiet()
}

func TestCategoriesWithoutThePermission(t *testing.T) {
	w := withCategories(t, 1)
	w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
		if strings.Contains(r.Path, "masterCategories") {
			return &graphsim.FaultResponse{Status: 403, Code: "ErrorAccessDenied"}
		}
		return nil
	})
	for i := range 3 {
		a := w.plan("Repair"+string(rune('A'+i)), 1+2*i, "R1")
		w.must(w.board.Edit(a.GUID, marked("SERVICE")))
		w.settle()
		w.start() // another instance, which remembers nothing
		w.advance(time.Hour)
	}
	if got := w.categories("R1", "RepairC"); got != "SERVICE" {
		t.Errorf("the event shows %q", got)
	}
	if n := w.transactions("", "DSEX071", ""); n > 1 {
		t.Errorf("said %d times", n)
	}
	all, err := w.mem.Transactions(t.Context(), "exchange", 1000)
	w.must(err)
	said := 0
	for _, x := range all {
		if x.Code == "DSEX071" {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the missing permission is recorded %d times, want once", said)
	}
	// Granted a day later, without anybody doing anything else.
	w.graph.SetFault(nil)
	w.advance(25 * time.Hour)
	a := w.plan("Later", 9, "R1")
	w.must(w.board.Edit(a.GUID, marked("HOLD")))
	w.settle()
	if got := w.graph.Categories(email("R1")); !slices.Equal(got, []graphsim.Category{{DisplayName: "HOLD", Color: "preset7"}}) {
		t.Errorf("the mailbox's list: %v", got)
	}
}

// Of an event whose words its owner keeps to themselves the person's own categories
// stay there, and are stored nowhere.
func TestCategoriesOfPrivateEvents(t *testing.T) {
	w := withCategories(t, 1)
	a := w.plan("Repair", 1, "R1")
	w.settle()
	w.person("R1", "Repair", func(e *graphsim.Event) { e.Sensitivity, e.Categories = "private", []string{"Secret"} })
	for _, c := range []string{"SERVICE", "HOLD"} {
		w.must(w.board.Edit(a.GUID, marked(c)))
		w.settle()
	}
	if got := w.categories("R1", "Repair"); got != "HOLD,Secret" {
		t.Errorf("the event shows %q", got)
	}
	w.stored("Secret")
	w.quiet()
	w.person("R1", "Repair", func(e *graphsim.Event) { e.Sensitivity = "normal" })
	w.must(w.board.Edit(a.GUID, marked("")))
	w.settle()
	if got := w.categories("R1", "Repair"); got != "Secret" {
		t.Errorf("the event shows %q", got)
	}
}

// stored fails if a word stands in a link.
func (w *world) stored(word string) {
	w.t.Helper()
	for _, r := range w.board.Resources() {
		links, err := w.mem.Links(context.Background(), w.mailbox(r.ResourceNo))
		w.must(err)
		for _, l := range links {
			text, err := json.Marshal(l)
			w.must(err)
			if strings.Contains(string(text), word) {
				w.t.Errorf("%q is stored: %s", word, text)
			}
		}
	}
}

// A resource who lets nothing flow back gets the board's categories, too.
func TestCategoriesWithoutOptIn(t *testing.T) {
	w := withCategories(t, 1)
	w.keep("exchange", `{"preferences":{"optIn":false}}`)
	a := w.plan("Repair", 1, "R1")
	w.must(w.board.Edit(a.GUID, marked("SERVICE")))
	w.settle()
	w.person("R1", "Repair", func(e *graphsim.Event) { e.Categories = append(e.Categories, "Secret") })
	w.must(w.board.Edit(a.GUID, marked("HOLD")))
	w.settle()
	if got := w.categories("R1", "Repair"); got != "HOLD,Secret" {
		t.Errorf("the event shows %q", got)
	}
	w.stored("Secret")
	w.quiet()
}

// A PATCH that was done, but whose answer was lost, leaves the same categories.
func TestRule_R12_CategoriesOfALostAnswer(t *testing.T) {
	for _, after := range []bool{false, true} {
		w := withCategories(t, 1)
		a := w.plan("Repair", 1, "R1")
		w.must(w.board.Edit(a.GUID, marked("SERVICE")))
		w.settle()
		w.person("R1", "Repair", func(e *graphsim.Event) { e.Categories = append(e.Categories, "Mine") })
		failed := false
		w.graph.SetFault(func(r graphsim.FaultRequest) *graphsim.FaultResponse {
			if !failed && r.Method == "PATCH" && r.Event != "" {
				failed = true
				return &graphsim.FaultResponse{Status: 504, Code: "Timeout", AfterCommit: after}
			}
			return nil
		})
		w.must(w.board.Edit(a.GUID, marked("HOLD")))
		w.settle()
		w.person("R1", "Repair", func(e *graphsim.Event) { e.Categories = append(e.Categories, "Zebra") })
		if got := w.categories("R1", "Repair"); !failed || got != "HOLD,Mine,Zebra" {
			t.Errorf("done before the answer was lost %t (failed %t): the event shows %q", after, failed, got)
		}
		w.quiet()
	}
}
