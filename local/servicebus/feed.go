package servicebus

import (
	"slices"
	"sync"

	"github.com/dime-scheduler/connectors/local/servicebus/broker"
)

// Event is a change of a message or session; see broker.Event.
type Event = broker.Event

// Observe calls fn for every change from now on, in order, one at a time, on a
// goroutine of its own: fn may take its time and call the broker. stop ends it.
func (b *Broker) Observe(fn func(Event)) (stop func()) { return b.feed.add(fn) }

// feed carries events from under the broker's lock to the observers.
type feed struct {
	mu        sync.Mutex
	wake      sync.Cond
	observers []*func(Event)
	queue     []Event
	ended     bool
	done      chan struct{}
}

func (f *feed) start() {
	f.wake.L = &f.mu
	f.done = make(chan struct{})
	go f.run()
}

func (f *feed) put(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.observers) > 0 && !f.ended {
		f.queue = append(f.queue, e)
		f.wake.Signal()
	}
}

func (f *feed) add(fn func(Event)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.observers = append(f.observers, &fn)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.observers = slices.DeleteFunc(f.observers, func(x *func(Event)) bool { return x == &fn })
	}
}

func (f *feed) run() {
	defer close(f.done)
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		for len(f.queue) == 0 && !f.ended {
			f.wake.Wait()
		}
		if f.ended {
			return
		}
		batch, observers := f.queue, slices.Clone(f.observers)
		f.queue = nil
		f.mu.Unlock()
		for _, e := range batch {
			for _, fn := range observers {
				(*fn)(e)
			}
		}
		f.mu.Lock()
	}
}

func (f *feed) stop() {
	f.mu.Lock()
	f.ended = true
	f.wake.Signal()
	f.mu.Unlock()
	<-f.done
}
