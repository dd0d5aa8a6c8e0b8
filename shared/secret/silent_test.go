package secret_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/vaultsim"
	"github.com/dime-scheduler/connectors/shared/secret"
)

func TestASilentVaultDoesNotStopWhoHasASecret(t *testing.T) {
	sim := &vaultsim.Server{}
	sim.Set("key", "v1")
	var silent atomic.Bool
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			<-r.Context().Done()
			return
		}
		sim.ServeHTTP(w, r)
	}))
	defer srv.Close()
	clk := &clock{}
	v, err := secret.NewVault(secret.Options{URL: srv.URL, Credential: token{}, HTTPClient: srv.Client(), Local: true, Clock: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.Get(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	silent.Store(true)
	clk.advance(11 * time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond) // the webhook's
	defer cancel()
	began := time.Now()
	got, err := v.Get(ctx, "key")
	t.Log(time.Since(began), err)
	if err != nil || got.Reveal() != "v1" {
		t.Errorf("%v", err)
	}
}
