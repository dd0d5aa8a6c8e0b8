package bc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// REST is the kind of the API page; tokens are those of the whole program.
func REST(tokens *oauth.Tokens) backoffice.Kind {
	return backoffice.KindFunc(func(_ context.Context, d backoffice.Deps, c backoffice.Config) (backoffice.Connector, error) {
		return open(d, c, tokens)
	})
}

// page is one connector: the API page of one company.
type page struct {
	c    backoffice.Config
	now  func() time.Time
	way  signin.Way
	wire *wire.Client
	at   address

	// reading is held by whoever reads metadata or companies.
	reading chan struct{}

	mu      sync.Mutex
	schema  *schema
	company string // its id, once it is known
}

func open(d backoffice.Deps, c backoffice.Config, tokens *oauth.Tokens) (*page, error) {
	u, err := c.Address()
	if err != nil {
		return nil, err
	}
	at, err := parseAddress(u)
	if err != nil {
		return nil, err
	}
	way, err := signin.Choose(c, d, tokens)
	if err != nil {
		return nil, err
	}
	client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize, Codes: wire.BusinessCentral, HTTP1: way.HTTP1})
	if err != nil {
		return nil, err
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return &page{c: c, now: d.Now, way: way, wire: client, at: at, reading: make(chan struct{}, 1), company: at.companyID}, nil
}

// Close implements backoffice.Connector.
func (p *page) Close() { p.wire.Close() }

// Traits implements backoffice.Connector. A second row with the same key is a
// second row: Business Central knows no idempotency keys (facts B6).
func (p *page) Traits() backoffice.Traits {
	return backoffice.Traits{Finds: true, ReadsStatus: p.c.ReadStatus}
}

// lock waits for its turn to read what all deliveries need.
func (p *page) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case p.reading <- struct{}{}:
		return func() { <-p.reading }, nil
	case <-ctx.Done():
		f := &fault.Error{Kind: fault.Transient, Reason: fault.Timeout, Op: "bc: wait", Code: backoffice.CodeBCTimeout, Err: errors.New("no turn in time")}
		if errors.Is(ctx.Err(), context.Canceled) {
			f.Reason, f.Code, f.Err = fault.Canceled, "", context.Canceled
		}
		return nil, f
	}
}

// request is one call to the API.
type request struct {
	op     string
	method string
	url    *url.URL
	body   []byte
	etag   string // If-Match for a change, If-None-Match for a read
	accept string
	// invocation and trace go into Business Central's telemetry.
	invocation, trace string
}

func (p *page) do(ctx context.Context, r request) (*wire.Response, error) {
	h := http.Header{}
	h.Set("Accept", "application/json")
	if r.accept != "" {
		h.Set("Accept", r.accept)
	}
	// Codes decide; where only a text tells, its language should be known (facts B2).
	h.Set("Accept-Language", "en-US")
	if r.body != nil {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	if r.etag != "" {
		if r.method == http.MethodGet {
			h.Set("If-None-Match", r.etag)
		} else {
			h.Set("If-Match", r.etag)
		}
	}
	if r.invocation != "" {
		h.Set("client-request-id", r.invocation)
	}
	if r.trace != "" {
		h.Set("traceparent", r.trace)
	}
	return p.wire.Do(ctx, wire.Request{Op: r.op, Method: r.method, URL: r.url, Header: h, Body: r.body})
}
