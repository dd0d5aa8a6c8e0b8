// Package webhook is the back office that is any HTTP endpoint: it gets the whole
// appointment graph as JSON, by POST (facts B.5).
//
// Guarantees: every attempt of the same state carries the same Idempotency-Key, so
// that a receiver that remembers keys takes it once; operation and version stand in
// headers; with a signing key, a receiver can check who sent the body and when
// (docs/backoffice.md says how). Success is any 2xx, whatever the body: the
// incumbent takes 200 only, and receivers that answer 202 or 204 mean the same.
//
// It does not read anything back: a webhook has nothing to ask.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// The headers of a call.
const (
	HeaderKey       = "Idempotency-Key"
	HeaderOperation = "X-Dime-Operation" // Create, Update, Delete
	HeaderAction    = "X-Dime-Action"    // I, U, D: the same as a database action
	HeaderVersion   = "X-Dime-Version"   // orders the calls of one appointment
	HeaderAttempt   = "X-Dime-Attempt"   // from 1
	HeaderTimestamp = "X-Dime-Timestamp" // seconds since 1970, of this attempt
	HeaderSignature = "X-Dime-Signature" // sha256=hex of the HMAC
)

type connector struct {
	client  *wire.Client
	deps    backoffice.Deps
	signing bool
}

// Kind opens webhooks; tokens is the one of the whole program.
func Kind(tokens *oauth.Tokens) backoffice.Kind {
	return backoffice.KindFunc(func(_ context.Context, d backoffice.Deps, c backoffice.Config) (backoffice.Connector, error) {
		way, err := signin.Choose(c, d, tokens)
		if err != nil {
			return nil, err
		}
		client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize, HTTP1: way.HTTP1, Codes: wire.Webhook})
		if err != nil {
			return nil, err
		}
		return &connector{client: client, deps: d, signing: c.Signing != ""}, nil
	})
}

// Fields: it gets the whole graph.
func (c *connector) Fields(context.Context) ([]backoffice.FieldUse, error) { return nil, nil }

// Traits: a key is taken once, by contract with the receiver.
func (c *connector) Traits() backoffice.Traits { return backoffice.Traits{Idempotent: true} }

// Close lets go of idle connections.
func (c *connector) Close() { c.client.Close() }

const opDeliver = "webhook: deliver"

// Deliver posts the graph.
func (c *connector) Deliver(ctx context.Context, d backoffice.Delivery) (backoffice.Receipt, error) {
	header := http.Header{}
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set(HeaderKey, d.Key)
	header.Set(HeaderOperation, names[d.Operation])
	header.Set(HeaderAction, string(d.Operation))
	header.Set(HeaderVersion, d.Version.String())
	header.Set(HeaderAttempt, strconv.Itoa(d.Attempt))
	if d.Trace != "" {
		header.Set("Traceparent", d.Trace)
	}
	if err := c.sign(ctx, header, d.Graph); err != nil {
		return backoffice.Receipt{}, err
	}
	r, err := c.client.Do(ctx, wire.Request{Op: opDeliver, Method: http.MethodPost, Header: header, Body: d.Graph, IgnoreBody: true})
	if err != nil {
		return backoffice.Receipt{}, err
	}
	if f := refused(c.client.Fault(opDeliver, r), r.Status); f != nil {
		return backoffice.Receipt{}, f
	}
	// A Location is not kept: those of Logic Apps hold a signature that opens them.
	return backoffice.Receipt{Correlation: clip(correlation(r.Header))}, nil
}

var names = map[backoffice.Operation]string{backoffice.Insert: "Create", backoffice.Update: "Update", backoffice.Delete: "Delete"}

func (c *connector) sign(ctx context.Context, header http.Header, body []byte) error {
	stamp := strconv.FormatInt(c.deps.Now().Unix(), 10)
	header.Set(HeaderTimestamp, stamp)
	if !c.signing {
		return nil
	}
	key, err := c.deps.Signing(ctx)
	if err != nil {
		return err
	}
	header.Set(HeaderSignature, Signature(key.Reveal(), stamp, body))
	return nil
}

// Signature is the HMAC-SHA256, under the key, of the timestamp as it stands in its
// header, a full stop, and the body. Receivers compute the same, compare in constant
// time and refuse timestamps that are minutes off.
func Signature(key, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// refused sharpens what the status says: an endpoint that has moved or lost its
// handler answers 404 to everything, but a receiver may mean this one appointment.
// It is tried again; if all calls fail the circuit breaker sees it.
func refused(f *fault.Error, status int) *fault.Error {
	if f == nil {
		return nil
	}
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		f.Kind, f.WholeTarget, f.Reason = fault.Transient, false, fault.Unavailable
	}
	return f
}

func correlation(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Request-Id", "X-Correlation-Id", "X-Ms-Request-Id"} {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return ""
}

func clip(s string) string { return s[:min(len(s), 200)] }

// Find is never called.
func (c *connector) Find(context.Context, backoffice.Delivery) (backoffice.Receipt, bool, error) {
	return backoffice.Receipt{}, false, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "webhook: find"}
}

// Status is never called.
func (c *connector) Status(context.Context, backoffice.Receipt) (backoffice.Processing, error) {
	return backoffice.Processing{}, &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: "webhook: status"}
}

// Test asks the address with HEAD, which has no effect there: many receivers answer
// 404 or 405 to it, which shows that they are there. A refused sign-in shows too.
func (c *connector) Test(ctx context.Context) []backoffice.Check {
	if c.signing {
		if _, err := c.deps.Signing(ctx); err != nil {
			return []backoffice.Check{{Name: "signing key", Code: backoffice.CodeMissingField, Text: "the signing key can not be read from Key Vault: store it, and let the app read it"}}
		}
	}
	r, err := c.client.Do(ctx, wire.Request{Op: "webhook: test", Method: http.MethodHead, IgnoreBody: true})
	if err != nil {
		f := fault.Of(err)
		code := f.Code
		if code == "" {
			code = backoffice.CodeWebhookHTTP
		}
		text := "the address can not be reached"
		if f.Err != nil {
			text += ": " + f.Err.Error()
		}
		return []backoffice.Check{{Name: "address", Code: code, Text: text}}
	}
	address := backoffice.Check{Name: "address", OK: true, Text: fmt.Sprintf("it answers (HTTP status %d to HEAD; whether it takes deliveries shows with the first)", r.Status)}
	switch {
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		f := c.client.Fault("webhook: test", r)
		return []backoffice.Check{address, {Name: "sign-in", Code: f.Code, Text: fmt.Sprintf("the endpoint refuses the sign-in (HTTP status %d): check login, password and scope", r.Status)}}
	case r.Status >= 300 && r.Status < 400:
		f := c.client.Fault("webhook: test", r)
		return []backoffice.Check{{Name: "address", Code: f.Code, Text: f.Err.Error()}}
	case r.Status >= 500:
		return []backoffice.Check{{Name: "address", Code: backoffice.CodeWebhookHTTP, Text: fmt.Sprintf("the endpoint fails (HTTP status %d): its own log says why", r.Status)}}
	}
	return []backoffice.Check{address}
}
