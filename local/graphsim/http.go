package graphsim

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// ServeHTTP serves Graph below /v1.0/ and Entra's sign-in everywhere else. A fault that cuts the
// connection panics with http.ErrAbortHandler, which net/http turns into just that.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, isGraph := strings.CutPrefix(r.URL.EscapedPath(), "/v1.0/")
	if !isGraph {
		s.serveLogin(w, r)
		return
	}
	// Hanging requests end with the server, too.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()

	c := &call{
		ctx: ctx, requestID: uuid.NewString(), method: r.Method, header: r.Header,
		base: scheme(r) + "://" + r.Host + "/v1.0",
	}
	answer := s.serveGraph(c, rest, r)
	if answer.cut {
		panic(http.ErrAbortHandler)
	}
	s.write(w, c, answer)
}

func (s *Server) serveGraph(c *call, path string, r *http.Request) reply {
	app, err := s.authenticate(r.Header.Get("Authorization"))
	if err != nil {
		answer := s.refuse(c, err)
		answer.set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`)
		return answer
	}
	c.app = app
	if err := c.address(path, r.URL.RawQuery); err != nil {
		return s.refuse(c, err)
	}
	if c.body, err = s.readBody(r); err != nil {
		return s.refuse(c, err)
	}
	return s.dispatch(c)
}

// address sets path and query from their escaped forms.
func (c *call) address(path, rawQuery string) *graphError {
	for seg := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		plain, err := url.PathUnescape(seg)
		if err != nil {
			return badRequest("BadRequest", "The request URI is not valid.")
		}
		c.segments = append(c.segments, plain)
	}
	q, err := parseQuery(rawQuery)
	if err != nil {
		return badRequest("BadRequest", "The request query is not valid.")
	}
	c.query = q
	return nil
}

// readBody reads the body, unpacked: SDKs send gzip.
func (s *Server) readBody(r *http.Request) ([]byte, *graphError) {
	s.mu.Lock()
	limit := s.behaviour.MaxBody
	s.mu.Unlock()
	if limit == 0 {
		limit = 4 << 20
	}
	in := io.Reader(r.Body)
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(in)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, badRequest("BadRequest", "The request body is not valid gzip.")
		}
		in = z
	}
	body, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, badRequest("BadRequest", "The request body can not be read.")
	}
	if int64(len(body)) > limit {
		return nil, &graphError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request exceeds the maximum size."}
	}
	return body, nil
}

func (s *Server) write(w http.ResponseWriter, c *call, answer reply) {
	h := w.Header()
	for k, v := range answer.header {
		h[k] = v
	}
	h.Set("request-id", c.requestID)
	if id := c.header.Get("client-request-id"); id != "" {
		h.Set("client-request-id", id)
	}
	h.Set("Date", s.now().Format(http.TimeFormat))
	if answer.body == nil {
		w.WriteHeader(answer.status)
		return
	}
	h.Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	w.WriteHeader(answer.status)
	// The client may be gone already; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(answer.body)
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
