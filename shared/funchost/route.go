package funchost

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// publicPrefix is host.json's routePrefix: every path that can come from
// outside begins with it, and no trigger's does.
const publicPrefix = "/api/"

// route is a public path: fixed words, {name} for one segment, {*name} for the
// rest. The host matches without regard to letter case and passes the path on
// as the caller wrote it, so this does the same.
type route struct {
	function, method, pattern string
	segments                  []string
	handler                   http.Handler
}

func newRoute(function, method, pattern string, h http.Handler) *route {
	r := &route{function: function, method: method, pattern: pattern, segments: strings.Split(pattern, "/"), handler: h}
	for i, s := range r.segments {
		if s == "" || isRest(s) && i != len(r.segments)-1 {
			panic(fmt.Sprintf("funchost: route %q of %s: want words, {name} and, at its end, {*name}", pattern, function))
		}
	}
	return r
}

func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }
func isRest(segment string) bool  { return strings.HasPrefix(segment, "{*") }

// shape is what two routes have in common that match the same paths. It sorts
// fixed words before parameters before rests: the narrower route counts.
func (r *route) shape() string {
	var b strings.Builder
	for _, s := range r.segments {
		switch {
		case isRest(s):
			b.WriteString("/3")
		case isParam(s):
			b.WriteString("/2")
		default:
			b.WriteString("/1" + strings.ToLower(s))
		}
	}
	return b.String()
}

// match returns the values of the route's parameters. An empty last segment (a
// slash at the end) is ignored, as the host does.
func (r *route) match(path []string) (values map[string]string, ok bool) {
	values = map[string]string{}
	for i, s := range r.segments {
		switch {
		case isRest(s):
			values[strings.Trim(s, "{*}")] = strings.Join(path[min(i, len(path)):], "/")
			return values, true
		case i >= len(path):
			return nil, false
		case isParam(s):
			if path[i] == "" {
				return nil, false
			}
			values[strings.Trim(s, "{}")] = path[i]
		case !strings.EqualFold(s, path[i]):
			return nil, false
		}
	}
	return values, len(path) == len(r.segments)
}

// publicPath returns the decoded segments of a public path after the prefix.
func publicPath(u *url.URL) (segments []string, ok bool) {
	path := u.EscapedPath()
	if len(path) < len(publicPrefix) || !strings.EqualFold(path[:len(publicPrefix)], publicPrefix) {
		return nil, false
	}
	for s := range strings.SplitSeq(strings.TrimSuffix(path[len(publicPrefix):], "/"), "/") {
		s, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments = append(segments, s)
	}
	return segments, true
}

// routes finds the route of a request. Without one, allowed lists the methods
// that the path would have.
func (a *App) route(req *http.Request) (found *route, values map[string]string, allowed []string) {
	path, ok := publicPath(req.URL)
	if !ok {
		return nil, nil, nil
	}
	for _, r := range a.routes {
		values, ok := r.match(path)
		switch {
		case !ok:
		case r.method == req.Method:
			return r, values, nil
		default:
			allowed = append(allowed, r.method)
		}
	}
	slices.Sort(allowed)
	return nil, nil, slices.Compact(allowed)
}
