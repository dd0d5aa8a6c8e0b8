package funchost

import (
	"context"
	"io"
	"log/slog"
	"slices"
)

// NewLogger returns a logger that writes JSON lines: Debug and Info to stdout,
// Warn and Error to stderr, as the host takes a line's level from its stream
// (stderr is Error, or Warning if the line has "warn" in it). Lines that are
// logged with the context of an invocation carry invocation_id, function and
// trace_id, because the host adds none of them.
func NewLogger(stdout, stderr io.Writer, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	return slog.New(&logHandler{
		low:  slog.NewJSONHandler(stdout, options),
		high: slog.NewJSONHandler(stderr, options),
	})
}

// logHandler keeps what With and WithGroup add apart from its two ends, so
// that the keys of the invocation stay outside of every group.
type logHandler struct {
	low, high slog.Handler
	added     []func(slog.Handler) slog.Handler
}

func (h *logHandler) end(level slog.Level) slog.Handler {
	if level >= slog.LevelWarn {
		return h.high
	}
	return h.low
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.end(level).Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	end := h.end(r.Level)
	if i := InvocationOf(ctx); i != (Invocation{}) {
		end = end.WithAttrs([]slog.Attr{
			slog.String("invocation_id", i.ID),
			slog.String("function", i.Function),
			slog.String("trace_id", i.TraceID()),
		})
	}
	for _, add := range h.added {
		end = add(end)
	}
	return end.Handle(ctx, r)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(end slog.Handler) slog.Handler { return end.WithAttrs(attrs) })
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.with(func(end slog.Handler) slog.Handler { return end.WithGroup(name) })
}

func (h *logHandler) with(add func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{low: h.low, high: h.high, added: append(slices.Clip(h.added), add)}
}
