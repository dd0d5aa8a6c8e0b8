// Package azurite installs and runs Azurite, Microsoft's emulator of Azure
// Storage, for the local world and for tests.
//
// The version is pinned by the embedded package.json and lock file. Start
// installs it on first use (npm ci, below a minute, 365 MB) and afterwards
// starts it in about a second. It needs Node.js 20 or newer; npm only for
// the installation.
//
// All three services (blob, queue, table) always run: the Functions host keeps
// keys, locks and timers in blobs, and only this entry point of Azurite picks
// free ports by itself and tells which, so that parallel runs never collide.
// It costs 15 MB over the table service alone.
//
// It speaks plain http on 127.0.0.1 with the published development account.
// It is not Azure Storage: there are no limits, no throttling, no roles, and a
// filter "N eq 6L" fails with 500 once a scanned row holds N as an Int32.
package azurite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Version is the version of Azurite that the lock file pins.
const Version = "3.37.0"

// The development account of every Azurite and of the storage emulator before
// it. The key is published by Microsoft and protects nothing.
const (
	accountName = "devstoreaccount1"
	accountKey  = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// stopGrace is how long Close lets Azurite write its files before it is killed.
const stopGrace = 10 * time.Second

// Options of Start; the zero value is an in-memory server installed in the
// user's cache folder.
type Options struct {
	// CacheDir is the folder that holds installations, one per lock file.
	// Empty: dime-connectors in os.UserCacheDir.
	CacheDir string
	// Dir is the folder in which the data survives a restart; it is created
	// when absent. Empty: the data lives in memory and ends with the server.
	Dir string
	// Log receives the progress of the installation and what Azurite prints.
	// Writes come from one goroutine at a time. Nil: nothing.
	Log io.Writer
}

// Server is a running Azurite.
type Server struct {
	cmd       *exec.Cmd
	output    *output
	done      chan struct{} // closed when the process has ended
	closeOnce sync.Once
	closeErr  error
}

// Start installs Azurite if it is absent, starts it and returns when all
// services listen. The context bounds the start, not the life of the server,
// which ends with Close. On Linux it also ends when this process dies in any way.
func Start(ctx context.Context, opts Options) (*Server, error) {
	app, err := Install(ctx, opts.CacheDir, opts.Log)
	if err != nil {
		return nil, err
	}
	node, err := findNode(ctx)
	if err != nil {
		return nil, err
	}
	args := []string{
		entryPoint(app), "--silent", "--disableTelemetry",
		// Host and SDKs move to newer api versions before Azurite knows
		// them; the operations that are used here do not change.
		"--skipApiVersionCheck",
		"--blobPort", "0", "--queuePort", "0", "--tablePort", "0",
	}
	work := app
	if opts.Dir == "" {
		args = append(args, "--inMemoryPersistence")
	} else {
		if work, err = filepath.Abs(opts.Dir); err != nil {
			return nil, fmt.Errorf("azurite: data folder: %w", err)
		}
		if err := os.MkdirAll(work, 0o755); err != nil {
			return nil, fmt.Errorf("azurite: data folder: %w", err)
		}
		args = append(args, "--location", work)
	}

	s := &Server{output: newOutput(opts.Log), done: make(chan struct{})}
	s.cmd = exec.Command(node, args...)
	s.cmd.Dir = work
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	tieToParent(s.cmd, opts.Dir != "")
	if err := s.launch(); err != nil {
		return nil, fmt.Errorf("azurite: start node: %w", err)
	}
	select {
	case <-s.output.ready:
		return s, nil
	case <-s.done:
		return nil, fmt.Errorf("azurite: ended before it listened (%v): %s", s.cmd.ProcessState, s.output.tail())
	case <-ctx.Done():
		s.cmd.Process.Kill()
		<-s.done
		return nil, fmt.Errorf("azurite: not listening in time: %w; it printed: %s", ctx.Err(), s.output.tail())
	}
}

// launch starts the process on a thread that stays until it has ended:
// Linux sends the parent-death signal when the starting thread ends, not the
// process (https://go.dev/issue/27505).
func (s *Server) launch() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.cmd.Wait()
			close(s.done)
		}
	}()
	return <-started
}

// TablesConnectionString is what aztables.NewServiceClientFromConnectionString takes.
func (s *Server) TablesConnectionString() string {
	return credentials() + endpoint("Table", s.output.url("Table"))
}

// StorageConnectionString names all three services; it is what AzureWebJobsStorage takes.
func (s *Server) StorageConnectionString() string {
	return credentials() + endpoint("Blob", s.output.url("Blob")) +
		endpoint("Queue", s.output.url("Queue")) + endpoint("Table", s.output.url("Table"))
}

func credentials() string {
	return "DefaultEndpointsProtocol=http;AccountName=" + accountName + ";AccountKey=" + accountKey + ";"
}

func endpoint(service, url string) string {
	return service + "Endpoint=" + url + "/" + accountName + ";"
}

// Done is closed when the process has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close stops Azurite; with Options.Dir everything written before is on disk
// afterwards. A second call returns the result of the first.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		select {
		case <-s.done:
			s.closeErr = fmt.Errorf("azurite: had ended by itself (%v): %s", s.cmd.ProcessState, s.output.tail())
			return
		default:
		}
		// Only SIGINT and SIGTERM make it write its files. Windows has neither.
		if err := s.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.cmd.Process.Kill()
		}
		select {
		case <-s.done:
		case <-time.After(stopGrace):
			s.cmd.Process.Kill()
			<-s.done
			s.closeErr = fmt.Errorf("azurite: killed, it had not stopped %s after the interrupt", stopGrace)
		}
	})
	return s.closeErr
}
