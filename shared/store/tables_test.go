package store_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/local/azurite"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/store/storetest"
)

// emulator is the one Azurite of all tests; each test has tables of its own in it.
var emulator struct {
	once   sync.Once
	server *azurite.Server
	err    error

	mu     sync.Mutex
	prefix int
}

func TestMain(m *testing.M) {
	code := m.Run()
	if emulator.server != nil {
		if err := emulator.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// service returns a client of the emulator, with these policies on each call.
func service(t *testing.T, perCall ...policy.Policy) *aztables.ServiceClient {
	t.Helper()
	emulator.once.Do(func() {
		// Room for the installation on a slow machine.
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
		defer cancel()
		emulator.server, emulator.err = azurite.Start(ctx, azurite.Options{})
	})
	if emulator.err != nil {
		t.Fatal(emulator.err)
	}
	opts := &aztables.ClientOptions{ClientOptions: policy.ClientOptions{PerRetryPolicies: perCall}}
	client, err := aztables.NewServiceClientFromConnectionString(emulator.server.TablesConnectionString(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// prefix returns one of table names that no other test has.
func prefix() string {
	emulator.mu.Lock()
	defer emulator.mu.Unlock()
	emulator.prefix++
	return fmt.Sprintf("t%d", emulator.prefix)
}

func open(t *testing.T, service *aztables.ServiceClient, prefix string) *store.Tables {
	t.Helper()
	s, err := store.OpenTables(t.Context(), service, store.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTables(t *testing.T) {
	client := service(t)
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, client, prefix()) })
}
