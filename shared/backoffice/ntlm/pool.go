package ntlm

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"strconv"
	"sync"

	ntlmssp "github.com/Azure/go-ntlmssp"
)

// Credentials are those of one sign-in. User may be DOMAIN\user or user@domain.
type Credentials struct{ User, Password string }

// identity tells credentials apart without keeping them.
func (c Credentials) identity() [sha256.Size]byte {
	return sha256.Sum256([]byte(strconv.Quote(c.User) + c.Password))
}

// Pool is an http.RoundTripper that signs in by NTLM. It is safe for concurrent
// use; a request beyond its size waits for a free connection, or its context.
type Pool struct {
	transport   func() http.RoundTripper
	credentials func(context.Context) (Credentials, error)

	tokens chan struct{} // one per request under way
	mu     sync.Mutex
	free   []*lane // the last used is on top: few connections stay warm
	closed bool
}

// lane is one transport of one connection.
type lane struct {
	base http.RoundTripper
	who  [sha256.Size]byte // whose connection it is
	used bool
}

// NewPool returns a pool of size connections. transport makes a transport that
// speaks HTTP/1.1 only; an *http.Transport is cloned and limited to one
// connection. One of another make can not be limited: it is used by one request
// at a time, whatever the size. credentials are asked before each request.
func NewPool(size int, transport func() http.RoundTripper, credentials func(context.Context) (Credentials, error)) *Pool {
	if _, ok := transport().(*http.Transport); !ok {
		size = 1
	}
	return &Pool{transport: transport, credentials: credentials, tokens: make(chan struct{}, max(size, 1))}
}

// RoundTrip implements http.RoundTripper. Its errors are those of the
// credentials and of the transport, and a *Refused; a reply of status 401 says that user
// and password were tried and not accepted.
func (p *Pool) RoundTrip(req *http.Request) (*http.Response, error) {
	who, err := p.credentials(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	l, err := p.take(req.Context(), who)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := l.roundTrip(req, who)
	if err != nil {
		p.give(l, false)
		return nil, err
	}
	// A connection whose handshake failed is no good to anybody.
	keep := resp.StatusCode != http.StatusUnauthorized
	resp.Body = &lent{ReadCloser: resp.Body, done: sync.OnceFunc(func() { p.give(l, keep) })}
	return resp, nil
}

// take waits for a free lane of these credentials.
func (p *Pool) take(ctx context.Context, who Credentials) (*lane, error) {
	select {
	case p.tokens <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	id := who.identity()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &lane{}
	if n := len(p.free); n > 0 {
		l, p.free = p.free[n-1], p.free[:n-1]
	}
	if l.used && l.who != id {
		l.hangUp()
		l = &lane{}
	}
	if l.base == nil {
		l.base = single(p.transport())
	}
	l.who, l.used = id, true
	return l, nil
}

func (p *Pool) give(l *lane, keep bool) {
	p.mu.Lock()
	if !keep || p.closed {
		l.hangUp()
	} else {
		p.free = append(p.free, l)
	}
	p.mu.Unlock()
	<-p.tokens
}

// CloseIdleConnections closes what no request uses, and what is in use
// afterwards. The pool remains usable.
func (p *Pool) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.free {
		l.hangUp()
	}
	p.free = nil
}

// Close is CloseIdleConnections for good: connections in use are closed when
// their requests end.
func (p *Pool) Close() {
	p.CloseIdleConnections()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
}

// single returns a transport of one connection.
func single(rt http.RoundTripper) http.RoundTripper {
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	t = t.Clone()
	t.MaxConnsPerHost, t.MaxIdleConnsPerHost = 1, 1
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

func (l *lane) hangUp() {
	if t, ok := l.base.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (l *lane) roundTrip(req *http.Request, who Credentials) (*http.Response, error) {
	shake := &handshake{base: l.base}
	signed := req.Clone(req.Context())
	signed.SetBasicAuth(who.User, who.Password) // the Negotiator takes it off again
	resp, err := ntlmssp.Negotiator{RoundTripper: shake}.RoundTrip(signed)
	switch {
	case err != nil:
		return nil, err
	case shake.err != nil:
		// The Negotiator hides what went wrong on its way and returns the first
		// 401: but the last message carried the request, so it may be done.
		closeResponse(resp)
		return nil, shake.err
	case resp.StatusCode == http.StatusUnauthorized && !shake.challenged:
		closeResponse(resp)
		return nil, refused(resp.Header)
	}
	return resp, nil
}

// lent gives the lane back when the reply has been read or given up.
type lent struct {
	io.ReadCloser
	done func()
}

func (l *lent) Close() error {
	err := l.ReadCloser.Close()
	l.done()
	return err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func closeResponse(resp *http.Response) { _ = resp.Body.Close() }
