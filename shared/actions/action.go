package actions

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Scope is where an action is offered (UrlType of mboc_upsertActionUrl).
type Scope string

const (
	PlanningBoard Scope = "planningBoard" // a new appointment
	Appointment   Scope = "appointment"   // a planned task
	Task          Scope = "task"          // an unplanned task
	Map           Scope = "map"           // pins on the map
)

// Request is how the address is used.
type Request string

const (
	GET  Request = "GET"  // opened in the browser
	POST Request = "POST" // the item's data graph is sent as JSON
)

// Action is one action URI.
type Action struct {
	ID          string  `json:"id"` // made when it is saved first
	SourceApp   string  `json:"sourceApp,omitempty"`
	SourceType  string  `json:"sourceType,omitempty"` // empty = any
	Scope       Scope   `json:"scope"`
	URL         string  `json:"url"`
	Description string  `json:"description"`
	Default     bool    `json:"default,omitempty"`
	Request     Request `json:"request"`
}

// Fits reports whether the action is offered for an item of this source app and type,
// in any letter case, as connectors are chosen.
func (a Action) Fits(scope Scope, sourceApp, sourceType string) bool {
	return a.Scope == scope && (a.SourceApp == "" || strings.EqualFold(a.SourceApp, sourceApp)) && (a.SourceType == "" || strings.EqualFold(a.SourceType, sourceType))
}

// placeholders by scope. Those of planned tasks and the first two of unplanned ones
// are published.
//
// Guess: JOBNO and TASKNO for unplanned tasks (the list breaks off there), both for
// appointments too, and those of the map and of the planning board.
var placeholders = map[Scope][]string{
	Appointment:   {"SOURCEAPP", "SOURCETYPE", "START", "END", "RESOURCE", "APPOINTMENTID", "DATABASEACTION", "JOBNO", "TASKNO"},
	Task:          {"SOURCEAPP", "SOURCETYPE", "JOBNO", "TASKNO"},
	Map:           {"SOURCEAPP", "SOURCETYPE", "JOBNO", "TASKNO"},
	PlanningBoard: {"START", "END", "RESOURCE"},
}

// Placeholders returns the names, without their #, that an address of the scope may hold.
func Placeholders(s Scope) []string { return slices.Clone(placeholders[s]) }

// The longest that the board takes, in characters (facts C.4 and B.7).
const (
	maxSourceApp   = 30
	maxSourceType  = 10
	maxURL         = 1000
	maxDescription = 255
)

// mark is what looks like a placeholder. A # that begins none begins the fragment.
var mark = regexp.MustCompile(`#([A-Za-z][A-Za-z0-9_]*)#`)

// Check returns everything that is wrong with the action, in sentences for the
// person who wrote it. hosts are those that addresses may lead to: a host name, or
// "*." and a domain for all below it.
func (a Action) Check(hosts []string) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for name, limit := range map[string]struct {
		text string
		max  int
	}{"source app": {a.SourceApp, maxSourceApp}, "source type": {a.SourceType, maxSourceType}, "address": {a.URL, maxURL}, "description": {a.Description, maxDescription}} {
		if utf8.RuneCountInString(limit.text) > limit.max {
			say("the %s is longer than %d characters", name, limit.max)
		}
	}
	slices.Sort(problems)
	if a.Request != GET && a.Request != POST {
		say("the request is neither GET nor POST")
	}
	if placeholders[a.Scope] == nil {
		say("the scope is none of planningBoard, appointment, task, map")
		return problems
	}
	for _, m := range mark.FindAllStringSubmatch(a.URL, -1) {
		if !slices.Contains(placeholders[a.Scope], strings.ToUpper(m[1])) {
			say("%s is no placeholder for this scope; there are #%s#", m[0], strings.Join(placeholders[a.Scope], "#, #"))
		}
	}
	if strings.Contains(a.URL, "{{") {
		say("the address holds {{: an example was pasted as it is; write the real value, or a placeholder between two #")
	}
	if _, err := a.parts(hosts); err != nil {
		say("%s", err)
	}
	return problems
}

// parts takes the address apart and checks where it leads.
func (a Action) parts(hosts []string) (*parts, error) {
	p, err := split(a.URL)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(p.origin)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("the address does not begin with https:// and a host")
	case u.User != nil:
		return nil, fmt.Errorf("the address holds a user name or password: they would be seen by everybody who opens it")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return nil, fmt.Errorf("the address does not begin with https://")
	case !allowed(u.Host, u.Hostname(), hosts):
		return nil, fmt.Errorf("the host %s is not on the list of hosts that actions may lead to: add it there first", u.Host)
	}
	return p, nil
}

func loopback(host string) bool { return host == "127.0.0.1" || host == "localhost" || host == "::1" }

// allowed reports whether a host, with or without its port, is listed.
func allowed(host, name string, hosts []string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		h = strings.ToLower(strings.TrimSpace(h))
		if domain, below := strings.CutPrefix(h, "*."); below {
			return strings.HasSuffix(strings.ToLower(name), "."+domain)
		}
		return h != "" && (strings.EqualFold(h, host) || strings.EqualFold(h, name))
	})
}

// parts of an address: what is filled differently.
type parts struct {
	origin                string // scheme and host, no placeholders
	path, query, fragment string // as written, with their delimiters
}

// split cuts a template into its parts. The marks are taken out before, for their #
// would begin a fragment.
func split(template string) (*parts, error) {
	text := strings.TrimSpace(template)
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return nil, fmt.Errorf("the address holds blanks, control characters or backslashes: write %%20 for a blank")
	}
	// Same length, so that what is found lies at the same place of the template.
	plain := mark.ReplaceAllStringFunc(text, func(m string) string { return strings.Repeat("x", len(m)) })
	begin := strings.Index(plain, "://")
	if begin < 0 {
		return nil, fmt.Errorf("the address does not begin with https:// and a host")
	}
	end := len(plain)
	if i := strings.IndexAny(plain[begin+3:], "/?#"); i >= 0 {
		end = begin + 3 + i
	}
	p := &parts{origin: text[:end]}
	if mark.MatchString(p.origin) {
		return nil, fmt.Errorf("a placeholder stands in the host: where an address leads to must not depend on data")
	}
	rest, plain := text[end:], plain[end:]
	if i := strings.IndexByte(plain, '#'); i >= 0 {
		p.fragment, rest, plain = rest[i:], rest[:i], plain[:i]
	}
	if i := strings.IndexByte(plain, '?'); i >= 0 {
		p.query, rest = rest[i:], rest[:i]
	}
	p.path = rest
	if _, err := url.Parse("https://host" + plain); err != nil {
		return nil, fmt.Errorf("the address is not a URL: look for a %% that stands alone (write %%25)")
	}
	return p, nil
}

// Values are what placeholders stand for, by name without #.
type Values map[string]string

// Fill returns the address with its placeholders replaced, each encoded for where it
// stands: a slash or & in a value does not begin another segment or parameter. A
// placeholder without a value becomes empty.
func (a Action) Fill(hosts []string, v Values) (string, error) {
	if problems := a.Check(hosts); len(problems) > 0 {
		return "", fmt.Errorf("the action can not be used: %s", strings.Join(problems, "; "))
	}
	p, err := a.parts(hosts)
	if err != nil {
		return "", err
	}
	fill := func(text string, escape func(string) string) string {
		return mark.ReplaceAllStringFunc(text, func(m string) string { return escape(v[strings.ToUpper(strings.Trim(m, "#"))]) })
	}
	query := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	path := fill(p.path, url.PathEscape)
	for segment := range strings.SplitSeq(path, "/") {
		// Browsers take these out, with the segment before them.
		if plain, _ := url.PathUnescape(segment); plain == "." || plain == ".." {
			return "", fmt.Errorf("a value is %q, which can not stand as a part of a path", plain)
		}
	}
	return p.origin + path + fill(p.query, query) + fill(p.fragment, url.PathEscape), nil
}
