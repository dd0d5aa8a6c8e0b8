package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/store"
)

func testLinkRoundTrip(t *testing.T, s store.Store) {
	_, err := s.Link(t.Context(), mailbox, guid(1))
	wantError(t, err, store.ErrNotFound)
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("a missing link is classified as %v", fault.Of(err))
	}
	before := time.Now().Add(-time.Minute)
	stored := update(t, s, guid(1), func(l *store.Link) {
		if l.Target != mailbox || l.Appointment != guid(1) || l.ETag != "" {
			t.Errorf("a new link has keys %q %q and etag %q", l.Target, l.Appointment, l.ETag)
		}
		full(l)
	})
	want := &store.Link{Target: mailbox, Appointment: guid(1)}
	full(want)
	wantEqual(t, stored, want)
	if stored.ETag == "" || stored.Updated.Before(before) {
		t.Errorf("etag %q, updated %s", stored.ETag, stored.Updated)
	}
	read := link(t, s, guid(1))
	wantEqual(t, read, want)
	if read.ETag != stored.ETag || !read.Updated.Equal(stored.Updated) {
		t.Errorf("read %q %s, stored %q %s", read.ETag, read.Updated, stored.ETag, stored.Updated)
	}
	read.Wanted.Content[appointment.Subject] = "changed by the caller"
	read.Sent.Content = nil
	wantEqual(t, link(t, s, guid(1)), want)

	// A time in another zone comes back as the same instant in UTC.
	zone := time.FixedZone("", 2*60*60)
	update(t, s, guid(1), func(l *store.Link) { l.DueAt = base.In(zone); l.Wanted.Version.Modified = base.In(zone) })
	want.DueAt, want.Wanted.Version.Modified = base, base
	wantEqual(t, link(t, s, guid(1)), want)
}

func testLinkLargeBodies(t *testing.T, s store.Store) {
	const size = 256 << 10
	body := words(size, 1)
	want := &store.Link{Target: mailbox, Appointment: guid(1)}
	fill := func(l *store.Link) {
		full(l)
		l.Wanted.Content[appointment.Body] = body
		l.BoardSeen.Content[appointment.Body] = words(size, 2)
		l.OutlookSeen.Content[appointment.Body] = body
		l.Sent.Content[appointment.Body] = body
	}
	fill(want)
	update(t, s, guid(1), fill)
	wantEqual(t, link(t, s, guid(1)), want)

	// Sizes around the limits of one property, growing and shrinking.
	update(t, s, guid(1), func(l *store.Link) { full(l) })
	want = &store.Link{Target: mailbox, Appointment: guid(1)}
	full(want)
	for i, n := range []int{100 << 10, 10, 29_900, 30_100, 33 << 10, 70 << 10, 64 << 10, 0, size, 1} {
		body = words(n, uint64(i))
		want.Wanted.Content[appointment.Body] = body
		update(t, s, guid(1), func(l *store.Link) { l.Wanted.Content[appointment.Body] = body })
		wantEqual(t, link(t, s, guid(1)), want)
	}
}

func testLinkUnchanged(t *testing.T, s store.Store) {
	first := update(t, s, guid(1), full)
	second := update(t, s, guid(1), func(l *store.Link) {
		l.Wanted.Content = l.Wanted.Content.Clone()
		l.DueAt = l.DueAt.In(time.FixedZone("", 60*60))
		l.Updated = base
	})
	if second.ETag != first.ETag || !second.Updated.Equal(first.Updated) {
		t.Errorf("written: etag %q -> %q", first.ETag, second.ETag)
	}
	update(t, s, guid(2), func(*store.Link) {})
	if _, err := s.Link(t.Context(), mailbox, guid(2)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an untouched new link was stored: %v", err)
	}
}

func testLinkClears(t *testing.T, s store.Store) {
	update(t, s, guid(1), full)
	empty := func(l *store.Link) { *l = store.Link{Target: "else", Appointment: "else"} }
	update(t, s, guid(1), empty)
	wantEqual(t, link(t, s, guid(1)), &store.Link{Target: mailbox, Appointment: guid(1)})
	update(t, s, guid(1), full)
	want := &store.Link{Target: mailbox, Appointment: guid(1)}
	full(want)
	wantEqual(t, link(t, s, guid(1)), want)
}

func testLinkChangeFails(t *testing.T, s store.Store) {
	stored := update(t, s, guid(1), full)
	refused := errors.New("refused")
	_, err := s.UpdateLink(t.Context(), mailbox, guid(1), func(l *store.Link) error {
		l.Attempts = 99
		l.Wanted.Content[appointment.Subject] = "never stored"
		return refused
	})
	if err != refused {
		t.Errorf("error is %v, want the one of change itself", err)
	}
	wantEqual(t, link(t, s, guid(1)), stored)
}

// testLinkTwoWriters: a write between read and swap makes change run again on
// the fresh row, so that neither writer loses what the other said.
func testLinkTwoWriters(t *testing.T, s store.Store) {
	for i, start := range []func(*store.Link){func(*store.Link) {}, full} {
		key := guid(i)
		update(t, s, key, start)
		runs := 0
		l := update(t, s, key, func(l *store.Link) {
			if runs++; runs == 1 {
				update(t, s, key, func(l *store.Link) { l.Wanted.Version = version(9); l.DueAt = base })
			}
			l.OutlookSeen.ETag = "mine"
		})
		if runs != 2 {
			t.Errorf("change ran %d times, want 2", runs)
		}
		if l.Wanted.Version != version(9) || l.OutlookSeen.ETag != "mine" || !l.DueAt.Equal(base) {
			t.Errorf("one writer was lost: %+v", l)
		}
		wantEqual(t, link(t, s, key), l)
	}
}

func testLinkConcurrentWriters(t *testing.T, s store.Store) {
	const writers, rounds = 6, 5
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range rounds {
				_, err := s.UpdateLink(t.Context(), mailbox, guid(1), func(l *store.Link) error {
					l.Attempts++
					// The indexes move as well, in every order.
					l.DueAt = time.Time{}
					if l.Attempts%3 != 0 {
						l.DueAt = base.Add(time.Duration(w) * time.Second)
					}
					l.OutlookSeen.EventID = fmt.Sprintf("event %d", l.Attempts%4)
					return nil
				})
				if err != nil {
					t.Errorf("UpdateLink: %v", err)
				}
			}
		})
	}
	group.Wait()
	l := link(t, s, guid(1))
	if l.Attempts != writers*rounds {
		t.Errorf("%d of %d writes were kept", l.Attempts, writers*rounds)
	}
	wantIndexes(t, s, l)
}

func testLinkCanceled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.UpdateLink(ctx, mailbox, guid(1), func(l *store.Link) error { l.Attempts++; return nil })
	wantError(t, err, context.Canceled)
	if !fault.Is(err, fault.Canceled) {
		t.Errorf("classified as %v", fault.Of(err))
	}
	// Whoever always loses the race goes on until its context is done.
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	runs := 0
	_, err = s.UpdateLink(ctx, mailbox, guid(1), func(l *store.Link) error {
		if runs++; runs == 3 {
			cancel()
		}
		update(t, s, guid(1), func(l *store.Link) { l.Attempts++ })
		l.Generation++
		return nil
	})
	wantError(t, err, context.Canceled)
	if l := link(t, s, guid(1)); l.Attempts != runs || l.Generation != 0 {
		t.Errorf("after %d runs: attempts %d, generation %d", runs, l.Attempts, l.Generation)
	}
}

func testLinksOfTarget(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, n := range []int{3, 1, 2} {
		update(t, s, guid(n), full)
	}
	for _, other := range []string{"7d1f6f1e", mailbox + "0", "erp#1"} {
		if _, err := s.UpdateLink(ctx, other, guid(7), func(l *store.Link) error { full(l); return nil }); err != nil {
			t.Fatal(err)
		}
		links, err := s.Links(ctx, other)
		if err != nil || len(links) != 1 || links[0].Target != other || links[0].Appointment != guid(7) {
			t.Errorf("links of %q: %v, %v", other, links, err)
		}
	}
	update(t, s, guid(2), func(l *store.Link) { l.State = store.Gone })
	links, err := s.Links(ctx, mailbox)
	if err != nil || len(links) != 3 {
		t.Fatalf("%d links, %v; want 3", len(links), err)
	}
	for i, l := range links {
		wantEqual(t, l, link(t, s, guid(i+1)))
	}
	if none, err := s.Links(ctx, "nobody"); err != nil || len(none) != 0 {
		t.Errorf("links of nobody: %v, %v", none, err)
	}
}

// testLinksPaged goes beyond the 1000 rows that a page of the service holds.
func testLinksPaged(t *testing.T, s store.Store) {
	const count = 1050
	keys := make([]string, count)
	for i := range keys {
		keys[i] = guid(i)
	}
	_, errs := s.UpdateLinks(t.Context(), mailbox, keys, func(l *store.Link) error {
		l.State = store.Pending
		l.DueAt = base
		return nil
	})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	links, err := s.Links(t.Context(), mailbox)
	if err != nil || len(links) != count {
		t.Fatalf("%d links, %v; want %d", len(links), err, count)
	}
	for i, l := range links {
		if l.Appointment != keys[i] {
			t.Fatalf("link %d is %s, want %s", i, l.Appointment, keys[i])
		}
	}
	due, next, err := s.DueLinks(t.Context(), mailbox, base, 5)
	if err != nil || len(due) != 5 || !next.Equal(base) {
		t.Errorf("%d due, next %s, %v", len(due), next, err)
	}
}

func testUpdateLinks(t *testing.T, s store.Store) {
	var keys []string
	for i := range 130 {
		keys = append(keys, guid(i))
	}
	update(t, s, guid(3), full)
	unchanged := link(t, s, guid(3))
	refused := errors.New("refused")
	change := func(l *store.Link) error {
		switch l.Appointment {
		case guid(3):
			return nil
		case guid(5):
			return refused
		}
		l.OutlookSeen.EventID = "event " + l.Appointment
		l.DueAt = base
		l.Attempts++
		return nil
	}
	links, errs := s.UpdateLinks(t.Context(), mailbox, keys, change)
	if len(links) != len(keys) || len(errs) != len(keys) {
		t.Fatalf("%d links and %d errors for %d keys", len(links), len(errs), len(keys))
	}
	for i, key := range keys {
		switch key {
		case guid(3):
			if errs[i] != nil || links[i].ETag != unchanged.ETag {
				t.Errorf("unchanged: %v, %+v", errs[i], links[i])
			}
		case guid(5):
			if errs[i] != refused {
				t.Errorf("refused: %v", errs[i])
			}
			_, err := s.Link(t.Context(), mailbox, key)
			wantError(t, err, store.ErrNotFound)
		default:
			if errs[i] != nil {
				t.Fatalf("%s: %v", key, errs[i])
			}
			read := link(t, s, key)
			wantEqual(t, links[i], read)
			if links[i].ETag != read.ETag || read.Attempts != 1 {
				t.Errorf("etag %q, stored %q; attempts %d", links[i].ETag, read.ETag, read.Attempts)
			}
		}
	}
	wantIndexes(t, s, link(t, s, guid(129)))
}

// testUpdateLinksConflict: one link that somebody else changes in between does
// not keep the others back, and is itself changed on its fresh row.
func testUpdateLinksConflict(t *testing.T, s store.Store) {
	keys := []string{guid(1), guid(2), guid(3), guid(4)}
	update(t, s, guid(4), full)
	raced := map[string]bool{}
	links, errs := s.UpdateLinks(t.Context(), mailbox, keys, func(l *store.Link) error {
		if key := l.Appointment; (key == guid(2) || key == guid(4)) && !raced[key] {
			raced[key] = true
			update(t, s, key, func(l *store.Link) { l.Wanted.Version = version(7) })
		}
		l.OutlookSeen.EventID = "event " + l.Appointment
		l.DueAt = base.Add(time.Hour)
		return nil
	})
	for i, key := range keys {
		if errs[i] != nil {
			t.Fatalf("%s: %v", key, errs[i])
		}
		wantEqual(t, link(t, s, key), links[i])
		wantIndexes(t, s, links[i])
		if raced[key] && links[i].Wanted.Version != version(7) {
			t.Errorf("%s lost the other's write", key)
		}
	}

	// Two that claim the same event can not be in one transaction.
	links, errs = s.UpdateLinks(t.Context(), mailbox, keys[:2], func(l *store.Link) error {
		l.OutlookSeen.EventID = "claimed by both"
		return nil
	})
	for i := range links {
		if errs[i] != nil || links[i].OutlookSeen.EventID != "claimed by both" {
			t.Errorf("%+v, %v", links[i], errs[i])
		}
	}
}

// testUpdateLinksLarge holds more than one transaction's 4 MB.
func testUpdateLinksLarge(t *testing.T, s store.Store) {
	keys := []string{guid(1), guid(2), guid(3), guid(4), guid(5)}
	links, errs := s.UpdateLinks(t.Context(), mailbox, keys, func(l *store.Link) error {
		l.Wanted.Content = appointment.Content{appointment.Body: words(256<<10, 1) + l.Appointment}
		l.BoardSeen.Content = appointment.Content{appointment.Body: words(256<<10, 2) + l.Appointment}
		l.OutlookSeen.Content = appointment.Content{appointment.Body: words(256<<10, 3) + l.Appointment}
		return nil
	})
	for i, key := range keys {
		if errs[i] != nil {
			t.Fatalf("%s: %v", key, errs[i])
		}
		wantEqual(t, link(t, s, key), links[i])
	}
}
