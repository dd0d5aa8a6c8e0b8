package infratest

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const root = "../.."

// hostConfig has the keys of host.json that this project uses; a key that it
// does not have fails the decoding. Not for use: retry (it would apply to every
// function), concurrency (it overrides the limits below) and the options of
// older extensions (messageHandlerOptions and its like are ignored).
type hostConfig struct {
	Version         string   `json:"version"`
	FunctionTimeout duration `json:"functionTimeout"`
	CustomHandler   struct {
		Description struct {
			DefaultExecutablePath string   `json:"defaultExecutablePath"`
			WorkingDirectory      string   `json:"workingDirectory"`
			Arguments             []string `json:"arguments"`
		} `json:"description"`
		EnableProxyingHTTPRequest bool `json:"enableProxyingHttpRequest"`
	} `json:"customHandler"`
	ExtensionBundle struct {
		ID      string `json:"id"`
		Version string `json:"version"`
	} `json:"extensionBundle"`
	Extensions struct {
		HTTP struct {
			RoutePrefix string `json:"routePrefix"`
		} `json:"http"`
		ServiceBus struct {
			PrefetchCount              int      `json:"prefetchCount"`
			AutoCompleteMessages       bool     `json:"autoCompleteMessages"`
			MaxConcurrentCalls         int      `json:"maxConcurrentCalls"`
			MaxConcurrentSessions      int      `json:"maxConcurrentSessions"`
			SessionIdleTimeout         duration `json:"sessionIdleTimeout"`
			MaxAutoLockRenewalDuration duration `json:"maxAutoLockRenewalDuration"`
		} `json:"serviceBus"`
	} `json:"extensions"`
	Logging json.RawMessage `json:"logging"`
}

// duration is a .NET TimeSpan of the form hh:mm:ss.
type duration time.Duration

func (d *duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	at, err := time.Parse("15:04:05", s)
	if err != nil {
		return err
	}
	*d = duration(at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
	return nil
}

func readHost(t *testing.T) hostConfig {
	t.Helper()
	var host hostConfig
	decode(t, filepath.Join(root, "host.json"), &host)
	return host
}

// binding has the properties of a binding that this project uses.
type binding struct {
	Type      string `json:"type"`
	Direction string `json:"direction"`
	Name      string `json:"name"`

	AuthLevel string   `json:"authLevel"` // httpTrigger
	Methods   []string `json:"methods"`
	Route     string   `json:"route"`

	QueueName         string `json:"queueName"` // serviceBusTrigger
	Connection        string `json:"connection"`
	IsSessionsEnabled bool   `json:"isSessionsEnabled"`
	DataType          string `json:"dataType"`
	Cardinality       string `json:"cardinality"`

	Schedule     string `json:"schedule"` // timerTrigger
	RunOnStartup *bool  `json:"runOnStartup"`
	UseMonitor   *bool  `json:"useMonitor"`
}

// readFunctions returns the bindings of each function, by its name.
func readFunctions(t *testing.T) map[string][]binding {
	t.Helper()
	functions := map[string][]binding{}
	dir := filepath.Join(root, "functions")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "function.json" {
			return err
		}
		if filepath.Dir(filepath.Dir(path)) != dir {
			t.Errorf("%s: the host and infra/pack look for functions/<name>/function.json only", path)
			return nil
		}
		var file struct {
			Bindings []binding `json:"bindings"`
		}
		decode(t, path, &file)
		functions[filepath.Base(filepath.Dir(path))] = file.Bindings
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(functions) == 0 {
		t.Fatalf("no functions in %s", dir)
	}
	return functions
}

// triggers returns the one trigger of each function that has the given type.
func triggers(t *testing.T, kind string) map[string]binding {
	t.Helper()
	found := map[string]binding{}
	for name, bindings := range readFunctions(t) {
		for _, b := range bindings {
			if b.Type == kind {
				found[name] = b
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no function has a %s", kind)
	}
	return found
}

// readSample returns the values of local.settings.sample.json.
func readSample(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Comment     []string          `json:"//"`
		IsEncrypted bool              `json:"IsEncrypted"`
		Values      map[string]string `json:"Values"`
	}
	decode(t, filepath.Join(root, "local.settings.sample.json"), &file)
	if file.IsEncrypted {
		t.Error("the sample says that it is encrypted")
	}
	return file.Values
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
