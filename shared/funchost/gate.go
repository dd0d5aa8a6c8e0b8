package funchost

import (
	"context"
	"net/http"
	"time"
)

// maxPause is the longest pause between two attempts to start.
const maxPause = time.Minute

// gate holds requests back until the app has started.
type gate struct {
	server Server
	ready  chan struct{}   // closed once app is set
	failed chan struct{}   // closed once an attempt has failed
	ended  <-chan struct{} // closed when the server stops
	app    *App            // to be read after ready is closed
}

func newGate(s Server, ended <-chan struct{}) *gate {
	return &gate{server: s, ready: make(chan struct{}), failed: make(chan struct{}), ended: ended}
}

// start tries to start the app until it has, or ctx ends.
func (g *gate) start(ctx context.Context) {
	log, pause := g.server.Log, orDefault(g.server.firstPause, time.Second)
	for attempt := 1; ; attempt++ {
		began := time.Now()
		app, err := g.server.attempt(ctx)
		if err == nil {
			log.InfoContext(ctx, "started", "attempt", attempt, "ms", time.Since(began).Milliseconds())
			g.app = app
			close(g.ready)
			return
		}
		if ctx.Err() != nil {
			return
		}
		log.ErrorContext(ctx, "the app can not start", "attempt", attempt, "again_in", pause.String(), "problems", problems(err))
		if attempt == 1 {
			close(g.failed)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// problems takes apart what errors.Join has put together.
func problems(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var out []string
	for _, err := range joined.Unwrap() {
		out = append(out, problems(err)...)
	}
	return out
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-g.ready:
		g.app.ServeHTTP(w, r)
		return
	default:
	}
	if r.URL.Path == "/" {
		probe(w)
		return
	}
	if early := g.server.Early; early != nil {
		if found, _, _ := early.route(r); found != nil {
			early.ServeHTTP(w, r)
			return
		}
	}
	// The wait is part of the invocation's time.
	ctx, cancel := context.WithTimeout(r.Context(), defaultDeadline)
	defer cancel()
	if _, public := publicPath(r.URL); public {
		g.servePublic(w, r.WithContext(ctx))
		return
	}
	g.serveTrigger(w, r.WithContext(ctx))
}

// servePublic waits for the first attempt only, and less than the 10 s that
// Graph gives the handshake.
func (g *gate) servePublic(w http.ResponseWriter, r *http.Request) {
	wait := time.NewTimer(orDefault(g.server.httpWait, 8*time.Second))
	defer wait.Stop()
	select {
	case <-g.ready:
		g.app.ServeHTTP(w, r)
		return
	case <-g.failed:
	case <-wait.C:
	case <-r.Context().Done():
	}
	g.server.Log.WarnContext(r.Context(), "refused a request: the app has not started")
	w.Header().Set("Retry-After", "10")
	refuse(w, http.StatusServiceUnavailable, "the app has not started yet")
}

// serveTrigger waits for further attempts too.
func (g *gate) serveTrigger(w http.ResponseWriter, r *http.Request) {
	wait := time.NewTimer(orDefault(g.server.triggerWait, 2*time.Minute))
	defer wait.Stop()
	select {
	case <-g.ready:
		g.app.ServeHTTP(w, r)
		return
	case <-wait.C:
	case <-g.ended:
	case <-r.Context().Done():
	}
	g.server.Log.WarnContext(r.Context(), "refused an invocation: the app has not started",
		"invocation_id", r.Header.Get("X-Azure-Functions-InvocationId"))
	answer(w, http.StatusInternalServerError)
}
