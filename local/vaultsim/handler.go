package vaultsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody     = 64 << 10
	maxValue    = 25 << 10 // the service's limit of a secret's value
	pageSize    = 25       // the service's page of a list
	resourceURI = "https://vault.azure.net"
	authority   = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000"
)

var validName = regexp.MustCompile(`^[0-9a-zA-Z-]{1,127}$`)

// problem is an error answer; the client shows code as its ErrorCode.
type problem struct {
	status  int
	code    string
	inner   string
	message string
}

func badRequest(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "BadParameter", "", fmt.Sprintf(format, args...)}
}

func notFound(name string) *problem {
	return &problem{http.StatusNotFound, "SecretNotFound", "", "A secret with (name/id) " + name + " was not found in this key vault."}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Fault != nil && s.Fault(w, r) {
		return
	}
	// /secrets/name/ is the client's way to ask for the latest version.
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))

	s.mu.Lock()
	defer s.mu.Unlock()
	if token == "" || s.Accept != nil && !s.Accept(token) {
		if token == "" {
			s.count("challenge")
		} else {
			s.count(operation(r.Method, parts))
		}
		login := s.Authority
		if login == "" {
			login = authority
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="%s", resource="%s"`, login, resourceURI))
		refuse(w, &problem{http.StatusUnauthorized, "Unauthorized", "", "AKV10000: Request is missing a Bearer or PoP token, or it is not valid."})
		return
	}
	s.count(operation(r.Method, parts))
	if s.throttle.left > 0 {
		s.throttle.left--
		w.Header().Set("Retry-After", strconv.Itoa(int((s.throttle.after+time.Second-1)/time.Second)))
		refuse(w, &problem{http.StatusTooManyRequests, "Throttled", "", "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"})
		return
	}
	var answer any
	issue := s.check(r, parts, readErr)
	if issue == nil {
		answer, issue = s.route(r, parts, body)
	}
	switch {
	case issue != nil:
		refuse(w, issue)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		reply(w, http.StatusOK, answer)
	}
}

func (s *Server) count(operation string) {
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[operation]++
}

// operation names a request for Calls.
func operation(method string, parts []string) string {
	switch {
	case parts[0] == "deletedsecrets":
		return "deleted"
	case parts[0] != "secrets":
		return "other"
	case len(parts) == 1:
		return "list"
	case len(parts) == 3 && parts[2] == "versions":
		return "versions"
	}
	switch method {
	case http.MethodGet:
		return "get"
	case http.MethodPut:
		return "set"
	case http.MethodPatch:
		return "update"
	case http.MethodDelete:
		return "delete"
	}
	return "other"
}

// check refuses what no operation accepts.
func (s *Server) check(r *http.Request, parts []string, readErr error) *problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(readErr, &tooLarge):
		return &problem{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "", "The request body is too large."}
	case readErr != nil:
		return badRequest("The request body could not be read.")
	case r.URL.Query().Get("api-version") == "":
		return badRequest("api-version must be specified")
	case len(parts) > 1 && !validName.MatchString(parts[1]):
		return badRequest("The request URI contains an invalid name: %s", parts[1])
	case s.denied[""], len(parts) > 1 && s.denied[strings.ToLower(parts[1])]:
		return &problem{http.StatusForbidden, "Forbidden", "ForbiddenByRbac", "Caller is not authorized to perform action on resource."}
	}
	return nil
}

// route performs the operation; a nil answer without a problem is 204.
func (s *Server) route(r *http.Request, parts []string, body []byte) (any, *problem) {
	base := "https://" + r.Host
	if parts[0] == "deletedsecrets" {
		return s.routeDeleted(r, base, parts)
	}
	if parts[0] != "secrets" || len(parts) > 3 {
		return nil, &problem{http.StatusNotFound, "NotFound", "", "The route is not simulated."}
	}
	if len(parts) == 1 {
		if r.Method != http.MethodGet {
			return nil, methodNotAllowed
		}
		var items []bundle
		for _, each := range s.sorted(false) {
			items = append(items, describe(base, each.name, each.latest(), false))
		}
		return page(r, base, items)
	}
	name, id := parts[1], ""
	if len(parts) == 3 {
		id = parts[2]
	}
	if r.Method == http.MethodPut && id == "" {
		return s.put(base, name, body)
	}
	found := s.live(name)
	if found == nil {
		return nil, notFound(name)
	}
	if r.Method == http.MethodGet && id == "versions" {
		var items []bundle
		for _, v := range found.versions {
			items = append(items, describe(base, found.name, v, true))
		}
		return page(r, base, items)
	}
	if r.Method == http.MethodDelete && id == "" {
		found.deleted = s.now()
		return describeDeleted(base, found), nil
	}
	v := found.find(id)
	if v == nil {
		return nil, notFound(name + "/" + id)
	}
	switch r.Method {
	case http.MethodGet:
		if !v.enabled {
			return nil, &problem{http.StatusForbidden, "Forbidden", "SecretDisabled", "Operation get is not allowed on a disabled secret."}
		}
		return withValue(base, found.name, v), nil
	case http.MethodPatch:
		var sent parameters
		if err := json.Unmarshal(body, &sent); err != nil {
			return nil, badRequest("The request body is not valid JSON.")
		}
		sent.apply(v)
		v.updated = s.now()
		return describe(base, found.name, v, true), nil
	}
	return nil, methodNotAllowed
}

var methodNotAllowed = &problem{http.StatusMethodNotAllowed, "MethodNotAllowed", "", "The method is not allowed here."}

func (s *Server) put(base, name string, body []byte) (any, *problem) {
	var sent parameters
	if err := json.Unmarshal(body, &sent); err != nil || sent.Value == nil {
		return nil, badRequest("The request body has no value.")
	}
	if len(*sent.Value) > maxValue {
		return nil, badRequest("The secret value is larger than 25 KB.")
	}
	if old := s.secrets[strings.ToLower(name)]; old != nil && !old.deleted.IsZero() {
		return nil, &problem{http.StatusConflict, "Conflict", "ObjectIsDeletedButRecoverable",
			"Secret " + name + " is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged."}
	}
	v := &version{value: *sent.Value, enabled: true}
	sent.apply(v)
	v = s.add(name, v)
	return withValue(base, s.live(name).name, v), nil
}

func (s *Server) routeDeleted(r *http.Request, base string, parts []string) (any, *problem) {
	if len(parts) == 1 && r.Method == http.MethodGet {
		var items []bundle
		for _, each := range s.sorted(true) {
			items = append(items, describeDeleted(base, each))
		}
		return page(r, base, items)
	}
	if len(parts) == 1 {
		return nil, methodNotAllowed
	}
	found := s.secrets[strings.ToLower(parts[1])]
	if found == nil || found.deleted.IsZero() {
		return nil, notFound(parts[1])
	}
	switch {
	case r.Method == http.MethodGet && len(parts) == 2:
		return describeDeleted(base, found), nil
	case r.Method == http.MethodDelete && len(parts) == 2:
		delete(s.secrets, strings.ToLower(parts[1]))
		return nil, nil
	case r.Method == http.MethodPost && len(parts) == 3 && parts[2] == "recover":
		found.deleted = time.Time{}
		return describe(base, found.name, found.latest(), true), nil
	}
	return nil, methodNotAllowed
}

// page cuts a list; the next link carries the offset.
func page(r *http.Request, base string, items []bundle) (any, *problem) {
	query := r.URL.Query()
	size := pageSize
	if asked, err := strconv.Atoi(query.Get("maxresults")); err == nil && asked > 0 && asked < pageSize {
		size = asked
	}
	offset, _ := strconv.Atoi(query.Get("$skiptoken"))
	if offset < 0 || offset > len(items) {
		return nil, badRequest("The skip token is not valid.")
	}
	end := min(offset+size, len(items))
	answer := map[string]any{"value": append([]bundle{}, items[offset:end]...), "nextLink": nil}
	if end < len(items) {
		query.Set("$skiptoken", strconv.Itoa(end))
		answer["nextLink"] = base + r.URL.Path + "?" + query.Encode()
	}
	return answer, nil
}

func refuse(w http.ResponseWriter, p *problem) {
	detail := map[string]any{"code": p.code, "message": p.message}
	if p.inner != "" {
		detail["innererror"] = map[string]any{"code": p.inner}
	}
	reply(w, p.status, map[string]any{"error": detail})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
