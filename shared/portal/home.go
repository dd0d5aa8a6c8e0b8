package portal

import (
	"net/http"
	"slices"
	"time"

	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// home is the first page: for administrators how both connectors stand, for a
// resource its own calendar.
func (p *Portal) home(r *http.Request, person Principal) (view, error) {
	if !person.Admin {
		return p.mine(r, person)
	}
	targets, err := p.Store.Targets(r.Context(), store.Mailbox)
	if err != nil {
		return view{}, err
	}
	services, err := p.outages(r)
	if err != nil {
		return view{}, err
	}
	type count struct{ Mailboxes, Suspended, Behind int }
	var c count
	now := p.Now()
	for _, t := range targets {
		if !t.Participates {
			continue
		}
		c.Mailboxes++
		if !t.SuspendedSince.IsZero() {
			c.Suspended++
		}
		if !t.Due.IsZero() && t.Due.Before(now) {
			c.Behind++
		}
	}
	parked, err := p.Store.ParkedMessages(r.Context(), listed)
	if err != nil {
		return view{}, err
	}
	var newest []store.Transaction
	for _, f := range families {
		rows, err := p.Store.Transactions(r.Context(), f.Key, 15)
		if err != nil {
			return view{}, err
		}
		newest = append(newest, rows...)
	}
	names, err := p.names(r)
	if err != nil {
		return view{}, err
	}
	return view{Template: "home", Title: "Overview", Data: map[string]any{
		"Count": c, "Parked": len(parked), "Newest": newestOf(newest, 15), "Names": names, "Outages": services,
	}}, nil
}

// outage is a service that is suspended as a whole, for people.
type outage struct {
	Name  string
	Code  exchange.Code
	Since time.Time
}

// outages are the services that are suspended as a whole: nothing of what uses them
// goes on meanwhile, and one remedy helps all.
func (p *Portal) outages(r *http.Request) ([]outage, error) {
	rows, err := p.Store.Targets(r.Context(), store.Service)
	var out []outage
	for _, t := range rows {
		if !t.SuspendedSince.IsZero() {
			out = append(out, outage{exchange.ServiceName(t.ID), exchange.Explain(t.SuspendedCode), t.SuspendedSince})
		}
	}
	return out, err
}

// newestOf returns the newest of several families' transactions.
func newestOf(rows []store.Transaction, n int) []store.Transaction {
	slices.SortStableFunc(rows, func(a, b store.Transaction) int { return b.At.Compare(a.At) })
	return rows[:min(n, len(rows))]
}
