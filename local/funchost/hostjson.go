package funchost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// hostConfig is what host.json says, with the real host's defaults.
type hostConfig struct {
	Executable       string // absolute
	Arguments        []string
	WorkingDirectory string
	Initialization   time.Duration // until the first answer of a new process
	FunctionTimeout  time.Duration // 0: unbounded
	Proxying         bool
	RoutePrefix      string
	Bus              busConfig
}

// busConfig is extensions.serviceBus with the defaults of extension 5.x.
type busConfig struct {
	AutoComplete          bool
	MaxConcurrentCalls    int
	MaxConcurrentSessions int
	MaxBatch              int
	LockRenewal           time.Duration // for how long in all
	SessionIdle           time.Duration
}

type hostFile struct {
	Version         string
	FunctionTimeout timeSpan
	Retry           json.RawMessage
	CustomHandler   *struct {
		Description struct {
			DefaultExecutablePath string
			WorkingDirectory      string
			Arguments             []string
		}
		EnableProxyingHttpRequest bool
		InitializationTimeout     timeSpan
		Port                      json.RawMessage
		HTTP                      json.RawMessage
	}
	Extensions struct {
		HTTP struct {
			RoutePrefix *string
		}
		ServiceBus struct {
			AutoCompleteMessages         *bool
			MaxConcurrentCalls           *int
			MaxConcurrentSessions        *int
			MaxConcurrentCallsPerSession *int
			MaxMessageBatchSize          *int
			MaxAutoLockRenewalDuration   timeSpan
			SessionIdleTimeout           timeSpan
		}
	}
}

func readHostConfig(dir string, s settings) (hostConfig, error) {
	var c hostConfig
	text, err := os.ReadFile(filepath.Join(dir, "host.json"))
	if err != nil {
		return c, fmt.Errorf("no packed app: %w", err)
	}
	tree := map[string]any{}
	if err := json.Unmarshal(text, &tree); err != nil {
		return c, fmt.Errorf("host.json: %w", err)
	}
	s.override(tree)
	merged, err := json.Marshal(tree)
	if err != nil {
		return c, fmt.Errorf("host.json: %w", err)
	}
	var f hostFile
	if err := json.Unmarshal(merged, &f); err != nil {
		return c, fmt.Errorf("host.json: %w", err)
	}

	var problems []error
	if f.Version != "2.0" {
		problems = append(problems, fmt.Errorf(`host.json: version is %q, must be "2.0"`, f.Version))
	}
	if len(f.Retry) > 0 {
		problems = append(problems, errors.New("host.json: retry is not modelled"))
	}
	sb := f.Extensions.ServiceBus
	c = hostConfig{
		FunctionTimeout: max(f.FunctionTimeout.or(30*time.Minute), 0),
		RoutePrefix:     strings.Trim(or(f.Extensions.HTTP.RoutePrefix, "api"), "/"),
		Bus: busConfig{
			AutoComplete:          or(sb.AutoCompleteMessages, true),
			MaxConcurrentCalls:    or(sb.MaxConcurrentCalls, 16*runtime.NumCPU()),
			MaxConcurrentSessions: or(sb.MaxConcurrentSessions, 8),
			MaxBatch:              or(sb.MaxMessageBatchSize, 1000),
			LockRenewal:           sb.MaxAutoLockRenewalDuration.or(5 * time.Minute),
			SessionIdle:           sb.SessionIdleTimeout.or(time.Minute),
		},
	}
	if c.Bus.LockRenewal < 0 { // .NET's infinite time span
		c.Bus.LockRenewal = 1 << 62
	}
	if c.Bus.MaxConcurrentCalls < 1 || c.Bus.MaxConcurrentSessions < 1 || c.Bus.MaxBatch < 1 || c.Bus.SessionIdle <= 0 {
		problems = append(problems, errors.New("host.json: extensions.serviceBus: maxConcurrentCalls, maxConcurrentSessions, maxMessageBatchSize and sessionIdleTimeout must be above 0"))
	}
	if n := or(sb.MaxConcurrentCallsPerSession, 1); n != 1 {
		problems = append(problems, fmt.Errorf("host.json: maxConcurrentCallsPerSession %d is not modelled, only 1", n))
	}
	if !c.Bus.AutoComplete {
		problems = append(problems, errors.New("host.json: autoCompleteMessages must be true: a custom handler cannot settle messages"))
	}
	if f.CustomHandler == nil || f.CustomHandler.Description.DefaultExecutablePath == "" {
		problems = append(problems, errors.New("host.json: customHandler.description.defaultExecutablePath is missing"))
		return c, errors.Join(problems...)
	}
	h := f.CustomHandler
	if len(h.Port) > 0 || len(h.HTTP) > 0 {
		problems = append(problems, errors.New("host.json: customHandler.port and customHandler.http are not modelled"))
	}
	c.Initialization = h.InitializationTimeout.or(30 * time.Second)
	c.Proxying = h.EnableProxyingHttpRequest
	c.WorkingDirectory = dir
	if w := s.expand(h.Description.WorkingDirectory); w != "" {
		c.WorkingDirectory = filepath.Join(dir, w)
		if filepath.IsAbs(w) {
			c.WorkingDirectory = w
		}
	}
	for _, argument := range h.Description.Arguments {
		c.Arguments = append(c.Arguments, s.expand(argument))
	}
	c.Executable, err = findExecutable(dir, s.expand(h.Description.DefaultExecutablePath))
	return c, errors.Join(append(problems, err)...)
}

// findExecutable takes a path below the app if the file is there, else a command on PATH.
func findExecutable(dir, path string) (string, error) {
	file := path
	if !filepath.IsAbs(path) {
		file = filepath.Join(dir, path)
	}
	info, err := os.Stat(file)
	switch {
	case err == nil && info.Mode().Perm()&0o111 == 0:
		return "", fmt.Errorf("host.json: %s is not executable: the package must keep its exec bit (0755)", file)
	case err == nil:
		return file, nil
	}
	if found, err := exec.LookPath(path); err == nil {
		return found, nil
	}
	return "", fmt.Errorf("host.json: defaultExecutablePath %q is neither in %s nor on PATH", path, dir)
}

func or[T any](value *T, otherwise T) T {
	if value != nil {
		return *value
	}
	return otherwise
}
