package funchost

import (
	"fmt"
	"slices"
	"strings"
)

// route is a route template with its prefix: literal segments, {name}, {name?} and, last, {*name}.
type route struct {
	template string
	segments []segment
}

type segment struct {
	literal  string // empty for a parameter
	optional bool
	rest     bool // {*name}: takes what is left, nothing included
}

// rank orders segments by how exact they are.
func (s segment) rank() int {
	switch {
	case s.literal != "":
		return 0
	case s.rest:
		return 2
	}
	return 1
}

func parseRoute(prefix, template string) (route, error) {
	template = strings.Trim(template, "/")
	first := strings.ToLower(strings.SplitN(template, "/", 2)[0])
	if prefix == "" && (first == "admin" || first == "runtime") {
		return route{}, fmt.Errorf("route %q is reserved for the host", template)
	}
	r := route{template: strings.Trim(prefix+"/"+template, "/")}
	if r.template == "" {
		return r, nil
	}
	parts := strings.Split(r.template, "/")
	for i, part := range parts {
		s := segment{literal: part}
		if inner, ok := strings.CutPrefix(part, "{"); ok {
			name, closed := strings.CutSuffix(inner, "}")
			s = segment{rest: strings.HasPrefix(name, "*"), optional: strings.HasSuffix(name, "?")}
			if name = strings.Trim(name, "*?"); !closed || name == "" || strings.ContainsAny(name, "{}:=") {
				return r, fmt.Errorf("route %q: %q is not modelled; use {name}, {name?} or {*name}", template, part)
			}
		} else if strings.ContainsAny(part, "{}") {
			return r, fmt.Errorf("route %q: %q mixes text and parameters, which is not modelled", template, part)
		}
		if (s.rest || s.optional) && i != len(parts)-1 {
			return r, fmt.Errorf("route %q: %q must be last", template, part)
		}
		r.segments = append(r.segments, s)
	}
	return r, nil
}

// match takes the path's segments, unescaped; case does not count. An empty segment matches nothing but a last one,
// which is a trailing slash.
func (r route) match(path []string) bool {
	if n := len(path); n > 0 && path[n-1] == "" {
		path = path[:n-1]
	}
	if slices.Contains(path, "") {
		return false
	}
	for i, s := range r.segments {
		switch {
		case s.rest:
			return true
		case i >= len(path):
			return s.optional
		case s.literal != "" && !strings.EqualFold(s.literal, path[i]):
			return false
		}
	}
	return len(path) <= len(r.segments)
}

// compareRoutes puts the more exact route first.
func compareRoutes(a, b route) int {
	for i := range min(len(a.segments), len(b.segments)) {
		if d := a.segments[i].rank() - b.segments[i].rank(); d != 0 {
			return d
		}
	}
	return len(a.segments) - len(b.segments)
}

// checkRoutes names functions that claim the same route and method.
func checkRoutes(functions []*function) []error {
	var problems []error
	seen := map[string]string{}
	for _, f := range functions {
		if f.HTTP == nil {
			continue
		}
		methods := f.HTTP.Methods
		if len(methods) == 0 {
			methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
		}
		for _, method := range methods {
			key := method + " /" + strings.ToLower(f.HTTP.Route.template)
			if other, taken := seen[key]; taken {
				problems = append(problems, fmt.Errorf("functions %s and %s both answer %s", other, f.Name, key))
				break
			}
			seen[key] = f.Name
		}
	}
	return problems
}
