package custom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/dynamics"
	"github.com/dime-scheduler/connectors/shared/backoffice/fields"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

const op = "custom: deliver"

// protocol is how a procedure is described and called.
type protocol interface {
	// describe reads the parameters; it changes nothing there.
	describe(ctx context.Context) ([]fields.Column, error)
	// call returns the return value as text; "" for none.
	call(ctx context.Context, arguments []fields.Cell, h http.Header, words []string) (string, error)
}

// receiver is a connector to one procedure.
type receiver struct {
	c        backoffice.Config
	d        backoffice.Deps
	http     *wire.Client
	protocol protocol

	mu    sync.Mutex // one reads the description, the others wait for it
	known *plan
	read  time.Time
}

// maxAge is how old a description may be.
const maxAge = time.Hour

func (r *receiver) now() time.Time {
	if r.d.Now == nil {
		return time.Now()
	}
	return r.d.Now()
}

// plan returns what each parameter gets. A description that can not be read now
// does not stop deliveries as long as an older one is there.
func (r *receiver) plan(ctx context.Context) (plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil && r.now().Sub(r.read) < maxAge {
		return *r.known, nil
	}
	params, err := r.protocol.describe(ctx)
	if err != nil {
		if f := fault.Of(err); r.known != nil && f.Reason != fault.Auth && f.Reason != fault.Canceled {
			return *r.known, nil
		}
		return plan{}, err
	}
	p, err := draw(params, r.c.Fields)
	if err != nil {
		return plan{}, err
	}
	r.known, r.read = &p, r.now()
	return p, nil
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = nil
}

// Deliver implements backoffice.Connector.
func (r *receiver) Deliver(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, error) {
	p, err := r.plan(ctx)
	if err != nil {
		return backoffice.Receipt{}, err
	}
	record := fields.Read(d)
	arguments, err := p.fill(d, record)
	if err != nil {
		return backoffice.Receipt{}, err
	}
	h := http.Header{}
	if d.Invocation != "" {
		h.Set("client-request-id", d.Invocation)
	}
	if d.Trace != "" {
		h.Set("traceparent", d.Trace)
	}
	words := dynamics.Words(record)
	returned, err := r.protocol.call(ctx, arguments, h, words)
	if err != nil {
		if f := fault.Of(err); f.Code == backoffice.CodeBCUnknownType || f.Code == backoffice.CodeSchema || f.Reason == fault.NotFound {
			r.forget()
		}
		return backoffice.Receipt{}, err
	}
	return judge(returned, words)
}

// Find implements backoffice.Connector; Traits say that it is not called.
func (r *receiver) Find(context.Context, backoffice.Delivery) (backoffice.Receipt, bool, error) {
	return backoffice.Receipt{}, false, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "custom: find", Code: backoffice.CodeSystemType, Err: errors.New("receiving code can not be asked what it has")}
}

// Status implements backoffice.Connector; Traits say that it is not called.
func (r *receiver) Status(context.Context, backoffice.Receipt) (backoffice.Processing, error) {
	return backoffice.Processing{State: backoffice.Processed}, nil
}

// Fields implements backoffice.Connector: it shows the parameters that take one field each.
func (r *receiver) Fields(ctx context.Context) ([]backoffice.FieldUse, error) {
	p, err := r.plan(ctx)
	if err != nil {
		return nil, err
	}
	return fields.Uses(p.singles), nil
}

// Traits implements backoffice.Connector. Whether the receiver gets the key is
// known from the field mapping, or once its description was read.
func (r *receiver) Traits() backoffice.Traits {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil {
		return backoffice.Traits{Idempotent: r.known.keyed()}
	}
	for k, v := range r.c.Fields {
		if fields.Normal(k) == fields.Normal(fields.Key) && v != fields.Off {
			return backoffice.Traits{Idempotent: true}
		}
	}
	return backoffice.Traits{}
}

// Close implements backoffice.Connector.
func (r *receiver) Close() { r.http.Close() }

// Test implements backoffice.Connector: it reads the description and calls nothing.
func (r *receiver) Test(ctx context.Context) []backoffice.Check {
	r.forget()
	params, err := r.protocol.describe(ctx)
	checks, ok := signin.Reached(ctx, r.c, r.d, err)
	if !ok {
		return checks
	}
	checks = append(checks, backoffice.Check{Name: "service", OK: true, Text: fmt.Sprintf("the method %s has %d parameters", r.c.Method, len(params))})
	p, err := draw(params, r.c.Fields)
	if err != nil {
		f := fault.Of(err)
		return append(checks, backoffice.Check{Name: "fields", Code: f.Code, Text: signin.Sentence(f)})
	}
	return append(checks,
		backoffice.Check{Name: "fields", OK: true, Text: p.summary()},
		backoffice.Check{Name: "permissions", OK: true, Text: "whether the company exists and the method may be called shows the first delivery only: nobody knows what a trial call would do"})
}

func (p plan) summary() string {
	var out []string
	if p.graph != "" {
		out = append(out, p.graph+" gets the appointment as JSON")
	}
	if p.numbers != "" {
		out = append(out, p.numbers+" gets the resource numbers")
	}
	for _, j := range p.singles.Joins {
		if j.Column.Name != "" {
			out = append(out, j.Column.Name+" gets "+j.Name)
		}
	}
	for _, name := range p.empty {
		out = append(out, name+" gets an empty value")
	}
	if !p.keyed() {
		out = append(out, `there is no parameter for the delivery's key ("messageId"): a delivery whose outcome is unknown arrives twice, the second time as U`)
	}
	return strings.Join(out, "; ")
}
