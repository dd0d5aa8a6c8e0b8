package funchost

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// process is one run of the handler.
type process struct {
	cmd   *exec.Cmd
	pid   int
	base  string        // http://127.0.0.1:port
	ready chan struct{} // closed at the first answer to a probe
	ended chan struct{} // closed when it is gone; exit is set before
	exit  int

	mu      sync.Mutex
	restart bool // ended by the host, to be started anew without counting
	errors  []string
}

const (
	probeEvery = 25 * time.Millisecond
	keptErrors = 3 // the last lines of stderr, which the host quotes when the handler crashes
)

// startProcess runs the command in a process group of its own: like the real host's handler it gets no signal of the
// terminal's.
func startProcess(cmd *exec.Cmd, base string, log *slog.Logger) (*process, error) {
	p := &process{cmd: cmd, base: base, ready: make(chan struct{}), ended: make(chan struct{})}
	log = log.With("category", "Host.Function.Console")
	ownGroup(cmd)
	cmd.Stdout = &lineWriter{line: func(text string) { log.Info(text) }}
	cmd.Stderr = &lineWriter{line: func(text string) {
		p.keep(text)
		if strings.Contains(strings.ToLower(text), "warn") {
			log.Warn(text)
		} else {
			log.Error(text)
		}
	}}
	cmd.WaitDelay = time.Second // a child of the handler's may hold its output open
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait()
		p.exit = exitCode(cmd.ProcessState)
		cmd.Stdout.(*lineWriter).flush()
		cmd.Stderr.(*lineWriter).flush()
		close(p.ended)
	}()
	return p, nil
}

// probe asks for / until anything answers, the process ends, or ctx does.
func (p *process) probe(ctx context.Context, client *http.Client) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/", nil)
		if err != nil {
			return err
		}
		request.Header["User-Agent"] = nil
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			close(p.ready)
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return errors.New("the handler ended before it answered")
		case <-ctx.Done():
			return errors.New("the handler did not answer in time: it must listen on FUNCTIONS_CUSTOMHANDLER_PORT")
		}
	}
}

// kill is SIGKILL to the handler alone; its children live on.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// killGroup ends the handler with all that it started.
func (p *process) killGroup() {
	killGroup(p.pid)
	p.kill()
}

// awaitEnd gives a process whose connection broke a moment to be seen as ended. Else the message that fails now is
// delivered again to the same dying process, and its deliveries are spent before the next one runs.
func (p *process) awaitEnd(ctx context.Context) {
	select {
	case <-p.ended:
	case <-time.After(reapWithin):
	case <-ctx.Done():
	}
}

func (p *process) keep(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, line)
	if n := len(p.errors); n > keptErrors {
		p.errors = p.errors[n-keptErrors:]
	}
}

func (p *process) lastErrors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.errors, "\n")
}

func (p *process) isReady() bool { return closed(p.ready) }
func (p *process) isEnded() bool { return closed(p.ended) }

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lineWriter cuts a stream into lines. A line without end is passed on after 64 KiB.
type lineWriter struct {
	mu   sync.Mutex
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, b...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			break
		}
		w.emit(w.rest[:i])
		w.rest = w.rest[i+1:]
	}
	if len(w.rest) > 64<<10 {
		w.emit(w.rest)
		w.rest = nil
	}
	return len(b), nil
}

func (w *lineWriter) emit(b []byte) {
	if text := strings.TrimRight(string(b), "\r"); text != "" {
		w.line(text)
	}
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emit(w.rest)
	w.rest = nil
}
