package funchost

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; a test that needs it all has failed.
const patience = 30 * time.Second

var recorderFolder string

// recorder is the path of testdata/recorder, built once.
var recorder = sync.OnceValues(func() (string, error) {
	file := filepath.Join(recorderFolder, "handler")
	out, err := exec.Command("go", "build", "-o", file, "./testdata/recorder").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the recorder: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "funchost-")
	if err != nil {
		panic(err)
	}
	recorderFolder = folder
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

const hostJSON = `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"},"enableProxyingHttpRequest":true}}`

// functions of the test apps, by folder.
var functionFiles = map[string]string{
	"hook":       httpFunction(`"methods":["post"],"route":"graph/notifications"`),
	"portal":     httpFunction(`"methods":["get","post"],"route":"portal/{*path}"`),
	"any":        httpFunction(`"route":"any/{a}/{b?}"`),
	"intake":     strings.Replace(httpFunction(`"methods":["post"],"route":"appointments/{operation}"`), "anonymous", "function", 1),
	"ticker":     `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"%TICKER%","useMonitor":true}]}`,
	"fast":       `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"*/1 * * * * *"}]}`,
	"sbbinary":   queue("binary", `"dataType":"binary"`),
	"sbsessions": queue("sessions", `"dataType":"binary","isSessionsEnabled":true`),
	"sbplain":    queue("plain", `"cardinality":"one"`),
	"sbbatch":    queue("batch", `"dataType":"binary","cardinality":"many"`),
}

func httpFunction(more string) string {
	return `{"bindings":[{"type":"httpTrigger","authLevel":"anonymous","direction":"in","name":"req",` + more + `},{"type":"http","direction":"out","name":"res"}]}`
}

func queue(name, more string) string {
	return `{"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"msg","queueName":"%Q_` + name + `%","connection":"Bus",` + more + `}]}`
}

// testApp is a packed app around the recorder.
type testApp struct {
	t      *testing.T
	dir    string
	record string
	logs   *syncBuffer
}

func newApp(t *testing.T, host string, functions ...string) *testApp {
	t.Helper()
	handler, err := recorder()
	if err != nil {
		t.Fatal(err)
	}
	a := &testApp{t: t, dir: t.TempDir(), record: filepath.Join(t.TempDir(), "record.jsonl"), logs: &syncBuffer{}}
	write(t, filepath.Join(a.dir, "host.json"), host)
	if err := os.Link(handler, filepath.Join(a.dir, "handler")); err != nil {
		t.Fatal(err)
	}
	for _, name := range functions {
		write(t, filepath.Join(a.dir, name, "function.json"), functionFiles[name])
	}
	return a
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// options are those for the app, with the settings that its functions need.
func (a *testApp) options(settings ...string) Options {
	o := Options{App: a.dir, Log: slog.New(slog.NewTextHandler(a.logs, nil)), Settings: map[string]string{
		"RECORD_FILE": a.record, "TICKER": "0 0 0 1 1 *", "Q_binary": "binary", "Q_sessions": "sessions", "Q_plain": "plain", "Q_batch": "batch",
	}}
	for i := 0; i < len(settings); i += 2 {
		o.Settings[settings[i]] = settings[i+1]
	}
	return o
}

func (a *testApp) start(o Options) *Double {
	a.t.Helper()
	d, err := Start(a.t.Context(), o)
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.logs)
	}
	a.t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			a.t.Error(err)
		}
		if a.t.Failed() {
			a.t.Logf("host log:\n%s", a.logs)
		}
	})
	return d
}

// recorded is a line of the recorder's file.
type recorded struct {
	Kind             string
	PID              int
	At               time.Time
	Args             []string
	WorkingDirectory string
	Environment      []string
	Method           string
	URI              string
	Host             string
	ContentLength    int64
	TransferEncoding []string
	Header           http.Header
	Body             string
}

func (a *testApp) records(which func(recorded) bool) []recorded {
	a.t.Helper()
	file, err := os.Open(a.record)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		a.t.Fatal(err)
	}
	defer file.Close()
	var all []recorded
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all // the last line may be half written
		}
		var r recorded
		if err := json.Unmarshal(line, &r); err != nil {
			a.t.Fatal(err)
		}
		if which(r) {
			all = append(all, r)
		}
	}
}

func starts(r recorded) bool { return r.Kind == "start" }

// calls are the requests to a path, without its query.
func calls(path string) func(recorded) bool {
	return func(r recorded) bool {
		uri, _, _ := strings.Cut(r.URI, "?")
		return r.Kind == "request" && uri == path
	}
}

// await waits for n records and returns them.
func (a *testApp) await(n int, which func(recorded) bool) []recorded {
	a.t.Helper()
	var all []recorded
	eventually(a.t, fmt.Sprintf("%d records", n), func() bool {
		all = a.records(which)
		return len(all) >= n
	})
	return all
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ended waits until an invocation of the function has an outcome, and returns the n-th of them.
func ended(t *testing.T, d *Double, function string, n int) Invocation {
	t.Helper()
	var found Invocation
	eventually(t, fmt.Sprintf("invocation %d of %s", n, function), func() bool {
		count := 0
		for _, v := range d.Invocations() {
			if v.Function == function && v.Outcome != "" {
				if count++; count == n {
					found = v
					return true
				}
			}
		}
		return false
	})
	return found
}

// waitFor is Wait with an end.
func waitFor(t *testing.T, h Host) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- h.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		t.Fatal("the host does not end")
		return nil
	}
}

// alive says whether a process runs.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return pid != 0 && err == nil && p.Signal(syscall.Signal(0)) == nil
}

// answer is a response with its body read.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func do(t *testing.T, method, url, body string, header ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// syncBuffer takes the log of a host that may still write while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
