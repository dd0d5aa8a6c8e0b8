package world

import (
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/graphsim"
)

// pair is a board and a calendar with one appointment on which they agree.
type pair struct {
	*testing.T
	board *boardsim.Board
	graph *graphsim.Server
	guid  string
	event string
}

const anna = "anna@example.com"

var nine = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func newPair(t *testing.T) *pair {
	p := &pair{T: t, board: boardsim.New(boardsim.Options{}), graph: graphsim.New(graphsim.Options{})}
	t.Cleanup(p.board.Close)
	t.Cleanup(p.graph.Close)
	for _, name := range []string{"anna", "bram"} {
		p.graph.AddUser(graphsim.User{UPN: name + "@example.com"})
		p.board.AddResource(boardsim.Resource{ResourceNo: strings.ToUpper(name), Email: name + "@example.com", ExchangeIntegrationEnabled: true})
	}
	a, err := p.board.CreateAppointment(boardsim.Appointment{
		Subject: "Survey", Body: "Bring\nthe ladder", Start: nine, End: nine.Add(time.Hour), Resources: []string{"ANNA"},
	})
	p.must(err)
	p.guid = a.GUID
	p.event = p.add(anna, graphsim.Event{
		Subject: "Survey", Body: "Bring\r\nthe ladder \r\n", BodyType: "text", Start: nine, End: nine.Add(time.Hour),
		Properties: map[string]string{markProperty: a.GUID + "|0"},
	})
	return p
}

func (p *pair) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pair) add(user string, e graphsim.Event) string {
	p.Helper()
	created, err := p.graph.CreateEvent(user, e)
	p.must(err)
	return created.ID
}

func (p *pair) placeholder() {
	p.Helper()
	p.board.AddCategory(boardsim.Category{Name: Placeholder, DisplayName: Placeholder})
	p.must(p.board.Edit(p.guid, func(a *boardsim.Appointment) { a.Category = Placeholder }))
}

func (p *pair) edit(change func(*graphsim.Event)) {
	p.Helper()
	_, err := p.graph.UpdateEvent(anna, p.event, change)
	p.must(err)
}

// TestDifferences shows that each way to differ is noticed, and what is no difference is not.
func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(p *pair)
		want  string // "" = they agree
	}{
		{"the same", func(*pair) {}, ""},
		{"another subject", func(p *pair) { p.edit(func(e *graphsim.Event) { e.Subject = "Surveys" }) }, `ANNA: "Surveys"`},
		{"another body", func(p *pair) { p.edit(func(e *graphsim.Event) { e.Body = "Bring it" }) }, "ANNA"},
		{"another start", func(p *pair) { p.edit(func(e *graphsim.Event) { e.Start = nine.Add(time.Minute) }) }, "ANNA"},
		{"another end", func(p *pair) { p.edit(func(e *graphsim.Event) { e.End = nine.Add(time.Minute) }) }, "ANNA"},
		{"another importance", func(p *pair) { p.edit(func(e *graphsim.Event) { e.Importance = "high" }) }, "ANNA"},
		{"html that reads the same", func(p *pair) {
			p.edit(func(e *graphsim.Event) { e.BodyType, e.Body = "html", "<p>Bring<br>the ladder</p>" })
		}, ""},
		{"no event", func(p *pair) { p.must(p.graph.DeleteEvent(anna, p.event)) }, "has no event"},
		{"no appointment", func(p *pair) { p.must(p.board.Delete(p.guid)) }, "not planned for this resource"},
		{"a second event of the same appointment", func(p *pair) {
			_, err := p.graph.CopyEvent(anna, p.event)
			p.must(err)
		}, "has 2 events"},
		{"an event marked with another appointment", func(p *pair) {
			p.edit(func(e *graphsim.Event) { e.Properties = map[string]string{markProperty: "other|0"} })
		}, "marked with appointment other"},
		{"an event without a mark", func(p *pair) { p.edit(func(e *graphsim.Event) { e.Properties = nil }) }, "has no event"},
		{"an event in the wrong calendar", func(p *pair) {
			p.must(p.board.Reassign(p.guid, "ANNA", "BRAM"))
		}, "BRAM: "},
		{"an event that only Outlook has", func(p *pair) {
			p.add(anna, graphsim.Event{Subject: "Dentist", Start: nine, End: nine.Add(time.Hour)})
		}, "more in Outlook"},
		{"a private event that only Outlook has", func(p *pair) {
			p.add(anna, graphsim.Event{Subject: "Dentist", Sensitivity: "private", Start: nine, End: nine.Add(time.Hour)})
		}, ""},
		{"one of ours made private", func(p *pair) {
			p.edit(func(e *graphsim.Event) { e.Sensitivity, e.Subject = "private", "Mine" })
		}, ""},
		{"one of ours made private, and doubled", func(p *pair) {
			p.edit(func(e *graphsim.Event) { e.Sensitivity = "private" })
			_, err := p.graph.CopyEvent(anna, p.event)
			p.must(err)
		}, "has 2 events"},
		{"a placeholder with an event", func(p *pair) { p.placeholder() }, "is a placeholder and has an event"},
		{"a placeholder without one", func(p *pair) {
			p.placeholder()
			p.must(p.graph.DeleteEvent(anna, p.event))
		}, ""},
		{"a series that only Outlook has", func(p *pair) {
			p.add(anna, graphsim.Event{Subject: "Stand-up", Start: nine, End: nine.Add(time.Hour), Recurrence: &graphsim.Recurrence{
				Type: "daily", Interval: 1, RangeType: "numbered", StartDate: "2026-11-23", Count: 3, TimeZone: "UTC",
			}})
		}, `"Stand-up" 25 Nov 09:00-10:00 is 1 times more in Outlook`},
		{"an all-day event that only Outlook has", func(p *pair) {
			day := nine.Truncate(24 * time.Hour)
			p.add(anna, graphsim.Event{Subject: "Off", AllDay: true, Start: day, End: day.AddDate(0, 0, 1)})
		}, `"Off" 23 Nov 00:00-00:00 is 1 times more in Outlook`},
		{"a resource that takes no part", func(p *pair) {
			p.board.AddResource(boardsim.Resource{ResourceNo: "ANNA", Email: anna})
			p.must(p.board.Delete(p.guid))
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t)
			c.spoil(p)
			got := strings.Join(Differences(p.board, p.graph), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("differences:\n%s\nwant %q", got, c.want)
			}
		})
	}
}
