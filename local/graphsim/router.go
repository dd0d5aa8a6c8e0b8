package graphsim

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// call is one request to Graph, from the wire or from a $batch.
type call struct {
	ctx       context.Context
	requestID string
	method    string
	segments  []string // of the path below /v1.0, decoded
	query     url.Values
	header    http.Header
	prefer    map[string]string
	body      []byte
	base      string // https://host/v1.0
	app       string // client id of the token
	batched   bool   // an item of a $batch

	route  *route
	params map[string]string
	box    *mailbox // of routes below a user's mailbox
}

func (c *call) path() string { return strings.Join(c.segments, "/") }

// link is the address of this call's resource with another query.
func (c *call) link(q url.Values) string {
	parts := make([]string, len(c.segments))
	for i, p := range c.segments {
		parts[i] = url.PathEscape(strings.TrimSuffix(p, "()"))
	}
	return c.base + "/" + strings.Join(parts, "/") + "?" + encodeQuery(q)
}

// immutable says whether the caller asked for immutable ids.
func (c *call) immutable() bool { return strings.EqualFold(c.prefer["idtype"], "ImmutableId") }

// route is one operation of the API.
type route struct {
	method, template string
	mailbox          bool // needs a working mailbox {user}, and counts towards its limits
	unlocked         bool // handle takes the lock itself, because it waits for others
	handle           func(*Server, *call) (reply, *graphError)
}

// name is how the route is counted and how fault hooks see it.
func (r *route) name() string { return r.method + " " + r.template }

// graphRoutes is the API on one screen.
func graphRoutes() []route {
	box := func(method, template string, h func(*Server, *call) (reply, *graphError)) route {
		return route{method: method, template: "/users/{user}" + template, mailbox: true, handle: h}
	}
	return []route{
		{method: "GET", template: "/users", handle: (*Server).listUsers},
		{method: "GET", template: "/users/{user}", handle: (*Server).getUser},
		box("GET", "/calendar", (*Server).getCalendar),
		box("GET", "/events", (*Server).listEvents),
		box("POST", "/events", (*Server).postEvent),
		box("GET", "/events/{event}", (*Server).getEvent),
		box("PATCH", "/events/{event}", (*Server).patchEvent),
		box("DELETE", "/events/{event}", (*Server).deleteEvent),
		box("POST", "/events/{event}/permanentDelete", (*Server).purgeEvent),
		box("POST", "/events/{event}/cancel", (*Server).cancelEvent),
		box("GET", "/events/{event}/instances", (*Server).listInstances),
		box("GET", "/calendarView", (*Server).calendarView),
		box("GET", "/calendarView/delta", (*Server).delta),
		box("GET", "/outlook/masterCategories", (*Server).listCategories),
		box("POST", "/outlook/masterCategories", (*Server).postCategory),
		box("GET", "/outlook/masterCategories/{category}", (*Server).getCategory),
		box("PATCH", "/outlook/masterCategories/{category}", (*Server).patchCategory),
		box("DELETE", "/outlook/masterCategories/{category}", (*Server).deleteCategory),
		{method: "GET", template: "/subscriptions", handle: (*Server).listSubscriptions},
		{method: "POST", template: "/subscriptions", unlocked: true, handle: (*Server).postSubscription},
		{method: "GET", template: "/subscriptions/{subscription}", handle: (*Server).getSubscription},
		{method: "PATCH", template: "/subscriptions/{subscription}", handle: (*Server).patchSubscription},
		{method: "DELETE", template: "/subscriptions/{subscription}", handle: (*Server).deleteSubscription},
		{method: "POST", template: "/subscriptions/{subscription}/reauthorize", handle: (*Server).reauthorize},
		{method: "POST", template: "/$batch", unlocked: true, handle: (*Server).batch},
	}
}

// match finds the route of a call. Literals match without regard to case, functions with or
// without brackets and namespace, and the default calendar may be named or not.
func match(routes []route, method string, segments []string) (*route, map[string]string, bool) {
	segs := make([]string, 0, len(segments))
	for i, p := range segments {
		if i == 2 && strings.EqualFold(p, "calendar") && len(segments) > 3 {
			continue
		}
		segs = append(segs, p)
	}
	known := false
	for i := range routes {
		parts := strings.Split(routes[i].template[1:], "/")
		params, fits := fit(parts, segs)
		if !fits {
			continue
		}
		known = true
		if routes[i].method == method {
			return &routes[i], params, true
		}
	}
	return nil, nil, known
}

func fit(parts, segs []string) (map[string]string, bool) {
	if len(parts) != len(segs) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range parts {
		if name, isParam := strings.CutPrefix(part, "{"); isParam {
			params[strings.TrimSuffix(name, "}")] = segs[i]
			continue
		}
		seg := strings.TrimPrefix(strings.TrimSuffix(segs[i], "()"), "microsoft.graph.")
		if !strings.EqualFold(part, seg) {
			return nil, false
		}
	}
	return params, true
}

// dispatch executes one call: counts it, lets the fault hook have its way, applies the limits of
// the mailbox, and runs the handler.
func (s *Server) dispatch(c *call) reply {
	c.prefer = parsePrefer(c.header)
	r, params, known := match(s.routes, c.method, c.segments)
	if r == nil {
		if known {
			return s.refuse(c, &graphError{http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."})
		}
		return s.refuse(c, badRequest("BadRequest", "Resource not found for the segment '%s'.", c.path()))
	}
	c.route, c.params = r, params
	fault := s.count(c)
	answer := s.withFault(c, fault, func() reply { return s.execute(c) })
	s.finish(c, answer.status)
	return answer
}

func (s *Server) execute(c *call) reply {
	s.mu.Lock()
	revoked := s.revoked
	s.mu.Unlock()
	switch {
	case revoked && c.route.mailbox:
		return s.refuse(c, &graphError{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."})
	case revoked && c.route.template != "/$batch":
		return s.refuse(c, &graphError{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."})
	}
	if err := s.may(c); err != nil {
		return s.refuse(c, err)
	}
	if c.route.mailbox {
		release, refused := s.admit(c)
		if refused != nil {
			return *refused
		}
		defer release()
	}
	if !c.route.unlocked {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	if c.route.mailbox {
		box, err := s.mailboxFor(c.params["user"])
		if err != nil {
			return s.refuse(c, err)
		}
		c.box = box
	}
	answer, err := c.route.handle(s, c)
	if err != nil {
		return s.refuse(c, err)
	}
	if c.immutable() {
		answer.set("Preference-Applied", `IdType="ImmutableId"`)
	}
	return answer
}
