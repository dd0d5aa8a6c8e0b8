package registration_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/appointment"
	"github.com/dime-scheduler/connectors/shared/dimescheduler"
	"github.com/dime-scheduler/connectors/shared/registration"
	"github.com/dime-scheduler/connectors/shared/secret"
	"github.com/dime-scheduler/connectors/shared/store"
)

func open(t *testing.T) (*registration.Desk, *boardsim.Board, *store.Mem) {
	t.Helper()
	board := boardsim.New(boardsim.Options{APIKey: "key"})
	server := httptest.NewServer(board)
	t.Cleanup(func() { server.Close(); board.Close() })
	client := dimescheduler.New(dimescheduler.Options{
		BaseURL: server.URL, Key: func(context.Context) (secret.Secret, error) { return secret.New("key"), nil },
	})
	mem := store.NewMem(time.Now)
	return &registration.Desk{Store: mem, Board: client, PublicURL: "https://app.example", Now: time.Now}, board, mem
}

func TestRegisterAndUnregister(t *testing.T) {
	d, board, mem := open(t)
	ctx := t.Context()
	if err := d.Register(ctx, "chief", " CRONUS ", secret.New("k/y+1")); err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, h := range board.Hooks() {
		addresses = append(addresses, h.SourceApp+" "+h.NotificationURL)
	}
	want := []string{"create", "update", "delete"}
	for i, op := range want {
		if w := "CRONUS https://app.example/api/appointments/" + op + "?code=k%2Fy%2B1"; i >= len(addresses) || addresses[i] != w {
			t.Fatalf("registered %q, want %q at %d", addresses, w, i)
		}
	}
	// The key is kept nowhere here.
	text, _, err := mem.Value(ctx, "board-hooks")
	if err != nil || strings.Contains(text, "k/y") || strings.Contains(text, "k%2Fy") {
		t.Errorf("stored: %s, %v", text, err)
	}
	// Again, with another key: the new ones replace the old ones.
	if err := d.Register(ctx, "chief", "CRONUS", secret.New("second")); err != nil {
		t.Fatal(err)
	}
	for _, h := range board.Hooks() {
		if !strings.HasSuffix(h.NotificationURL, "?code=second") {
			t.Errorf("%s is left", h.NotificationURL)
		}
	}
	if hooks, err := d.Hooks(ctx); err != nil || len(hooks) != 3 || len(board.Hooks()) != 3 {
		t.Fatalf("%v, %v, on the board %d", hooks, err, len(board.Hooks()))
	}
	for range 2 {
		if left, err := d.Unregister(ctx, "chief", "CRONUS"); err != nil || len(left) != 0 {
			t.Fatalf("%v, %v", left, err)
		}
	}
	if len(board.Hooks()) != 0 {
		t.Errorf("%v are left", board.Hooks())
	}
	if log, err := mem.AuditLog(ctx, 9); err != nil || len(log) < 3 || log[0].Who != "chief" {
		t.Errorf("audit %v, %v", log, err)
	}
}

// An answer that is lost after the board has registered: nothing is registered that
// is not known here, and trying again leaves three that can be removed.
func TestALostAnswerLeavesNothingUnknown(t *testing.T) {
	d, board, _ := open(t)
	ctx := t.Context()
	lost := true
	board.SetFault(func(c boardsim.Call) boardsim.Fault {
		if lost && c.Route == "POST /webhooks/appointmentupdated" {
			return boardsim.Fault{Cut: true, AfterCommit: true}
		}
		return boardsim.Fault{}
	})
	if err := d.Register(ctx, "chief", "CRONUS", secret.New("k")); err == nil {
		t.Fatal("no error")
	}
	hooks, err := d.Hooks(ctx)
	if err != nil || len(hooks) != 2 || hooks[0].Open() || !hooks[1].Open() {
		t.Fatalf("%+v, %v", hooks, err)
	}
	lost = false
	if err := d.Register(ctx, "chief", "CRONUS", secret.New("k")); err != nil {
		t.Fatal(err)
	}
	if hooks, err = d.Hooks(ctx); err != nil || len(hooks) != 4 {
		t.Fatalf("%+v, %v: three, and the one that the board may have", hooks, err)
	}
	left, err := d.Unregister(ctx, "chief", "CRONUS")
	if err != nil || len(left) != 1 || left[0].Operation != "Update" || len(board.Hooks()) != 1 {
		t.Fatalf("left %+v, %v; on the board %v", left, err, board.Hooks())
	}
}

// A refusal registers nothing, and leaves nothing noted.
func TestARefusalLeavesNothing(t *testing.T) {
	d, board, _ := open(t)
	board.SetFault(func(boardsim.Call) boardsim.Fault { return boardsim.Fault{Status: 403} })
	if err := d.Register(t.Context(), "chief", "CRONUS", secret.New("topsecret")); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Fatalf("%v", err)
	}
	if hooks, err := d.Hooks(t.Context()); err != nil || len(hooks) != 0 {
		t.Errorf("%+v, %v", hooks, err)
	}
}

func TestMistakes(t *testing.T) {
	d, board, _ := open(t)
	for _, c := range []struct{ app, key string }{{"", "k"}, {strings.Repeat("x", 31), "k"}, {"CRONUS", ""}} {
		err := d.Register(t.Context(), "chief", c.app, secret.New(c.key))
		if m, ok := errors.AsType[registration.Mistake](err); !ok || m == "" {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if len(board.Hooks()) != 0 {
		t.Error("something was registered")
	}
}

// What both the board and this app sent would be doubled in the back office.
func TestAPushedConnectorIsNotSentToByTheBoard(t *testing.T) {
	d, board, _ := open(t)
	c := store.ConnectorRecord{ID: "bc", Name: "Business Central", SourceApp: "CRONUS", Send: true, URI: "https://api.businesscentral.dynamics.com/x",
		Type: "bc", API: "rest", Auth: "entra", Login: "tenant", Secret: "bc-secret"}
	for range 2 {
		if err := d.PushConnector(t.Context(), "chief", c); err != nil {
			t.Fatal(err)
		}
	}
	got := board.Connectors()
	if len(got) != 1 || got[0].Send || got[0].Password != "" || got[0].Type != 1 || got[0].AuthType != 4 || got[0].APIType != 1 || got[0].URI != c.URI {
		t.Errorf("%+v", got)
	}
}

// sameIDs is a board that changes the subscription that it has, instead of adding one.
type sameIDs struct{ there map[string]bool }

func (b *sameIDs) CreateHook(_ context.Context, op appointment.Operation, app, _ string, _ secret.Secret) (string, error) {
	id := app + "-" + string(op)
	b.there[id] = true
	return id, nil
}

func (b *sameIDs) DeleteHook(_ context.Context, _ appointment.Operation, id string) error {
	delete(b.there, id)
	return nil
}

func (b *sameIDs) UpsertConnector(context.Context, dimescheduler.ConnectorEntry) error { return nil }

// Registering again must not remove what it has just registered: nothing would be
// announced any more, and nobody would notice.
func TestFound_RegisteringAgainKeepsWhatTheBoardKeeps(t *testing.T) {
	board := &sameIDs{there: map[string]bool{}}
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	d := &registration.Desk{Store: store.NewMem(time.Now), Board: board, PublicURL: "https://app.example", Now: func() time.Time { now = now.Add(time.Second); return now }}
	for range 3 {
		if err := d.Register(t.Context(), "chief", "CRONUS", secret.New("k")); err != nil {
			t.Fatal(err)
		}
		if hooks, err := d.Hooks(t.Context()); err != nil || len(hooks) != 3 || len(board.there) != 3 {
			t.Fatalf("%+v, %v; on the board %v", hooks, err, board.there)
		}
	}
	if left, err := d.Unregister(t.Context(), "chief", "CRONUS"); err != nil || len(left) != 0 || len(board.there) != 0 {
		t.Errorf("left %v, %v; on the board %v", left, err, board.there)
	}
}
