package secret_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/local/vaultsim"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// A secret that was set is the one that is read, at once; an app that may read
// only is told which role it lacks.
func TestSet(t *testing.T) {
	sim := &vaultsim.Server{}
	srv := httptest.NewTLSServer(sim)
	defer srv.Close()
	v, err := secret.NewVault(secret.Options{URL: srv.URL, Credential: token{}, HTTPClient: srv.Client(), Local: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, value := range []string{"first;+", "second"} {
		if err := v.Set(t.Context(), "connector-erp", secret.New(value)); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Get(t.Context(), "connector-erp"); err != nil || got.Reveal() != value {
			t.Errorf("read %v after a write, not what was written", err)
		}
	}
	sim.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":{"code":"Forbidden","message":"no","innererror":{"code":"ForbiddenByRbac"}}}`))
		return true
	}
	err = v.Set(t.Context(), "connector-erp", secret.New("third"))
	if f := fault.Of(err); err == nil || f.Kind != fault.Permanent || f.Reason != fault.Auth || !strings.Contains(err.Error(), "Secrets Officer") || strings.Contains(err.Error(), "third") {
		t.Errorf("%v", err)
	}
	if got, _ := v.Get(t.Context(), "connector-erp"); got.Reveal() != "second" {
		t.Error("a refused write changed what is read")
	}
}
