package erpsim

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FaultRequest is what a fault hook sees of a request. The hook is asked after
// the caller was authenticated, and may call the Server.
type FaultRequest struct {
	Method string
	// Route is "$metadata", "companies", "appointments", "appointment",
	// "resources", "fieldValues" for REST; "page", "codeunit", "action" otherwise.
	Route   string
	Path    string // as it came, escaped
	Company string
	Query   map[string][]string
	Header  http.Header
	Body    []byte
	N       int // the how-manyth of this method and route, from 1
}

// FaultResponse is how a request fails. The zero value does nothing.
type FaultResponse struct {
	// Delay is waited, in real time, before anything else.
	Delay time.Duration
	// AfterCommit carries the request out before failing it.
	AfterCommit bool
	// Status, with Code (of REST; for SOAP the exception type) and Message, is
	// answered in the ERP's own shape instead of the truth. 0 = no failure by status.
	Status        int
	Code, Message string
	// Locked answers as the ERP does when a record is locked; Language is "en" or "de".
	Locked   bool
	Language string
	// RetryAfter is the Retry-After header, literally.
	RetryAfter string
	// Body with ContentType is answered literally, with Status (0 = 200): an HTML
	// page of a proxy, garbage.
	Body, ContentType string
	// Redirect answers 307 to this address.
	Redirect string
	// Endless sends a body that never ends, until the client goes.
	Endless bool
	// Truncate sends half of the true answer and breaks the connection.
	Truncate bool
	// DropLocation leaves the Location header out of a true answer.
	DropLocation bool
	// Cut breaks the connection instead of answering.
	Cut bool
	// Hang answers nothing until the client goes away or the Server closes.
	Hang bool
}

func (f *FaultResponse) fails() bool {
	return f.Status != 0 || f.Locked || f.Body != "" || f.Redirect != "" || f.Endless || f.Cut || f.Hang
}

// SetFault replaces the fault hook; nil = no faults.
func (s *Server) SetFault(f func(FaultRequest) *FaultResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// answer is a response that has not been sent yet.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newAnswer(status int, contentType string, body []byte) *answer {
	a := &answer{status: status, header: http.Header{}, body: body}
	if contentType != "" {
		a.header.Set("Content-Type", contentType)
	}
	return a
}

func (a *answer) send(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	// The client may be gone already; there is nobody to tell.
	_, _ = w.Write(a.body)
}

// withFault asks the hook, lets the request fail before or after execute, and
// sends what there is to send. refuse puts a problem into the area's shape.
func (s *Server) withFault(w http.ResponseWriter, c *call, execute func() *answer, refuse func(*problem) *answer) {
	s.mu.Lock()
	hook := s.fault
	n := s.calls[c.method()+" "+c.route]
	s.mu.Unlock()
	var f *FaultResponse
	if hook != nil {
		f = hook(FaultRequest{
			Method: c.method(), Route: c.route, Path: c.r.URL.EscapedPath(), Company: c.company, Query: c.r.URL.Query(),
			Header: c.r.Header.Clone(), Body: c.body, N: n,
		})
	}
	if f == nil {
		execute().send(w)
		return
	}
	s.sleep(c.r.Context(), f.Delay)
	var truth *answer
	if f.AfterCommit || !f.fails() {
		truth = execute()
	}
	switch {
	case f.Hang:
		s.wait(c.r.Context())
		panic(http.ErrAbortHandler)
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Endless:
		s.endless(w, c.r.Context())
		return
	case f.Redirect != "":
		a := newAnswer(http.StatusTemporaryRedirect, "", nil)
		a.header.Set("Location", f.Redirect)
		a.send(w)
		return
	case f.Body != "":
		truth = newAnswer(max(f.Status, 200), f.ContentType, []byte(f.Body))
	case f.Locked:
		p := locked(f.Language)
		if f.Code != "" {
			p.code, p.exception = f.Code, f.Code
		}
		if f.Status != 0 {
			p.status = f.Status
		}
		truth = refuse(p)
	case f.Status != 0:
		truth = refuse(&problem{f.Status, f.Code, f.Code, f.Message})
	}
	if f.RetryAfter != "" {
		truth.header.Set("Retry-After", f.RetryAfter)
	}
	if f.DropLocation {
		truth.header.Del("Location")
	}
	if f.Truncate {
		truth.truncate(w)
		return
	}
	truth.send(w)
}

// truncate sends half of the body under the length of the whole.
func (a *answer) truncate(w http.ResponseWriter) {
	half := *a
	half.header = a.header.Clone()
	half.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	half.body = a.body[:len(a.body)/2]
	half.send(w)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (s *Server) endless(w http.ResponseWriter, ctx context.Context) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, `{"value":"`)
	chunk := strings.Repeat("x", 64<<10)
	for ctx.Err() == nil && s.ctx.Err() == nil {
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
	}
}

// wait waits for the end of the request or of the Server.
func (s *Server) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

// sleep waits for d of real time.
func (s *Server) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	s.wait(ctx)
}
