package graph

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

// itemNotFound is the only code that says that an event, and nothing else, is gone (R27).
const itemNotFound = "ErrorItemNotFound"

// mailboxCodes say that the mailbox as a whole does not work, whatever the
// status; none of them means that the calendar is empty. Facts B9, in lower case.
var mailboxCodes = map[string]bool{
	"mailboxnotenabledforrestapi":   true,
	"mailboxnotsupportedforrestapi": true,
	"erroraccessdenied":             true,
	"errorinvaliduser":              true,
	"errornonexistentmailbox":       true,
	"erroraccountdisabled":          true,
	"errorquotaexceeded":            true,
	"errormailboxmoveinprogress":    true,
	"errormailboxstoreunavailable":  true,
	"request_resourcenotfound":      true,
}

// consentDenied is the directory's word for an application without the permission.
// It is not said of a mailbox: there it is erroraccessdenied, as for an access policy.
const consentDenied = "authorization_requestdenied"

// resyncCodes say that the sync state of a delta link is lost. Facts B5, in lower case.
var resyncCodes = map[string]bool{"syncstatenotfound": true, "syncstateinvalid": true, "resyncrequired": true}

// refused classifies an answer that is no success, of a call or of one item of a
// $batch. Facts A8, B9, C.
func refused(o op, status int, h http.Header, body []byte) *fault.Error {
	code := errorCode(status, body)
	lower := strings.ToLower(code)
	wait, asked := retryAfter(h, time.Now)
	f := fault.Error{Kind: fault.Transient, Code: code, RetryAfter: wait, Err: requestID(h)}
	// A 4xx was decided before anything was done; 5xx and 408 leave it open.
	f.Ambiguous = status >= 500 || status == http.StatusRequestTimeout
	switch {
	case status == http.StatusTooManyRequests || status == 509:
		f.Reason = fault.RateLimit
	case status == http.StatusServiceUnavailable && asked:
		f.Reason = fault.RateLimit
	case o.delta && (status == http.StatusGone || resyncCodes[lower]):
		f.Reason, f.Err = fault.Other, calendar.ErrResync
	case status == http.StatusNotFound && o.leaf:
		f.Kind, f.Reason = fault.Permanent, fault.NotFound
	case mailboxCodes[lower]:
		f.Reason, f.WholeTarget = wholeReason(status), true
	case status == http.StatusUnauthorized:
		f.Reason, f.WholeTarget, f.WholeService = fault.Auth, true, true
	case lower == consentDenied:
		f.Reason, f.WholeTarget, f.WholeService = fault.Auth, true, true
	case status == http.StatusForbidden:
		f.Reason, f.WholeTarget = fault.Auth, !o.subscribe
	case code == itemNotFound:
		f.Kind, f.Reason = fault.Permanent, fault.NotFound
	case status == http.StatusNotFound || status == http.StatusGone:
		// Not NotFound, which says that the one thing is gone (R27).
		f.Reason, f.WholeTarget = fault.Unavailable, !o.subscribe
	case status == http.StatusConflict || status == http.StatusPreconditionFailed || status == http.StatusLocked:
		f.Reason = fault.Conflict
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		f.Reason = fault.Timeout
	case status >= 500:
		f.Reason = fault.Unavailable
	case status == http.StatusFailedDependency || status < 400:
		f.Reason = fault.Other
	case o.subscribe:
		f.Reason = fault.Invalid
	default:
		f.Kind, f.Reason = fault.Permanent, fault.Invalid
	}
	return o.fault(f)
}

func wholeReason(status int) fault.Reason {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return fault.Auth
	}
	return fault.Unavailable
}

var codeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,79}$`)

// errorCode returns Graph's code, or "http<status>" where there is none that
// looks like one: a proxy's page, or text that could hold anything.
func errorCode(status int, body []byte) string {
	var answer struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) == nil && codeForm.MatchString(answer.Error.Code) {
		return answer.Error.Code
	}
	return fmt.Sprintf("http%d", status)
}

// maxRetryAfter bounds what is believed of a Retry-After.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads Retry-After: seconds, with a fraction too, or a date, which is
// counted from the server's own Date if it sent one, as clocks differ. asked
// tells whether there was one that could be read.
func retryAfter(h http.Header, now func() time.Time) (wait time.Duration, asked bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(s) {
		s = min(max(s, 0), maxRetryAfter.Seconds())
		return time.Duration(s * float64(time.Second)), true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		from = now()
	}
	return min(max(at.Sub(from), 0), maxRetryAfter), true
}

// requestID is what Microsoft's support asks for.
func requestID(h http.Header) error {
	if id := h.Get("Request-Id"); codeForm.MatchString("x" + id) {
		return fmt.Errorf("request-id %s", id)
	}
	return nil
}
