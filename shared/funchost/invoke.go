package funchost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// trigger is a function that the host posts envelopes to.
type trigger struct {
	name   string
	decode func(envelope) (job, error)
}

// job is one decoded envelope, ready to run.
type job struct {
	trace    string // what the cause brought along, may be empty
	delivery int
	odd      []string
	run      func(context.Context) error
	park     func(ctx context.Context, reason error) error // nil: there is nothing to park
	settle   func(error) int
}

func (a *App) serveTrigger(w http.ResponseWriter, r *http.Request, t trigger) {
	began := time.Now()
	invocation := Invocation{ID: r.Header.Get("X-Azure-Functions-InvocationId"), Function: t.name}
	invocation.Traceparent = traceparent(r.Header.Get("traceparent"))
	ctx := WithInvocation(r.Context(), invocation)

	j, err := readJob(w, r, t)
	if err != nil {
		a.closing(ctx, slog.LevelError, began, "undecodable", slog.String("error", err.Error()))
		answer(w, http.StatusInternalServerError)
		return
	}
	if j.trace != "" {
		invocation.Traceparent = traceparent(j.trace)
		ctx = WithInvocation(r.Context(), invocation)
	}
	if len(j.odd) > 0 {
		a.log.WarnContext(ctx, "the envelope is not as the host sends it with dataType binary", "odd", j.odd)
	}
	ctx, cancel := context.WithTimeout(ctx, a.options.Deadline)
	defer cancel()
	err = guard(ctx, a.grace, j.run)
	if errors.Is(err, http.ErrAbortHandler) {
		a.closing(ctx, slog.LevelWarn, began, "aborted")
		panic(http.ErrAbortHandler)
	}
	outcome, level, err := outcomeOf(ctx, j, err)
	status := j.settle(err)
	if outcome == "unparked" {
		status = http.StatusInternalServerError
	}
	attrs := []slog.Attr{slog.Int("status", status)}
	if j.delivery > 0 {
		attrs = append(attrs, slog.Int("delivery", j.delivery))
	}
	a.closing(ctx, level, began, outcome, append(attrs, errorAttrs(err)...)...)
	answer(w, status)
}

func readJob(w http.ResponseWriter, r *http.Request, t trigger) (job, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEnvelope))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return job{}, fmt.Errorf("the envelope is larger than %d MiB", maxEnvelope>>20)
	}
	if err != nil {
		return job{}, fmt.Errorf("reading the envelope: %w", err)
	}
	e, err := decodeEnvelope(body)
	if err != nil {
		return job{}, err
	}
	return t.decode(e)
}

// outcomeOf says in one word how an invocation ended, and parks what has to be.
func outcomeOf(ctx context.Context, j job, err error) (outcome string, level slog.Level, _ error) {
	if err == nil {
		return "ok", slog.LevelInfo, nil
	}
	if _, panicked := errors.AsType[*panicError](err); panicked {
		return "panic", slog.LevelError, err
	}
	switch fault.Of(err).Kind {
	case fault.Permanent, fault.Poison:
		// Nobody below has dealt with it: to try again would not help, and to
		// complete it without keeping it would lose it.
		if j.park == nil {
			break // a timer's own input: there is nothing to keep
		}
		if problem := j.park(ctx, err); problem != nil {
			return "unparked", slog.LevelError, fmt.Errorf("%w (and it can not be parked: %w)", err, problem)
		}
		return "parked", slog.LevelWarn, err
	}
	return "failed", slog.LevelWarn, err
}

var errNoPark = errors.New("this app has no place to park messages")

// park has its own time: the invocation's may be used up.
func (a *App) park(ctx context.Context, function string, m Message, reason error) error {
	if a.options.Park == nil {
		return errNoPark
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	return guard(ctx, 0, func(ctx context.Context) error { return a.options.Park(ctx, function, m, reason) })
}

func (a *App) serveHTTP(w http.ResponseWriter, r *http.Request, found *route) {
	began := time.Now()
	ctx := WithInvocation(r.Context(), Invocation{
		ID:          r.Header.Get("X-Azure-Functions-InvocationId"),
		Function:    found.function,
		Traceparent: traceparent(r.Header.Get("traceparent")),
	})
	ctx, cancel := context.WithTimeout(ctx, a.options.HTTPDeadline)
	defer cancel()
	// A body that trickles in does not see the context's end.
	_ = http.NewResponseController(w).SetReadDeadline(began.Add(a.options.HTTPDeadline + time.Second))
	rec := &recorder{ResponseWriter: w}

	defer func() {
		v := recover()
		switch {
		case v == nil:
			level, outcome := slog.LevelInfo, "ok"
			switch {
			case rec.status >= 500:
				level, outcome = slog.LevelWarn, "failed"
			case rec.status >= 400:
				outcome = "refused"
			}
			a.closing(ctx, level, began, outcome, slog.Int("status", rec.status))
			return
		case v == http.ErrAbortHandler:
			a.closing(ctx, slog.LevelWarn, began, "aborted")
			panic(v)
		}
		a.closing(ctx, slog.LevelError, began, "panic", errorAttrs(&panicError{v, debug.Stack()})...)
		if rec.status != 0 {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		refuse(w, http.StatusInternalServerError, "failed, see the log")
	}()
	found.handler.ServeHTTP(rec, r.WithContext(ctx))
	if rec.status == 0 {
		rec.status = http.StatusOK // what net/http makes of no answer
	}
}

// recorder notes the status that was answered, 0 while there is none.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// closing writes the one line with which an invocation ends.
func (a *App) closing(ctx context.Context, level slog.Level, began time.Time, outcome string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{
		slog.String("outcome", outcome),
		slog.Int64("ms", time.Since(began).Milliseconds()),
	}, attrs...)
	a.log.LogAttrs(ctx, level, "invocation", attrs...)
}

func errorAttrs(err error) []slog.Attr {
	if err == nil {
		return nil
	}
	attrs := []slog.Attr{slog.String("reason", string(fault.Of(err).Reason)), slog.String("error", err.Error())}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", strings.TrimSpace(string(p.stack))))
	}
	return attrs
}
