package trace_test

import (
	"context"
	"testing"

	"github.com/dime-scheduler/connectors/shared/trace"
)

func TestCauseTravelsWithTheContext(t *testing.T) {
	want := trace.Cause{Invocation: "i", TraceID: "t"}
	ctx, cancel := context.WithCancel(trace.With(t.Context(), want))
	defer cancel()
	if got := trace.Of(ctx); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := trace.Of(t.Context()); got != (trace.Cause{}) {
		t.Errorf("a context of no cause has %+v", got)
	}
}

func TestTheLastCallIsSeen(t *testing.T) {
	trace.Saw(t.Context(), trace.IDs{Request: "nobody watches"})
	ctx, watched := trace.Watch(t.Context())
	if got := watched.Last(); got != (trace.IDs{}) {
		t.Errorf("before any call: %+v", got)
	}
	want := trace.IDs{Request: "r2", Client: "c2"}
	trace.Saw(ctx, trace.IDs{Request: "r1", Client: "c1"})
	trace.Saw(ctx, want)
	if got := watched.Last(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
