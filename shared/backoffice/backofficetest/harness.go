// Package backofficetest is the conformance suite of backoffice.Connector: what
// every kind of back office has to do, by what then stands on the other side. A
// kind's test calls Run with a harness of its connector on its simulator. Mem is
// a connector in memory that passes it too, for tests of the worker.
//
// It is for tests only and makes no calls of its own.
package backofficetest

import (
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
)

// Record is one delivery as the back office keeps it, in the order of arrival.
type Record struct {
	Appointment        string // lower-case Guid
	Operation          backoffice.Operation
	Subject, Body      string
	Start, End         time.Time // UTC
	Assignees          []string  // resource numbers, sorted
	SourceApp          string
	SourceType         string
	JobNo, TaskNo      string
	SentFromBackOffice bool
}

// Fault is what goes wrong with calls that deliver.
type Fault string

const (
	RateLimited Fault = "rate limited" // 429, Retry-After: 7
	Unavailable Fault = "unavailable"  // 503, Retry-After: 7
	ServerError Fault = "server error" // 500 with nothing that says why; nothing was stored
	LostReply   Fault = "lost reply"   // stored, and the connection is cut before the reply
	LostRequest Fault = "lost request" // the connection is cut before anything is stored
	Slow        Fault = "slow"         // stored, and the reply does not come within the connector's timeout
	Denied      Fault = "denied"       // 401
	Garbage     Fault = "garbage"      // stored, 200, a body that means nothing
	HTML        Fault = "html"         // not stored, 200, a web page
	Endless     Fault = "endless"      // stored, 200, a body without end
	Redirect    Fault = "redirect"     // not stored, 307 to another host
)

// Harness is one fresh connector and what stands on its other side.
type Harness struct {
	// Connector is opened with a timeout of about a second.
	Connector backoffice.Connector
	// Received returns what the back office has stored, oldest first.
	Received func() []Record
	// Fail makes the next n calls that would store a delivery meet the fault.
	// Calls that only look are not hit, but by Denied.
	Fail func(f Fault, n int)
	// Lacks are faults that the simulator can not make, and why.
	Lacks map[Fault]string
	// Keeps cuts a record down to what this back office keeps of it; nil = everything.
	Keeps func(Record) Record
	// Rotate gives the other side another secret, and the vault that the connector
	// reads too; nil = the connector signs in without a secret.
	Rotate func()
	// Secrets are texts that must stand in no error and no check.
	Secrets []string
	// Stranger returns how many requests the other host of Redirect got, and
	// whether one of them carried credentials; nil = there is no such host.
	Stranger func() (requests int, credentials bool)
	// StatusOnly: the connector goes by the HTTP status alone, whatever the body.
	StatusOnly bool
	// Unordered: the back office keeps no order of arrival to look at.
	Unordered bool
}

// Run runs the suite; newHarness is called for each of its cases.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		run  func(*suite)
	}{
		{"operations", operations},
		{"texts", texts},
		{"times", times},
		{"fields stay absent", minimal},
		{"same key twice", sameKeyTwice},
		{"delete of what was never sent", deleteUnknown},
		{"rate limited", rateLimited},
		{"unavailable", unavailable},
		{"server error", serverError},
		{"lost reply", lostReply},
		{"lost request", lostRequest},
		{"slow reply", slowReply},
		{"find tells deliveries apart", findTellsApart},
		{"denied and rotated", denied},
		{"canceled", canceled},
		{"garbage", func(s *suite) { unreadable(s, Garbage) }},
		{"web page", func(s *suite) { unreadable(s, HTML) }},
		{"endless reply", func(s *suite) { unreadable(s, Endless) }},
		{"redirect", redirect},
		{"test connection", testConnection},
		{"test connection denied", testDenied},
		{"concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			t.Cleanup(h.Connector.Close)
			c.run(&suite{T: t, h: h})
		})
	}
}
