package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/store"
)

// wantIndexes checks that a link is found by its event and, if it is due, only
// then, among the due ones.
func wantIndexes(t *testing.T, s store.Store, want *store.Link) {
	t.Helper()
	if event := want.OutlookSeen.EventID; event != "" {
		l, err := s.LinkByEvent(t.Context(), want.Target, event)
		if err != nil || l.Appointment != want.Appointment {
			t.Errorf("by event %q: %v, %v", event, l, err)
		}
	}
	due, _, err := s.DueLinks(t.Context(), want.Target, base.Add(1000*time.Hour), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(due, func(l *store.Link) bool { return l.Appointment == want.Appointment })
	switch {
	case want.DueAt.IsZero() && i >= 0:
		t.Errorf("%s is among the due links, and is not due", want.Appointment)
	case !want.DueAt.IsZero() && i < 0:
		t.Errorf("%s is not among the due links", want.Appointment)
	case i >= 0:
		wantEqual(t, due[i], want)
	}
}

func testDueOrder(t *testing.T, s store.Store) {
	ctx := t.Context()
	if due, next, err := s.DueLinks(ctx, mailbox, base, 10); len(due) != 0 || !next.IsZero() || err != nil {
		t.Errorf("of nothing: %v, %s, %v", due, next, err)
	}
	// Fractions of a second order too, whatever their digits.
	offsets := []time.Duration{
		5 * time.Minute, time.Minute, 0, -time.Nanosecond, -time.Second, -900 * time.Millisecond,
		-time.Hour, -48 * time.Hour, 10 * time.Minute,
	}
	for i, d := range offsets {
		update(t, s, guid(i), func(l *store.Link) { l.DueAt = base.Add(d) })
	}
	update(t, s, guid(99), func(l *store.Link) { l.State = store.Agreed })
	for _, c := range []struct {
		now   time.Duration
		limit int
		want  []int // indexes of offsets
		next  int   // likewise, -1 = none
	}{
		{0, 100, []int{7, 6, 4, 5, 3, 2}, 1},
		{0, 2, []int{7, 6}, 4},
		{-time.Nanosecond, 100, []int{7, 6, 4, 5, 3}, 2},
		{-100 * time.Hour, 100, nil, 7},
		{time.Hour, 100, []int{7, 6, 4, 5, 3, 2, 1, 0, 8}, -1},
		{time.Hour, 9, []int{7, 6, 4, 5, 3, 2, 1, 0, 8}, -1},
	} {
		due, next, err := s.DueLinks(ctx, mailbox, base.Add(c.now), c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, i := range c.want {
			want = append(want, guid(i))
		}
		for _, l := range due {
			got = append(got, l.Appointment)
		}
		var wantNext time.Time
		if c.next >= 0 {
			wantNext = base.Add(offsets[c.next])
		}
		if !slices.Equal(got, want) || !next.Equal(wantNext) {
			t.Errorf("at %s, limit %d:\n got %v, next %s\nwant %v, next %s", c.now, c.limit, got, next, want, wantNext)
		}
	}
	if due, _, err := s.DueLinks(ctx, "another", base.Add(time.Hour), 10); len(due) != 0 || err != nil {
		t.Errorf("of another target: %v, %v", due, err)
	}
}

func testDueFollowsLink(t *testing.T, s store.Store) {
	for _, due := range []time.Time{
		base, {}, {}, base.Add(time.Hour), base.Add(-time.Hour), base.Add(-time.Hour), base, {},
	} {
		wantIndexes(t, s, update(t, s, guid(1), func(l *store.Link) { l.DueAt = due; l.Attempts++ }))
	}
}

func testEventFollowsLink(t *testing.T, s store.Store) {
	var past []string
	for _, event := range []string{"one", "", "", "one", "two", "two", "three", "one", ""} {
		l := update(t, s, guid(1), func(l *store.Link) { l.OutlookSeen.EventID = event; l.Attempts++ })
		wantIndexes(t, s, l)
		for _, id := range append(past, "") {
			if id == event && id != "" {
				continue
			}
			if l, err := s.LinkByEvent(t.Context(), mailbox, id); err == nil {
				t.Errorf("while at %q found by %q: %+v", event, id, l)
			} else {
				wantError(t, err, store.ErrNotFound)
			}
		}
		past = append(past, event)
	}
	_, err := s.LinkByEvent(t.Context(), "another", "one")
	wantError(t, err, store.ErrNotFound)
}

// testEventTakenOver: the event belongs to the link that claimed it last, and
// the one that gives it up later does not take the index with it.
func testEventTakenOver(t *testing.T, s store.Store) {
	claim := func(l *store.Link) { l.OutlookSeen.EventID = "event" }
	update(t, s, guid(1), claim)
	second := update(t, s, guid(2), claim)
	wantIndexes(t, s, second)
	update(t, s, guid(1), func(l *store.Link) { l.OutlookSeen.EventID = "" })
	wantIndexes(t, s, second)
}

// testEventKeys: ids are opaque, long, differ in case only, and hold what a
// table's key may not.
func testEventKeys(t *testing.T, s store.Store) {
	ids := []string{
		"AAkALgAAAAAAHYQDEapmEc2byACqAC/EWg0A+x==", "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A-x==",
		"aakalgaaaaaahyqdeapmec2byacqac/ewg0a+x==", "a/b", "a\\b", "a#b", "a?b", "a%b", "a%2Fb", "a b", "a+b", "a'b", "a''b",
		"a\"b", "a\tb", "a\u0085b", "a|b", "a~b", "a~2Fb", "ä", "漢字", strings.Repeat("x/", 400), strings.Repeat("x/", 400) + "y",
	}
	for i, id := range ids {
		update(t, s, guid(i), func(l *store.Link) { l.OutlookSeen.EventID = id; l.DueAt = base })
	}
	for i, id := range ids {
		l, err := s.LinkByEvent(t.Context(), mailbox, id)
		if err != nil || l.Appointment != guid(i) || l.OutlookSeen.EventID != id {
			t.Errorf("by %q: %+v, %v", id, l, err)
		}
	}
	for i := range ids {
		update(t, s, guid(i), func(l *store.Link) { l.OutlookSeen.EventID = ""; l.DueAt = time.Time{} })
	}
	for _, id := range ids {
		_, err := s.LinkByEvent(t.Context(), mailbox, id)
		wantError(t, err, store.ErrNotFound)
	}
	for _, target := range ids {
		if _, err := s.UpdateLink(t.Context(), target, "an/odd #key", func(l *store.Link) error { full(l); return nil }); err != nil {
			t.Fatalf("target %q: %v", target, err)
		}
		links, err := s.Links(t.Context(), target)
		if err != nil || len(links) != 1 || links[0].Target != target || links[0].Appointment != "an/odd #key" {
			t.Errorf("target %q: %+v, %v", target, links, err)
		}
	}
}
