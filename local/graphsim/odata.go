package graphsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// timeFormat is how Graph writes an instant; dateTimeFormat is the zoneless form of a
// dateTimeTimeZone, always with seven digits.
const (
	timeFormat     = "2006-01-02T15:04:05.0000000Z"
	dateTimeFormat = "2006-01-02T15:04:05.0000000"
)

// object is a JSON object under construction.
type object = map[string]any

// graphError is an OData error with its status.
type graphError struct {
	status  int
	code    string
	message string
}

func (e *graphError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

func badRequest(code, format string, args ...any) *graphError {
	return &graphError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

func notFound(code, message string) *graphError {
	return &graphError{http.StatusNotFound, code, message}
}

var errItemNotFound = notFound("ErrorItemNotFound", "The specified object was not found in the store.")

// reply is an answer that is not on the wire yet: it ends in a response or in an item of a $batch.
type reply struct {
	status int
	header http.Header
	body   any
	cut    bool // the connection breaks instead
}

func ok(body any) reply          { return reply{status: http.StatusOK, body: body} }
func status(code int) reply      { return reply{status: code} }
func created(body any) reply     { return reply{status: http.StatusCreated, body: body} }
func (r *reply) set(k, v string) { r.headers().Set(k, v) }
func (r *reply) failed() bool    { return r.status >= 400 }
func (r *reply) headers() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

// refuse renders an error as Graph does.
func (s *Server) refuse(c *call, err *graphError) reply {
	inner := object{"date": s.now().Format("2006-01-02T15:04:05"), "request-id": c.requestID}
	if id := c.header.Get("client-request-id"); id != "" {
		inner["client-request-id"] = id
	}
	return reply{status: err.status, body: object{"error": object{
		"code": err.code, "message": err.message, "innerError": inner,
	}}}
}

// collection renders one page of a list: $top or odata.maxpagesize items (10 by default, as
// Outlook does) from $skip on, with a nextLink that keeps the query.
func collection[T any](c *call, items []T, render func(T) object) (reply, *graphError) {
	size, err := c.pageSize("$top")
	if err != nil {
		return reply{}, err
	}
	skip := 0
	if v := c.query.Get("$skip"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return reply{}, badRequest("ErrorInvalidUrlQueryFilter", "Invalid value %q for $skip.", v)
		}
		skip = n
	}
	page := []object{}
	for i := skip; i < len(items) && len(page) < size; i++ {
		page = append(page, render(items[i]))
	}
	body := object{"@odata.context": c.base + "/$metadata#" + c.path(), "value": page}
	if skip+size < len(items) {
		q := cloneQuery(c.query)
		q.Set("$skip", strconv.Itoa(skip+size))
		q.Set("$top", strconv.Itoa(size))
		body["@odata.nextLink"] = c.link(q)
	}
	return ok(body), nil
}

const (
	defaultPage = 10
	largestPage = 1000
)

// pageSize reads the page size from the named parameter or the Prefer header.
func (c *call) pageSize(param string) (int, *graphError) {
	v := c.query.Get(param)
	if v == "" {
		v = c.prefer["odata.maxpagesize"]
	}
	if v == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, badRequest("ErrorInvalidUrlQuery", "Invalid page size %q.", v)
	}
	return min(n, largestPage), nil
}

// pick applies $select: the named properties, the id and the annotations stay.
func pick(o object, selected string) object {
	if selected == "" {
		return o
	}
	keep := map[string]bool{"id": true}
	for name := range strings.SplitSeq(selected, ",") {
		keep[strings.ToLower(strings.TrimSpace(name))] = true
	}
	out := object{}
	for k, v := range o {
		if keep[strings.ToLower(k)] || strings.HasPrefix(k, "@") {
			out[k] = v
		}
	}
	return out
}

// parseQuery splits a query as Graph does: a + is a plus, not a space.
func parseQuery(raw string) (url.Values, error) {
	q := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.PathUnescape(k)
		if err != nil {
			return nil, err
		}
		value, err := url.PathUnescape(v)
		if err != nil {
			return nil, err
		}
		q.Add(key, value)
	}
	return q, nil
}

func cloneQuery(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = append([]string(nil), v...)
	}
	return out
}

// encodeQuery writes a query so that parseQuery reads it back.
func encodeQuery(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }

// parsePrefer reads the Prefer header: several lines, several preferences in one, quoted values.
func parsePrefer(h http.Header) map[string]string {
	out := map[string]string{}
	for _, line := range h.Values("Prefer") {
		quoted := false
		for part := range strings.FieldsFuncSeq(line, func(r rune) bool {
			if r == '"' {
				quoted = !quoted
			}
			return !quoted && (r == ',' || r == ';')
		}) {
			k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
			out[strings.ToLower(strings.TrimSpace(k))] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return out
}

// decode reads a JSON object body.
func decode(body []byte, into any) *graphError {
	if err := json.Unmarshal(body, into); err != nil {
		return badRequest("BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return nil
}

// parseInstant reads the ISO 8601 forms that query parameters and expirationDateTime take; a
// form without an offset is UTC.
func parseInstant(v string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
