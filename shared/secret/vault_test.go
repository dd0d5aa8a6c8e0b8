package secret_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/dime-scheduler/connectors/local/vaultsim"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t0ken", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// clock is moved by hand.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

type world struct {
	sim   *vaultsim.Server
	srv   *httptest.Server
	vault *secret.Vault
	clock *clock
}

func newWorld(t *testing.T, sim *vaultsim.Server) *world {
	t.Helper()
	w := &world{sim: sim, srv: httptest.NewTLSServer(sim), clock: &clock{}}
	t.Cleanup(w.srv.Close)
	var err error
	w.vault, err = secret.NewVault(secret.Options{
		URL: w.srv.URL, Credential: token{}, HTTPClient: w.srv.Client(), Local: true, Clock: w.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.vault.Close)
	return w
}

func (w *world) want(t *testing.T, value string, reads int) {
	t.Helper()
	got, err := w.vault.Get(t.Context(), "key")
	if err != nil || got.Reveal() != value {
		t.Errorf("got %q, %v, want %q", got.Reveal(), err, value)
	}
	if n := w.sim.Calls("get"); n != reads {
		t.Errorf("%d reads of the vault, want %d", n, reads)
	}
}

func (w *world) wantFault(t *testing.T, reason fault.Reason, code string) {
	t.Helper()
	got, err := w.vault.Get(t.Context(), "key")
	f := fault.Of(err)
	if err == nil || !got.IsZero() || f.Reason != reason || f.Kind != fault.Transient || code != "" && f.Code != code {
		t.Fatalf("got %v, want %s %s", err, reason, code)
	}
	if f.WholeTarget != (reason == fault.Auth) || !strings.Contains(err.Error(), "secret key") || strings.Contains(err.Error(), "hushhush") {
		t.Errorf("%v does not name the secret, or shows too much", err)
	}
}

func TestRotationIsPickedUpWithoutRestart(t *testing.T) {
	w := newWorld(t, &vaultsim.Server{})
	w.sim.Set("key", "hushhush-1")
	w.want(t, "hushhush-1", 1)
	w.sim.Set("key", "hushhush-2")
	w.want(t, "hushhush-1", 1)
	w.clock.advance(10 * time.Minute)
	w.want(t, "hushhush-2", 2)
}

func TestInvalidateReadsAgainButNotInAStorm(t *testing.T) {
	w := newWorld(t, &vaultsim.Server{})
	w.vault.Invalidate("key") // of what was never read: nothing
	w.sim.Set("key", "hushhush-1")
	w.want(t, "hushhush-1", 1)
	w.sim.Set("key", "hushhush-2")
	w.clock.advance(time.Minute)
	w.vault.Invalidate("key")
	w.want(t, "hushhush-2", 2)

	// Refused again at once: the value is fresh, so the vault is left alone ...
	w.sim.Set("key", "hushhush-3")
	for range 1000 {
		w.vault.Invalidate("key")
		w.want(t, "hushhush-2", 2)
	}
	// ... for a pause, not for the whole TTL.
	w.clock.advance(10 * time.Second)
	w.want(t, "hushhush-3", 3)
}

func TestManyCallersShareOneRead(t *testing.T) {
	var release = make(chan struct{})
	var held atomic.Bool
	w := newWorld(t, &vaultsim.Server{Fault: func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			held.Store(true)
			<-release
		}
		return false
	}})
	w.sim.Set("key", "hushhush")

	// A caller that gives up does not take the read from the others.
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { _, err := w.vault.Get(ctx, "key"); gaveUp <- err }()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if s, err := w.vault.Get(t.Context(), "key"); err != nil || s.Reveal() != "hushhush" {
				t.Errorf("got %v", err)
			}
		})
	}
	cancel()
	if err := <-gaveUp; !fault.Is(err, fault.Canceled) {
		t.Errorf("gave up with %v", err)
	}
	close(release)
	all.Wait()
	if n := w.sim.Calls("get"); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	if !held.Load() {
		t.Error("no read was held back")
	}
}

func TestWhatAPersonHasToMend(t *testing.T) {
	w := newWorld(t, &vaultsim.Server{})
	w.wantFault(t, fault.Auth, "SecretNotFound")
	reads := w.sim.Calls("get")
	w.wantFault(t, fault.Auth, "SecretNotFound")
	if w.sim.Calls("get") != reads {
		t.Error("an absent secret is asked for again at once")
	}
	w.sim.Set("key", "hushhush")
	w.clock.advance(10 * time.Second)
	w.want(t, "hushhush", reads+1)

	// A value that was taken away is not used any longer than its TTL.
	w.sim.Disable("key")
	w.clock.advance(10 * time.Minute)
	w.wantFault(t, fault.Auth, "SecretDisabled")
	w.sim.Enable("key")
	w.sim.Deny("key")
	w.clock.advance(10 * time.Second)
	w.wantFault(t, fault.Auth, "Forbidden")
	w.sim.Allow("key")
	w.sim.Set("key", "")
	w.clock.advance(10 * time.Second)
	w.wantFault(t, fault.Auth, "SecretEmpty")
}

func TestLastGoodValueWhileTheVaultIsDown(t *testing.T) {
	var down atomic.Bool
	w := newWorld(t, &vaultsim.Server{Fault: func(rw http.ResponseWriter, _ *http.Request) bool {
		if down.Load() {
			rw.Header().Set("Retry-After", "0")
			rw.WriteHeader(http.StatusNotImplemented) // a 5xx that the SDK does not retry
		}
		return down.Load()
	}})
	w.sim.Set("key", "hushhush-1")
	w.want(t, "hushhush-1", 1)
	down.Store(true)
	w.clock.advance(time.Hour)
	w.want(t, "hushhush-1", 1)
	w.vault.Invalidate("key")
	w.want(t, "hushhush-1", 1)

	// It comes back with a new value: that is noticed after the pause.
	down.Store(false)
	w.sim.Set("key", "hushhush-2")
	w.clock.advance(10 * time.Second)
	w.want(t, "hushhush-2", 2)

	// But not for ever.
	down.Store(true)
	w.clock.advance(4*time.Hour + 10*time.Minute)
	w.wantFault(t, fault.Unavailable, "HTTP501")
}

func TestClosedVaultReadsNothing(t *testing.T) {
	w := newWorld(t, &vaultsim.Server{})
	w.vault.Close()
	if _, err := w.vault.Get(t.Context(), "key"); !fault.Is(err, fault.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStatic(t *testing.T) {
	s := secret.Static{"key": "hushhush"}
	s.Invalidate("key")
	if got, err := s.Get(t.Context(), "key"); err != nil || got.Reveal() != "hushhush" {
		t.Errorf("got %v", err)
	}
	if _, err := s.Get(t.Context(), "other"); !fault.Is(err, fault.Auth) || !strings.Contains(err.Error(), "other") {
		t.Errorf("got %v", err)
	}
}
