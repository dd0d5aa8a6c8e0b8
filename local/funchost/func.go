package funchost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// FuncOptions says what the real host runs.
type FuncOptions struct {
	// App is the packed app; local.settings.json is written into it, and removed at the end.
	App string

	// Settings are the app settings. AzureWebJobsStorage must name a storage with blob, queue and table service.
	Settings map[string]string

	// Port is the public port; 0 picks a free one.
	Port int

	// Log receives all output of func, the handler's included. Nil discards it. It is written to by one goroutine.
	Log io.Writer

	// Program is the command; empty is "func" on PATH.
	Program string
}

// Func is the real host, run by the command line tool func: Azure Functions Core Tools, or anything that
// understands "func start --port N".
type Func struct {
	cmd      *exec.Cmd
	url      string
	settings string // path of local.settings.json
	binary   string // the handler's file name
	client   *http.Client
	ended    chan struct{}
	err      error // set before ended is closed
	stopping sync.Once
	asked    chan struct{} // closed when Stop was called
}

// StartFunc runs the app under func and returns when the host reports that it runs. ctx bounds the start only.
func StartFunc(ctx context.Context, o FuncOptions) (*Func, error) {
	program := o.Program
	if program == "" {
		program = "func"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("the real host needs Azure Functions Core Tools: %w", err)
	}
	app, err := filepath.Abs(o.App)
	if err != nil {
		return nil, err
	}
	host, err := readHostConfig(app, o.Settings)
	if err != nil {
		return nil, err
	}
	port := o.Port
	if port == 0 {
		if port, err = freePort(); err != nil {
			return nil, err
		}
	}
	f := &Func{
		url: fmt.Sprintf("http://127.0.0.1:%d", port), settings: filepath.Join(app, "local.settings.json"),
		binary: filepath.Base(host.Executable), client: &http.Client{Timeout: 10 * time.Second},
		ended: make(chan struct{}), asked: make(chan struct{}),
	}
	if err := writeLocalSettings(f.settings, o.Settings); err != nil {
		return nil, err
	}
	f.cmd = exec.Command(path, "start", "--port", fmt.Sprint(port))
	f.cmd.Dir = app
	f.cmd.Env = environmentWithout(o.Settings)
	f.cmd.Stdout, f.cmd.Stderr = o.Log, o.Log
	ownGroup(f.cmd)
	f.cmd.WaitDelay = 2 * time.Second
	if err := f.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.Remove(f.settings))
	}
	go f.watch()
	if err := f.awaitRunning(ctx); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

func writeLocalSettings(file string, s map[string]string) error {
	values := map[string]string{"FUNCTIONS_WORKER_RUNTIME": "custom"}
	maps.Copy(values, s)
	text, err := json.MarshalIndent(map[string]any{"IsEncrypted": false, "Values": values}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// environmentWithout is this process's environment less the app settings: func lets the environment win over
// local.settings.json, and the settings given here must win.
func environmentWithout(s map[string]string) []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if _, set := s[name]; !set {
			env = append(env, pair)
		}
	}
	return env
}

func (f *Func) watch() {
	err := f.cmd.Wait()
	select {
	case <-f.asked:
		err = nil
	default:
		err = fmt.Errorf("func ended by itself: %w", errors.Join(err, errors.New("see its log")))
	}
	killGroup(f.cmd.Process.Pid)
	f.err = errors.Join(err, os.Remove(f.settings))
	close(f.ended)
}

// awaitRunning asks the host's status until it runs. The handler may still be starting: calls wait for it.
func (f *Func) awaitRunning(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if f.running(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-f.ended:
			return f.Wait()
		case <-ctx.Done():
			return fmt.Errorf("func was not running in time: %w", context.Cause(ctx))
		}
	}
}

func (f *Func) running(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/admin/host/status", nil)
	if err != nil {
		return false
	}
	response, err := f.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var status struct{ State string }
	return json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&status) == nil && status.State == "Running"
}

// URL is the public address, without a slash at its end.
func (f *Func) URL() string { return f.url }

// Trigger starts a timer by hand and does not wait for it.
func (f *Func) Trigger(ctx context.Context, function string) error {
	return triggerByAdmin(ctx, f.client, f.url, "", function)
}

// HandlerPID is the process id of the handler that runs now, or 0. It needs /proc, that is, Linux.
func (f *Func) HandlerPID() int {
	for _, p := range descendants(f.cmd.Process.Pid) {
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); err == nil && filepath.Base(target) == f.binary {
			return p.pid
		}
	}
	return 0
}

// KillHandler ends the handler with SIGKILL. That counts as a crash.
func (f *Func) KillHandler() error {
	pid := f.HandlerPID()
	if pid == 0 {
		return errors.New("no handler runs")
	}
	return killPID(pid)
}

// Wait returns when func has ended: nil after Stop, else why it ended by itself.
func (f *Func) Wait() error {
	<-f.ended
	return f.err
}

// funcStopWithin is above the time that the host waits for what runs.
const funcStopWithin = 25 * time.Second

// Stop interrupts func, waits for its end, and kills what is left of it.
func (f *Func) Stop() error {
	f.stopping.Do(func() {
		close(f.asked)
		below := descendants(f.cmd.Process.Pid)
		_ = interrupt(f.cmd.Process)
		select {
		case <-f.ended:
		case <-time.After(funcStopWithin):
		}
		_ = f.cmd.Process.Kill()
		killAll(below) // noted before: the handler of a host that is gone is below func no more
		<-f.ended
	})
	return f.err
}

// triggerByAdmin starts a function over the host's management API.
func triggerByAdmin(ctx context.Context, client *http.Client, base, key, function string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/admin/functions/"+function, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("x-functions-key", key)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("trigger %s: the host answered %s", function, response.Status)
	}
	return nil
}
