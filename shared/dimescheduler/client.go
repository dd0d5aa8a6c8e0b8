package dimescheduler

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// Options says how to reach the API. BaseURL and Key are needed.
type Options struct {
	BaseURL string // without a slash at its end
	// Key gives the API key; it is asked for each call, so it should remember it.
	Key func(ctx context.Context) (secret.Secret, error)
	// KeyRejected is told that the board refused the key, so that the next Key
	// is a fresh one. May be nil.
	KeyRejected func()
	// HTTPClient carries the calls; nil = one of its own. Redirects are never
	// followed: the key would go with them.
	HTTPClient *http.Client
	// Zone is that of the board's times that name none; nil = UTC.
	Zone *time.Location
	// Timeout bounds one HTTP call; 0 = 30 s.
	Timeout time.Duration
	// NoGetByID: this board has no GET of one appointment; else the client finds out.
	NoGetByID bool
	// Clock is for dates in Retry-After; nil = time.Now.
	Clock func() time.Time
}

// Client calls the Dime.Scheduler API. It is safe for concurrent use.
//
// Every error is a *fault.Error. Auth has WholeTarget set, for the key is the
// same for all. A write whose outcome is not known is Ambiguous; all writes are
// upserts or deletes by key and can be repeated.
type Client struct {
	base        string
	key         func(context.Context) (secret.Secret, error)
	keyRejected func()
	http        *http.Client
	zone        *time.Location
	timeout     time.Duration
	clock       func() time.Time
	byID        atomic.Int32 // what is known of the GET by id: one of the routes below
}

// New returns a client; it makes no call.
func New(o Options) *Client {
	c := &Client{
		base:        strings.TrimRight(o.BaseURL, "/"),
		key:         o.Key,
		keyRejected: o.KeyRejected,
		zone:        o.Zone,
		timeout:     o.Timeout,
		clock:       o.Clock,
	}
	if c.keyRejected == nil {
		c.keyRejected = func() {}
	}
	if c.zone == nil {
		c.zone = time.UTC
	}
	if c.timeout <= 0 {
		c.timeout = 30 * time.Second
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if o.NoGetByID {
		c.byID.Store(routeAbsent)
	}
	own := http.Client{}
	if o.HTTPClient != nil {
		own = *o.HTTPClient
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c
}

// maxAnswer bounds what is read of an answer: some 100,000 appointments. A
// longer one is an error, for a part of a list is no list.
const maxAnswer = 128 << 20

// call is one HTTP call.
type call struct {
	op     string // for errors
	method string
	path   string
	query  url.Values
	body   []byte
	write  bool // it changes something
}

// answer is what came back: any status but those that stop every call.
type answer struct {
	status   int
	body     []byte
	location string // the header
}

// do makes the call, and a second time with a fresh key if the first was
// refused: the key may have been rotated, and a refused call did nothing. It
// returns an answer for 2xx, 404, 405 and 501, and a fault for everything else.
func (c *Client) do(ctx context.Context, k call) (answer, error) {
	key, err := c.key(ctx)
	if err != nil {
		return answer{}, err
	}
	a, err := c.once(ctx, k, key)
	if !fault.Is(err, fault.Auth) {
		return a, err
	}
	c.keyRejected()
	fresh, keyErr := c.key(ctx)
	if keyErr != nil || fresh.Equal(key) {
		return a, err
	}
	if a, err = c.once(ctx, k, fresh); fault.Is(err, fault.Auth) {
		c.keyRejected()
	}
	return a, err
}

func (c *Client) once(ctx context.Context, k call, key secret.Secret) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	address := c.base + k.path
	if len(k.query) > 0 {
		address += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, address, bytes.NewReader(k.body))
	if err != nil {
		return answer{}, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: k.op, Err: errors.New("the address of the board can not be used")}
	}
	req.Header.Set("X-API-KEY", key.Reveal())
	req.Header.Set("Accept", "application/json")
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, k.netFault(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, k.netFault(ctx, err)
	case len(body) > maxAnswer:
		return answer{}, k.unreadable("the answer is larger than expected")
	}
	if f := k.statusFault(resp.StatusCode, resp.Header, c.clock()); f != nil {
		return answer{}, f
	}
	return answer{resp.StatusCode, body, resp.Header.Get("Location")}, nil
}

// inner classifies the status within an envelope; nil for success.
func (c *Client) inner(k call, status int) error {
	f := k.statusFault(status, nil, time.Time{})
	if f == nil {
		return nil
	}
	if f.Reason == fault.Auth {
		c.keyRejected()
	}
	return f
}

// netFault classifies a call that got no answer. Only a connection that was
// never made is sure to have changed nothing. The cause's text is dropped: it
// holds the address, and with it the query.
func (k call) netFault(ctx context.Context, err error) *fault.Error {
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: k.op, Ambiguous: k.write, Err: errors.New("no answer from the board")}
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		f.Reason, f.Err = fault.Canceled, context.Canceled
	case ctx.Err() != nil, isNet && netErr.Timeout():
		f.Reason, f.Err = fault.Timeout, context.DeadlineExceeded
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		f.Ambiguous = false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		f.Ambiguous, f.WholeTarget = false, true
		f.Err = errors.New("the board's certificate is not trusted; check DIMESCHEDULER_URL")
	}
	return f
}

// unreadable: an answer that is not the board's, as a proxy's page.
func (k call) unreadable(why string) *fault.Error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: k.op, Ambiguous: k.write, Err: errors.New(why)}
}
