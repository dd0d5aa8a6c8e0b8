package actions_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/actions"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

const (
	guid  = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
	graph = `{"id":7,"AppointmentGuid":"` + guid + `","Subject":"x","StartDate":"2026-03-02T09:00:00Z","EndDate":"2026-03-02T10:00:00Z",
		"Task":{"TaskNo":"T&1","Job":{"JobNo":"J/1","SourceApp":"BC","SourceType":"SO"}},"Assignments":[{"Resource":{"ResourceNo":"R1"}},{"Resource":{"ResourceNo":"R2"}}]}`
)

func open(t *testing.T) (*actions.Desk, *boardsim.Board, *store.Mem) {
	t.Helper()
	board := boardsim.New(boardsim.Options{APIKey: "key"})
	server := httptest.NewServer(board)
	t.Cleanup(func() { server.Close(); board.Close() })
	client := dimescheduler.New(dimescheduler.Options{
		BaseURL: server.URL, Key: func(context.Context) (secret.Secret, error) { return secret.New("key"), nil },
	})
	mem := store.NewMem(time.Now)
	if err := mem.SwapHead(t.Context(), &store.Head{Appointment: guid, Operation: appointment.Update, Graph: []byte(graph)}); err != nil {
		t.Fatal(err)
	}
	return &actions.Desk{Store: mem, Board: client, Sender: actions.HTTP{}, Now: time.Now}, board, mem
}

func TestActionsAreSavedOfferedAndEnteredIntoTheBoard(t *testing.T) {
	d, board, _ := open(t)
	ctx := t.Context()
	a := actions.Action{SourceApp: "BC", Scope: actions.Appointment, Description: "Open the job", Request: actions.GET,
		URL: "https://erp.contoso.example/#JOBNO#?task=#TASKNO#&r=#RESOURCE#&id=#APPOINTMENTID#&a=#DATABASEACTION#"}
	if _, err := d.Save(ctx, "chief", a); !isMistake(err) {
		t.Fatalf("a host that is not listed: %v", err)
	}
	if err := d.SaveHosts(ctx, "chief", []string{" ERP.contoso.example", ""}); err != nil {
		t.Fatal(err)
	}
	id, err := d.Save(ctx, "chief", a)
	if err != nil {
		t.Fatal(err)
	}
	a.ID, a.Default = id, true
	if again, err := d.Save(ctx, "chief", a); err != nil || again != id {
		t.Fatalf("%s, %v", again, err)
	}
	other := a
	other.ID, other.SourceApp, other.Description = "", "NAV", "Elsewhere"
	if _, err := d.Save(ctx, "chief", other); err != nil {
		t.Fatal(err)
	}
	offers, err := d.Offers(ctx, guid)
	if want := "https://erp.contoso.example/J%2F1?task=T%261&r=R1&id=7&a=E"; err != nil || len(offers) != 1 || offers[0].Address != want {
		t.Errorf("%+v, %v", offers, err)
	}
	if got := board.ActionURLs(); len(got) != 2 || got[0].URL != a.URL || got[0].URLType != 1 || got[0].RequestType != 1 || !got[0].Default {
		t.Errorf("on the board: %+v", got)
	}
	if err := d.SaveHosts(ctx, "chief", []string{"other.example"}); !isMistake(err) {
		t.Errorf("a host that an action needs is taken off: %v", err)
	}
	if err := d.Delete(ctx, "chief", id); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Actions(ctx); err != nil || len(s.Actions) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func isMistake(err error) bool { _, ok := errors.AsType[actions.Mistake](err); return ok }

func TestHostsThatAreNone(t *testing.T) {
	d, _, _ := open(t)
	for _, h := range []string{"https://erp.example", "erp.example/x", "*", "*.*", "erp", "a@b.example"} {
		if err := d.SaveHosts(t.Context(), "chief", []string{h}); !isMistake(err) {
			t.Errorf("%q: %v", h, err)
		}
	}
}

func TestTheBoardNotTakingItIsSaid(t *testing.T) {
	d, board, _ := open(t)
	board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 503} })
	if err := d.SaveHosts(t.Context(), "chief", []string{"erp.example.com"}); err != nil {
		t.Fatal(err)
	}
	id, err := d.Save(t.Context(), "chief", actions.Action{Scope: actions.Task, Request: actions.GET, URL: "https://erp.example.com/#JOBNO#", Description: "Open"})
	if err == nil || isMistake(err) || id == "" {
		t.Errorf("%q, %v", id, err)
	}
	if s, err := d.Actions(t.Context()); err != nil || len(s.Actions) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// The graph goes to the listed host, and to no place that it redirects to.
func TestSend(t *testing.T) {
	var got, redirected string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { redirected = r.URL.Path }))
	defer elsewhere.Close()
	erp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.EscapedPath() + " " + string(body)
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	defer erp.Close()
	d, _, mem := open(t)
	ctx := t.Context()
	if err := d.SaveHosts(ctx, "chief", []string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	id, err := d.Save(ctx, "chief", actions.Action{Scope: actions.Appointment, Request: actions.POST, URL: erp.URL + "/in/#JOBNO#", Description: "Send"})
	if err != nil {
		t.Fatal(err)
	}
	status, err := d.Send(ctx, "chief", id, guid)
	if err != nil || status != http.StatusTemporaryRedirect || redirected != "" || got != "POST /in/J%2F1 "+graph {
		t.Errorf("%d, %v, redirected %q, got %s", status, err, redirected, got)
	}
	log, err := mem.AuditLog(ctx, 1)
	if err != nil || len(log) != 1 || log[0].Action != "actions.send" || strings.Contains(log[0].Text, "J/1") {
		t.Errorf("%+v, %v", log, err)
	}
	if _, err := d.Send(ctx, "chief", "nothing", guid); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
	erp.Close()
	if _, err := d.Send(ctx, "chief", id, guid); err == nil || strings.Contains(err.Error(), "J%2F1") {
		t.Errorf("%v", err)
	}
}

func TestPreview(t *testing.T) {
	d, _, _ := open(t)
	if err := d.SaveHosts(t.Context(), "chief", []string{"erp.example.com"}); err != nil {
		t.Fatal(err)
	}
	a := actions.Action{Scope: actions.Appointment, Request: actions.GET, URL: "https://erp.example.com/#START#"}
	if got, err := d.Preview(t.Context(), a, guid); err != nil || got != "https://erp.example.com/2026-03-02T09:00:00Z" {
		t.Errorf("%s, %v", got, err)
	}
	a.URL = "https://erp.example.com/#BEGIN#"
	if _, err := d.Preview(t.Context(), a, guid); !isMistake(err) {
		t.Errorf("%v", err)
	}
	if _, err := d.Preview(t.Context(), a, "00000000-0000-0000-0000-000000000000"); !isMistake(err) {
		t.Errorf("%v", err)
	}
}
