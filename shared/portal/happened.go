package portal

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/actions"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Families of transactions, as the tabs show them.
var families = []struct{ Key, Name string }{
	{"exchange", "Exchange"}, {"dynamics", "Dynamics"}, {"webhook", "Webhook"},
}

// listed is how many rows a list shows at most.
const listed = 200

// subject is what the graph says of an appointment that administrators may see: it
// was planned on the board. The words of one that was born in Outlook stay out.
type subject struct {
	Number, Subject, Job, Task, SourceApp, SourceType string
	Start, End                                        string
	Resources                                         []string
}

func subjectOf(h *store.Head) (s subject) {
	var g struct {
		AppointmentNo     string
		Subject           string
		StartDate         string
		EndDate           string
		CreatedByExchange bool
		Task              *struct {
			TaskNo string
			Job    *struct{ JobNo, SourceApp, SourceType string }
		}
		Assignments []struct {
			Resource struct{ ResourceNo, DisplayName string }
		}
	}
	if h == nil || len(h.Graph) == 0 {
		return s
	}
	_ = json.Unmarshal(h.Graph, &g) // a graph in another form leaves the fields empty
	s.Number, s.Start, s.End = g.AppointmentNo, g.StartDate, g.EndDate
	if g.Task != nil {
		s.Task = g.Task.TaskNo
		if !g.CreatedByExchange {
			s.Subject = g.Subject
		}
		if g.Task.Job != nil {
			s.Job, s.SourceApp, s.SourceType = g.Task.Job.JobNo, g.Task.Job.SourceApp, g.Task.Job.SourceType
		}
	}
	for _, a := range g.Assignments {
		s.Resources = append(s.Resources, cmp.Or(a.Resource.DisplayName, a.Resource.ResourceNo))
	}
	return s
}

// activity is an appointment with its latest transaction.
type activity struct {
	Appointment string
	What        subject
	Last        store.Transaction
	Failed      int // of the newest of each target
	Targets     int
}

// appointments lists those with the latest activity first.
func (p *Portal) appointments(r *http.Request, _ Principal) (view, error) {
	find := strings.ToLower(strings.TrimSpace(r.URL.Query().Get("find")))
	onlyFailed := r.URL.Query().Get("failed") != ""
	newest := map[string]map[string]store.Transaction{} // by appointment and target
	var order []string
	for _, f := range families {
		rows, err := p.Store.Transactions(r.Context(), f.Key, 1000)
		if err != nil {
			return view{}, err
		}
		for _, t := range rows {
			switch {
			case t.Appointment == "":
				continue
			case newest[t.Appointment] == nil:
				newest[t.Appointment] = map[string]store.Transaction{}
				order = append(order, t.Appointment)
			}
			if there, ok := newest[t.Appointment][t.Target]; !ok || t.At.After(there.At) {
				newest[t.Appointment][t.Target] = t
			}
		}
	}
	list := make([]activity, 0, len(order))
	for _, guid := range order {
		a := activity{Appointment: guid, Targets: len(newest[guid])}
		for _, t := range newest[guid] {
			if t.At.After(a.Last.At) {
				a.Last = t
			}
			if t.Status == "Failed" {
				a.Failed++
			}
		}
		if !onlyFailed || a.Failed > 0 {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b activity) int { return b.Last.At.Compare(a.Last.At) })
	if find == "" && len(list) > listed {
		list = list[:listed]
	}
	for i := range list {
		head, err := p.Store.Head(r.Context(), list[i].Appointment)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return view{}, err
		}
		list[i].What = subjectOf(head)
	}
	if find != "" {
		list = slices.DeleteFunc(list, func(a activity) bool {
			all := strings.ToLower(strings.Join([]string{a.Appointment, a.What.Number, a.What.Subject, a.What.Job, a.What.Task, strings.Join(a.What.Resources, " ")}, " "))
			return !strings.Contains(all, find)
		})
	}
	return view{Template: "appointments", Title: "Appointments", Data: map[string]any{"Rows": list[:min(len(list), listed)], "Find": find, "Failed": onlyFailed}}, nil
}

// place is one target of an appointment, as its link stands.
type place struct {
	Kind, Target, Name string
	Link               *store.Link
	Failing            bool
}

// appointment shows one: where it stands at each target, and all that happened.
func (p *Portal) appointment(r *http.Request, _ Principal) (view, error) {
	guid := r.PathValue("guid")
	head, err := p.Store.Head(r.Context(), guid)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return view{}, err
	}
	rows, err := p.Store.TransactionsOf(r.Context(), guid, listed)
	if err != nil {
		return view{}, err
	}
	if head == nil && len(rows) == 0 {
		return view{}, store.ErrNotFound
	}
	names, err := p.names(r)
	if err != nil {
		return view{}, err
	}
	targets := map[string]bool{}
	if head != nil {
		for t := range head.Targets {
			targets[t] = true
		}
	}
	for _, t := range rows {
		if t.Target != "" && t.Family == "exchange" {
			targets[string(store.Mailbox)+"/"+t.Target] = true
		}
	}
	var places []place
	for t := range targets {
		kind, id, _ := strings.Cut(t, "/")
		l, err := p.Store.Link(r.Context(), id, guid)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return view{}, err
		}
		places = append(places, place{Kind: kind, Target: id, Name: cmp.Or(names[id], id), Link: l, Failing: l.State == store.Failed || l.Attempts > 0})
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	var offers []actions.Offer
	if head != nil && len(head.Graph) > 0 {
		if offers, err = p.Actions.Offers(r.Context(), guid); err != nil {
			return view{}, err
		}
	}
	return view{Template: "appointment", Title: "Appointment", Data: map[string]any{
		"Offers": offers, "Guid": guid, "Head": head, "What": subjectOf(head), "Places": places, "Transactions": rows, "Names": names,
	}}, nil
}

// names of targets, for people: of a mailbox the resources that have it.
func (p *Portal) names(r *http.Request) (map[string]string, error) {
	resources, err := p.Store.Resources(r.Context())
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, x := range resources {
		if x.Mailbox == "" {
			continue
		}
		name := cmp.Or(x.Name, x.No)
		if out[x.Mailbox] != "" {
			name = out[x.Mailbox] + ", " + name
		}
		out[x.Mailbox] = name
	}
	return out, nil
}

// transactions lists a family's, newest first.
func (p *Portal) transactions(r *http.Request, _ Principal) (view, error) {
	q := r.URL.Query()
	family := cmp.Or(q.Get("family"), families[0].Key)
	status := q.Get("status")
	page, err := p.Store.FindTransactions(r.Context(), store.TransactionQuery{Family: family, Status: status, Limit: listed})
	if err != nil {
		return view{}, err
	}
	names, err := p.names(r)
	if err != nil {
		return view{}, err
	}
	return view{Template: "transactions", Title: "Transactions", Data: map[string]any{
		"Families": families, "Family": family, "Status": status, "Names": names, "Rows": page.Rows,
	}}, nil
}

// deltas lists what was seen in calendars and left alone, by resource.
func (p *Portal) deltas(r *http.Request, _ Principal) (view, error) {
	q := r.URL.Query()
	mailbox, find := q.Get("mailbox"), strings.ToLower(q.Get("find"))
	all, err := p.Store.Deltas(r.Context(), "", 5000)
	if err != nil {
		return view{}, err
	}
	names, err := p.names(r)
	if err != nil {
		return view{}, err
	}
	type box struct {
		ID, Name string
		Count    int
	}
	var boxes []box
	var rows []store.Delta
	for _, d := range all {
		i := slices.IndexFunc(boxes, func(b box) bool { return b.ID == d.Mailbox })
		if i < 0 {
			boxes, i = append(boxes, box{ID: d.Mailbox, Name: cmp.Or(names[d.Mailbox], d.Mailbox)}), len(boxes)
		}
		boxes[i].Count++
		if (mailbox == "" || d.Mailbox == mailbox) && (find == "" || strings.Contains(strings.ToLower(d.Text+" "+d.Kind), find)) && within(d, q.Get("from"), q.Get("to")) {
			rows = append(rows, d)
		}
	}
	slices.SortFunc(boxes, func(a, b box) int { return cmp.Compare(a.Name, b.Name) })
	return view{Template: "deltas", Title: "Resource event deltas", Data: map[string]any{
		"Boxes": boxes, "Mailbox": mailbox, "Find": find, "From": q.Get("from"), "To": q.Get("to"), "Names": names, "Rows": rows[:min(len(rows), listed)],
	}}, nil
}

// within reports whether the delta's event touches the days from and to, both
// included; an empty or unreadable day does not limit.
func within(d store.Delta, from, to string) bool {
	if day, err := time.Parse(time.DateOnly, from); err == nil && !d.End.IsZero() && d.End.Before(day) {
		return false
	}
	if day, err := time.Parse(time.DateOnly, to); err == nil && !d.Start.IsZero() && !d.Start.Before(day.AddDate(0, 0, 1)) {
		return false
	}
	return true
}

// parked lists messages that could not be used: why, never what is in them.
func (p *Portal) parked(r *http.Request, _ Principal) (view, error) {
	rows, err := p.Store.ParkedMessages(r.Context(), listed)
	for _, row := range rows {
		row.Body = nil
	}
	return view{Template: "parked", Title: "Parked messages", Data: rows}, err
}

func (p *Portal) audit(r *http.Request, _ Principal) (view, error) {
	rows, err := p.Store.AuditLog(r.Context(), listed)
	return view{Template: "audit", Title: "Audit", Data: rows}, err
}
