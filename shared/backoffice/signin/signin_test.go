package signin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// One wrong password is one refused sign-in, and the rotated one is used next.
func TestBasic(t *testing.T) {
	calls, current := 0, "old"
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if user, pass, _ := r.BasicAuth(); user != `DOM\usér` || pass != "p:äss" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(back.Close)
	c := backoffice.Config{Type: backoffice.Webhook, API: backoffice.REST, Auth: backoffice.Basic, Login: `DOM\usér`, URI: back.URL, AllowHTTP: true}
	d := backoffice.Deps{
		Secret:   func(context.Context) (secret.Secret, error) { return secret.New(current), nil },
		Rejected: func() { current = "p:äss" },
	}
	way, err := signin.Choose(c, d, oauth.New())
	if err != nil {
		t.Fatal(err)
	}
	client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, want := range []int{401, 200} {
		if r, err := client.Do(t.Context(), wire.Request{Op: "test", Method: "POST"}); err != nil || r.Status != want {
			t.Errorf("%v %v, want %d", r, err, want)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
}

func TestVaultDown(t *testing.T) {
	down := &fault.Error{Kind: fault.Transient, Reason: fault.Unavailable, Op: "key vault"}
	c := backoffice.Config{Auth: backoffice.Basic, Login: "u", URI: "http://127.0.0.1:1", AllowHTTP: true}
	d := backoffice.Deps{Secret: func(context.Context) (secret.Secret, error) { return secret.Secret{}, down }}
	way, err := signin.Choose(c, d, oauth.New())
	if err != nil {
		t.Fatal(err)
	}
	client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Do(t.Context(), wire.Request{Op: "test", Method: "POST", Body: []byte("x")}); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
}

func TestChoices(t *testing.T) {
	d := backoffice.Deps{AuthorityURL: "https://login.example", Secret: func(context.Context) (secret.Secret, error) { return secret.New("s"), nil }}
	for _, tc := range []struct {
		c    backoffice.Config
		code string // "" = works
	}{
		{backoffice.Config{Auth: backoffice.NoAuth}, ""},
		{backoffice.Config{Auth: backoffice.Entra, Login: "tenant", ClientID: "c"}, ""},
		{backoffice.Config{Auth: backoffice.Basic}, backoffice.CodeMissingField},
		{backoffice.Config{Auth: "kerberos"}, backoffice.CodeSystemType},
	} {
		_, err := signin.Choose(tc.c, d, oauth.New())
		if code := ""; err != nil {
			code = fault.Of(err).Code
			if code != tc.code {
				t.Errorf("%s: %v", tc.c.Auth, err)
			}
		} else if tc.code != "" {
			t.Errorf("%s: no error", tc.c.Auth)
		}
	}
}
