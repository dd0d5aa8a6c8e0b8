package broker

import (
	"container/heap"
	"time"
)

// timer is something that becomes due. Its zero value is not set.
type timer struct {
	at    time.Time
	fire  func(now time.Time)
	index int // in the heap, plus one; 0 = not set
}

// timers orders what is set by time.
type timers []*timer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push and Pop are for container/heap.
func (h *timers) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.index = len(*h)
}

func (h *timers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = 0
	return t
}

func (h *timers) set(t *timer, at time.Time, fire func(time.Time)) {
	h.stop(t)
	t.at, t.fire = at, fire
	heap.Push(h, t)
}

func (h *timers) stop(t *timer) {
	if t.index > 0 {
		heap.Remove(h, t.index-1)
	}
}

// due takes out the earliest timer if its time has come.
func (h *timers) due(now time.Time) *timer {
	if len(*h) == 0 || (*h)[0].at.After(now) {
		return nil
	}
	return heap.Pop(h).(*timer)
}

func (h timers) next() (time.Time, bool) {
	if len(h) == 0 {
		return time.Time{}, false
	}
	return h[0].at, true
}
