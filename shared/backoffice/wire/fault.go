package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Codes are the stable codes of a family of back offices for what HTTP says.
type Codes struct {
	Unauthorized string // 401
	NotFound     string // 404, 405: no such endpoint
	Busy         string // 429
	HTTP         string // 5xx
	Timeout      string // no answer in time
	Broken       string // no connection, or a broken one
	Refused      string // any other status
	URL          string // the address is not that of the service
}

// The families (facts A6).
var (
	BusinessCentral = Codes{
		Unauthorized: backoffice.CodeBCUnauthorized, NotFound: backoffice.CodeBCNotFound, Busy: backoffice.CodeHTTP, HTTP: backoffice.CodeHTTP,
		Timeout: backoffice.CodeBCTimeout, Broken: backoffice.CodeBCConnection, Refused: backoffice.CodeUndiagnosed, URL: backoffice.CodeURL,
	}
	SOAP = Codes{
		Unauthorized: backoffice.CodeBCUnauthorized, NotFound: backoffice.CodeBCNotFound, Busy: backoffice.CodeBCBusy, HTTP: backoffice.CodeBCSOAP,
		Timeout: backoffice.CodeBCTimeout, Broken: backoffice.CodeBCConnection, Refused: backoffice.CodeUndiagnosed, URL: backoffice.CodeURL,
	}
	Webhook = Codes{
		Unauthorized: backoffice.CodeUnauthorized, NotFound: backoffice.CodeWebhookHTTP, Busy: backoffice.CodeWebhookHTTP, HTTP: backoffice.CodeWebhookHTTP,
		Timeout: backoffice.CodeWebhookTimeout, Broken: backoffice.CodeWebhookHTTP, Refused: backoffice.CodeWebhookHTTP, URL: backoffice.CodeWebhookURL,
	}
)

// Fault classifies a reply by its status alone; nil for 2xx. It is the last
// word: a kind reads the body first, as an HTTP 500 may be a refusal for good.
func (c *Client) Fault(op string, r *Response) *fault.Error {
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, RetryAfter: RetryAfter(r.Header, time.Now()), Err: fmt.Errorf("HTTP status %d", r.Status)}
	switch s := r.Status; {
	case s >= 200 && s < 300:
		return nil
	case s >= 300 && s < 400:
		f.Reason, f.Code, f.WholeTarget = fault.Invalid, c.codes.URL, true
		f.Err = fmt.Errorf("HTTP status %d: the address leads on to %s; redirects are not followed, enter the final address", s, c.host(r.Header.Get("Location")))
	case s == http.StatusUnauthorized || s == http.StatusProxyAuthRequired:
		f.Reason, f.Code, f.WholeTarget = fault.Auth, c.codes.Unauthorized, true
	case s == http.StatusForbidden:
		f.Reason, f.Code, f.WholeTarget = fault.Auth, backoffice.CodeUnauthorized, true
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed:
		f.Reason, f.Code, f.WholeTarget = fault.NotFound, c.codes.NotFound, true
	case s == http.StatusRequestTimeout || s == http.StatusGatewayTimeout:
		f.Reason, f.Code, f.Ambiguous = fault.Timeout, c.codes.Timeout, true
	case s == http.StatusConflict:
		f.Reason, f.Code = fault.Conflict, c.codes.Refused
	case s == http.StatusTooManyRequests:
		f.Reason, f.Code = fault.RateLimit, c.codes.Busy
	case s == http.StatusNotImplemented || s == http.StatusHTTPVersionNotSupported:
		f.Kind, f.Reason, f.Code = fault.Permanent, fault.Invalid, c.codes.Refused
	case s == http.StatusServiceUnavailable:
		f.Code = c.codes.HTTP
	case s >= 500:
		// It may have failed before or after the effect.
		f.Code, f.Ambiguous = c.codes.HTTP, true
	default:
		f.Kind, f.Reason, f.Code = fault.Permanent, fault.Invalid, c.codes.Refused
	}
	return f
}

// Unexpected is the fault of a 2xx whose body is not what the service answers. A
// page for people is never the service; anything else may come after the effect.
func (c *Client) Unexpected(op string, r *Response, what string) *fault.Error {
	if r.IsHTML() {
		return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: op, Code: c.codes.URL, WholeTarget: true,
			Err: fmt.Errorf("HTTP status %d with a web page: this is a site's address, or a sign-in page, and not that of the service", r.Status)}
	}
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: op, Code: backoffice.CodeNoData, Ambiguous: true,
		Err: fmt.Errorf("HTTP status %d: %s", r.Status, what)}
}

// broken classifies a call without a reply. The cause's own text is dropped: it
// may hold the address with its query.
func (c *Client) broken(ctx context.Context, op string, err error, sent bool) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f // the Authorizer's own
	}
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, Code: c.codes.Broken, Ambiguous: sent, Err: errors.New("the connection broke before the reply was read")}
	var timeout net.Error
	var dns *net.DNSError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		f.Reason, f.Code, f.Err = fault.Canceled, "", context.Canceled
	case errors.Is(err, errPin):
		untrusted(f, errPin.Error()+": look whether it was renewed, and enter the new pin")
	case errors.Is(err, errForbidden):
		untrusted(f, errForbidden.Error())
		f.Code = c.codes.URL
	case errors.As(err, &verify), errors.As(err, &authority), errors.As(err, &host):
		untrusted(f, "the server's certificate is not trusted, not valid now or of another name: enter its CA bundle or pin")
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		untrusted(f, "the server does not speak TLS on this port: check scheme and port of the address")
	case errors.As(err, &dns) && dns.IsNotFound:
		f.Ambiguous, f.WholeTarget, f.Err = false, true, errors.New("the host name of the address is not known")
	case errors.As(err, &timeout) && timeout.Timeout():
		f.Reason, f.Code, f.Err = fault.Timeout, c.codes.Timeout, errors.New("no reply in time")
	case !sent:
		f.Err = errors.New("no connection to the server")
	}
	return f
}

// RetryAfter reads the header in both its forms, seconds and date; 0 if it is
// absent, malformed or past. A day is the most that anybody is believed.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	d := time.Duration(0)
	if n, err := strconv.Atoi(text); err == nil {
		d = time.Duration(min(n, 86400)) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}

// host names where an address leads without its path or query.
func (c *Client) host(location string) string {
	u, err := url.Parse(location)
	switch {
	case err != nil || location == "":
		return "an address that it does not name"
	case u.Host == "" || u.Host == c.base.Host:
		return "another path of the same host"
	}
	return "the host " + u.Host
}

// untrusted: the server has shown itself, and nothing was sent to it.
func untrusted(f *fault.Error, text string) {
	f.Reason, f.Ambiguous, f.WholeTarget, f.Err = fault.Invalid, false, true, errors.New(text)
}
