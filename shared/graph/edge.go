package graph

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"
	khttp "github.com/microsoft/kiota-http-go"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// maxAnswer bounds what is read of one answer; a page of 1000 events with long
// bodies stays far below.
const maxAnswer = 64 << 20

// middleware is the whole pipeline, in this order. The SDK's default has a
// random order in each process, sleeps and repeats POSTs after a 503, follows
// redirects and compresses; none of it is wanted here.
func middleware(o Options) []khttp.Middleware {
	return []khttp.Middleware{
		khttp.NewUserAgentHandlerWithOptions(&khttp.UserAgentHandlerOptions{
			Enabled: true, ProductName: "dime-scheduler-connectors", ProductVersion: o.Version,
		}),
		khttp.NewParametersNameDecodingHandler(), // %24filter -> $filter
		edge{observe: o.Observe},
	}
}

// edge is the last step before the wire and the first after it. It reads the
// whole answer, bounded, and judges it, so that the SDK sees successes only: a
// failure is left in the call and handed on as an empty 204. The SDK's own
// errors carry Graph's messages, which quote content and addresses, put them
// and the URL into traces, and panic on a body without an error object.
type edge struct {
	observe func(kind string, status int, took time.Duration)
}

func (e edge) Intercept(next khttp.Pipeline, index int, req *http.Request) (*http.Response, error) {
	k, ok := req.Context().Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("graph: request outside of Client.do")
	}
	if err := measure(req); err != nil {
		return nil, err
	}
	ids := trace.IDs{Client: uuid.NewString()}
	req.Header.Set("Client-Request-Id", ids.Client)
	began := time.Now()
	resp, err := next.Next(req, index)
	var body []byte
	if err == nil {
		ids.Request = resp.Header.Get("Request-Id")
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		_ = resp.Body.Close() // read to its end, or given up
		k.status = resp.StatusCode
	}
	trace.Saw(req.Context(), ids)
	if e.observe != nil {
		e.observe(k.op.name, k.status, time.Since(began))
	}
	switch {
	case err != nil:
		k.fault = lost(k.op, err)
	case len(body) > maxAnswer:
		k.fault = k.op.badAnswer("ResponseTooLarge")
	case resp.StatusCode >= 300:
		k.fault = refused(k.op, resp.StatusCode, resp.Header, body)
	default:
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, nil
	}
	return &http.Response{
		StatusCode: http.StatusNoContent, Status: "204 No Content", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}, nil
}

// measure gives the request a length, which the adapter leaves open (so it would
// go out chunked), and the means to repeat it on a new connection when the old
// one was closed before a byte was written.
func measure(req *http.Request) error {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(body))
	return nil
}

// lost classifies a call without an answer.
func lost(o op, err error) *fault.Error {
	f := fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Ambiguous: !neverSent(err), Err: err}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		f.Reason = fault.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Reason = fault.Timeout
	}
	return o.fault(f)
}

// neverSent says whether it is certain that no byte of the request left: there
// was no connection.
func neverSent(err error) bool {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}
