package funchost

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// stopWithin is how long a stopping host waits for what runs; the real one leaves the handler behind after that.
const stopWithin = 10 * time.Second

// Double is a running double of the host.
type Double struct {
	app      *app
	settings settings
	keys     *Keys
	faults   Faults
	log      *slog.Logger
	errorLog *log.Logger
	port     int
	started  time.Time

	handler   *supervisor
	transport *http.Transport // to the handler
	client    *http.Client
	server    *http.Server
	timers    *timerStore
	ledger    ledger

	life      context.Context // ends when the host is gone: nothing is called or settled any more
	die       context.CancelFunc
	listening context.Context // ends when the host begins to stop: nothing new is taken
	deafen    context.CancelFunc
	loops     sync.WaitGroup // timers and queues
	work      gate           // what was started by hand

	stopOnce sync.Once
	ended    chan struct{}
	mu       sync.Mutex
	cause    error // why it ended
}

// Start runs the app and returns once the handler has answered. What is wrong with the app is named all at once.
// When ctx ends before, the start is given up; later it has no effect: call [Double.Stop].
func Start(ctx context.Context, o Options) (*Double, error) {
	d := &Double{
		settings: o.Settings, keys: o.Keys, faults: o.Faults, log: o.Log,
		started: time.Now(), ended: make(chan struct{}),
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.errorLog = slog.NewLogLogger(d.log.Handler(), slog.LevelDebug)
	a, err := readApp(o.App, d.settings)
	if err != nil {
		return nil, fmt.Errorf("the app cannot run:\n%w", err)
	}
	d.app = a
	d.timers = &timerStore{dir: o.StateDir, log: d.log}
	d.transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100, IdleConnTimeout: time.Minute}
	d.client = &http.Client{Transport: d.transport}
	d.life, d.die = context.WithCancel(context.Background())
	d.listening, d.deafen = context.WithCancel(d.life)

	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.Port))
	if err != nil {
		return nil, fmt.Errorf("the host's port: %w", err)
	}
	d.port = l.Addr().(*net.TCPAddr).Port
	handlerPort, err := freePort()
	if err != nil {
		l.Close()
		return nil, err
	}
	window := o.CrashWindow
	if window == 0 {
		window = 30 * time.Minute
	}
	d.handler = &supervisor{
		host: a.host, env: environment(a, d.settings, d.port), port: handlerPort, window: window, log: d.log,
		client: &http.Client{Transport: d.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		fatal:  func(cause error) { d.finish(cause) },
	}
	d.server = &http.Server{Handler: d, ErrorLog: d.errorLog, ReadHeaderTimeout: time.Minute}
	if err := d.handler.start(); err != nil {
		l.Close()
		return nil, err
	}
	go func() { _ = d.server.Serve(l) }()

	if _, err := d.handler.acquire(ctx); err != nil {
		d.finish(err)
		return nil, err
	}
	if err := d.listen(o); err != nil {
		d.finish(err)
		return nil, err
	}
	d.log.Info("Host started", "url", d.URL(), "functions", len(a.functions))
	return d, nil
}

// listen starts timers and queues.
func (d *Double) listen(o Options) error {
	var queues []*queueListener
	for _, f := range d.app.functions {
		if f.Queue == nil || o.NoQueues {
			continue
		}
		q, err := newQueueListener(d, f)
		if err != nil {
			return fmt.Errorf("function %s: %w", f.Name, err)
		}
		queues = append(queues, q)
	}
	for _, q := range queues {
		d.loops.Go(func() { q.listen(d.listening) })
	}
	for _, f := range d.app.functions {
		if f.Timer == nil {
			continue
		}
		t := &timerLoop{f: f, store: d.timers, log: d.log, run: func(status *timerStatus, pastDue bool) {
			_, _ = d.call(f, timerPayload(f, status, pastDue, time.Now()), nil)
		}}
		status, pastDue := t.prepare()
		if o.NoTimers {
			continue
		}
		d.loops.Go(func() { t.loop(d.listening, status, pastDue) })
	}
	return nil
}

// URL is the public address, without a slash at its end.
func (d *Double) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", d.port) }

// Invocations are the calls of functions so far, in the order in which they began.
func (d *Double) Invocations() []Invocation { return d.ledger.list() }

// Trigger starts a timer by hand and does not wait for it.
func (d *Double) Trigger(ctx context.Context, function string) error {
	return triggerByAdmin(ctx, d.client, d.URL(), d.masterKey(), function)
}

// Run runs a timer by hand and waits for its end. The error says what hindered the run; the record how it ended.
func (d *Double) Run(ctx context.Context, function string) (Invocation, error) {
	f := d.find(function)
	if f == nil || f.Timer == nil {
		return Invocation{}, fmt.Errorf("no timer function %q in %s", function, d.app.dir)
	}
	if !d.work.begin() {
		return Invocation{}, errStopping
	}
	result := make(chan Invocation, 1)
	go func() {
		defer d.work.end()
		v, _ := d.runTimer(f)
		result <- v
	}()
	select {
	case v := <-result:
		return v, nil
	case <-ctx.Done():
		return Invocation{}, context.Cause(ctx)
	}
}

func (d *Double) masterKey() string {
	if d.keys == nil {
		return ""
	}
	return d.keys.Master
}

func (d *Double) state() string {
	if p := d.handler.process(); p.isReady() && !p.isEnded() || p.isEnded() && p.exit == 0 {
		return "Running"
	}
	return "Initialized"
}

// HandlerPID is the process id of the handler that runs now, or 0. After KillHost it is the orphan's.
func (d *Double) HandlerPID() int {
	if p := d.handler.process(); !p.isEnded() {
		return p.pid
	}
	return 0
}

// KillHandler ends the handler with SIGKILL. That counts as a crash.
func (d *Double) KillHandler() error {
	p := d.handler.process()
	if p.isEnded() {
		return errors.New("no handler runs")
	}
	p.kill()
	return nil
}

// KillHost ends the host as SIGKILL would: connections are cut, messages stay locked and unsettled, and the handler
// lives on as an orphan, which Stop ends.
func (d *Double) KillHost() {
	d.stopOnce.Do(func() {
		d.handler.abandon()
		d.die()
		_ = d.server.Close()
		d.transport.CloseIdleConnections()
		d.work.shut()
		d.loops.Wait()
		d.work.running.Wait()
		d.conclude(errKilled)
	})
}

// Stop ends the host in order: HTTP in flight is finished, timers and queues take nothing more, what runs is waited
// for, 10 s in all, and the handler is killed; it never gets a signal to end by itself. What is then still running
// fails. Unlike the real host it leaves no orphan.
func (d *Double) Stop() error {
	d.finish(nil)
	d.handler.stop()
	return nil
}

func (d *Double) finish(cause error) {
	d.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		if err := d.server.Shutdown(ctx); err != nil {
			d.log.Warn("HTTP requests were still running at the end.")
		}
		d.deafen()
		d.work.shut()
		idle := make(chan struct{})
		go func() {
			defer close(idle)
			d.loops.Wait()
			d.work.running.Wait()
		}()
		select {
		case <-idle:
		case <-ctx.Done():
			d.log.Warn("Functions were still running at the end.")
		}
		d.die()
		_ = d.server.Close()
		d.handler.stop()
		<-idle
		d.transport.CloseIdleConnections()
		d.conclude(cause)
	})
}

func (d *Double) conclude(cause error) {
	d.mu.Lock()
	d.cause = cause
	d.mu.Unlock()
	close(d.ended)
}

// Wait returns when the host has ended: nil after Stop, else why it ended by itself.
func (d *Double) Wait() error {
	<-d.ended
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cause
}

// gate counts what runs and lets nothing in once it is shut.
type gate struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

func (g *gate) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.running.Add(1)
	}
	return !g.closed
}

func (g *gate) end() { g.running.Done() }

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}
