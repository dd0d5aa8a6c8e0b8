package azurite

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
)

// startTimeout has room for the installation on a slow machine.
const startTimeout = 8 * time.Minute

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	s, err := Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tables(t *testing.T, s *Server) *aztables.ServiceClient {
	t.Helper()
	client, err := aztables.NewServiceClientFromConnectionString(s.TablesConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestTablesWorkWithTheSDK(t *testing.T) {
	ctx := t.Context()
	service := tables(t, start(t, Options{}))
	if _, err := service.CreateTable(ctx, "links", nil); err != nil {
		t.Fatal(err)
	}
	table := service.NewClient("links")
	entity := []byte(`{"PartitionKey":"p","RowKey":"r","N":"1"}`)
	if _, err := table.AddEntity(ctx, entity, nil); err != nil {
		t.Fatal(err)
	}
	_, err := table.AddEntity(ctx, entity, nil)
	var response *azcore.ResponseError
	if !errors.As(err, &response) || response.ErrorCode != string(aztables.EntityAlreadyExists) {
		t.Errorf("second AddEntity: %v, want %s", err, aztables.EntityAlreadyExists)
	}
	stale := azcore.ETag(`W/"datetime'2020-01-01T00%3A00%3A00.0000000Z'"`)
	_, err = table.UpdateEntity(ctx, entity, &aztables.UpdateEntityOptions{IfMatch: &stale, UpdateMode: aztables.UpdateModeReplace})
	if !errors.As(err, &response) || response.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("update with a stale etag: %v, want 412", err)
	}
}

func TestAllThreeServicesAnswerInThePinnedVersion(t *testing.T) {
	s := start(t, Options{})
	endpoints := map[string]string{}
	for part := range strings.SplitSeq(s.StorageConnectionString(), ";") {
		if name, value, found := strings.Cut(part, "="); found {
			endpoints[name] = value
		}
	}
	for _, service := range []string{"Blob", "Queue", "Table"} {
		url := endpoints[service+"Endpoint"]
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"?comp=list", nil)
		if err != nil {
			t.Fatalf("%s: %v", service, err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("%s: %v", service, err)
			continue
		}
		response.Body.Close()
		if got, want := response.Header.Get("Server"), "Azurite-"+service+"/"+Version; got != want {
			t.Errorf("%s: Server header %q, want %q", service, got, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestDataInAFolderSurvivesARestart(t *testing.T) {
	ctx := t.Context()
	opts := Options{Dir: t.TempDir()}
	first := start(t, opts)
	if _, err := tables(t, first).CreateTable(ctx, "links", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := tables(t, first).NewClient("links").AddEntity(ctx, []byte(`{"PartitionKey":"p","RowKey":"r"}`), nil); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, opts)
	if _, err := tables(t, second).NewClient("links").GetEntity(ctx, "p", "r", nil); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

func TestServersDoNotShareAnything(t *testing.T) {
	ctx := t.Context()
	a, b := start(t, Options{}), start(t, Options{})
	for _, s := range []*Server{a, b} {
		if _, err := tables(t, s).CreateTable(ctx, "links", nil); err != nil {
			t.Errorf("create table: %v", err)
		}
	}
}

func TestCloseEndsTheProcess(t *testing.T) {
	s := start(t, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("Done is open after Close")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	start(t, Options{}) // installed from here on
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with a cancelled context: %v, want context.Canceled", err)
	}
}

func TestLockFilePinsTheVersionAndNoRegistry(t *testing.T) {
	var locked struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	if err := json.Unmarshal(packageLock, &locked); err != nil {
		t.Fatal(err)
	}
	if got := locked.Packages["node_modules/azurite"].Version; got != Version {
		t.Errorf("lock file pins azurite %q, want %q", got, Version)
	}
	for name, p := range locked.Packages {
		if p.Resolved != "" {
			t.Errorf("%s is bound to a registry: %s", name, p.Resolved)
		}
		if name != "" && p.Integrity == "" {
			t.Errorf("%s has no integrity hash", name)
		}
	}
	var manifest struct{ Dependencies map[string]string }
	if err := json.Unmarshal(packageJSON, &manifest); err != nil {
		t.Fatal(err)
	}
	if got := manifest.Dependencies["azurite"]; got != Version {
		t.Errorf("package.json asks for azurite %q, want exactly %q", got, Version)
	}
}
