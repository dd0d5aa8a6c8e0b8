package funchost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/google/uuid"
)

// supervisor keeps one handler running: it starts the next when one ends, or does not, by its exit code.
type supervisor struct {
	host   hostConfig
	env    []string // name=value, without what differs by process
	port   int
	window time.Duration
	log    *slog.Logger
	client *http.Client      // for probes
	fatal  func(cause error) // called once, at the third crash

	mu       sync.Mutex
	current  *process
	changed  chan struct{} // closed and replaced when current or stopping changes
	crashes  int
	crashed  time.Time
	failed   error
	stopping bool
	running  sync.WaitGroup
}

const (
	exitRestart  = 200 // the handler asks to be started anew
	crashesToEnd = 3
)

var errStopping = errors.New("the host is stopping")

// start runs the first process; it does not wait for its answer.
func (s *supervisor) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launch()
}

// launch starts a process; the caller holds the lock.
func (s *supervisor) launch() error {
	id := uuid.NewString()
	port := fmt.Sprint(s.port)
	cmd := exec.Command(s.host.Executable, s.host.Arguments...)
	cmd.Dir = s.host.WorkingDirectory
	cmd.Env = append(s.env[:len(s.env):len(s.env)],
		"FUNCTIONS_CUSTOMHANDLER_PORT="+port, "FUNCTIONS_HTTPWORKER_PORT="+port,
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+id, "FUNCTIONS_HTTPWORKER_ID="+id)
	p, err := startProcess(cmd, "http://127.0.0.1:"+port, s.log)
	if err != nil {
		return fmt.Errorf("start the handler: %w", err)
	}
	s.current = p
	s.signal()
	s.running.Add(1)
	go s.watch(p)
	return nil
}

func (s *supervisor) signal() {
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

// watch sees a process through: ready, ended, and what follows.
func (s *supervisor) watch(p *process) {
	defer s.running.Done()
	ctx, cancel := context.WithTimeout(context.Background(), s.host.Initialization)
	if err := p.probe(ctx, s.client); err != nil {
		if !p.isEnded() {
			s.log.Error(err.Error())
			p.kill()
		}
	} else {
		s.log.Info("Worker process started and initialized.", "pid", p.pid)
	}
	cancel()
	<-p.ended
	s.after(p)
}

func (s *supervisor) after(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		s.signal()
		return
	}
	p.mu.Lock()
	restart := p.restart
	p.mu.Unlock()
	switch {
	case restart || p.exit == exitRestart:
		s.log.Info("Handler ended to be started anew.", "exit", p.exit)
	case p.exit == 0:
		s.log.Error("Handler ended with exit code 0: the host never starts it again and every call to it fails. An unplanned end must not be 0.")
		s.signal()
		return
	default:
		if s.crashed.IsZero() || time.Since(s.crashed) > s.window {
			s.crashes = 0
		}
		s.crashes++
		s.crashed = time.Now()
		err := fmt.Errorf("handler ended with exit code %d: %s", p.exit, p.lastErrors())
		s.log.Error(err.Error(), "crash", s.crashes)
		if s.crashes >= crashesToEnd {
			s.failed = fmt.Errorf("the handler crashed %d times; the host stops: %w", s.crashes, err)
			s.signal()
			go s.fatal(s.failed)
			return
		}
	}
	if err := s.launch(); err != nil {
		s.failed = err
		s.signal()
		go s.fatal(err)
	}
}

// acquire waits for a process that can be called. After exit code 0 it returns the dead one: calls to it fail at once.
func (s *supervisor) acquire(ctx context.Context) (*process, error) {
	for {
		s.mu.Lock()
		p, changed, stopping, failed := s.current, s.changed, s.stopping, s.failed
		s.mu.Unlock()
		switch {
		case failed != nil:
			return nil, failed
		case p.isReady() && !p.isEnded(), p.isEnded() && p.exit == 0:
			return p, nil
		case stopping:
			return nil, errStopping
		}
		ready := p.ready
		if p.isReady() {
			ready = nil
		}
		select {
		case <-ready:
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *supervisor) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// replace kills a process and has the next one started without counting: what follows functionTimeout. It does
// nothing for nil and for one that has ended.
func (s *supervisor) replace(p *process) {
	if p == nil || p.isEnded() {
		return
	}
	p.mu.Lock()
	p.restart = true
	p.mu.Unlock()
	p.kill()
	<-p.ended
}

// abandon stops supervising and leaves the process running: an orphan.
func (s *supervisor) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	s.signal()
}

// stop kills the handler and all that it started, and waits for its end. An orphan is ended too.
func (s *supervisor) stop() {
	s.abandon()
	if p := s.process(); p != nil {
		p.killGroup()
	}
	s.running.Wait()
}

// environment is what the handler gets: this process's own, the app settings over it, and the host's over both.
func environment(a *app, s settings, publicPort int) []string {
	all := map[string]string{}
	for _, pair := range os.Environ() {
		for i := 1; i < len(pair); i++ {
			if pair[i] == '=' {
				all[pair[:i]] = pair[i+1:]
				break
			}
		}
	}
	if _, ok := all["AzureWebJobsStorage"]; !ok {
		all["AzureWebJobsStorage"] = "UseDevelopmentStorage=true"
	}
	all["FUNCTIONS_WORKER_RUNTIME"] = "custom"
	for name, value := range s {
		all[name] = value
	}
	all["AzureWebJobsScriptRoot"] = a.dir
	all["FUNCTIONS_APP_ROOT_PATH"] = a.dir
	all["WEBSITE_HOSTNAME"] = fmt.Sprintf("localhost:%d", publicPort)
	env := make([]string, 0, len(all))
	for name, value := range all {
		env = append(env, name+"="+value)
	}
	return env
}

// freePort finds a port for the handler below the range from which the system takes ports for outgoing connections:
// the handler's port is unbound while it restarts, and must not be taken meanwhile.
func freePort() (int, error) {
	const low, high = 20000, 32000
	var problem error
	for range 100 {
		port := low + rand.IntN(high-low)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
		problem = err
	}
	return 0, fmt.Errorf("no free port for the handler: %w", problem)
}
