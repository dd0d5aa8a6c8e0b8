package funchost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// Server runs an app under the host. It listens before it starts the app,
// because the host waits for the port and then begins to send at once.
//
// While the app starts, requests wait: messages for long, as refusing them
// would push them into the dead letters within a second, and public requests
// briefly, and not at all once an attempt has failed. An app that can not
// start is tried again for ever, with growing pauses: the third end of the
// process would stop the whole host, and with it what shows why.
type Server struct {
	Log *slog.Logger
	// Start makes the app. Its context ends with the attempt. Its error is
	// logged in full: joined errors one by one.
	Start func(ctx context.Context) (*App, error)
	// Early answers what does not need the app, as health; may be nil. Once the
	// app has started, the app answers that too.
	Early *App

	// For tests; 0 = the default.
	firstPause, attemptTime, httpWait, triggerWait, shutdownTime time.Duration
}

// Serve listens on the port that the host has chosen until ctx ends, which
// stands for a signal, and returns the exit code of the process: 0 only then.
// The host never restarts a process that has ended with 0, and lets all
// messages run into the dead letters.
//
// What runs when ctx ends gets some seconds to finish. Nothing may rely on
// them: the host itself sends no signal but SIGKILL.
func (s Server) Serve(ctx context.Context, getenv func(string) string) int {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	port, err := portOf(getenv)
	if err != nil {
		s.Log.ErrorContext(ctx, err.Error())
		return 1
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		s.Log.ErrorContext(ctx, "can not listen on the port that the host has chosen", "error", err.Error())
		return 1
	}
	return s.serve(ctx, listener)
}

// portOf reads the port from the host's variable or its older twin.
func portOf(getenv func(string) string) (string, error) {
	for _, name := range []string{"FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"} {
		port := getenv(name)
		if port == "" {
			continue
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("%s is %q, which is not a port", name, port)
		}
		return port, nil
	}
	return "", errors.New("FUNCTIONS_CUSTOMHANDLER_PORT is not set: the Azure Functions host starts this program; to run it on one machine, use `go run ./local`")
}

func (s Server) serve(ctx context.Context, listener net.Listener) int {
	// Requests outlive ctx by the time of the shutdown.
	base, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	startCtx, stop := context.WithCancel(ctx)
	defer stop()
	g := newGate(s, startCtx.Done())
	server := &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { defer close(started); g.start(startCtx) }()
	go func() { ended <- server.Serve(listener) }()

	code := 0
	select {
	case err := <-ended:
		s.Log.ErrorContext(ctx, "the listener has ended", "error", err.Error())
		code = 1
	case <-ctx.Done():
		s.Log.InfoContext(ctx, "stopping")
	}
	stop()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), orDefault(s.shutdownTime, 8*time.Second))
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		s.Log.WarnContext(ctx, "stopped with work in flight: it will be delivered again")
	}
	abandon()
	_ = server.Close()
	select {
	case <-started:
	case <-last.Done(): // a start that does not heed its context
	}
	return code
}

// attempt runs Start once; a panic of it is an error.
func (s Server) attempt(ctx context.Context) (app *App, err error) {
	ctx, cancel := context.WithTimeout(ctx, orDefault(s.attemptTime, time.Minute))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			s.Log.ErrorContext(ctx, "panic in start", "error", fmt.Sprint(v), "stack", string(debug.Stack()))
			app, err = nil, fmt.Errorf("panic: %v", v)
		}
	}()
	app, err = s.Start(ctx)
	if app == nil && err == nil {
		err = errors.New("start gave no app")
	}
	return app, err
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
