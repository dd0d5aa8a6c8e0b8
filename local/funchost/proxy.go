package funchost

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// forward proxies a public request to the handler, untouched but for the headers below, and the answer back. It
// counts as an invocation: past functionTimeout the handler is replaced and the caller gets an empty 500.
func (d *Double) forward(w http.ResponseWriter, r *http.Request, f *function, path string) {
	v := d.begin(f, nil)
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(d.life, func() { cancel(errKilled) })()

	var failure error
	ended := make(chan struct{})
	sending := &retrying{d: d, v: v}
	defer func() { d.end(v, failure) }() // also when the proxy gives up amid a body, which it does by a panic
	defer close(ended)
	go func() {
		select {
		case <-ended:
			return
		case <-d.timeout():
		}
		select {
		case <-ended:
		case <-time.After(timeoutGrace):
			d.handler.replace(sending.sent.Load())
			cancel(errTimeout) // or the request would be sent to the next process
		}
	}()

	proxy := httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { d.rewrite(p, v, path) },
		Transport:     sending,
		FlushInterval: -1,
		ErrorLog:      d.errorLog,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if failure = err; errors.Is(context.Cause(ctx), errTimeout) {
				failure = errTimeout
			}
			w.WriteHeader(http.StatusInternalServerError)
		},
		ModifyResponse: func(response *http.Response) error {
			if response.Header.Get("Server") != "" {
				w.Header().Del("Server")
			}
			return nil
		},
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// rewrite sets the target and the headers that the host adds or replaces.
func (d *Double) rewrite(p *httputil.ProxyRequest, v Invocation, path string) {
	query, asked := "", false
	if _, raw, found := strings.Cut(p.In.RequestURI, "?"); found {
		query, asked = encodeQuery(raw), true
	}
	p.Out.URL = &url.URL{Path: path, RawPath: encodePath(path), RawQuery: query, ForceQuery: asked && query == ""}
	p.Out.Host = "" // that of the URL, which the transport fills in

	caller, _, _ := net.SplitHostPort(p.In.RemoteAddr)
	scheme := strings.ToLower(p.In.Header.Get("X-Forwarded-Proto"))
	if scheme != "http" && scheme != "https" {
		scheme = "http"
	}
	h := p.Out.Header
	h.Set("X-Forwarded-For", caller)
	h.Set("X-Forwarded-Host", p.In.Host)
	h.Set("X-Forwarded-Proto", scheme)
	h.Set("X-Azure-Functions-HostVersion", hostVersion)
	h.Set("X-Azure-Functions-InvocationId", v.ID)
	h.Set("X-MS-Invocation-Id", v.ID)
	if h.Get("Traceparent") == "" {
		h.Set("Traceparent", "00-"+randomHex(16)+"-"+randomHex(8)+"-00")
	}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// retrying sends a proxied request as the real host does: while no answer comes it tries again, ten times in all,
// over a crash and restart of the handler. A request whose body was read before cannot be sent again, yet its caller
// waits through the pauses.
type retrying struct {
	d    *Double
	v    Invocation
	sent atomic.Pointer[process] // where the last try went
}

var retryPauses = []time.Duration{50, 100, 200, 250, 250, 250, 250, 250, 250} // ms

var errBodySpent = errors.New("the handler went away after it had read the body")

func (t *retrying) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	p, err := t.d.send(ctx, t.v)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(p.base)
	if err != nil {
		return nil, err
	}
	var body *watchedBody
	if r.Body != nil && r.Body != http.NoBody {
		body = &watchedBody{Reader: r.Body}
	}
	for attempt := 0; ; attempt++ {
		out := r.Clone(ctx)
		out.URL.Scheme, out.URL.Host = base.Scheme, base.Host
		var response *http.Response
		if body == nil || !body.read.Load() {
			if body != nil {
				out.Body = body
			}
			t.sent.Store(t.d.handler.process())
			response, err = t.d.transport.RoundTrip(out)
		} else if err == nil {
			err = errBodySpent
		}
		if err == nil {
			return response, nil
		}
		if attempt == len(retryPauses) {
			return nil, err
		}
		select {
		case <-time.After(retryPauses[attempt] * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// watchedBody knows whether it was read. The transport's Close is kept from it: the server closes it in the end.
type watchedBody struct {
	io.Reader
	read atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.Reader.Read(p)
}

func (b *watchedBody) Close() error { return nil }
