package boardsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The ChangeType of a Change, also the message's application property.
const (
	Create = "Create"
	Update = "Update"
	Delete = "Delete"
)

// Change is one announcement, the message of the appointments contract.
type Change struct {
	MessageID  string // unique per announcement; its repetitions have the same
	ChangeType string // Create, Update or Delete
	Body       []byte // JSON: the appointment's graph, or the flat form
	GUID       string // of the appointment
	ResourceNo string // the resource that a flat message speaks for
	At         time.Time
}

// AnnounceFault is what goes wrong with one announcement; the zero value is nothing.
type AnnounceFault struct {
	// Drop loses it.
	Drop bool
	// Duplicate is how many times more it is announced, right away.
	Duplicate int
	// After lets that many later announcements pass first. When no later one
	// comes it goes out at last.
	After int
	// Delay holds it back in real time, and all later ones with it.
	Delay time.Duration
}

// SetAnnounceFault replaces the hook that decides, once per change and before
// it is announced, what goes wrong with it; it may use the board. Nil: nothing.
func (b *Board) SetAnnounceFault(fault func(Change) AnnounceFault) {
	b.announcer.mu.Lock()
	defer b.announcer.mu.Unlock()
	b.announcer.fault = fault
}

// announcer carries changes out, one at a time, by a goroutine that lives while
// there are any.
type announcer struct {
	send   func(context.Context, Change) error
	pauses []time.Duration
	ctx    context.Context
	stop   context.CancelFunc

	mu      sync.Mutex
	fault   func(Change) AnnounceFault
	queue   []Change // not looked at yet
	held    []held   // overtaken on purpose
	sent    []Change // in the order and number in which they went out
	failed  []Change // given up
	running bool
	idle    chan struct{} // closed when the goroutine ends
}

type held struct {
	change Change
	after  int // how many must pass first
}

func (a *announcer) init(opts Options, hooks func(context.Context, Change) error) {
	a.pauses, a.fault = opts.AnnouncePauses, opts.AnnounceFault
	a.send = func(ctx context.Context, c Change) error {
		var err error
		if opts.Announce != nil {
			err = opts.Announce(ctx, c)
		}
		return errors.Join(err, hooks(ctx, c))
	}
	a.ctx, a.stop = context.WithCancel(context.Background())
}

func (a *announcer) close() {
	a.stop()
	a.mu.Lock()
	idle, running := a.idle, a.running
	a.mu.Unlock()
	if running {
		<-idle
	}
}

func (a *announcer) add(changes ...Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() != nil {
		return
	}
	a.queue = append(a.queue, changes...)
	if !a.running && len(a.queue) > 0 {
		a.running, a.idle = true, make(chan struct{})
		go a.run(a.idle)
	}
}

func (a *announcer) run(idle chan struct{}) {
	defer close(idle)
	for {
		change, fault, more := a.next()
		if !more {
			return
		}
		a.wait(fault.Delay)
		for range 1 + fault.Duplicate {
			a.attempt(change)
		}
	}
}

// next takes the change to announce now; without one the goroutine is over. The
// hook is asked without the lock, so that it may use the board.
func (a *announcer) next() (Change, AnnounceFault, bool) {
	for {
		change, fault, fresh, more := a.take()
		if !more {
			return Change{}, AnnounceFault{}, false
		}
		if !fresh {
			return change, AnnounceFault{}, true
		}
		var what AnnounceFault
		if fault != nil {
			what = fault(change)
		}
		if what.Drop {
			continue
		}
		a.mu.Lock()
		if what.After > 0 {
			a.held = append(a.held, held{change, what.After})
		} else {
			for i := range a.held {
				a.held[i].after--
			}
		}
		a.mu.Unlock()
		if what.After <= 0 {
			return change, what, true
		}
	}
}

// take removes a change from those held, whose time has come, or a fresh one
// from the queue.
func (a *announcer) take() (change Change, fault func(Change) AnnounceFault, fresh, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := slices.IndexFunc(a.held, func(h held) bool { return h.after <= 0 || len(a.queue) == 0 })
	switch {
	case a.ctx.Err() != nil, due < 0 && len(a.queue) == 0:
		a.running = false
		return Change{}, nil, false, false
	case due >= 0:
		change = a.held[due].change
		a.held = slices.Delete(a.held, due, due+1)
		return change, nil, false, true
	}
	change = a.queue[0]
	a.queue = a.queue[1:]
	return change, a.fault, true, true
}

func (a *announcer) attempt(c Change) {
	for n := 0; ; n++ {
		err := a.send(a.ctx, c)
		if err == nil || n == len(a.pauses) || a.ctx.Err() != nil {
			a.mu.Lock()
			defer a.mu.Unlock()
			if err == nil {
				a.sent = append(a.sent, c)
			} else {
				a.failed = append(a.failed, c)
			}
			return
		}
		a.wait(a.pauses[n])
	}
}

func (a *announcer) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-a.ctx.Done():
	}
}

// Announced returns what went out so far, in order, repetitions included.
func (b *Board) Announced() []Change {
	b.announcer.mu.Lock()
	defer b.announcer.mu.Unlock()
	return slices.Clone(b.announcer.sent)
}

// Failed tells how many announcements were given up.
func (b *Board) Failed() int {
	b.announcer.mu.Lock()
	defer b.announcer.mu.Unlock()
	return len(b.announcer.failed)
}

// RetryFailed announces again what was given up, with the same MessageIDs, as
// the real board's timer job does.
func (b *Board) RetryFailed() {
	b.announcer.mu.Lock()
	failed := b.announcer.failed
	b.announcer.failed = nil
	b.announcer.mu.Unlock()
	b.announcer.add(failed...)
}

// WaitIdle returns when all announcements so far have gone out or were given up.
func (b *Board) WaitIdle(ctx context.Context) error {
	for {
		b.announcer.mu.Lock()
		idle, running := b.announcer.idle, b.announcer.running
		b.announcer.mu.Unlock()
		if !running {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("boardsim: changes are still being announced: %w", ctx.Err())
		}
	}
}

// announce queues the messages of a change from before to after, of which one
// may be nil; the caller holds the board's lock, so that their order is the
// order of the changes.
func (b *Board) announce(before, after *Appointment, by origin) {
	if by.api && b.opts.SilentAPIWrites {
		return
	}
	b.announcer.add(b.describe(before, after)...)
}

// describe makes the messages of a change, one or, in the flat form, one per resource.
func (b *Board) describe(before, after *Appointment) []Change {
	state, operation := after, Update
	switch {
	case before == nil:
		operation = Create
	case after == nil:
		state, operation = before, Delete
	}
	change := func(operation, resourceNo string, body []byte) Change {
		return Change{MessageID: b.opts.NewGUID(), ChangeType: operation, Body: body,
			GUID: state.GUID, ResourceNo: resourceNo, At: b.opts.Clock()}
	}
	if !b.opts.FlatMessages {
		return []Change{change(operation, "", encode(b.graph(state)))}
	}
	var had, has []string
	if before != nil {
		had = before.Resources
	}
	if after != nil {
		has = after.Resources
	}
	var changes []Change
	for _, no := range had {
		if !slices.Contains(has, no) {
			changes = append(changes, change(Delete, no, encode(b.flat(state, no))))
		}
	}
	for _, no := range has {
		each := Update
		if !slices.Contains(had, no) {
			each = Create
		}
		changes = append(changes, change(each, no, encode(b.flat(state, no))))
	}
	if changes == nil { // nobody is or was assigned
		changes = append(changes, change(operation, "", encode(b.flat(state, ""))))
	}
	return changes
}
