package portal

import (
	"context"
	"net/http"
	"testing"

	"github.com/dime-scheduler/connectors/shared/category"
	"github.com/dime-scheduler/connectors/shared/exchange"
	"github.com/dime-scheduler/connectors/shared/store"
)

// labels is a board that has a category; nothing else is asked of it here.
type labels struct{ exchange.Board }

func (labels) Categories(context.Context) ([]category.Label, error) {
	return []category.Label{{Name: "SERVICE", Shown: "Service", Color: "#FF0000"}}, nil
}
func (labels) TimeMarkers(context.Context) ([]category.Label, error) { return nil, nil }

func steered(o *Options) { o.Exchange.Bus, o.Exchange.Board = quiet{}, labels{} }

func TestSettings(t *testing.T) {
	s := newSite(t, steered)
	// What nobody has said is shown as it holds, so that saving changes nothing else.
	s.holds(s.read(Base+"/settings", chief, 200), "From the board to Outlook", `value="busy" checked`, `value="normal" checked`)
	s.lacks(s.read(Base+"/settings", chief, 200), `value="private" checked`)
	page := s.post("/settings", chief, 200, "toOutlook", "1", "wins", "outlook", "resourcesMay", "time", "optIn", "1", "showAs", "busy", "sensitivity", "normal", "daysBack", "14", "reminder", "0")
	s.holds(page, "Saved", `name="resourcesMay" value="time" checked`, `name="daysBack" value="14"`, `name="reminder" value="0"`)
	v, err := s.portal.Exchange.Settings(t.Context())
	if err != nil || v.Settings.ToOutlookOff || !v.Settings.ToBoardOff || v.Settings.ReminderMinutes == nil || *v.Settings.ReminderMinutes != 0 || len(v.Settings.Preferences.ShowAs) != 1 {
		t.Errorf("%+v, %v", v.Settings, err)
	}
	s.holds(s.post("/settings", chief, http.StatusBadRequest, "resourcesMay", "fly", "etag", v.ETag), "fly")
	s.holds(s.post("/settings", chief, http.StatusBadRequest, "daysBack", "many", "etag", v.ETag), "not a whole number")
	s.holds(s.post("/settings", chief, http.StatusBadRequest, "toOutlook", "1", "etag", "stale"), "Somebody else")
	s.post("/settings", ann, http.StatusForbidden, "toOutlook", "1")
}

func TestAResourceChoosesForItselfOnly(t *testing.T) {
	s := newSite(t, steered)
	mine := []string{"optIn", "1", "showAs", "busy", "showAs", "oof", "sensitivity", "normal"}
	page := s.post("/mine", ann, 200, append(mine, "resource", "R/1")...)
	s.holds(page, "Saved", `value="oof" checked`)
	s.lacks(page, `value="free" checked`)
	p, err := s.store.Preferences(t.Context(), "R/1")
	if err != nil || p.ChangedBy != "ann.other@contoso.example" {
		t.Errorf("%+v, %v", p, err)
	}
	s.post("/mine", ann, http.StatusForbidden, append(mine, "resource", "R2")...)
	if _, err := s.store.Preferences(t.Context(), "R2"); err == nil {
		t.Error("Ann has chosen for Bob")
	}
	s.post("/preferences", ann, http.StatusForbidden, append(mine, "resource", "R/1")...)
	// An administrator overrides.
	s.holds(s.read(Base+"/preferences?resource=R%2F1", chief, 200), "What flows back from R/1", `value="oof" checked`)
	s.holds(s.post("/preferences", chief, 200, "resource", "R/1", "fixed", "1"), "Saved")
	s.holds(s.read(Base+"/", ann, 200), "An administrator has decided")
	s.post("/mine", ann, http.StatusBadRequest, append(mine, "resource", "R/1")...)
	s.post("/preferences", chief, 200, "resource", "R/1", "reset", "1")
	s.lacks(s.read(Base+"/", ann, 200), "An administrator has decided")
}

func TestRules(t *testing.T) {
	s := newSite(t, steered)
	rule := func(expression string) string {
		return `{"Rules":[{"Name":"W","Rules":[{"Name":"NoPlaceholders","ErrorMessage":"Placeholders stay.","Expression":"` + expression + `"}]}]}`
	}
	page := s.post("/rules", chief, http.StatusBadRequest, "rules", rule(`appointment.Categry.Name == \"X\"`))
	s.holds(page, "NoPlaceholders", "Categry")
	s.holds(s.post("/rules", chief, http.StatusBadRequest, "rules", "not json"), "not json") // the text is still there
	good := rule(`appointment.Category <> NULL`)
	if err := s.store.SwapHead(t.Context(), &store.Head{Appointment: guid, Graph: []byte(`{"Subject":"x"}`)}); err != nil {
		t.Fatal(err)
	}
	s.holds(s.post("/rules", chief, 200, "rules", good, "try", "1", "guid", guid), "It does not go to Outlook: Placeholders stay.")
	s.holds(s.post("/rules", chief, 200, "rules", good, "try", "1"), "Of 0 appointments")
	s.holds(s.post("/rules", chief, 200, "rules", good), "Saved.", "NoPlaceholders")
	s.post("/rules", ann, http.StatusForbidden, "rules", "{}")
}

func TestCategories(t *testing.T) {
	s := newSite(t, steered)
	s.holds(s.read(Base+"/categories", chief, 200), "Service", "preset0")
	s.holds(s.post("/categories", chief, http.StatusBadRequest, "categories", "SERVICE"), "has no =")
	s.holds(s.post("/categories", chief, 200, "categories", "SERVICE = Red work", "otherCategories", "none", "otherTimeMarkers", "none"), "Saved", "Red work")
	s.post("/categories", ann, http.StatusForbidden)
}

func TestDeltasAreRemovedFromTheListOnly(t *testing.T) {
	s := newSite(t, steered) // its calendar is nil: touching it would panic
	for _, event := range []string{"e1", "e2", "e3"} {
		if err := s.store.PutDelta(t.Context(), store.Delta{Mailbox: annBox, Event: event, Kind: "time", Text: "text of " + event, At: noon}); err != nil {
			t.Fatal(err)
		}
	}
	page := s.post("/deltas/remove", chief, 200, "row", annBox+"|e1", "row", annBox+"|e2")
	s.holds(page, "2 rows are removed", "text of e3")
	s.lacks(page, "text of e1", "text of e2")
	s.post("/deltas/remove", chief, http.StatusBadRequest)
	s.post("/deltas/remove", ann, http.StatusForbidden, "row", annBox+"|e3")
}

func TestHeldBack(t *testing.T) {
	s := newSite(t, steered)
	ctx := t.Context()
	if err := s.store.SwapTarget(ctx, &store.Target{Kind: store.Mailbox, ID: annBox, Participates: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.UpdateLink(ctx, annBox, guid, func(l *store.Link) error {
		l.Held = &store.Held{Side: "outlook", Reason: "so many at once", Suspected: 30, Linked: 40, Since: noon}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.holds(s.read(Base+"/held", chief, 200), "Ann", "30 of 40", "so many at once")
	s.post("/held", ann, http.StatusForbidden, "mailbox", annBox, "do", "release")
	s.holds(s.post("/held", chief, 200, "mailbox", annBox, "do", "refuse"), "1 appointments are kept", "Nothing is held back")
}
