package graphwebhook

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
	b := &bus.Mem{}
	h := Handler(func(context.Context) (graphhook.Verifier, error) { return verifier{}, nil }, b, slog.New(slog.DiscardHandler))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(
		`{"value":[{"clientState":"ok:m1","changeType":"created"},{"clientState":"ok:m1","changeType":"updated"},{"clientState":"forged"}]}`)))
	got := b.Nudges()
	if w.Code != 202 || len(got) != 1 || got[0].Kind != bus.Read || got[0].Target != "m1" || got[0].Reason != "graphwebhook" || got[0].Missing {
		t.Errorf("%d %+v", w.Code, got)
	}
}
