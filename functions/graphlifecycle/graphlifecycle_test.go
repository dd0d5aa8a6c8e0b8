package graphlifecycle

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/graphhook"
)

type verifier struct{}

func (verifier) Verify(state string) (string, bool) { return strings.CutPrefix(state, "ok:") }

func TestHandler(t *testing.T) {
	for _, tc := range []struct {
		event   string
		kind    bus.Kind
		missing bool
	}{
		{"reauthorizationRequired", bus.Subscribe, false},
		{"ReauthorizationRequired", bus.Subscribe, false},
		{"subscriptionRemoved", bus.Subscribe, true},
		{"missed", bus.Read, false},
		{"something new", bus.Read, false},
		{"", bus.Read, false},
	} {
		t.Run(tc.event, func(t *testing.T) {
			b := &bus.Mem{}
			h := Handler(func(context.Context) (graphhook.Verifier, error) { return verifier{}, nil }, b, slog.New(slog.DiscardHandler))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(
				`{"value":[{"clientState":"ok:m1","lifecycleEvent":"`+tc.event+`","subscriptionId":"s"}]}`)))
			got := b.Nudges()
			if w.Code != 202 || len(got) != 1 || got[0].Kind != tc.kind || got[0].Missing != tc.missing || got[0].Reason != "graphlifecycle" {
				t.Errorf("%d %+v", w.Code, got)
			}
		})
	}
}
