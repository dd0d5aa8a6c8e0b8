// Package world is the whole system on one machine: the packed app under a
// Functions host, and around it everything it talks to, on free loopback ports
// and over the real wire protocols. The sandbox, the tour and `go run ./local`
// are built on it.
//
//	w, err := world.Start(ctx, world.Options{Log: os.Stdout})
//	defer w.Close()
//
// There: a Service Bus broker with the three queues, Azurite, a Key Vault over
// TLS with its own authority, Microsoft Graph with Entra, the planning board, two
// companies in Business Central (online by the API page, on-premises by SOAP) and
// a webhook, and a small demo of resources, tasks and appointments of today. Only the
// addresses in the settings tell the app that none of it is real.
//
// Guarantees: Close ends every process, port and file that Start made, also
// when Start fails halfway; the app is the one that infra/pack builds; the same
// world runs under the double of the host and under the real one (Options.Host).
//
// It is not a deployment and keeps nothing: each start begins with the demo.
// Not modelled: function keys (neither host checks them), managed identities
// (connection strings and a client secret stand for them), https of the public
// address.
package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/local/azurite"
	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/local/funchost"
	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/local/servicebus"
	"github.com/dime-scheduler/connectors/local/vaultsim"
)

// The hosts that a world can run under.
const (
	Double = "double" // local/funchost
	Func   = "func"   // the program func on PATH: Azure Functions Core Tools
)

// Options of a World; the zero value starts the project that the working
// directory lies in.
type Options struct {
	// Root is the project's root. Empty: the nearest folder with go.mod, upwards
	// from the working directory.
	Root string
	// Host is Double or Func; empty means Double.
	Host string
	// Intake lets the board call the webhook appointmentintake instead of
	// sending to the queue.
	Intake bool
	// Keep is a folder for the packed app and the host's log, which stays.
	// Empty: a temporary one, which Close removes.
	Keep string
	// Preview leaves mailboxes waiting for their release, as in production: until
	// an administrator looks at what would be adopted nothing moves.
	Preview bool
	// Log receives a line for each step of the start. Nil: nothing.
	Log io.Writer
	// Binary is a handler built elsewhere, for tests. Empty: it is compiled.
	Binary string
}

// World is a running local world. It is safe for concurrent use.
type World struct {
	Board  *boardsim.Board
	Graph  *graphsim.Server
	Vault  *vaultsim.Server
	Broker *servicebus.Broker

	// Settings are the app settings that the host was given.
	Settings map[string]string
	// Startup tells how long the start took.
	Startup Startup

	opts    Options
	dir     string // of the packed app and the log
	app     string
	port    int    // of the host
	url     string // the same, without a slash at its end
	storage *azurite.Server
	host    funchost.Host
	hostLog *logFile
	trouble trouble
	back    backOffices
	addr    addresses
	life    context.Context // ends when a part fails, or with Close
	end     context.CancelCauseFunc

	mu       sync.Mutex
	pid      int // of the handler when last looked at
	restarts int

	closing sync.Once
	cleanup []func() error // in the order of the start
	ending  error
}

// addresses of the simulators, without a slash at their end.
type addresses struct{ board, graph, vault, authority string }

// Startup is how long the parts of the start took.
type Startup struct {
	Pack  time.Duration // compiling and packing the app
	Host  time.Duration // from the start of the host to the first answer of GET /api/health
	Total time.Duration
}

// Start starts everything and returns when the app answers. ctx bounds the
// start only. After an error nothing is left running.
func Start(ctx context.Context, opts Options) (*World, error) {
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	if opts.Host == "" {
		opts.Host = Double
	}
	if opts.Host != Double && opts.Host != Func {
		return nil, fmt.Errorf("host %q is neither %s nor %s", opts.Host, Double, Func)
	}
	w := &World{opts: opts}
	w.life, w.end = context.WithCancelCause(context.Background())
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) start(ctx context.Context) error {
	begin := time.Now()
	root, err := projectRoot(w.opts.Root)
	if err != nil {
		return err
	}
	if err := w.openFolder(); err != nil {
		return err
	}
	// Taken first: the app's own address is one of its settings, and the board
	// that calls the webhook knows it too.
	if w.port, err = freePort(); err != nil {
		return err
	}
	w.url = fmt.Sprintf("http://127.0.0.1:%d", w.port)
	if err := w.startServices(ctx, root); err != nil {
		return err
	}
	if err := w.setUp(ctx); err != nil {
		return err
	}
	w.addDemo(time.Now())
	if err := w.startHost(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, w.hostLog.tail())
	}
	w.Board.RetryFailed() // what a webhook missed that did not listen yet
	// Production waits for the timer; here nobody wants to.
	if err := w.Trigger(ctx, "resourcesync"); err != nil {
		return err
	}
	w.Startup.Total = time.Since(begin)
	return nil
}

// openFolder makes the folder of the packed app and the log.
func (w *World) openFolder() (err error) {
	w.dir = w.opts.Keep
	if w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "dime-local-*"); err != nil {
			return err
		}
		w.onClose(func() error { return os.RemoveAll(w.dir) })
	} else if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return fmt.Errorf("the folder to keep: %w", err)
	}
	w.app = filepath.Join(w.dir, "app")
	w.hostLog, err = openLog(filepath.Join(w.dir, "host.log"))
	if err == nil {
		w.onClose(w.hostLog.Close)
	}
	return err
}

// projectRoot is root, or the nearest folder with go.mod.
func projectRoot(root string) (string, error) {
	if root != "" {
		return filepath.Abs(root)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.mod here or above: run this inside the project")
		}
		dir = filepath.Dir(dir)
	}
}

// onClose notes what Close has to undo.
func (w *World) onClose(undo func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cleanup = append(w.cleanup, undo)
}

var errClosed = errors.New("the local world is closed")

// Done is closed when the host or the storage has ended by itself, and by Close.
func (w *World) Done() <-chan struct{} { return w.life.Done() }

// Err is why the world has ended by itself; nil as long as it lives, and after Close.
func (w *World) Err() error {
	if err := context.Cause(w.life); !errors.Is(err, errClosed) {
		return err
	}
	return nil
}

// Close ends everything, the last started first. It may be called twice.
func (w *World) Close() error {
	w.closing.Do(func() {
		w.end(errClosed)
		w.mu.Lock()
		cleanup := w.cleanup
		w.mu.Unlock()
		var problems []error
		for i := len(cleanup) - 1; i >= 0; i-- {
			problems = append(problems, cleanup[i]())
		}
		w.ending = errors.Join(problems...)
	})
	return w.ending
}

// step writes one line of progress.
func (w *World) step(name, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.opts.Log, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
}
