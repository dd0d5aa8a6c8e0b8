package exchange

import (
	"context"
	"log/slog"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/trace"
)

// timerCalls records the calls of timers as a session records its own: each write,
// and each read that failed, with the ids of the run and of the call.
type timerCalls struct {
	Store store.Journal
	Now   func() time.Time
	Log   *slog.Logger
}

// ask makes a call that changes nothing: only its failure is recorded. That there is
// no such thing, or more than one, is an answer.
func (c timerCalls) ask(ctx context.Context, t store.Transaction, call func(context.Context) error) error {
	return c.make(ctx, t, call, func(f *fault.Error) bool {
		return f == nil || f.Reason == fault.Conflict || f.Reason == fault.NotFound && !f.WholeTarget
	})
}

// write makes a call that changes something; t.Text is recorded if it succeeds.
func (c timerCalls) write(ctx context.Context, t store.Transaction, call func(context.Context) error) error {
	return c.make(ctx, t, call, func(*fault.Error) bool { return false })
}

func (c timerCalls) make(ctx context.Context, t store.Transaction, call func(context.Context) error, silent func(*fault.Error) bool) error {
	began := c.Now()
	watching, watched := trace.Watch(ctx)
	err := call(watching)
	f := fault.Of(err)
	if silent(f) || f != nil && (f.Reason == fault.Canceled || isOurs(f) || turnedAwayByBoard(err)) {
		return err
	}
	cause, ids := trace.Of(ctx), watched.Last()
	t.Family, t.At, t.Source, t.Status = family, c.Now(), store.SourceTimer, StatusSuccess
	t.Invocation, t.Trace, t.Request, t.Client, t.Duration = cause.Invocation, cause.TraceID, ids.Request, ids.Client, c.Now().Sub(began)
	if err != nil {
		x := Explain(codeOf(err))
		t.Code, t.Status, t.Text, t.Remote = x.ID, x.Status, x.Sentence, remoteOf(err)
	}
	if failed := c.Store.Record(ctx, t); failed != nil {
		c.Log.WarnContext(ctx, "a transaction could not be recorded", "error", failed)
	}
	return err
}
