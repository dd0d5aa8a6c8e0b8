package dimescheduler_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

func registry(t *testing.T) (*boardsim.Board, *dimescheduler.Client) {
	t.Helper()
	board := boardsim.New(boardsim.Options{APIKey: "key"})
	server := httptest.NewServer(board)
	t.Cleanup(func() { server.Close(); board.Close() })
	return board, dimescheduler.New(dimescheduler.Options{
		BaseURL: server.URL, Key: func(context.Context) (secret.Secret, error) { return secret.New("key"), nil },
	})
}

func TestConnectorsAndActionsAreEnteredOnce(t *testing.T) {
	board, c := registry(t)
	entry := dimescheduler.ConnectorEntry{
		Name: "BC", SourceApp: "CRONUS", URI: "https://api.businesscentral.dynamics.com/v2.0/t/p", Type: dimescheduler.ConnectorBC,
		AuthType: dimescheduler.AuthEntra, APIType: dimescheduler.APIREST, Login: "tenant", Password: secret.New("a;b+c"), Send: true,
	}
	action := dimescheduler.ActionURL{SourceApp: "CRONUS", URLType: 1, RequestType: 1, URL: "https://erp.example/#JOBNO#", Description: "Open"}
	for range 2 {
		if err := c.UpsertConnector(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		if err := c.UpsertActionURL(t.Context(), action); err != nil {
			t.Fatal(err)
		}
	}
	want := []boardsim.Connector{{Name: "BC", SourceApp: "CRONUS", URI: entry.URI, Type: 1, AuthType: 4, APIType: 1, Login: "tenant", Password: "a;b+c", Send: true}}
	if diff := cmp.Diff(want, board.Connectors()); diff != "" {
		t.Errorf("connectors (-want +got):\n%s", diff)
	}
	if got := board.ActionURLs(); len(got) != 1 || got[0].URL != action.URL || got[0].URLType != 1 || got[0].RequestType != 1 {
		t.Errorf("actions %+v", got)
	}
	entry.Login = strings.Repeat("x", 51)
	if err := c.UpsertConnector(t.Context(), entry); fault.Of(err).Kind != fault.Permanent || strings.Contains(err.Error(), "a;b+c") {
		t.Errorf("a login that is too long: %v", err)
	}
}

// A board without Service Bus calls the address that was registered, for each
// operation its own, and stops when it is removed.
func TestHooks(t *testing.T) {
	board, c := registry(t)
	var mu sync.Mutex
	var got []string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		change, err := dimescheduler.DecodeChange(body, "Update", 1, time.Now(), time.UTC)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.URL.Path+" "+change.Appointment.SourceApp)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	ids := map[appointment.Operation]string{}
	for _, op := range []appointment.Operation{appointment.Create, appointment.Update, appointment.Delete} {
		id, err := c.CreateHook(t.Context(), op, "CRONUS", "connectors", secret.New(receiver.URL+"/"+string(op)+"?code=secret"))
		if err != nil || id == "" {
			t.Fatalf("%s: %q, %v", op, id, err)
		}
		ids[op] = id
	}
	board.AddResource(boardsim.Resource{ResourceNo: "R1", DisplayName: "Ann", Email: "ann@contoso.example"})
	for _, app := range []string{"CRONUS", "OTHER"} {
		board.AddJob(boardsim.Job{SourceApp: app, SourceType: "S", JobNo: "J"})
		board.AddTask(boardsim.Task{SourceApp: app, SourceType: "S", JobNo: "J", TaskNo: "T"})
	}
	plan := func(app string) {
		t.Helper()
		a, err := board.CreateAppointment(boardsim.Appointment{SourceApp: app, SourceType: "S", JobNo: "J", TaskNo: "T", Subject: "x", Start: time.Now(), End: time.Now().Add(time.Hour), Resources: []string{"R1"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := board.Move(a.GUID, a.Start.Add(time.Hour), a.End.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := board.Delete(a.GUID); err != nil {
			t.Fatal(err)
		}
		if err := board.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	plan("CRONUS")
	plan("OTHER")
	want := []string{"/Create CRONUS", "/Update CRONUS", "/Delete CRONUS"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("called (-want +got):\n%s", diff)
	}
	for op, id := range ids {
		for range 2 { // the second finds nothing
			if err := c.DeleteHook(t.Context(), op, id); err != nil {
				t.Errorf("%s: %v", op, err)
			}
		}
	}
	plan("CRONUS")
	if len(got) != 3 || len(board.Hooks()) != 0 {
		t.Errorf("after the removal: %v, %v", got, board.Hooks())
	}
}

// Whoever knows the address may post there: it must not show in an error.
func TestTheHooksAddressIsASecret(t *testing.T) {
	board, c := registry(t)
	board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 400} })
	_, err := c.CreateHook(t.Context(), appointment.Create, "CRONUS", "n", secret.New("https://app.example/?code=topsecret"))
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("%v", err)
	}
}
