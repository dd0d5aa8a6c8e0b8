package erpsim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const maxBody = 8 << 20

type object = map[string]any

// serveREST serves what lies below /api/: {publisher}/{group}/{version}/...
func (s *Server) serveREST(w http.ResponseWriter, c *call) {
	api, rest := "", c.rest
	if n := strings.Count(s.opts.APIPath, "/") + 1; len(rest) >= n {
		api, rest = strings.Join(rest[:n], "/"), rest[n:]
	}
	if !strings.EqualFold(api, s.opts.APIPath) {
		refuseREST(&problem{404, "BadRequest_NotFound", "", "No HTTP resource was found that matches the request URI."}).send(w)
		return
	}
	rest = s.companyOf(c, rest)
	rr := &restRequest{call: c, api: c.base + "/" + s.opts.APIPath, segments: rest}
	c.route = s.restRoute(rest)
	s.count(c.method() + " " + c.route)
	if p := s.authenticate(c); p != nil {
		refuseREST(p).send(w)
		return
	}
	release, ok := s.admit(c)
	if !ok {
		a := refuseREST(overLimit())
		if s.opts.RetryAfter != "" {
			a.header.Set("Retry-After", s.opts.RetryAfter)
		}
		a.send(w)
		return
	}
	defer release()
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, maxBody))
	if err != nil {
		refuseREST(&problem{413, "RequestEntityTooLarge", "", "The request is too large."}).send(w)
		return
	}
	c.body = body
	s.withFault(w, c, func() *answer { return s.rest(rr) }, refuseREST)
}

// restRequest is one request to the API page.
type restRequest struct {
	*call
	api      string // absolute address of the API
	segments []string
}

// companyOf takes companies(...) off the path; ?company= is the other way to name one.
func (s *Server) companyOf(c *call, rest []string) []string {
	c.company = c.r.URL.Query().Get("company")
	if len(rest) == 0 {
		return rest
	}
	if name, ok := keyOf(rest[0], "companies"); ok {
		c.company = name
		if len(rest) == 1 {
			return []string{"company"}
		}
		return rest[1:]
	}
	return rest
}

// keyOf returns the key of set(key), without quotes.
func keyOf(segment, set string) (string, bool) {
	inner, ok := strings.CutPrefix(segment, set+"(")
	if !ok || !strings.HasSuffix(inner, ")") {
		return "", false
	}
	key := strings.TrimSuffix(inner, ")")
	if _, value, named := strings.Cut(key, "="); named {
		key = value
	}
	return strings.Trim(key, "'"), true
}

func (s *Server) restRoute(rest []string) string {
	if len(rest) == 0 {
		return "service"
	}
	_, keyed := keyOf(rest[0], s.opts.Page)
	switch {
	case rest[0] == "$metadata", rest[0] == "companies", rest[0] == "company":
		return rest[0]
	case rest[0] == s.opts.Page:
		return "appointments"
	case keyed && len(rest) == 1:
		return "appointment"
	case keyed && rest[1] == s.opts.ResourcePart:
		return "resources"
	case keyed && rest[1] == s.opts.FieldValuePart:
		return "fieldValues"
	}
	return "unknown"
}

// rest carries a request out.
func (s *Server) rest(r *restRequest) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.route == "$metadata" {
		return s.metadata(r)
	}
	if r.route == "companies" {
		return s.listCompanies(r)
	}
	co, p := s.find(r.company)
	if p != nil {
		return refuseREST(p)
	}
	switch r.route {
	case "company":
		return answerJSON(http.StatusOK, co.entity())
	case "appointments":
		return s.restSet(r, co)
	case "appointment":
		return s.restRow(r, co)
	case "resources":
		return s.restPart(r, co, func(row *Row) *[]Line { return &row.Resources }, s.opts.ResourceColumns)
	case "fieldValues":
		return s.restPart(r, co, func(row *Row) *[]Line { return &row.FieldValues }, s.opts.FieldValueColumns)
	}
	return refuseREST(&problem{404, "BadRequest_NotFound", "", "Resource not found for the segment '" + strings.Join(r.segments, "/") + "'."})
}

func (c *company) entity() object {
	return object{"id": c.id, "systemVersion": "26.0", "name": c.name, "displayName": c.name, "businessProfileId": ""}
}

func (s *Server) listCompanies(r *restRequest) *answer {
	list := []object{}
	for _, c := range s.companies {
		list = append(list, c.entity())
	}
	return answerJSON(http.StatusOK, object{"@odata.context": r.api + "/$metadata#companies", "value": list})
}

// rowOf finds the row that the path names by its SystemId or entry number.
func (s *Server) rowOf(r *restRequest, co *company) *Row {
	key, _ := keyOf(r.segments[0], s.opts.Page)
	entry, err := strconv.Atoi(key)
	return co.row(func(row *Row) bool { return strings.EqualFold(row.ID, key) || err == nil && row.Entry == entry })
}

// location is the absolute address of a row.
func (s *Server) location(r *restRequest, co *company, row *Row) string {
	return r.api + "/companies(" + co.id + ")/" + s.opts.Page + "(" + row.ID + ")"
}

// refuseREST puts a problem into the shape of the REST APIs.
func refuseREST(p *problem) *answer {
	a := answerJSON(p.status, object{"error": object{
		"code": p.code, "message": p.message + "  CorrelationId:  " + correlation + ".",
	}})
	a.header.Set("request-id", correlation)
	return a
}

// correlation is the id that every answer names for support.
const correlation = "4f6d2b1e-8a36-4f0e-9d55-0c3f6f5e2a17"

func answerJSON(status int, v any) *answer {
	body, err := json.Marshal(v)
	if err != nil {
		return newAnswer(http.StatusInternalServerError, "text/plain", nil)
	}
	a := newAnswer(status, "application/json; odata.metadata=minimal; odata.streaming=true", body)
	a.header.Set("OData-Version", "4.0")
	a.header.Set("request-id", correlation)
	return a
}

// refuseToken is an error of the token endpoint.
func (s *Server) refuseToken(status int, kind string, code int, message string) *answer {
	return answerJSON(status, object{
		"error": kind, "error_description": "AADSTS" + strconv.Itoa(code) + ": " + message + " Trace ID: " + correlation,
		"error_codes": []int{code}, "timestamp": s.now().Format("2006-01-02 15:04:05Z"), "trace_id": correlation, "correlation_id": correlation,
	})
}

// unescaped undoes the form encoding of credentials in an Authorization header (RFC 6749, 2.3.1).
func unescaped(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
