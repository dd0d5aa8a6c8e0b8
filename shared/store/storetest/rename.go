package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/store"
)

func testRenameToFree(t *testing.T, s store.Store) {
	update(t, s, guid(1), full)
	moved, err := s.RenameLink(t.Context(), mailbox, guid(1), guid(2), func(moved, there *store.Link) error {
		if there != nil || moved.Appointment != guid(2) {
			t.Errorf("absorb(%s, %v)", moved.Appointment, there)
		}
		moved.BoardSeen.Number = "A-2"
		moved.DueAt = base.Add(2 * time.Minute)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &store.Link{Target: mailbox, Appointment: guid(2)}
	full(want)
	want.BoardSeen.Number, want.DueAt = "A-2", base.Add(2*time.Minute)
	wantEqual(t, moved, want)
	stored := link(t, s, guid(2))
	wantEqual(t, stored, want)
	if moved.ETag != stored.ETag || moved.ETag == "" {
		t.Errorf("etag %q, stored %q", moved.ETag, stored.ETag)
	}
	wantOnly(t, s, want)

	// Onto itself it is an update.
	same, err := s.RenameLink(t.Context(), mailbox, guid(2), guid(2), func(moved, there *store.Link) error {
		moved.Attempts = 77
		return nil
	})
	if want.Attempts = 77; err != nil {
		t.Fatal(err)
	}
	wantEqual(t, same, want)
	wantOnly(t, s, want)
}

// wantOnly checks that the mailbox has this link and no other, by every way.
func wantOnly(t *testing.T, s store.Store, want *store.Link) {
	t.Helper()
	links, err := s.Links(t.Context(), mailbox)
	if err != nil || len(links) != 1 {
		t.Fatalf("%d links, %v; want one", len(links), err)
	}
	wantEqual(t, links[0], want)
	wantIndexes(t, s, want)
	due, _, err := s.DueLinks(t.Context(), mailbox, base.Add(time.Hour), 10)
	if err != nil || len(due) > 1 {
		t.Errorf("%d due, %v", len(due), err)
	}
}

func testRenameAbsorbs(t *testing.T, s store.Store) {
	big := words(100<<10, 1)
	for _, c := range []struct {
		name        string
		event       string // of the link that is there
		due         time.Time
		keepsEvent  bool // moved takes over the other's event
		clearsIndex bool
	}{
		{name: "bare"},
		{name: "with its own event", event: "theirs", due: base},
		{name: "with the same event", event: "AAkALgAA/x+y==", due: base.Add(time.Hour)},
		{name: "keeps theirs", event: "theirs", keepsEvent: true},
		{name: "is not due any more", event: "theirs", due: base, clearsIndex: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			update(t, s, guid(1), full)
			update(t, s, guid(2), func(l *store.Link) {
				l.Wanted.Version = version(8)
				l.Wanted.Content = appointment.Content{appointment.Body: big}
				l.OutlookSeen.EventID, l.DueAt = c.event, c.due
				l.OutlookSeen.Content = appointment.Content{appointment.Body: big}
			})
			moved, err := s.RenameLink(t.Context(), mailbox, guid(1), guid(2), func(moved, there *store.Link) error {
				moved.Wanted = there.Wanted
				if c.keepsEvent {
					moved.OutlookSeen.EventID = there.OutlookSeen.EventID
				}
				if c.clearsIndex {
					moved.OutlookSeen.EventID, moved.DueAt = "", time.Time{}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want := &store.Link{Target: mailbox, Appointment: guid(2)}
			full(want)
			want.Wanted = store.Wanted{Version: version(8), Content: appointment.Content{appointment.Body: big}}
			if c.keepsEvent {
				want.OutlookSeen.EventID = c.event
			}
			if c.clearsIndex {
				want.OutlookSeen.EventID, want.DueAt = "", time.Time{}
			}
			wantEqual(t, moved, want)
			wantOnly(t, s, want)
			if c.event != "" && c.event != want.OutlookSeen.EventID {
				_, err := s.LinkByEvent(t.Context(), mailbox, c.event)
				wantError(t, err, store.ErrNotFound)
			}
		})
	}
}

func testRenameErrors(t *testing.T, s store.Store) {
	_, err := s.RenameLink(t.Context(), mailbox, guid(1), guid(2), func(moved, there *store.Link) error { return nil })
	wantError(t, err, store.ErrNotFound)
	first := update(t, s, guid(1), full)
	second := update(t, s, guid(2), func(l *store.Link) { l.Attempts = 1 })
	refused := errors.New("refused")
	_, err = s.RenameLink(t.Context(), mailbox, guid(1), guid(2), func(moved, there *store.Link) error {
		there.Attempts, moved.Attempts = 5, 5
		return refused
	})
	if err != refused {
		t.Errorf("error is %v, want the one of absorb itself", err)
	}
	wantEqual(t, link(t, s, guid(1)), first)
	wantEqual(t, link(t, s, guid(2)), second)
}

// testRenameAgainstWriter: a write to either row in between begins it anew.
func testRenameAgainstWriter(t *testing.T, s store.Store) {
	update(t, s, guid(1), full)
	runs := 0
	moved, err := s.RenameLink(t.Context(), mailbox, guid(1), guid(2), func(moved, there *store.Link) error {
		switch runs++; runs {
		case 1: // the row that moves is changed
			update(t, s, guid(1), func(l *store.Link) { l.Generation = 9 })
		case 2: // a row appears where it goes
			update(t, s, guid(2), func(l *store.Link) { l.Wanted.Version = version(8) })
		case 3: // and is changed
			update(t, s, guid(2), func(l *store.Link) { l.Wanted.Version = version(9) })
		}
		if there != nil {
			moved.Wanted.Version = there.Wanted.Version
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &store.Link{Target: mailbox, Appointment: guid(2)}
	full(want)
	want.Generation, want.Wanted.Version = 9, version(9)
	wantEqual(t, moved, want)
	if runs != 4 {
		t.Errorf("absorb ran %d times, want 4", runs)
	}
	wantOnly(t, s, want)
}
