package ntlm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dime-scheduler/connectors/local/erpsim"
)

const (
	user     = `CORP\ann`
	password = "pässwörd-1"
)

// server is an HTTP server behind NTLM that answers with who it takes the caller
// for and what was sent.
type server struct {
	*httptest.Server
	sign        *erpsim.Negotiator
	connections atomic.Int64
	served      atomic.Int64
	lost        atomic.Bool // the reply is lost on the way
}

func serve(t *testing.T, windows erpsim.WindowsAuth) *server {
	t.Helper()
	s := &server{sign: &erpsim.Negotiator{Windows: windows, Password: func(name string) (string, bool) {
		return map[string]string{"ann": password, "bob": "bob's"}[name], name == "ann" || name == "bob"
	}}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		who := s.sign.SignIn(w, r)
		if who == "" {
			return
		}
		s.served.Add(1)
		if s.lost.Load() {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "%s %s", who, body)
	}))
	s.Config.ConnContext = erpsim.ConnContext
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func fixed(user, password string) func(context.Context) (Credentials, error) {
	return func(context.Context) (Credentials, error) { return Credentials{user, password}, nil }
}

func transports() http.RoundTripper { return &http.Transport{} }

// post returns status and body.
func post(t *testing.T, rt http.RoundTripper, url, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func TestFourHundredAtOnce(t *testing.T) {
	for name, windows := range map[string]erpsim.WindowsAuth{"NTLM": erpsim.OffersNTLM, "NTLM within Negotiate": erpsim.OffersNegotiate} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, windows)
			const size = 8
			pool := NewPool(size, transports, fixed(user, password))
			defer pool.Close()
			var wg sync.WaitGroup
			for i := range 400 {
				wg.Go(func() {
					body := fmt.Sprintf("request %d", i)
					status, text, err := post(t, pool, s.URL, body)
					if err != nil || status != http.StatusOK || text != "ann "+body {
						t.Errorf("%d: status %d %q, %v", i, status, text, err)
					}
				})
			}
			wg.Wait()
			if n := s.served.Load(); n != 400 {
				t.Errorf("%d requests were served, want 400", n)
			}
			if n := s.connections.Load(); n > size {
				t.Errorf("%d connections for a pool of %d", n, size)
			}
		})
	}
}

// Somebody else, and who has another password now, gets a connection of their own.
func TestNobodyRidesOnAWarmConnection(t *testing.T) {
	s := serve(t, erpsim.OffersNTLM)
	who := Credentials{user, password}
	pool := NewPool(1, transports, func(context.Context) (Credentials, error) { return who, nil })
	defer pool.Close()
	if status, text, err := post(t, pool, s.URL, "1"); status != http.StatusOK || text != "ann 1" {
		t.Fatalf("status %d %q, %v", status, text, err)
	}
	who.Password = "wrong"
	if status, _, err := post(t, pool, s.URL, "2"); status != http.StatusUnauthorized || err != nil {
		t.Errorf("a wrong password after a right one: status %d, %v", status, err)
	}
	who = Credentials{`CORP\bob`, "bob's"}
	if status, text, err := post(t, pool, s.URL, "3"); text != "bob 3" {
		t.Errorf("another user: status %d %q, %v", status, text, err)
	}
	if n := s.sign.Failures("ann"); n != 1 {
		t.Errorf("the wrong password was tried %d times, want once", n)
	}
}

// The Negotiator returns the first 401 when the last message fails. But that
// message carries the request: it may have been carried out.
func TestALostReplyIsNoRefusal(t *testing.T) {
	s := serve(t, erpsim.OffersNTLM)
	s.lost.Store(true)
	pool := NewPool(2, transports, fixed(user, password))
	defer pool.Close()
	status, _, err := post(t, pool, s.URL, "x")
	if err == nil {
		t.Errorf("status %d, want the connection's error", status)
	}
	if n := s.served.Load(); n != 1 {
		t.Errorf("it was carried out %d times", n)
	}
	s.lost.Store(false)
	if status, _, err := post(t, pool, s.URL, "y"); status != http.StatusOK {
		t.Errorf("afterwards: status %d, %v", status, err)
	}
}

func TestKerberosIsRefusedWithWhatToChange(t *testing.T) {
	for _, test := range []struct {
		name    string
		windows erpsim.WindowsAuth
		handler http.HandlerFunc
		want    string
	}{
		{"Negotiate without NTLM", erpsim.KerberosOnly, nil, "ServicesUseNTLMAuthentication"},
		{"basic", 0, offers(`Basic realm="x, y"`), "choose basic"},
		{"OAuth2", 0, offers(`Bearer authorization_uri="https://login.example", error="invalid"`), "choose OAuth2"},
		{"nothing", 0, offers(), "offers no Windows sign-in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := ""
			if test.handler != nil {
				s := httptest.NewServer(test.handler)
				defer s.Close()
				url = s.URL
			} else {
				url = serve(t, test.windows).URL
			}
			pool := NewPool(1, transports, fixed(user, password))
			defer pool.Close()
			_, _, err := post(t, pool, url, "x")
			if _, ok := errors.AsType[*Refused](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Error("the password is in the error")
			}
		})
	}
}

func offers(schemes ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, s := range schemes {
			w.Header().Add("WWW-Authenticate", s)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// A request waits for a connection no longer than its context lives, and a body
// that is never read does not keep a connection for ever: Close gives it back.
func TestWaiting(t *testing.T) {
	s := serve(t, erpsim.OffersNTLM)
	pool := NewPool(1, transports, fixed(user, password))
	defer pool.Close()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	resp, err := pool.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	second, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if _, err := pool.RoundTrip(second); !errors.Is(err, context.Canceled) {
		t.Errorf("a request without a connection: %v", err)
	}
	_ = resp.Body.Close()
	if status, _, err := post(t, pool, s.URL, "x"); status != http.StatusOK {
		t.Errorf("after the first was closed: status %d, %v", status, err)
	}
}

// An endless page with the refusal neither fills the memory nor blocks.
func TestEndlessRefusal(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", "NTLM")
		w.WriteHeader(http.StatusUnauthorized)
		for page := make([]byte, 4096); ; {
			if _, err := w.Write(page); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	pool := NewPool(1, transports, fixed(user, password))
	defer pool.Close()
	if _, _, err := post(t, pool, s.URL, "x"); err == nil {
		t.Error("no error")
	}
}

// roundTripper hides what a transport is.
type roundTripper struct{ http.RoundTripper }

func TestATransportOfAnotherMakeServesOneAtATime(t *testing.T) {
	s := serve(t, erpsim.OffersNTLM)
	shared := roundTripper{&http.Transport{}}
	pool := NewPool(8, func() http.RoundTripper { return shared }, fixed(user, password))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if status, _, err := post(t, pool, s.URL, "x"); status != http.StatusOK {
				t.Errorf("status %d, %v", status, err)
			}
		})
	}
	wg.Wait()
}
