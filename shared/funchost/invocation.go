package funchost

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/dime-scheduler/connectors/shared/trace"
)

// Invocation identifies one run of a function.
type Invocation struct {
	// ID is the host's, under which its own log has the run.
	ID       string
	Function string
	// Traceparent is the W3C trace context of the cause; never empty in a
	// function: where the cause brought none, a trace begins here.
	Traceparent string
}

// TraceID returns the trace id of the Traceparent, 32 hex digits.
func (i Invocation) TraceID() string {
	if len(i.Traceparent) < 35 {
		return ""
	}
	return i.Traceparent[3:35]
}

type invocationKey struct{}

// WithInvocation returns a context that belongs to the invocation; its ids are
// what engines record (trace.Of).
func WithInvocation(ctx context.Context, i Invocation) context.Context {
	ctx = trace.With(ctx, trace.Cause{Invocation: i.ID, TraceID: i.TraceID()})
	return context.WithValue(ctx, invocationKey{}, i)
}

// InvocationOf returns the invocation that ctx belongs to; the zero value if
// it belongs to none.
func InvocationOf(ctx context.Context) Invocation {
	i, _ := ctx.Value(invocationKey{}).(Invocation)
	return i
}

// traceparentPattern is version 00 of https://www.w3.org/TR/trace-context/,
// and the part of later versions that is the same.
var traceparentPattern = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-|$)`)

// traceparent returns given, or a new one if that is none.
func traceparent(given string) string {
	if m := traceparentPattern.FindStringSubmatch(given); m != nil && m[1] != "ff" &&
		(m[1] != "00" || m[4] == "") && strings.Trim(m[2], "0") != "" && strings.Trim(m[3], "0") != "" {
		return "00" + given[2:55]
	}
	var id [24]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return "00-" + hex.EncodeToString(id[:16]) + "-" + hex.EncodeToString(id[16:]) + "-00"
}
