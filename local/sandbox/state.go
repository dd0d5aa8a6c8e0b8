package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/world"
)

// view is what the page shows of one day.
type view struct {
	Day       string     `json:"day"`
	Resources []resource `json:"resources"`
	Board     []block    `json:"board"`
	Outlook   []block    `json:"outlook"`
	Ledgers   []ledger   `json:"ledgers"`
	Status    status     `json:"status"`
}

type resource struct {
	No    string `json:"no"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// block is an appointment in the row of one resource, or an event.
type block struct {
	ID          string   `json:"id"`
	Row         string   `json:"row"` // the resource's number; "" = nobody
	Subject     string   `json:"subject"`
	Body        string   `json:"body"`
	Start       string   `json:"start"` // RFC 3339, UTC
	End         string   `json:"end"`
	Importance  string   `json:"importance"`
	Resources   []string `json:"resources,omitempty"`   // of the board
	Task        string   `json:"task,omitempty"`        // of the board: job/task
	App         string   `json:"app,omitempty"`         // of the board: the job's source app
	Category    string   `json:"category,omitempty"`    // of the board
	ShowAs      string   `json:"showAs,omitempty"`      // of Outlook
	Sensitivity string   `json:"sensitivity,omitempty"` // of Outlook
	Born        bool     `json:"born,omitempty"`        // in Outlook
}

// ledger is what stands in one back office on the day.
type ledger struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	How       string  `json:"how"`
	App       string  `json:"app"`
	Company   bool    `json:"company"` // it has documents, one for each resource
	Down      bool    `json:"down"`
	Taken     int     `json:"taken"`
	Repeated  int     `json:"repeated"`
	Refused   int     `json:"refused"`
	Documents int     `json:"documents"` // of all days, without deleted ones
	Entries   []entry `json:"entries"`
}

// entry is a document of a company, or an appointment as a webhook knows it.
type entry struct {
	Appointment string   `json:"appointment"`
	Number      int      `json:"number,omitempty"`
	Resources   []string `json:"resources"` // names
	Subject     string   `json:"subject"`
	Task        string   `json:"task"`
	Start       string   `json:"start"`
	End         string   `json:"end"`
	Deleted     bool     `json:"deleted,omitempty"`
}

// status is the line at the top.
type status struct {
	Differences   []string `json:"differences"`
	GraphCalls    int      `json:"graphCalls"`
	GraphWrites   int      `json:"graphWrites"`
	BoardWrites   int      `json:"boardWrites"`
	Deliveries    int      `json:"deliveries"`
	Queues        []queue  `json:"queues"`
	DeadLetters   int      `json:"deadLetters"`
	Announcing    int      `json:"announcing"`
	Subscriptions int      `json:"subscriptions"`
	HandlerPID    int      `json:"handlerPid"`
	Restarts      int      `json:"restarts"`
	Storm         bool     `json:"storm"`
	GraphDown     bool     `json:"graphDown"`
	ERPDown       bool     `json:"erpDown"`
	ERPLocked     bool     `json:"erpLocked"`
	Dropping      bool     `json:"dropping"`
}

type queue struct {
	Name   string `json:"name"`
	Active int    `json:"active"`
	Booked int    `json:"booked"`
}

// state answers the view of the day that the query names.
func (s *Sandbox) state(w http.ResponseWriter, r *http.Request) {
	day, err := time.Parse(time.DateOnly, r.URL.Query().Get("day"))
	if err != nil {
		reply(w, http.StatusBadRequest, failure{"day is not a date as 2026-11-23"})
		return
	}
	reply(w, http.StatusOK, s.view(day))
}

func (s *Sandbox) view(day time.Time) view {
	to := day.AddDate(0, 0, 1)
	v := view{Day: day.Format(time.DateOnly), Resources: []resource{}, Board: s.boardBlocks(day, to), Outlook: []block{}, Ledgers: s.ledgers(day, to), Status: s.status()}
	for _, r := range s.board.Resources() {
		v.Resources = append(v.Resources, resource{r.ResourceNo, r.DisplayName, r.Email})
		if r.ExchangeIntegrationEnabled {
			v.Outlook = append(v.Outlook, s.outlookBlocks(r.ResourceNo, r.Email, day, to)...)
		}
	}
	return v
}

func (s *Sandbox) boardBlocks(from, to time.Time) []block {
	blocks := []block{}
	for _, a := range s.board.List(from, to) {
		b := block{
			ID: a.GUID, Subject: a.Subject, Body: a.Body, Start: instant(a.Start), End: instant(a.End),
			Importance: world.ImportanceName(a.Importance), Resources: a.Resources, Born: a.CreatedByExchange,
			Category: a.Category,
		}
		if a.TaskNo != "" {
			b.Task, b.App = a.JobNo+"/"+a.TaskNo, a.SourceApp
		}
		rows := a.Resources
		if len(rows) == 0 {
			rows = []string{""}
		}
		for _, b.Row = range rows {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

func (s *Sandbox) outlookBlocks(row, email string, from, to time.Time) (blocks []block) {
	for _, e := range s.graph.View(email, from, to) {
		blocks = append(blocks, block{
			ID: e.ID, Row: row, Subject: e.Subject, Body: e.Text(), Start: instant(e.Start), End: instant(e.End),
			Importance: e.Importance, ShowAs: e.ShowAs, Sensitivity: e.Sensitivity, Born: len(e.Properties) == 0,
		})
	}
	return blocks
}

// ledgers show what lies on the day, in the order of time.
func (s *Sandbox) ledgers(from, to time.Time) []ledger {
	names := map[string]string{}
	for _, r := range s.board.Resources() {
		names[r.ResourceNo] = r.DisplayName
	}
	all := []ledger{}
	for _, l := range s.controls.Ledgers() {
		shown := ledger{
			ID: l.Connector, Name: l.Name, How: l.How, App: l.SourceApp, Company: l.PerResource, Down: l.Down,
			Taken: l.Taken, Repeated: l.Repeated, Refused: l.Refused, Entries: []entry{},
		}
		for _, e := range slices.SortedStableFunc(slices.Values(l.Entries), func(a, b world.Entry) int { return a.Start.Compare(b.Start) }) {
			if !e.Deleted {
				shown.Documents++
			}
			if !e.Start.Before(to) || !e.End.After(from) {
				continue
			}
			row := entry{
				Appointment: e.Appointment, Number: e.Number, Resources: []string{}, Subject: e.Subject, Task: e.JobNo + "/" + e.TaskNo,
				Start: instant(e.Start), End: instant(e.End), Deleted: e.Deleted,
			}
			for _, no := range e.Resources {
				row.Resources = append(row.Resources, cmp.Or(names[no], no))
			}
			shown.Entries = append(shown.Entries, row)
		}
		all = append(all, shown)
	}
	return all
}

func (s *Sandbox) status() status {
	p := s.controls.Pulse()
	st := status{
		Differences: p.Differences, GraphCalls: p.GraphCalls, GraphWrites: p.GraphWrites, BoardWrites: p.BoardWrites,
		Deliveries: p.Deliveries, ERPDown: p.ERPDown, ERPLocked: p.ERPLocked,
		Announcing: p.Announcing, Subscriptions: p.Subscriptions, HandlerPID: p.HandlerPID, Restarts: p.HandlerRestarts,
		Storm: p.Storm, GraphDown: p.GraphDown, Dropping: p.Dropping, Queues: []queue{},
	}
	if st.Differences == nil {
		st.Differences = []string{}
	}
	for name, c := range p.Queues {
		st.Queues = append(st.Queues, queue{name, c.Active, c.Scheduled})
		st.DeadLetters += c.DeadLetter
	}
	slices.SortFunc(st.Queues, func(a, b queue) int { return strings.Compare(a.Name, b.Name) })
	return st
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

type failure struct {
	Error string `json:"error"`
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the browser may be gone
}
