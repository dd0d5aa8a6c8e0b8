package graph

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func TestRefused(t *testing.T) {
	write, read := op{name: "w", write: true}, op{name: "r"}
	const whole, ambiguous = true, true
	for _, c := range []struct {
		name      string
		op        op
		status    int
		code      string
		kind      fault.Kind
		reason    fault.Reason
		whole     bool
		ambiguous bool
	}{
		{"throttled", write, 429, "ApplicationThrottled", fault.Transient, fault.RateLimit, false, false},
		{"5xx of a write", write, 500, "InternalServerError", fault.Transient, fault.Unavailable, false, ambiguous},
		{"5xx of a read", read, 502, "", fault.Transient, fault.Unavailable, false, false},
		{"503", write, 503, "ServiceUnavailable", fault.Transient, fault.Unavailable, false, ambiguous},
		{"gateway timeout", write, 504, "", fault.Transient, fault.Timeout, false, ambiguous},
		{"etag", write, 412, "ErrorIrresolvableConflict", fault.Transient, fault.Conflict, false, false},
		{"409 proves nothing", write, 409, "ErrorIrresolvableConflict", fault.Transient, fault.Conflict, false, false},
		{"item gone", read, 404, "ErrorItemNotFound", fault.Permanent, fault.NotFound, false, false},
		{"no mailbox", read, 404, "MailboxNotEnabledForRESTAPI", fault.Transient, fault.Unavailable, whole, false},
		{"user gone", read, 404, "ErrorInvalidUser", fault.Transient, fault.Unavailable, whole, false},
		{"user gone, directory", read, 404, "Request_ResourceNotFound", fault.Transient, fault.Unavailable, whole, false},
		{"any other 404", read, 404, "", fault.Transient, fault.Unavailable, whole, false},
		{"policy", read, 403, "ErrorAccessDenied", fault.Transient, fault.Auth, whole, false},
		{"any other 403", read, 403, "Authorization_RequestDenied", fault.Transient, fault.Auth, whole, false},
		{"token", read, 401, "InvalidAuthenticationToken", fault.Transient, fault.Auth, whole, false},
		{"mailbox full", write, 507, "ErrorQuotaExceeded", fault.Transient, fault.Unavailable, whole, ambiguous},
		{"bad request", write, 400, "ErrorInvalidRequest", fault.Permanent, fault.Invalid, false, false},
		{"zone", write, 400, "TimeZoneNotSupportedException", fault.Permanent, fault.Invalid, false, false},
		{"too large", write, 413, "RequestEntityTooLarge", fault.Permanent, fault.Invalid, false, false},
		{"dependency", write, 424, "", fault.Transient, fault.Other, false, false},
		{"redirect", read, 302, "", fault.Transient, fault.Other, false, false},
		{"410 of an event", write, 410, "", fault.Transient, fault.Unavailable, whole, false},
		{"endpoint did not answer", opSubscribe, 400, "ValidationError", fault.Transient, fault.Invalid, false, false},
		{"too many subscriptions", opSubscribe, 403, "ExtensionError", fault.Transient, fault.Auth, false, false},
		{"subscription of no mailbox", opSubscribe, 404, "MailboxNotEnabledForRESTAPI", fault.Transient, fault.Unavailable, whole, false},
		{"subscription gone", opRenew, 404, "ResourceNotFound", fault.Permanent, fault.NotFound, false, false},
		{"no such user", opMailbox, 404, "Request_ResourceNotFound", fault.Permanent, fault.NotFound, false, false},
	} {
		body := `{"error": {"code": "` + c.code + `", "message": "Boiler repair of jan@contoso.com"}}`
		if c.code == "" {
			body = "<html>jan@contoso.com</html>"
		}
		f := refused(c.op, c.status, http.Header{"Request-Id": {"1f3e-77"}}, []byte(body))
		if f.Kind != c.kind || f.Reason != c.reason || f.WholeTarget != c.whole || f.Ambiguous != c.ambiguous {
			t.Errorf("%s: %v, whole %t, ambiguous %t", c.name, f, f.WholeTarget, f.Ambiguous)
		}
		if c.code != "" && f.Code != c.code || c.code == "" && !strings.HasPrefix(f.Code, "http") {
			t.Errorf("%s: code %q", c.name, f.Code)
		}
		if text := f.Error(); strings.Contains(text, "Boiler") || strings.Contains(text, "contoso") || !strings.Contains(text, "1f3e-77") {
			t.Errorf("%s: text %q", c.name, text)
		}
	}
}

// A lost sync state drops the delta link, in whatever form it is told; of other
// calls the same answers mean something else.
func TestRule_R17_LostSyncState(t *testing.T) {
	for code, status := range map[string]int{"": 410, "resyncRequired": 410, "SyncStateNotFound": 404, "syncStateInvalid": 400} {
		body := []byte(`{"error":{"code":"` + code + `"}}`)
		f := refused(opDelta, status, nil, body)
		if !errors.Is(f, calendar.ErrResync) || f.Kind != fault.Transient || f.WholeTarget {
			t.Errorf("%d %s: %v", status, code, f)
		}
		if f := refused(opView, status, nil, body); errors.Is(f, calendar.ErrResync) {
			t.Errorf("of a view: %v", f)
		}
	}
	if f := refused(opDelta, 404, nil, []byte(`{"error":{"code":"ErrorInvalidUser"}}`)); errors.Is(f, calendar.ErrResync) {
		t.Error("a user who is gone is no lost sync state")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		value, date string
		want        time.Duration
		asked       bool
	}{
		"none":                 {"", "", 0, false},
		"seconds":              {"30", "", 30 * time.Second, true},
		"fraction":             {"2.128", "", 2128 * time.Millisecond, true},
		"zero":                 {"0", "", 0, true},
		"negative":             {"-5", "", 0, true},
		"absurd":               {"1e300", "", 24 * time.Hour, true},
		"not a number":         {"NaN", "", 0, false},
		"date":                 {"Sat, 21 Nov 2026 10:00:07 GMT", "", 7 * time.Second, true},
		"date, by their clock": {"Sat, 21 Nov 2026 11:00:07 GMT", "Sat, 21 Nov 2026 11:00:00 GMT", 7 * time.Second, true},
		"date that is over":    {"Sat, 21 Nov 2026 09:00:00 GMT", "", 0, true},
		"something else":       {"soon", "", 0, false},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.value)
		h.Set("Date", c.date)
		if got, asked := retryAfter(h, func() time.Time { return now }); got != c.want || asked != c.asked {
			t.Errorf("%s: %s %t", name, got, asked)
		}
	}
	h := http.Header{"Retry-After": {"2.5"}}
	if f := refused(opBatch, 503, h, nil); f.Reason != fault.RateLimit || f.RetryAfter != 2500*time.Millisecond || !f.Ambiguous {
		t.Errorf("503 with Retry-After: %+v", f)
	}
}
