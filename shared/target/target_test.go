package target_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/bus"
	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/dime-scheduler/connectors/shared/target"
)

type nudges []time.Time

func (n *nudges) NudgeAt(_ context.Context, at time.Time, _ bus.Nudge) error {
	*n = append(*n, at)
	return nil
}

// Routing lowers Due without booking anything. If the worker's next time is the
// same by chance, its nudge is booked all the same, and once.
func TestFound_RestBooksWhatWasOnlyLowered(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	mem := store.NewMem(func() time.Time { return now })
	at := now.Add(target.DueSoon)
	if err := mem.LowerDue(t.Context(), store.Connector, "erp#0", at); err != nil {
		t.Fatal(err)
	}
	_, err := mem.UpdateLink(t.Context(), "erp#0", "00000000-0000-4000-8000-000000000001", func(l *store.Link) error {
		l.State, l.DueAt = store.Pending, at
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var booked nudges
	for range 3 {
		row, err := mem.Target(t.Context(), store.Connector, "erp#0")
		if err != nil {
			t.Fatal(err)
		}
		k := target.Keeper{Store: mem, Bus: &booked, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Row: row}
		if err := k.Rest(t.Context(), func() time.Time { return time.Time{} }, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(booked) != 1 || !booked[0].Equal(at) {
		t.Errorf("booked: %v, want once at %v", booked, at)
	}
}
