package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

// staleETag is one that no row has, in the form that the table service wants.
const staleETag = `W/"datetime'2020-01-01T00%3A00%3A00.0000000Z'"`

func testHeads(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Head(ctx, guid(1))
	wantError(t, err, store.ErrNotFound)
	wantError(t, s.SwapHead(ctx, &store.Head{Appointment: guid(1), ETag: staleETag}), store.ErrConflict)

	h := &store.Head{
		Appointment: guid(1), Version: version(1), Operation: appointment.Update, Digest: "d",
		Targets: map[string]bool{"mailbox/a": true, "connector/b#1": false},
	}
	want := h.Clone()
	if err := s.SwapHead(ctx, h); err != nil {
		t.Fatal(err)
	}
	if h.ETag == "" || h.Updated.IsZero() {
		t.Errorf("SwapHead left etag %q, updated %s", h.ETag, h.Updated)
	}
	read, err := s.Head(ctx, guid(1))
	if err != nil {
		t.Fatal(err)
	}
	want.ETag, want.Updated = h.ETag, h.Updated
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("head (-want +got):\n%s", diff)
	}

	wantError(t, s.SwapHead(ctx, &store.Head{Appointment: guid(1)}), store.ErrConflict)
	stale := *h
	h.Version, h.Targets, h.Operation, h.Digest = version(2), nil, appointment.Delete, ""
	if err := s.SwapHead(ctx, h); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.SwapHead(ctx, &stale), store.ErrConflict)
	read, err = s.Head(ctx, guid(1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h, read); diff != "" {
		t.Errorf("head (-want +got):\n%s", diff)
	}

	// An appointment may have more targets than fit into one property.
	h.Targets = map[string]bool{}
	for i := range 2000 {
		h.Targets["mailbox/"+guid(i)] = i%2 == 0
	}
	if err := s.SwapHead(ctx, h); err != nil {
		t.Fatal(err)
	}
	if read, err = s.Head(ctx, guid(1)); err != nil || !cmp.Equal(h, read) {
		t.Errorf("of 2000 targets %d came back, %v", len(read.Targets), err)
	}
}

// testHeadConcurrentWriters: of those who swap on the same row exactly one wins.
func testHeadConcurrentWriters(t *testing.T, s store.Store) {
	ctx := t.Context()
	etag := ""
	for round := range 4 {
		var group sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 6 {
			h := &store.Head{Appointment: guid(1), Version: version(int64(round*10 + i)), ETag: etag}
			group.Go(func() {
				err := s.SwapHead(ctx, h)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if won != 1 {
			t.Fatalf("round %d: %d won", round, won)
		}
		h, err := s.Head(ctx, guid(1))
		if err != nil {
			t.Fatal(err)
		}
		etag = h.ETag
	}
}

func fullTarget(kind store.TargetKind, id string) *store.Target {
	at := func(n int) time.Time { return base.Add(time.Duration(n) * time.Hour) }
	return &store.Target{
		Kind: kind, ID: id, Email: "someone@example.com", Participates: true,
		Due: at(1), NotBefore: at(2), DeltaLink: "https://graph.example/delta?$deltatoken=" + strings.Repeat("x", 5000),
		WindowStart: at(3), WindowEnd: at(4), LastRead: at(5), LastBaseline: at(6), BookedRead: at(7), Booked: at(8), Round: 1 << 40,
		Phase: store.PhasePreviewed, Preview: store.Preview{At: at(12), Adopt: 1, Create: 2, Delete: 3, ToBoard: 4, Left: 5},
		ReleasedBy: "admin", ReleasedAt: at(13), Leaving: store.LeavingRemove, LeavingBy: "other", LeavingAt: at(14),
		Subscription: "sub", SubscriptionExpires: at(8), SubscriptionRenewed: at(9),
		SuspendedSince: at(10), SuspendedReason: "reason", SuspendedCode: "DSEX009", Probe: at(11), Probes: 3,
	}
}

func testTargets(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Target(ctx, store.Mailbox, mailbox)
	wantError(t, err, store.ErrNotFound)
	target := fullTarget(store.Mailbox, mailbox)
	wantError(t, s.SwapTarget(ctx, &store.Target{Kind: store.Mailbox, ID: mailbox, ETag: staleETag}), store.ErrConflict)
	check := func() {
		t.Helper()
		stale := *target
		if err := s.SwapTarget(ctx, target); err != nil {
			t.Fatal(err)
		}
		read, err := s.Target(ctx, store.Mailbox, mailbox)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(target, read); diff != "" || read.ETag == "" {
			t.Errorf("target, etag %q (-want +got):\n%s", read.ETag, diff)
		}
		wantError(t, s.SwapTarget(ctx, &stale), store.ErrConflict)
	}
	check()
	target = &store.Target{Kind: store.Mailbox, ID: mailbox, ETag: target.ETag}
	check()
	etag := target.ETag
	target = fullTarget(store.Mailbox, mailbox)
	target.ETag = etag
	check()

	_, err = s.Target(ctx, store.Service, mailbox)
	wantError(t, err, store.ErrNotFound)
	for _, id := range []string{"c", "a", "b"} {
		if err := s.SwapTarget(ctx, fullTarget(store.Connector, id)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Targets(ctx, store.Connector)
	if err != nil || len(all) != 3 || all[0].ID != "a" || all[1].ID != "b" || all[2].ID != "c" {
		t.Errorf("targets: %v, %v", all, err)
	}
}

func testTargetKeys(t *testing.T, s store.Store) {
	ids := []string{"bc#1", "bc#10", "bc/1", "bc?1", "BC#1", "it's", "a~23b", "x y"}
	for _, id := range ids {
		if err := s.SwapTarget(t.Context(), fullTarget(store.Connector, id)); err != nil {
			t.Fatalf("%q: %v", id, err)
		}
	}
	for _, id := range ids {
		read, err := s.Target(t.Context(), store.Connector, id)
		if err != nil || read.ID != id {
			t.Errorf("%q: %+v, %v", id, read, err)
		}
	}
	if all, err := s.Targets(t.Context(), store.Connector); err != nil || len(all) != len(ids) {
		t.Errorf("%d of %d targets, %v", len(all), len(ids), err)
	}
}

func testTargetsDue(t *testing.T, s store.Store) {
	due := map[string]time.Time{
		"now": base, "past": base.Add(-time.Hour), "soon": base.Add(time.Nanosecond), "never": {},
		"just": base.Add(-100 * time.Millisecond),
	}
	for id, at := range due {
		for _, kind := range []store.TargetKind{store.Mailbox, store.Connector} {
			if err := s.SwapTarget(t.Context(), &store.Target{Kind: kind, ID: id, Due: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
	targets, err := s.DueTargets(t.Context(), store.Mailbox, base)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range targets {
		got = append(got, fmt.Sprintf("%s/%s", target.Kind, target.ID))
	}
	if want := []string{"mailbox/past", "mailbox/just", "mailbox/now"}; !cmp.Equal(want, got) {
		t.Errorf("due are %v, want %v", got, want)
	}
}

func testLowerDue(t *testing.T, s store.Store) {
	ctx := t.Context()
	due := func() (time.Time, string) {
		t.Helper()
		target, err := s.Target(ctx, store.Mailbox, mailbox)
		if err != nil {
			t.Fatal(err)
		}
		return target.Due, target.ETag
	}
	lower := func(at time.Time) {
		t.Helper()
		if err := s.LowerDue(ctx, store.Mailbox, mailbox, at); err != nil {
			t.Fatal(err)
		}
	}
	lower(base)
	got, etag := due()
	if !got.Equal(base) {
		t.Errorf("due is %s, want %s", got, base)
	}
	for _, at := range []time.Time{base, base.Add(time.Hour)} {
		lower(at)
		if got, again := due(); !got.Equal(base) || again != etag {
			t.Errorf("lowering to %s wrote %s", at, got)
		}
	}
	lower(base.Add(-time.Nanosecond))
	if got, _ := due(); !got.Equal(base.Add(-time.Nanosecond)) {
		t.Errorf("due is %s", got)
	}

	// Of a full row it touches nothing else; a row without due gets one.
	target := fullTarget(store.Mailbox, mailbox)
	target.Due = time.Time{}
	_, target.ETag = due()
	if err := s.SwapTarget(ctx, target); err != nil {
		t.Fatal(err)
	}
	lower(base)
	read, err := s.Target(ctx, store.Mailbox, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	target.Due, target.ETag = base, read.ETag
	if diff := cmp.Diff(target, read); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
}

// testLowerDueRaces: whatever the order, the due time ends at or before the
// lowest that was asked for, and a worker that raises it on a row that it read
// before loses its swap (R1).
func testLowerDueRaces(t *testing.T, s store.Store) {
	ctx := t.Context()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			at := base.Add(time.Duration((i*5)%8) * time.Minute)
			if err := s.LowerDue(ctx, store.Mailbox, mailbox, at); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	read, err := s.Target(ctx, store.Mailbox, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	if !read.Due.Equal(base) {
		t.Errorf("due is %s, want %s", read.Due, base)
	}
	if err := s.LowerDue(ctx, store.Mailbox, mailbox, base.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	read.Due = base.Add(24 * time.Hour)
	wantError(t, s.SwapTarget(ctx, read), store.ErrConflict)

	// A touch is seen by whoever read the row before, though Due stays as it is.
	read, err = s.Target(ctx, store.Mailbox, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	due := read.Due
	if err := s.TouchDue(ctx, store.Mailbox, mailbox, base); err != nil {
		t.Fatal(err)
	}
	read.Due = base.Add(24 * time.Hour)
	wantError(t, s.SwapTarget(ctx, read), store.ErrConflict)
	if after, err := s.Target(ctx, store.Mailbox, mailbox); err != nil || !after.Due.Equal(due) {
		t.Errorf("after a touch Due is %v, %v, want %v", after.Due, err, due)
	}
}

func testResources(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Resource(ctx, "R/1")
	wantError(t, err, store.ErrNotFound)
	want := []*store.Resource{
		{No: "R/1", Name: "Ann", Email: "ann@example.com", Exchange: true, Mailbox: mailbox, Seen: base},
		{No: "R/10", Problem: "has no mailbox"},
		{No: "r/1", Name: "another, by case"},
	}
	for _, i := range []int{2, 0, 1} {
		r := *want[i]
		r.Name += " before"
		for range 2 {
			if err := s.PutResource(ctx, &r); err != nil {
				t.Fatal(err)
			}
			r = *want[i]
		}
	}
	all, err := s.Resources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		one, err := s.Resource(ctx, r.No)
		if err != nil || !cmp.Equal(r, one) || r.ETag == "" {
			t.Errorf("listed %+v, read %+v, %v", r, one, err)
		}
		r.ETag = ""
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	of, err := s.ResourcesOf(ctx, mailbox)
	if err != nil || len(of) != 1 || of[0].No != "R/1" || of[0].ETag == "" {
		t.Errorf("resources of the mailbox: %+v, %v, want R/1 alone", of, err)
	}
	if of, err = s.ResourcesOf(ctx, "o'hara"); err != nil || len(of) != 0 {
		t.Errorf("resources of nobody's mailbox: %+v, %v", of, err)
	}
}

// testUpdateResource: what an administrator says and what the timer writes at the
// same time are both kept.
func testUpdateResource(t *testing.T, s store.Store) {
	ctx := t.Context()
	made, err := s.UpdateResource(ctx, "R/1", func(r *store.Resource) { r.Name = "Ann" })
	if err != nil || made.No != "R/1" || made.Name != "Ann" || made.ETag == "" {
		t.Fatalf("made %+v, %v", made, err)
	}
	same, err := s.UpdateResource(ctx, "R/1", func(r *store.Resource) { r.Name = "Ann" })
	if err != nil || same.ETag != made.ETag {
		t.Errorf("one that is as it was is written: etag %q, was %q, %v", same.ETag, made.ETag, err)
	}
	full := func(r *store.Resource) {
		r.Flag, r.Exchange, r.Mailbox, r.Found = true, true, mailbox, base
		r.Override, r.OverrideBy, r.OverrideAt = store.OverrideOff, "admin", base
		r.Left = map[string]time.Time{mailbox: base}
	}
	interfered := false
	got, err := s.UpdateResource(ctx, "R/1", func(r *store.Resource) {
		if !interfered {
			interfered = true
			if _, err := s.UpdateResource(ctx, "R/1", full); err != nil {
				t.Error(err)
			}
		}
		r.Problem = "none"
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &store.Resource{No: "R/1", Name: "Ann", Problem: "none", ETag: got.ETag}
	full(want)
	read, err := s.Resource(ctx, "R/1")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*store.Resource{got, read} {
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("resource (-want +got):\n%s", diff)
		}
	}
}

func testValues(t *testing.T, s store.Store) {
	ctx := t.Context()
	const name = "deletes/2026-11-21 09h"
	_, _, err := s.Value(ctx, name)
	wantError(t, err, store.ErrNotFound)
	_, err = s.SwapValue(ctx, name, "x", staleETag)
	wantError(t, err, store.ErrConflict)
	etag := ""
	for _, text := range []string{`{"a":1}`, "", words(100<<10, 1), "short"} {
		next, err := s.SwapValue(ctx, name, text, etag)
		if err != nil {
			t.Fatal(err)
		}
		for _, stale := range []string{"", etag} {
			_, err = s.SwapValue(ctx, name, "stale", stale)
			wantError(t, err, store.ErrConflict)
		}
		etag = next
		got, tag, err := s.Value(ctx, name)
		if err != nil || got != text || tag != etag {
			t.Errorf("%d bytes, etag %q, %v; want %d bytes, etag %q", len(got), tag, err, len(text), etag)
		}
	}
}
