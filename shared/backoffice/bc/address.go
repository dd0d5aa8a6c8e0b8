package bc

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// address is a connector's URI taken apart. Both hosts, online and on-premises,
// have the same end: .../api/{publisher}/{group}/{version}[/companies({company})][/{page}].
type address struct {
	// api is the address up to the version; its query is the tenant's, on-premises.
	api *url.URL
	// companyID or companyName say which company; both empty = it does not say.
	companyID, companyName string
	page                   string
	// mended says what was left out of the URI; empty = nothing.
	mended string
}

// defaultPage is the entity set of Dime.Scheduler's app (facts A2).
const defaultPage = "appointments"

const example = "https://api.businesscentral.dynamics.com/v2.0/TENANT/ENVIRONMENT/api/dimeSoftware/dimeScheduler/v1.0/companies(COMPANY)/appointments"

var (
	version = regexp.MustCompile(`(?i)^(v[0-9]+\.[0-9]+|beta)$`)
	guid    = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// parseAddress takes a URI apart. Segments stay as they are escaped: a company's
// name may hold a slash. What does not lead to an API page is DSCFG007.
func parseAddress(u *url.URL) (address, error) {
	segments := slices.DeleteFunc(strings.Split(u.EscapedPath(), "/"), func(s string) bool { return s == "" })
	end := slices.IndexFunc(segments, func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "companies") })
	if end < 0 {
		end = len(segments)
	}
	at := -1
	for i, s := range segments[:end] {
		if strings.EqualFold(s, "api") {
			at = i
		}
	}
	if at < 0 {
		return address{}, malformed("the address has no /api/: that of the API page looks like " + example)
	}
	var a address
	base, rest := segments[:at+1], segments[at+1:]
	// An older page of the documentation had a version of Microsoft's own API in
	// between (facts A2).
	if len(rest) > 3 && version.MatchString(rest[0]) && !strings.HasPrefix(strings.ToLower(rest[1]), "companies") {
		a.mended, rest = "api/"+rest[0], rest[1:]
	}
	if n := len(base); n >= 3 && version.MatchString(base[n-2]) && strings.EqualFold(base[n-3], "api") {
		a.mended, base = "api/"+base[n-2], append(slices.Clone(base[:n-3]), base[n-1])
	}
	switch {
	case len(rest) > 0 && version.MatchString(rest[0]):
		return address{}, malformed("this is Business Central's own API, which does not know the page of Dime.Scheduler; its address looks like " + example)
	case len(rest) < 3 || !version.MatchString(rest[2]):
		return address{}, malformed("the address does not name publisher, group and version of the API page, as in " + example)
	}
	api := *u
	api.Fragment, api.RawQuery = "", ""
	if tenant := u.Query().Get("tenant"); tenant != "" {
		api.RawQuery = url.Values{"tenant": {tenant}}.Encode()
	}
	setPath(&api, slices.Concat(base, rest[:3]))
	a.api, a.page = &api, defaultPage
	if err := a.below(rest[3:]); err != nil {
		return address{}, err
	}
	if name := u.Query().Get("company"); name != "" && a.companyID+a.companyName == "" {
		a.name(name)
	}
	return a, nil
}

// below reads what follows the version.
func (a *address) below(rest []string) error {
	for i, segment := range rest {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return malformed("a part of the address is escaped wrongly")
		}
		inner, isCompany := strings.CutPrefix(plain, "companies(")
		switch {
		case isCompany && strings.HasSuffix(inner, ")"):
			key := strings.TrimSuffix(inner, ")")
			if _, value, named := strings.Cut(key, "="); named {
				key = value
			}
			a.name(strings.Trim(strings.TrimSpace(key), `'"`))
		case strings.EqualFold(plain, "companies"), plain == "$metadata":
		case i == len(rest)-1 && !strings.ContainsAny(plain, "()'$"):
			a.page = plain
		default:
			return malformed("the address goes on after the page, or names the company in another way than companies(ID): it looks like " + example)
		}
	}
	return nil
}

func (a *address) name(company string) {
	if guid.MatchString(company) {
		a.companyID = strings.ToLower(company)
		return
	}
	a.companyName = company
}

// setPath sets a path of escaped segments.
func setPath(u *url.URL, segments []string) {
	raw := "/" + strings.Join(segments, "/")
	plain, err := url.PathUnescape(raw)
	if err != nil {
		plain = raw
	}
	u.Path, u.RawPath = plain, raw
}

// below the API: under returns the address of what lies there; the segments are
// escaped already. The query keeps the tenant's part.
func (a address) under(query string, segments ...string) *url.URL {
	u := *a.api
	setPath(&u, append([]string{strings.TrimPrefix(a.api.EscapedPath(), "/")}, segments...))
	switch {
	case u.RawQuery == "":
		u.RawQuery = query
	case query != "":
		u.RawQuery += "&" + query
	}
	return &u
}

func malformed(text string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: "bc: address", Code: backoffice.CodeURL, WholeTarget: true, Err: errors.New(text)}
}
