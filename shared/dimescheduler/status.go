package dimescheduler

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// statusFault classifies an HTTP status, the outer one or that of an envelope;
// nil for 2xx and for those that say that there is no such thing (404, 405, 501),
// whose meaning the caller knows. 405 and 501 are those of a missing route.
func (k call) statusFault(status int, h http.Header, now time.Time) *fault.Error {
	f := &fault.Error{Kind: fault.Transient, Op: k.op, Code: "HTTP" + strconv.Itoa(status)}
	switch {
	case status >= 200 && status < 300, isAbsent(status):
		return nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.Reason, f.WholeTarget, f.WholeService = fault.Auth, true, true
		f.Err = errors.New("the board refuses the API key; check that it has not expired and may do this")
	case status == http.StatusTooManyRequests:
		f.Reason, f.RetryAfter = fault.RateLimit, retryAfter(h, now)
	case status == http.StatusRequestTimeout:
		f.Reason, f.Ambiguous = fault.Timeout, k.write
	case status >= 500:
		f.Reason, f.Ambiguous, f.RetryAfter = fault.Unavailable, k.write, retryAfter(h, now)
	case status == http.StatusConflict:
		f.Reason = fault.Conflict
	case status >= 400:
		f.Kind, f.Reason = fault.Permanent, fault.Invalid
	default:
		f.Reason, f.WholeTarget = fault.Unavailable, true
		f.Err = errors.New("the board answers with a redirection; check DIMESCHEDULER_URL")
	}
	return f
}

func isAbsent(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
}

// noRoute: a route that every board has is not there, so this is no board.
func (k call) noRoute(status int) *fault.Error {
	return &fault.Error{
		Kind: fault.Transient, Reason: fault.Unavailable, Op: k.op, Code: "HTTP" + strconv.Itoa(status), WholeTarget: true,
		Err: errors.New("there is no Dime.Scheduler API at this address; check DIMESCHEDULER_URL"),
	}
}

// retryAfter reads seconds, also with a fraction, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// stableCode matches the codes that Dime.Scheduler publishes (facts A.9, B.6).
// Of the board's own words nothing else enters an error: they may hold content.
var stableCode = regexp.MustCompile(`\bDS[A-Z]{2,6}[0-9]{3}\b`)

// passing are those of the stable codes that the board itself retries (facts B.6).
var passing = []string{"DSHTTP001", "DSDB001", "DSDB002", "DSDB003", "DSDB004"}

// refusal classifies an answer by which the board says that it did not do it.
//
// Guess: all but the published passing codes is final. The board's import
// reports a wrong parameter and a failing database alike (statusCode 500 with
// Error and Description), and what is wrong for ever must not be tried for ever.
func (k call) refusal(status int, words ...string) *fault.Error {
	f := &fault.Error{Kind: fault.Permanent, Reason: fault.Invalid, Op: k.op, Code: "HTTP" + strconv.Itoa(status), Err: errors.New("the board refuses it")}
	if code := stableCode.FindString(strings.Join(words, " ")); code != "" {
		f.Code = code
	}
	if slices.Contains(passing, f.Code) {
		f.Kind, f.Reason, f.Ambiguous = fault.Transient, fault.Unavailable, k.write
	}
	return f
}
