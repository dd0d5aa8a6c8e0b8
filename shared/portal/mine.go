package portal

import (
	"net/http"
	"strings"

	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// own returns the resources that the person is: those whose mailbox is the person's
// own user object, or whose e-mail address is the person's.
func (p *Portal) own(r *http.Request, person Principal) ([]*store.Resource, error) {
	all, err := p.Store.Resources(r.Context())
	if err != nil {
		return nil, err
	}
	var out []*store.Resource
	for _, x := range all {
		byID := x.Mailbox != "" && strings.EqualFold(x.Mailbox, person.ID)
		byEmail := x.Email != "" && strings.EqualFold(x.Email, person.Email)
		if byID || byEmail {
			out = append(out, x)
		}
	}
	return out, nil
}

// mine is the page of a resource: its own calendar.
func (p *Portal) mine(r *http.Request, person Principal) (view, error) {
	own, err := p.own(r, person)
	if err != nil {
		return view{}, err
	}
	type mine struct {
		Resource    *store.Resource
		Preferences exchange.PreferencesView
		Form        map[string]any
	}
	var all []mine
	for _, x := range own {
		v, err := p.Exchange.Preferences(r.Context(), x.No)
		if err != nil {
			return view{}, err
		}
		all = append(all, mine{x, v, formOfChoices(v.Effective)})
	}
	return view{Template: "mine", Title: "My calendar", Data: map[string]any{"Calendars": all}}, nil
}
