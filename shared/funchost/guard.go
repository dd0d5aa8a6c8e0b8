package funchost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// panicError is a function's panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// errStuck: the function did not end in time. It can not be stopped; that its
// message is delivered again beside it is better than the host killing the
// process with everything in it.
var errStuck = &fault.Error{
	Kind: fault.Transient, Reason: fault.Timeout, Ambiguous: true, Op: "funchost: run",
	Err: errors.New("the function goes on past its deadline"),
}

// guard runs a function on a goroutine of its own and returns its error, its
// panic as one, or errStuck if it has not ended grace after ctx has.
func guard(ctx context.Context, grace time.Duration, run func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("the function ended its goroutine (runtime.Goexit)")
		defer func() {
			if v := recover(); v == http.ErrAbortHandler {
				err = http.ErrAbortHandler
			} else if v != nil {
				err = &panicError{v, debug.Stack()}
			}
			done <- err
		}()
		err = run(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return errStuck
	}
}
