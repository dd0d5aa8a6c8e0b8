package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Authorizer is how a connector signs in: it returns the RoundTripper that puts
// the credentials on each request. transport makes a transport of the connector,
// with its TLS settings; NTLM, which binds a sign-in to a connection, makes several.
//
// An Authorizer that can not sign in returns a *fault.Error, which Do hands on
// as it is: nothing has been sent then. It may repeat a request once after a 401.
type Authorizer func(transport func() http.RoundTripper) http.RoundTripper

// Options of Open; the zero value is for a plain HTTP service.
type Options struct {
	// Authorize signs in; nil = the service asks for nothing.
	Authorize Authorizer
	// Codes are those of the kind's family; the zero value is BusinessCentral.
	Codes Codes
	// MaxReply is how many bytes of a reply are read; 0 = DefaultMaxReply.
	MaxReply int64
	// HTTP1 keeps the transports to HTTP/1.1, as NTLM needs.
	HTTP1 bool
}

// DefaultMaxReply is far above what a back office answers to one appointment.
const DefaultMaxReply = 4 << 20

// Client speaks to one back office. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	http    *http.Client
	headers map[string]string
	codes   Codes
	max     int64
	timeout time.Duration
	close   func()
}

// Open returns the client of a connector; it makes no call. What is wrong with
// the configuration is a *fault.Error of the whole target with a DSCFG code.
func Open(c backoffice.Config, d backoffice.Deps, o Options) (*Client, error) {
	base, err := c.Address()
	if err != nil {
		return nil, err
	}
	if o.Codes == (Codes{}) {
		o.Codes = BusinessCentral
	}
	transports, err := newTransports(c, d, o.HTTP1)
	if err != nil {
		return nil, err
	}
	round := http.RoundTripper(nil)
	if o.Authorize != nil {
		round = o.Authorize(transports.next)
	} else {
		round = transports.next()
	}
	client := &Client{base: base, headers: c.Headers, codes: o.Codes, max: o.MaxReply, timeout: c.Timeout, close: transports.close}
	if client.max <= 0 {
		client.max = DefaultMaxReply
	}
	if client.timeout <= 0 {
		client.timeout = backoffice.DefaultTimeout
	}
	client.http = &http.Client{
		Transport: round,
		// The answer itself is looked at, see Fault: a POST that is redirected
		// becomes a GET on the way, and credentials belong to one address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.close() }

// URL is the connector's address; the caller may change the copy.
func (c *Client) URL() *url.URL { u := *c.base; return &u }

// Request is one call.
type Request struct {
	// Op is what is tried, for errors: "webhook: deliver".
	Op     string
	Method string
	// URL is absolute, on the host of the connector's address; nil = that address.
	URL    *url.URL
	Header http.Header
	Body   []byte
	// IgnoreBody: the status says everything; of the reply a little is read, to
	// keep the connection, and whatever is wrong with it is no error.
	IgnoreBody bool
}

// Response is a reply that has been read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Took is from the request's first byte to the reply's last.
	Took time.Duration
}

// Do makes the call. Any status is a Response: see Fault. An error is a
// *fault.Error: Ambiguous unless the request can not have arrived.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	u := r.URL
	if u == nil {
		u = c.base
	}
	if u.Scheme != c.base.Scheme || !strings.EqualFold(u.Host, c.base.Host) {
		return nil, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: r.Op, Code: backoffice.CodeURL,
			Err: errors.New("the back office names an address on another host, which gets no credentials")}
	}
	began := time.Now()
	call, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	trace, sent := traced(call)
	req, err := http.NewRequestWithContext(trace, r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: r.Op, Code: backoffice.CodeURL, Err: errors.New("the request can not be made of this address")}
	}
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "Dime.Scheduler-Connectors")
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, r.Op, err, sent())
	}
	defer answer.Body.Close()
	out := &Response{Status: answer.StatusCode, Header: answer.Header}
	if r.IgnoreBody {
		_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
		out.Took = time.Since(began)
		return out, nil
	}
	out.Body, err = io.ReadAll(io.LimitReader(answer.Body, c.max+1))
	out.Took = time.Since(began)
	switch {
	case err != nil:
		return nil, c.broken(ctx, r.Op, err, true)
	case int64(len(out.Body)) > c.max:
		return nil, &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: r.Op, Code: c.codes.Broken, Ambiguous: true,
			Err: fmt.Errorf("the reply (status %d) is longer than %d bytes", out.Status, c.max)}
	}
	return out, nil
}

// IsHTML reports a reply that is a page for people: a sign-in page, a proxy's
// error page, the wrong address.
func (r *Response) IsHTML() bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "text/html" || kind == "application/xhtml+xml" {
		return true
	}
	start := bytes.ToLower(bytes.TrimLeft(r.Body[:min(len(r.Body), 512)], " \t\r\n\ufeff"))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}
