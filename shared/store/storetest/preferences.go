package storetest

import (
	"testing"

	"github.com/dime-scheduler/connectors/shared/store"
	"github.com/google/go-cmp/cmp"
)

func testPreferences(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Preferences(ctx, "R/1")
	wantError(t, err, store.ErrNotFound)
	if all, err := s.AllPreferences(ctx); err != nil || len(all) != 0 {
		t.Errorf("of nobody: %v, %v", all, err)
	}
	want := []*store.Preferences{
		{Resource: "R/1", OptIn: "yes", ShowAs: "busy,oof", Sensitivity: "none", Details: "no", Fixed: true, ChangedBy: "ann@example.com", Changed: base},
		{Resource: "r/1"},
	}
	for _, i := range []int{1, 0} {
		first := &store.Preferences{Resource: want[i].Resource, ShowAs: "free"}
		if err := s.SwapPreferences(ctx, first); err != nil {
			t.Fatal(err)
		}
		stale := *first
		p := *want[i]
		wantError(t, s.SwapPreferences(ctx, &p), store.ErrConflict) // there is a row by now
		p.ETag = first.ETag
		if err := s.SwapPreferences(ctx, &p); err != nil {
			t.Fatal(err)
		}
		wantError(t, s.SwapPreferences(ctx, &stale), store.ErrConflict)
		got, err := s.Preferences(ctx, p.Resource)
		if diff := cmp.Diff(&p, got); err != nil || diff != "" {
			t.Errorf("%v, preferences (-want +got):\n%s", err, diff)
		}
	}
	all, err := s.AllPreferences(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.ETag == "" {
			t.Errorf("%s is listed without its ETag", p.Resource)
		}
		p.ETag = ""
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("preferences (-want +got):\n%s", diff)
	}
}
