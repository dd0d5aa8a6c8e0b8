package soap

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// Client calls one service. It is safe for concurrent use.
type Client struct {
	HTTP *wire.Client
	// URL is the service's address; nil = that of HTTP.
	URL *url.URL
	// Headers go with every call.
	Headers http.Header
}

// Describe reads the service's WSDL, which the server answers to a GET of its
// address; it changes nothing there. An error is a *fault.Error and never ambiguous.
func (c *Client) Describe(ctx context.Context) (*Service, error) {
	const op = "soap: read WSDL"
	resp, err := c.HTTP.Do(ctx, wire.Request{Op: op, Method: http.MethodGet, URL: c.URL, Header: c.header(nil)})
	if err != nil {
		return nil, harmless(err)
	}
	if f := c.refusal(op, resp); f != nil {
		return nil, harmless(f)
	}
	service, err := ReadService(resp.Body)
	if err != nil {
		f := c.HTTP.Unexpected(op, resp, err.Error()+": the address is not that of a web service of type page or codeunit")
		f.Code, f.WholeTarget = backoffice.CodeURL, true
		return nil, harmless(f)
	}
	return service, nil
}

// harmless: what only looks leaves nothing open.
func harmless(err error) error {
	f := *fault.Of(err)
	f.Ambiguous = false
	return &f
}

// Call calls an operation and returns its result element. An error is a
// *fault.Error; with a *Fault behind it, nothing was done.
func (c *Client) Call(ctx context.Context, s *Service, operation string, arguments []Element, header http.Header) (Element, error) {
	op := "soap: " + operation
	body, err := Marshal(s.Namespace, Element{Name: operation, Children: arguments})
	if err != nil {
		return Element{}, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Code: backoffice.CodeSchema, Err: errors.New("the envelope can not be written")}
	}
	h := c.header(header)
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("SOAPAction", `"`+s.Action(operation)+`"`)
	resp, err := c.HTTP.Do(ctx, wire.Request{Op: op, Method: http.MethodPost, URL: c.URL, Header: h, Body: body})
	if err != nil {
		return Element{}, err
	}
	if f := c.refusal(op, resp); f != nil {
		return Element{}, f
	}
	result, err := Unmarshal(resp.Body)
	if err != nil {
		return Element{}, c.HTTP.Unexpected(op, resp, err.Error())
	}
	if !strings.EqualFold(result.Name, operation+"_Result") {
		return Element{}, c.HTTP.Unexpected(op, resp, "the reply is that of another operation")
	}
	return result, nil
}

// refusal returns what a reply says went wrong; nil for a success. A SOAP fault
// counts more than the status, which is 500 for all of them.
func (c *Client) refusal(op string, resp *wire.Response) error {
	if resp.Status != http.StatusUnauthorized && resp.Status/100 != 3 && !resp.IsHTML() {
		if e, err := Unmarshal(resp.Body); err == nil {
			if f := asFault(e); f != nil {
				classified := f.Classify(op)
				classified.RetryAfter = wire.RetryAfter(resp.Header, now())
				return classified
			}
		}
	}
	if f := c.HTTP.Fault(op, resp); f != nil {
		return f
	}
	return nil
}

func (c *Client) header(more http.Header) http.Header {
	h := c.Headers.Clone()
	if h == nil {
		h = http.Header{}
	}
	// The language of texts that may have to be looked at.
	h.Set("Accept-Language", "en-US")
	for name, values := range more {
		h[name] = values
	}
	return h
}
