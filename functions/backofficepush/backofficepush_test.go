package backofficepush

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

type worker func(context.Context, bus.Nudge) error

func (w worker) Handle(ctx context.Context, n bus.Nudge) error { return w(ctx, n) }

func TestHandler(t *testing.T) {
	at := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, tc := range []struct {
		name, body, session string
		want                bus.Nudge // zero: poison
	}{
		{"nudge", `{"kind":"subscribe","target":"m1","reason":"r","at":"2026-11-23T04:00:00Z","missing":true}`, "m1",
			bus.Nudge{Kind: bus.Subscribe, Target: "m1", Reason: "r", At: at.Add(-time.Hour), Missing: true, Traceparent: trace}},
		{"without a time", `{"kind":"push","target":"m1"}`, "m1", bus.Nudge{Kind: bus.Push, Target: "m1", At: at, Traceparent: trace}},
		{"of another session", `{"kind":"push","target":"m2"}`, "m1", bus.Nudge{}},
		{"without a session", `{"kind":"push","target":"m2"}`, "", bus.Nudge{}},
		{"no JSON", `push`, "m1", bus.Nudge{}},
		{"no target", `{"kind":"push"}`, "", bus.Nudge{}},
		{"unknown kind", `{"kind":"pull","target":"m1"}`, "m1", bus.Nudge{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got bus.Nudge
			down := errors.New("store down")
			h := Handler(worker(func(_ context.Context, n bus.Nudge) error { got = n; return down }))
			ctx := funchost.WithInvocation(t.Context(), funchost.Invocation{Traceparent: trace})
			err := h(ctx, funchost.Message{Body: []byte(tc.body), SessionID: tc.session, Enqueued: at})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			if poison := tc.want.Target == ""; poison != (fault.Of(err).Kind == fault.Poison) || !poison && err != down {
				t.Errorf("error %v", err)
			}
		})
	}
}
