package funchost

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestPort(t *testing.T) {
	for _, tc := range []struct {
		name, port, problem string
		getenv              func(string) string
	}{
		{"given", "7071", "", env("FUNCTIONS_CUSTOMHANDLER_PORT", "7071", "FUNCTIONS_HTTPWORKER_PORT", "1")},
		{"by its older name", "7072", "", env("FUNCTIONS_HTTPWORKER_PORT", "7072")},
		{"unset", "", "go run ./local", env()},
		{"not a number", "", "not a port", env("FUNCTIONS_CUSTOMHANDLER_PORT", "x")},
		{"zero", "", "not a port", env("FUNCTIONS_CUSTOMHANDLER_PORT", "0")},
		{"too large", "", "not a port", env("FUNCTIONS_CUSTOMHANDLER_PORT", "70000")},
	} {
		port, err := portOf(tc.getenv)
		if port != tc.port || (err == nil) != (tc.problem == "") || err != nil && !strings.Contains(err.Error(), tc.problem) {
			t.Errorf("%s: %q, %v", tc.name, port, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	start := func(context.Context) (*App, error) { return New(Options{}), nil }
	t.Run("no port", func(t *testing.T) {
		if code := (Server{Start: start}).Serve(t.Context(), env()); code == 0 {
			t.Error("0: the host would never restart it")
		}
	})
	t.Run("port taken", func(t *testing.T) {
		port := listen(t).Addr().(*net.TCPAddr).Port
		if code := (Server{Start: start}).Serve(t.Context(), env("FUNCTIONS_CUSTOMHANDLER_PORT", strconv.Itoa(port))); code == 0 {
			t.Error("0: the host would never restart it")
		}
	})
	t.Run("listener ends", func(t *testing.T) {
		l := listen(t)
		l.Close()
		if code := (Server{Start: start, Log: slog.New(slog.DiscardHandler)}).serve(t.Context(), l); code == 0 {
			t.Error("0: the host would never restart it")
		}
	})
	t.Run("signal", func(t *testing.T) {
		free := listen(t)
		port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
		free.Close()
		ctx, signal := context.WithCancel(t.Context())
		code := make(chan int)
		go func() { code <- (Server{Start: start}).Serve(ctx, env("FUNCTIONS_CUSTOMHANDLER_PORT", port)) }()
		for { // until it listens, as the host does
			res, err := http.Get("http://127.0.0.1:" + port + "/")
			if err == nil {
				res.Body.Close()
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		signal()
		if got := <-code; got != 0 {
			t.Errorf("%d after a signal", got)
		}
	})
}

// A signal lets what runs finish, and cuts off what does not.
func TestShutdown(t *testing.T) {
	l := listen(t)
	running, release := make(chan struct{}, 2), make(chan struct{})
	cut := make(chan struct{})
	a := New(Options{})
	a.Queue("short", "msg", func(context.Context, Message) error { running <- struct{}{}; <-release; return nil })
	a.Queue("long", "msg", func(ctx context.Context, _ Message) error {
		running <- struct{}{}
		<-ctx.Done()
		close(cut)
		return ctx.Err()
	})
	s := Server{Log: slog.New(slog.DiscardHandler), shutdownTime: time.Second, Start: func(context.Context) (*App, error) { return a, nil }}
	ctx, signal := context.WithCancel(t.Context())
	code := make(chan int)
	go func() { code <- s.serve(ctx, l) }()

	var wg sync.WaitGroup
	var short int
	wg.Go(func() { short = postTo(l, "/short") })
	wg.Go(func() { postTo(l, "/long") })
	<-running
	<-running
	signal()
	close(release)
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
	<-cut
	wg.Wait()
	if short != 200 {
		t.Errorf("what could finish was answered %d", short)
	}
}

// postTo returns the status, 0 if there was no answer.
func postTo(l net.Listener, path string) int {
	res, err := http.Post("http://"+l.Addr().String()+path, "application/json", strings.NewReader(envelopeX))
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// The app fails to start twice; the gate's clock is the bubble's.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		problem := errors.Join(errors.New("setting A is missing"), errors.Join(errors.New("setting B is wrong"), errors.New("setting C is odd")))
		var attempts atomic.Int32
		early := New(Options{})
		early.HTTP("health", "GET", "health", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
		s := Server{Log: NewLogger(&out, &out, slog.LevelInfo), Early: early, Start: func(context.Context) (*App, error) {
			time.Sleep(time.Second)
			switch attempts.Add(1) {
			case 1:
				return nil, problem
			case 2:
				panic("in start")
			}
			a := New(Options{})
			a.Queue("push", "msg", func(context.Context, Message) error { return nil })
			a.HTTP("health", "GET", "health", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			a.HTTP("page", "GET", "page", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			return a, nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		g := newGate(s, ctx.Done())
		go g.start(ctx)

		if w := do(g, "GET", "/", ""); w.Code != 200 {
			t.Errorf("probe: %d", w.Code)
		}
		if w := do(g, "GET", "/api/health", ""); w.Code != 503 {
			t.Errorf("health before the start: %d", w.Code)
		}
		message := make(chan *httptest.ResponseRecorder, 1)
		go func() { message <- post(g, "/push", envelopeX) }()
		began := time.Now()
		if w := do(g, "GET", "/api/page", ""); w.Code != 503 || time.Since(began) != time.Second || w.Header().Get("Retry-After") == "" {
			t.Errorf("request during the first attempt: %d after %v", w.Code, time.Since(began))
		}
		began = time.Now()
		if w := do(g, "GET", "/api/page", ""); w.Code != 503 || time.Since(began) != 0 {
			t.Errorf("request after a failed attempt: %d after %v", w.Code, time.Since(began))
		}
		if w := <-message; w.Code != 200 {
			t.Errorf("the message that waited: %d", w.Code)
		}
		for _, path := range []string{"/api/health", "/api/page", "/"} {
			if w := do(g, "GET", path, ""); w.Code != 200 {
				t.Errorf("%s after the start: %d", path, w.Code)
			}
		}
		for _, want := range []string{`"problems":["setting A is missing","setting B is wrong","setting C is odd"]`, `"panic: in start"`, `"started"`} {
			if strings.Count(out.String(), want) != 1 {
				t.Errorf("the log has no single %s:\n%s", want, out.String())
			}
		}
	})
}

func TestGateDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		g := newGate(Server{Log: slog.New(slog.DiscardHandler), Start: func(ctx context.Context) (*App, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}, ctx.Done())
		ended := make(chan struct{})
		go func() { defer close(ended); g.start(ctx) }()

		began := time.Now()
		if w := do(g, "GET", "/api/page", ""); w.Code != 503 || time.Since(began) >= 10*time.Second {
			t.Errorf("request: %d after %v", w.Code, time.Since(began))
		}
		began = time.Now()
		if w := post(g, "/push", envelopeX); w.Code != 500 || time.Since(began) >= 4*time.Minute {
			t.Errorf("message: %d after %v", w.Code, time.Since(began))
		}
		stop()
		if w := post(g, "/push", envelopeX); w.Code != 500 {
			t.Errorf("message while stopping: %d", w.Code)
		}
		<-ended
	})
}
