package world

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/local/funchost"
)

// crashWindow is how close crashes of the handler must be to count together
// under the double, which stops at the third: near enough for an app that does
// not start, and not so far that a person could not kill it again and again.
const crashWindow = 500 * time.Millisecond

// startHost starts the host with the packed app and waits for its answer.
func (w *World) startHost(ctx context.Context) error {
	w.Settings = w.settings()
	begin := time.Now()
	if w.opts.Host == Func {
		w.step("host", "func on PATH, the real one; this takes a few seconds")
		host, err := funchost.StartFunc(ctx, funchost.FuncOptions{App: w.app, Settings: w.Settings, Port: w.port, Log: w.hostLog})
		if err != nil {
			return err
		}
		w.host = host
	} else {
		host, err := funchost.Start(ctx, funchost.Options{
			App: w.app, Settings: w.Settings, Port: w.port, CrashWindow: crashWindow,
			Log: slog.New(slog.NewTextHandler(w.hostLog, nil)),
		})
		if err != nil {
			return err
		}
		w.host = host
	}
	w.onClose(w.host.Stop)
	go func() {
		if err := w.host.Wait(); err != nil {
			w.end(fmt.Errorf("the host has ended by itself: %w", err))
		}
	}()
	if err := w.awaitHealth(ctx); err != nil {
		return err
	}
	w.Startup.Host = time.Since(begin)
	w.step("host", "%s (%s), answers after %s", w.url, w.opts.Host, seconds(w.Startup.Host))
	return nil
}

// awaitHealth asks until the app says that it is ready.
func (w *World) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		last := health(ctx, client, w.HealthURL())
		if last == nil {
			return nil
		}
		select {
		case <-w.life.Done():
			return context.Cause(w.life)
		case <-ctx.Done():
			return fmt.Errorf("the app was not ready in time: %w", last)
		case <-tick.C:
		}
	}
}

func health(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s answers %s: %s", url, response.Status, text)
	}
	return err
}

// freePort finds a port below the range from which the system takes ports for
// outgoing connections, so that it is still free when the host takes it.
func freePort() (int, error) {
	const low, high = 20000, 32000
	var problem error
	for range 100 {
		port := low + rand.IntN(high-low)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, listener.Close()
		}
		problem = err
	}
	return 0, fmt.Errorf("no free port for the host: %w", problem)
}

// HostURL is the public address of the app, without a slash at its end.
func (w *World) HostURL() string { return w.url }

// HealthURL is where the app tells how it is.
func (w *World) HealthURL() string { return w.url + "/api/health" }

// PortalURL is the app's web portal.
func (w *World) PortalURL() string { return w.url + "/api/portal/" }

// LogFile is the host's log, the handler's lines included.
func (w *World) LogFile() string { return w.hostLog.path }

// Trigger has a timer of the app run now; it does not wait for its end.
func (w *World) Trigger(ctx context.Context, function string) error {
	return w.host.Trigger(ctx, function)
}

// HandlerMemory is the resident memory of the handler in bytes; 0 if it does
// not run or the system does not tell.
func (w *World) HandlerMemory() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.host.HandlerPID()))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kilobytes, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

// HandlerSize is the size of the handler's file in bytes.
func (w *World) HandlerSize() int64 {
	info, err := os.Stat(filepath.Join(w.app, "handler"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// handlerPID returns the process id of the handler, 0 if it does not run, and
// how often another one has come.
func (w *World) handlerPID() (pid, restarts int) {
	now := w.host.HandlerPID()
	w.mu.Lock()
	defer w.mu.Unlock()
	if now != 0 && now != w.pid {
		if w.pid != 0 {
			w.restarts++
		}
		w.pid = now
	}
	return now, w.restarts
}
