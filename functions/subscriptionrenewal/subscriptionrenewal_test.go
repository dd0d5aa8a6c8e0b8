package subscriptionrenewal

import (
	"context"
	"errors"
	"testing"

	"github.com/dime-scheduler/connectors/shared/funchost"
)

type fake func(context.Context) error

func (f fake) Run(ctx context.Context) error { return f(ctx) }

func TestHandler(t *testing.T) {
	for _, want := range []error{nil, errors.New("store down")} {
		runs := 0
		h := Handler(fake(func(ctx context.Context) error {
			if ctx != t.Context() {
				t.Error("another context")
			}
			runs++
			return want
		}))
		if got := h(t.Context(), funchost.Timer{PastDue: true}); got != want || runs != 1 {
			t.Errorf("%v after %d runs, want %v", got, runs, want)
		}
	}
}
