package portal

import (
	"net/http"
	"testing"

	"github.com/dime-scheduler/connectors/shared/store"
)

func TestActionURIs(t *testing.T) {
	s := newSite(t, nil)
	if err := s.store.SwapHead(t.Context(), &store.Head{Appointment: guid, Graph: []byte(`{"Task":{"TaskNo":"T1","Job":{"JobNo":"J/1","SourceApp":"BC"}}}`)}); err != nil {
		t.Fatal(err)
	}
	form := []string{"description", "Open <job>", "url", "https://erp.contoso.example/#JOBNO#", "scope", "appointment", "request", "GET", "sourceApp", "BC"}
	s.holds(s.post("/actions/save", chief, http.StatusBadRequest, form...), "is not on the list of hosts")
	s.holds(s.post("/actions/hosts", chief, 200, "hosts", "erp.contoso.example\n"), "The list of hosts is saved.")
	s.holds(s.post("/actions/save", chief, 200, append(form, "preview", "1", "guid", guid)...), "It would lead to", "https://erp.contoso.example/J%2F1")
	s.holds(s.post("/actions/save", chief, 200, form...), "The action is saved", "Open &lt;job&gt;")
	s.holds(s.read(Base+"/appointments/"+guid, chief, 200), `href="https://erp.contoso.example/J%2F1"`)
	s.post("/actions/save", ann, http.StatusForbidden, form...)
	set, err := s.portal.Actions.Actions(t.Context())
	if err != nil || len(set.Actions) != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
	s.holds(s.read(Base+"/actions?edit="+set.Actions[0].ID, chief, 200), "Change an action")
	s.holds(s.post("/actions/delete", chief, 200, "id", set.Actions[0].ID), "is removed here", "None yet")
}

func TestRegistering(t *testing.T) {
	s := newSite(t, nil)
	s.holds(s.post("/board/register", chief, http.StatusBadRequest, "sourceApp", "BC"), "Give a function key")
	page := s.post("/board/register", chief, 200, "sourceApp", "BC", "key", "topsecret")
	s.holds(page, "announces its changes", "registered", "chief@contoso.example")
	s.lacks(page, "topsecret")
	s.holds(s.post("/board/unregister", chief, 200, "sourceApp", "BC"), "are removed", "Nothing is registered")
	s.post("/board/register", ann, http.StatusForbidden, "sourceApp", "BC", "key", "k")
}
