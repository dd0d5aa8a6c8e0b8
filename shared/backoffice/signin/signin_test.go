package signin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/local/erpsim"
	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/oauth"
	"github.com/dime-scheduler/connectors/shared/backoffice/signin"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/secret"
)

// A wrong password is sent once, and a rotated one is used at once.
func TestPasswords(t *testing.T) {
	const right = "p:äss"
	for _, auth := range []backoffice.Auth{backoffice.Basic, backoffice.NTLM, backoffice.Windows} {
		t.Run(string(auth), func(t *testing.T) {
			sign := &erpsim.Negotiator{Windows: erpsim.OffersNTLM, Password: func(string) (string, bool) { return right, true }}
			tried := map[string]int{}
			served := ""
			back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if auth == backoffice.Basic {
					user, pass, _ := r.BasicAuth()
					tried[pass]++
					if user != `DOM\usér` || pass != right {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
				} else if sign.SignIn(w, r) == "" {
					return
				}
				served += string(body)
			}))
			back.Config.ConnContext = erpsim.ConnContext
			back.Start()
			t.Cleanup(back.Close)
			current, rotated := "old", "old"
			c := backoffice.Config{Type: backoffice.Webhook, API: backoffice.REST, Auth: auth, Login: `DOM\usér`, URI: back.URL, AllowHTTP: true}
			d := backoffice.Deps{
				Secret:   func(context.Context) (secret.Secret, error) { return secret.New(current), nil },
				Rejected: func() { current = rotated },
			}
			way, err := signin.Choose(c, d, oauth.New())
			if err != nil {
				t.Fatal(err)
			}
			client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize, HTTP1: way.HTTP1})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			post := func(want int) {
				t.Helper()
				if r, err := client.Do(t.Context(), wire.Request{Op: "test", Method: "POST", Body: []byte("x")}); err != nil || r.Status != want {
					t.Errorf("%v %v, want %d", r, err, want)
				}
			}
			post(http.StatusUnauthorized)
			if n := tried["old"] + sign.Failures("usér"); n != 1 {
				t.Errorf("the wrong password was tried %d times, want once", n)
			}
			rotated = right
			post(http.StatusOK)
			current, rotated = "wrong again", "wrong again"
			post(http.StatusUnauthorized)
			if served != "x" {
				t.Errorf("carried out: %q, want once", served)
			}
		})
	}
}

// A server that takes no NTLM stops the connector, with what to change.
func TestKerberosOnly(t *testing.T) {
	sign := &erpsim.Negotiator{Windows: erpsim.KerberosOnly, Password: func(string) (string, bool) { return "p", true }}
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sign.SignIn(w, r) }))
	back.Config.ConnContext = erpsim.ConnContext
	back.Start()
	t.Cleanup(back.Close)
	c := backoffice.Config{Auth: backoffice.Windows, Login: "u", URI: back.URL, AllowHTTP: true}
	d := backoffice.Deps{Secret: func(context.Context) (secret.Secret, error) { return secret.New("p"), nil }}
	way, err := signin.Choose(c, d, oauth.New())
	if err != nil {
		t.Fatal(err)
	}
	client, err := wire.Open(c, d, wire.Options{Authorize: way.Authorize, HTTP1: way.HTTP1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Do(t.Context(), wire.Request{Op: "test", Method: "POST", Body: []byte("x")})
	if f := fault.Of(err); err == nil || f.Reason != fault.Auth || !f.WholeTarget || f.Ambiguous || f.Code == "" || !strings.Contains(err.Error(), "ServicesUseNTLMAuthentication") {
		t.Errorf("%v", err)
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
