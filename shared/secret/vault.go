package secret

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Options says how to reach a Key Vault. URL and Credential are needed.
type Options struct {
	URL        string // https
	Credential azcore.TokenCredential
	// HTTPClient carries the calls; nil = the SDK's.
	HTTPClient *http.Client
	// Local: the vault is a simulator, whose host name is not that of the
	// resource for which it asks a token. Never set it for a real vault: the
	// check keeps the token from a stranger.
	Local bool

	// TTL is how long a secret is used before it is read again; 0 = 10 min. It
	// bounds how late a rotation is noticed that nobody reports by Invalidate.
	TTL time.Duration
	// Grace is how long beyond its TTL the last good value is used while the
	// vault can not be reached; 0 = 4 h.
	Grace time.Duration
	// Pause lies between two reads of the same secret that fail or are asked
	// for by Invalidate; 0 = 10 s.
	Pause time.Duration
	// Timeout bounds one read with its retries; 0 = 20 s.
	Timeout time.Duration
	// Patience is how long a caller waits for a read while there is a good value; 0 = 1 s.
	Patience time.Duration
	// Clock is for tests; nil = time.Now.
	Clock func() time.Time
}

// Vault reads secrets from a Key Vault and remembers them. It is safe for
// concurrent use; Close ends what it does in the background.
type Vault struct {
	client *azsecrets.Client
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	reads  sync.WaitGroup

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what is remembered of one name.
type entry struct {
	value   Secret
	read    time.Time // when value was read; zero = never
	expires time.Time // when value is to be read again

	err   error     // of the last read, nil if it succeeded
	retry time.Time // not before then, after a failure

	flight chan struct{} // closed when the read under way ends; nil = none
}

// NewVault returns a vault; it makes no call.
func NewVault(o Options) (*Vault, error) {
	setDefault(&o.TTL, 10*time.Minute)
	setDefault(&o.Grace, 4*time.Hour)
	setDefault(&o.Pause, 10*time.Second)
	setDefault(&o.Timeout, 20*time.Second)
	setDefault(&o.Patience, time.Second)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	options := &azsecrets.ClientOptions{DisableChallengeResourceVerification: o.Local}
	options.Retry = policy.RetryOptions{MaxRetries: 3, TryTimeout: 5 * time.Second, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 5 * time.Second}
	if o.HTTPClient != nil {
		options.Transport = o.HTTPClient
	}
	client, err := azsecrets.NewClient(o.URL, o.Credential, options)
	if err != nil {
		return nil, fmt.Errorf("key vault client: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Vault{client: client, o: o, ctx: ctx, cancel: cancel, entries: map[string]*entry{}}, nil
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// Close stops reads under way and waits for them.
func (v *Vault) Close() {
	v.cancel()
	v.reads.Wait()
}

// Get returns the newest version of a secret, from memory while it is fresh.
// Any number of callers share one read, which a caller that gives up does not
// stop. While the vault can not be reached the last good value is returned, for
// Grace. The error is a *fault.Error that names the secret and never its value:
// Auth with WholeTarget if it is absent, disabled, empty or denied, else
// Unavailable.
func (v *Vault) Get(ctx context.Context, name string) (Secret, error) {
	patience := time.NewTimer(v.o.Patience)
	defer patience.Stop()
	for {
		value, flight, err := v.look(name)
		if flight == nil {
			return value, err
		}
		select {
		case <-flight:
		case <-patience.C:
			if value, ok := v.known(name); ok {
				return value, nil
			}
		case <-ctx.Done():
			return Secret{}, &fault.Error{Kind: fault.Transient, Reason: fault.Of(ctx.Err()).Reason, Op: "key vault: get " + name, Err: ctx.Err()}
		}
	}
}

// known returns the last good value if it is not too old.
func (v *Vault) known(name string) (Secret, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entries[name]
	ok := !e.read.IsZero() && v.o.Clock().Before(e.read.Add(v.o.TTL+v.o.Grace)) && (e.err == nil || fault.Is(e.err, fault.Unavailable))
	return e.value, ok
}

// look returns what is known, or the read to wait for.
func (v *Vault) look(name string) (Secret, <-chan struct{}, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entries[name]
	if e == nil {
		e = &entry{}
		v.entries[name] = e
	}
	now := v.o.Clock()
	switch {
	case e.flight != nil:
		return Secret{}, e.flight, nil
	case e.err == nil && now.Before(e.expires):
		return e.value, nil, nil
	case e.err != nil && now.Before(e.retry):
		return e.last(now, v.o)
	}
	if v.ctx.Err() != nil {
		return Secret{}, nil, &fault.Error{Kind: fault.Transient, Reason: fault.Canceled, Op: "key vault: get " + name, Err: errors.New("the vault's client is closed")}
	}
	e.flight = make(chan struct{})
	v.reads.Add(1)
	go v.read(name, e)
	return Secret{}, e.flight, nil
}

// last is what is returned after a failed read: the last good value if it is
// only the vault that fails and the value is not too old, else the error.
func (e *entry) last(now time.Time, o Options) (Secret, <-chan struct{}, error) {
	if fault.Is(e.err, fault.Unavailable) && !e.read.IsZero() && now.Before(e.read.Add(o.TTL+o.Grace)) {
		return e.value, nil, nil
	}
	return Secret{}, nil, e.err
}

func (v *Vault) read(name string, e *entry) {
	defer v.reads.Done()
	ctx, cancel := context.WithTimeout(v.ctx, v.o.Timeout)
	defer cancel()
	began := v.o.Clock()
	value, err := v.fetch(ctx, name)

	v.mu.Lock()
	defer v.mu.Unlock()
	close(e.flight)
	e.flight, e.err = nil, err
	if err != nil {
		e.retry = v.o.Clock().Add(v.o.Pause)
		return
	}
	e.value, e.read, e.expires = value, began, began.Add(v.o.TTL)
}

// Invalidate says that the value of a secret has been refused by whom it is
// for: it is read again at the next Get, but not sooner than Pause after the
// last read, so that a storm of refusals does not become one on the vault.
func (v *Vault) Invalidate(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entries[name]
	if e == nil {
		return
	}
	if soonest := e.read.Add(v.o.Pause); soonest.Before(e.expires) {
		e.expires = soonest
	}
}

// Static is a vault with fixed secrets, by name, for tests.
type Static map[string]string

// Get returns the secret, or a fault as that of a Vault.
func (s Static) Get(_ context.Context, name string) (Secret, error) {
	value, ok := s[name]
	if !ok {
		return Secret{}, unusable(name, "SecretNotFound", "does not exist", "create it")
	}
	return New(value), nil
}

// Invalidate does nothing.
func (Static) Invalidate(string) {}
