// Package storetest is the conformance suite of store.Store: whatever passes
// Run behaves as the engine was built for. Flaky, a store with faults, lets
// tests crash the engine at any of its calls.
//
// It tests behaviour only. How rows are laid out, and what becomes of columns
// that another version wrote, is tested next to store.Tables.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// Open returns an empty store for one test.
type Open func(t *testing.T) store.Store

// Run runs the whole suite; each test gets a store of its own. The stores'
// clock must run, as Prune is tested against what they write.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"LinkRoundTrip", testLinkRoundTrip},
		{"LinkLargeBodies", testLinkLargeBodies},
		{"LinkUnchangedIsNotWritten", testLinkUnchanged},
		{"LinkClears", testLinkClears},
		{"LinkChangeFails", testLinkChangeFails},
		{"LinkTwoWriters", testLinkTwoWriters},
		{"LinkConcurrentWriters", testLinkConcurrentWriters},
		{"LinkCanceled", testLinkCanceled},
		{"LinksOfTarget", testLinksOfTarget},
		{"LinksPaged", testLinksPaged},
		{"LinksUpdatedTogether", testUpdateLinks},
		{"LinksUpdatedTogetherConflict", testUpdateLinksConflict},
		{"LinksUpdatedTogetherLarge", testUpdateLinksLarge},
		{"DueOrder", testDueOrder},
		{"DueFollowsLink", testDueFollowsLink},
		{"EventFollowsLink", testEventFollowsLink},
		{"EventTakenOver", testEventTakenOver},
		{"EventKeys", testEventKeys},
		{"RenameToFree", testRenameToFree},
		{"RenameAbsorbs", testRenameAbsorbs},
		{"RenameErrors", testRenameErrors},
		{"RenameAgainstWriter", testRenameAgainstWriter},
		{"Heads", testHeads},
		{"HeadConcurrentWriters", testHeadConcurrentWriters},
		{"Targets", testTargets},
		{"TargetKeys", testTargetKeys},
		{"TargetsDue", testTargetsDue},
		{"TargetLowerDue", testLowerDue},
		{"TargetLowerDueRaces", testLowerDueRaces},
		{"Resources", testResources},
		{"Preferences", testPreferences},
		{"ResourceUpdated", testUpdateResource},
		{"Values", testValues},
		{"TransactionOrder", testTransactionOrder},
		{"TransactionsMany", testTransactionsMany},
		{"TransactionPages", testTransactionPages},
		{"Parked", testParked},
		{"Deltas", testDeltas},
		{"DeltasDismissed", testDeltasDismissed},
		{"Connectors", testConnectors},
		{"Audit", testAudit},
		{"Prune", testPrune},
		{"Ping", testPing},
		{"Probe", testProbe},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// base is the time of the tests' data, with all the digits that a store keeps.
var base = time.Date(2026, 11, 21, 9, 30, 15, 123456789, time.UTC)

const mailbox = "7d1f6f1e-3f0c-4f0e-9d46-0f8a7c7a3c11"

func guid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func version(n int64) appointment.Version {
	return appointment.Version{Modified: base.Add(time.Duration(n) * time.Minute), Sequence: n}
}

// words returns n bytes of text that hardly compresses and is not all ASCII.
func words(n int, seed uint64) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 \n\"\\<é"
	r := rand.New(rand.NewPCG(seed, 1))
	runes := []rune(letters)
	var b strings.Builder
	for b.Len() < n {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

// full returns what fills every field of a link.
func full(l *store.Link) {
	l.Wanted = store.Wanted{
		Version: version(3), Absent: true, Deleted: true,
		Content: appointment.Content{appointment.Subject: "Pump <A>", appointment.Body: "", appointment.ShowAs: "busy"},
	}
	l.State, l.Origin, l.Generation, l.Unmarked = store.Pending, store.Outlook, 2, true
	l.BoardSeen = store.BoardSeen{
		Version: version(2), ID: 1 << 40, Number: "A-0001",
		Content: appointment.Content{appointment.Subject: "Pumpe ä 漢"},
	}
	l.OutlookSeen = store.OutlookSeen{
		EventID: "AAkALgAA/x+y==", ETag: `W/"abc+/="`, Modified: base.Add(time.Second), ICalUID: "040000008200E0",
		Content: appointment.Content{appointment.Subject: "P"}, Attendees: 2, Organizer: true,
	}
	l.Sent = &store.Sent{
		Op: "patch", Generation: 2, Version: version(3), At: base,
		Content: appointment.Content{appointment.Subject: "Pump"},
	}
	l.BoardSent = &store.BoardSent{Op: "upsert", At: base, Content: appointment.Content{appointment.Body: "b"}}
	l.Inbound = &store.Inbound{
		Removed: true, Inferred: true, ETag: "e", Modified: base, ICalUID: "i", Attendees: 1, Organizer: true,
		Cancelled: true, Declined: true, Found: base.Add(time.Hour),
		Content: appointment.Content{appointment.When: appointment.Interval(base, base.Add(time.Hour))},
	}
	l.DueAt, l.Attempts = base.Add(time.Minute), 4
	l.FailureCode, l.FailureText = "DSEX001", "The mailbox is full."
}

func update(t *testing.T, s store.Store, guid string, change func(*store.Link)) *store.Link {
	t.Helper()
	l, err := s.UpdateLink(t.Context(), mailbox, guid, func(l *store.Link) error { change(l); return nil })
	if err != nil {
		t.Fatalf("UpdateLink: %v", err)
	}
	return l
}

func link(t *testing.T, s store.Store, guid string) *store.Link {
	t.Helper()
	l, err := s.Link(t.Context(), mailbox, guid)
	if err != nil {
		t.Fatalf("Link: %v", err)
	}
	return l
}

// wantEqual compares what was read with what is wanted; ETag and Updated are
// the store's own.
func wantEqual(t *testing.T, got, want *store.Link) {
	t.Helper()
	g, w := *got, *want
	g.ETag, g.Updated = w.ETag, w.Updated
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("link (-want +got):\n%s", diff)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func testPing(t *testing.T, s store.Store) {
	for range 2 {
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, s.Ping(ctx), context.Canceled)
}

// testProbe: it works however often, and what it wrote is nobody's setting.
func testProbe(t *testing.T, s store.Store) {
	for range 2 {
		if err := s.Probe(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if text, _, err := s.Value(t.Context(), "probe"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a probe left %q, %v", text, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, s.Probe(ctx), context.Canceled)
}
