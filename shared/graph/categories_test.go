package graph_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/graphsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/calendar"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func TestCategoriesOfAnEvent(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	e := w.create("m", 9)
	if got, known := e.Content[appointment.Categories]; !known || got != "" {
		t.Errorf("an event without categories shows %q, %t", got, known)
	}
	for _, list := range []string{"Mine\nService", "Service", ""} {
		r := w.apply(calendar.Write{Op: calendar.Patch, ID: e.ID, ETag: e.ETag, Content: appointment.Content{appointment.Categories: list}})
		e = r[0].Event
		stored, _ := w.sim.Event(w.user, e.ID)
		if got := appointment.CategoryList(stored.Categories); got != list || e.Content[appointment.Categories] != list {
			t.Errorf("%q was set, %q stands there, %q was answered", list, got, e.Content[appointment.Categories])
		}
	}
}

func TestMasterCategories(t *testing.T) {
	w := newWorld(t, httptest.NewServer)
	for i := range 23 { // more than a page
		if err := w.client.CreateCategory(t.Context(), w.user, calendar.Category{Name: fmt.Sprintf("C%02d", i), Color: "preset3"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.client.CreateCategory(t.Context(), w.user, calendar.Category{Name: "c00", Color: "preset9"}); err != nil {
		t.Errorf("one that is there already: %v", err)
	}
	all, err := w.client.Categories(t.Context(), w.user)
	if err != nil || len(all) != 23 || all[0] != (calendar.Category{Name: "C00", Color: "preset3"}) {
		t.Errorf("%v, %v", all, err)
	}
	if diff := cmp.Diff(23, len(w.sim.Categories(w.user))); diff != "" {
		t.Error(diff)
	}
	for _, k := range []calendar.Category{{Name: "", Color: "none"}, {Name: "x", Color: "preset25"}} {
		if err := w.client.CreateCategory(t.Context(), w.user, k); !fault.Is(err, fault.Invalid) || fault.Of(err).Kind != fault.Permanent {
			t.Errorf("%+v: %v", k, err)
		}
	}
	w.sim.SetFault(func(graphsim.FaultRequest) *graphsim.FaultResponse {
		return &graphsim.FaultResponse{Status: 403, Code: "AccessDenied"}
	})
	if _, err := w.client.Categories(t.Context(), w.user); fault.Of(err).Reason != fault.Auth || fault.Of(err).WholeTarget {
		t.Errorf("without the permission: %+v", fault.Of(err))
	}
	if err := w.client.CreateCategory(t.Context(), w.user, calendar.Category{Name: "n", Color: "none"}); fault.Of(err).Reason != fault.Auth || fault.Of(err).WholeTarget {
		t.Errorf("without the permission: %+v", fault.Of(err))
	}
}
