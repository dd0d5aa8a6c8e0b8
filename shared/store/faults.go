package store

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/shared/fault"
)

func notFound(op string) error {
	return &fault.Error{Kind: fault.Permanent, Reason: fault.NotFound, Op: op, Err: ErrNotFound}
}

func conflict(op string) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Conflict, Op: op, Err: ErrConflict}
}

// alive returns the classified error of a context that is done.
func alive(ctx context.Context, op string) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Transient, Reason: fault.Of(err).Reason, Op: op, Err: err}
}

// unreadable is a row that this program can not read. A person, or the version
// that wrote it, may; so it is no reason to give up what it stands for.
func unreadable(op string, err error) error {
	return &fault.Error{Kind: fault.Transient, Reason: fault.Invalid, Op: op, Err: err}
}

func tooLarge(op string) error {
	return &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: op, Code: "EntityTooLarge",
		Err: errors.New("a row holds 1 MiB at most")}
}

// status returns the HTTP status of a refusal, 0 for any other error and for nil.
func status(err error) int {
	var refusal *azcore.ResponseError
	if errors.As(err, &refusal) {
		return refusal.StatusCode
	}
	return 0
}

// code returns the service's code of a refusal, or "".
func code(err error) string {
	var refusal *azcore.ResponseError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode
	}
	return ""
}

// refused is classify for compare-and-swaps: a row that is there already, is
// gone or has another ETag is an ErrConflict.
func refused(op string, err error) error {
	switch status(err) {
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusNotFound:
		if code(err) != string(aztables.TableNotFound) {
			return conflict(op)
		}
	}
	return classify(op, err)
}

// classify turns an error of the SDK into a fault. The SDK's own text holds
// URLs and bodies and is left out.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	f := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: op, Code: code(err), Ambiguous: true}
	switch s := status(err); {
	case errors.Is(err, context.Canceled):
		f.Reason, f.Err = fault.Canceled, context.Canceled
	case s == 0 && errors.Is(err, context.DeadlineExceeded):
		f.Reason, f.Err = fault.Timeout, context.DeadlineExceeded
	case s == 0:
		f.Err = errors.New("no answer of the table service")
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		f.Reason, f.Ambiguous = fault.Auth, false
		f.Err = errors.New("the identity needs the role Storage Table Data Contributor on the account")
	case s == http.StatusTooManyRequests:
		f.Reason, f.Ambiguous, f.RetryAfter = fault.RateLimit, false, retryAfter(err)
	case s == http.StatusRequestTimeout || s >= 500:
		f.RetryAfter = retryAfter(err)
	case f.Code == "EntityTooLarge" || s == http.StatusRequestEntityTooLarge:
		return tooLarge(op)
	default:
		f.Reason, f.Ambiguous, f.Err = fault.Other, false, errors.New("refused with status "+strconv.Itoa(s))
	}
	return f
}

func retryAfter(err error) time.Duration {
	var refusal *azcore.ResponseError
	if !errors.As(err, &refusal) || refusal.RawResponse == nil {
		return 0
	}
	text := refusal.RawResponse.Header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		return time.Duration(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
