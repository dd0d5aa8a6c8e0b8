package bc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// companyEntry is one company of the ERP.
type companyEntry struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// maxPages bounds a list that names a next page for ever.
const maxPages = 20

// companies lists the companies that we may see.
func (p *page) companies(ctx context.Context) ([]companyEntry, error) {
	const op = "bc: list companies"
	var all []companyEntry
	next := p.at.under("", "companies")
	for range maxPages {
		answer, err := p.do(ctx, request{op: op, method: http.MethodGet, url: next})
		if err != nil {
			return nil, looking(err)
		}
		if f := p.refusal(op, answer, nil); f != nil {
			return nil, looking(f)
		}
		var list struct {
			Value *[]companyEntry `json:"value"`
			Next  string          `json:"@odata.nextLink"`
		}
		if json.Unmarshal(answer.Body, &list) != nil || list.Value == nil {
			return nil, looking(p.wire.Unexpected(op, answer, "this is no list of companies; check the address"))
		}
		all = append(all, *list.Value...)
		if list.Next == "" {
			return all, nil
		}
		if next, err = url.Parse(list.Next); err != nil {
			return all, nil
		}
		next = p.onOurHost(next)
	}
	return all, nil
}

// onOurHost puts an address that the ERP names on the host that was configured:
// behind a reverse proxy it names its own (facts C).
func (p *page) onOurHost(u *url.URL) *url.URL {
	out := *u
	out.Scheme, out.Host, out.User = p.at.api.Scheme, p.at.api.Host, nil
	return &out
}

// companyID returns the id of the company that the address names; it is looked up
// once if the address names it otherwise.
func (p *page) companyID(ctx context.Context) (string, error) {
	known := func() string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.company
	}
	if id := known(); id != "" {
		return id, nil
	}
	unlock, err := p.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if id := known(); id != "" {
		return id, nil
	}
	list, err := p.companies(ctx)
	if err != nil {
		return "", err
	}
	found, err := p.choose(list)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.company = found.ID
	return found.ID, nil
}

// choose finds the company of the address in the list. Names are case-sensitive
// (facts A2); an address without a company means the only one.
func (p *page) choose(list []companyEntry) (companyEntry, error) {
	names := []string{}
	for _, c := range list {
		names = append(names, c.Name)
		switch {
		case !guid.MatchString(c.ID):
		case p.at.companyID != "" && strings.EqualFold(c.ID, p.at.companyID),
			p.at.companyName != "" && c.Name == p.at.companyName:
			return c, nil
		}
	}
	there := "it has " + strings.Join(names[:min(len(names), 20)], ", ")
	switch {
	case len(list) == 0:
		return companyEntry{}, noCompany("the ERP shows no company at all: give the user or application permission sets for one")
	case p.at.companyID != "":
		return companyEntry{}, noCompany("the ERP has no company with the id in the address, or we may not see it; " + there)
	case p.at.companyName != "":
		return companyEntry{}, noCompany(fmt.Sprintf("the ERP has no company %q, or we may not see it; %s", p.at.companyName, there))
	case len(list) == 1 && guid.MatchString(list[0].ID):
		return list[0], nil
	}
	return companyEntry{}, noCompany("the address names no company: add /companies(ID) after the version; " + there)
}

func noCompany(text string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.NotFound, Op: "bc: find company", Code: backoffice.CodeURL, WholeTarget: true, Err: errors.New(text)}
}

// rows is the address of the page in the company.
func (p *page) rows(ctx context.Context, s *schema, query string) (*url.URL, error) {
	id, err := p.companyID(ctx)
	if err != nil {
		return nil, err
	}
	return p.at.under(query, "companies("+id+")", url.PathEscape(s.page)), nil
}
