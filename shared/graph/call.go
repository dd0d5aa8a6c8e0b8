package graph

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	abs "github.com/microsoft/kiota-abstractions-go"
	"golang.org/x/sync/semaphore"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// op is one kind of call, and what its failures mean.
type op struct {
	name  string // for Observe and the text of faults
	write bool   // a lost answer leaves open whether it was done
	delta bool   // a lost sync state means: begin again
	leaf  bool   // any 404 is about the thing that is named, not about the mailbox
	// subscribe: a refusal says nothing about the mailbox, which can be read
	// without notifications; a 400 is about our endpoint, which can come back.
	subscribe bool
}

func (o op) fault(f fault.Error) *fault.Error {
	f.Op = "graph: " + o.name
	f.Ambiguous = f.Ambiguous && o.write
	return &f
}

// badAnswer is a 2xx that can not be read.
func (o op) badAnswer(code string) *fault.Error {
	return o.fault(fault.Error{Kind: fault.Transient, Reason: fault.Other, Code: code, Ambiguous: true})
}

// call is one HTTP call under way. It travels in the context to the edge
// (edge.go), which leaves its finding here.
type call struct {
	op     op
	fault  *fault.Error
	status int // 0 = there was no answer
}

type callKey struct{}

// do runs one HTTP call of a mailbox ("" = of none) that takes that many of its
// slots. After a 401 it drops the token and tries once more: nothing was done,
// and what was rotated meanwhile is picked up.
func (c *Client) do(ctx context.Context, o op, mailbox string, slots int, f func(context.Context) error) error {
	leave, err := c.lanes.enter(ctx, mailbox, slots)
	if err != nil {
		return o.fault(fault.Error{Kind: fault.Transient, Reason: fault.Of(err).Reason, Err: err})
	}
	defer leave()
	status, err := c.once(ctx, o, f)
	if status == 401 && c.tokens.forget() {
		_, err = c.once(ctx, o, f)
	}
	return err
}

func (c *Client) once(ctx context.Context, o op, f func(context.Context) error) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	k := &call{op: o}
	err = f(context.WithValue(ctx, callKey{}, k))
	switch {
	case k.fault != nil:
		return k.status, k.fault
	case err == nil:
		return k.status, nil
	}
	// No token, or an answer that the SDK or the caller could not read.
	if known, ok := errors.AsType[*fault.Error](err); ok {
		if known.Op != "" {
			return k.status, err // not Graph's: the vault that holds the secret fails (R5)
		}
		return k.status, o.fault(*known)
	}
	if k.status == 0 {
		return 0, o.fault(fault.Error{Kind: fault.Transient, Reason: fault.Other, Code: "RequestNotBuilt"})
	}
	return k.status, o.badAnswer("UnreadableResponse")
}

// raw makes a request with the SDK's adapter and returns the body as it came.
func (c *Client) raw(ctx context.Context, o op, mailbox string, slots int, info *abs.RequestInformation) ([]byte, error) {
	var body []byte
	err := c.do(ctx, o, mailbox, slots, func(ctx context.Context) error {
		// A new try needs a new token.
		info.Headers.Remove("Authorization")
		got, err := c.adapter.SendPrimitive(ctx, info, "[]byte", nil)
		body, _ = got.([]byte)
		return err
	})
	return body, err
}

// get makes a GET and decodes the JSON of its answer.
func (c *Client) get(ctx context.Context, o op, mailbox string, info *abs.RequestInformation, into any) error {
	body, err := c.raw(ctx, o, mailbox, 1, info)
	if err != nil {
		return err
	}
	if json.Unmarshal(body, into) != nil {
		return o.badAnswer("UnreadableResponse")
	}
	return nil
}

// mailboxSlots is how many requests Exchange serves at a time per application
// and mailbox (facts B9).
const mailboxSlots = 4

// lanes hold back what would be refused with MailboxConcurrency.
type lanes struct {
	mu sync.Mutex
	m  map[string]*lane
}

type lane struct {
	slots *semaphore.Weighted
	users int // inside or waiting; the lane goes when they have gone
}

// enter waits for n free slots of the mailbox, at most until ctx ends.
func (l *lanes) enter(ctx context.Context, mailbox string, n int) (leave func(), err error) {
	if mailbox == "" {
		return func() {}, nil
	}
	mailbox, n = strings.ToLower(mailbox), min(n, mailboxSlots)
	l.mu.Lock()
	if l.m == nil {
		l.m = map[string]*lane{}
	}
	box := l.m[mailbox]
	if box == nil {
		box = &lane{slots: semaphore.NewWeighted(mailboxSlots)}
		l.m[mailbox] = box
	}
	box.users++
	l.mu.Unlock()

	done := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if box.users--; box.users == 0 {
			delete(l.m, mailbox)
		}
	}
	if err := box.slots.Acquire(ctx, int64(n)); err != nil {
		done()
		return nil, err
	}
	return func() { box.slots.Release(int64(n)); done() }, nil
}
