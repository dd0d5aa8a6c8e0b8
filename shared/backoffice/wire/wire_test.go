package wire_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dime-scheduler/connectors/shared/backoffice"
	"github.com/dime-scheduler/connectors/shared/backoffice/wire"
	"github.com/dime-scheduler/connectors/shared/fault"
)

func config(uri string) backoffice.Config {
	return backoffice.Config{ID: "c", Type: backoffice.BusinessCentral, API: backoffice.REST, URI: uri, AllowHTTP: true, Timeout: time.Second}
}

func open(t *testing.T, c backoffice.Config, o wire.Options) *wire.Client {
	t.Helper()
	client, err := wire.Open(c, backoffice.Deps{}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestStatusIsClassified(t *testing.T) {
	for _, tc := range []struct {
		status    int
		header    string
		kind      fault.Kind
		reason    fault.Reason
		code      string
		whole     bool
		ambiguous bool
		after     time.Duration
	}{
		{200, "", 0, "", "", false, false, 0},
		{202, "", 0, "", "", false, false, 0},
		{302, "", fault.Transient, fault.Invalid, "DSCFG007", true, false, 0},
		{400, "", fault.Permanent, fault.Invalid, "DSUNK001", false, false, 0},
		{401, "", fault.Transient, fault.Auth, "DSBC001", true, false, 0},
		{403, "", fault.Transient, fault.Auth, "DSCFG008", true, false, 0},
		{404, "", fault.Transient, fault.NotFound, "DSBC002", true, false, 0},
		{405, "", fault.Transient, fault.NotFound, "DSBC002", true, false, 0},
		{408, "", fault.Transient, fault.Timeout, "DSBC004", false, true, 0},
		{409, "", fault.Transient, fault.Conflict, "DSUNK001", false, false, 0},
		{413, "", fault.Permanent, fault.Invalid, "DSUNK001", false, false, 0},
		{429, "7", fault.Transient, fault.RateLimit, "DSHTTP001", false, false, 7 * time.Second},
		{500, "", fault.Transient, fault.Unavailable, "DSHTTP001", false, true, 0},
		{502, "3", fault.Transient, fault.Unavailable, "DSHTTP001", false, true, 3 * time.Second},
		{503, "99999999999", fault.Transient, fault.Unavailable, "DSHTTP001", false, false, 24 * time.Hour},
		{503, "-5", fault.Transient, fault.Unavailable, "DSHTTP001", false, false, 0},
		{504, "", fault.Transient, fault.Timeout, "DSBC004", false, true, 0},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/login?token=hush")
			if tc.header != "" {
				w.Header().Set("Retry-After", tc.header)
			}
			w.WriteHeader(tc.status)
		}))
		client := open(t, config(srv.URL), wire.Options{})
		r, err := client.Do(t.Context(), wire.Request{Op: "t", Method: "POST", Body: []byte("{}")})
		srv.Close()
		if err != nil {
			t.Fatal(tc.status, err)
		}
		f := client.Fault("t", r)
		if f == nil {
			if tc.code != "" {
				t.Errorf("%d: no fault", tc.status)
			}
			continue
		}
		if f.Kind != tc.kind || f.Reason != tc.reason || f.Code != tc.code || f.WholeTarget != tc.whole || f.Ambiguous != tc.ambiguous || f.RetryAfter != tc.after {
			t.Errorf("%d: %+v", tc.status, f)
		}
		if strings.Contains(f.Error(), "hush") {
			t.Errorf("%d: the query of the redirect is shown", tc.status)
		}
	}
}

func TestBrokenCallsTellWhetherTheyMayHaveArrived(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	cut := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	silent := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
	for name, tc := range map[string]struct {
		how    func(http.ResponseWriter, *http.Request)
		reason fault.Reason
		code   string
	}{
		"cut":     {cut, fault.Unavailable, "DSBC005"},
		"silent":  {silent, fault.Timeout, "DSBC004"},
		"endless": {endless, fault.Invalid, "DSBC005"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(tc.how))
		_, err := open(t, config(srv.URL), wire.Options{}).Do(t.Context(), wire.Request{Op: "t", Method: "POST"})
		if f := fault.Of(err); f.Reason != tc.reason || f.Code != tc.code || !f.Ambiguous {
			t.Errorf("%s: %v ambiguous=%v", name, err, f.Ambiguous)
		}
		srv.CloseClientConnections()
	}

	// Nobody listens there: it can not have arrived.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = open(t, config("http://"+address+"/x?code=hush"), wire.Options{}).Do(t.Context(), wire.Request{Op: "t", Method: "POST"})
	if f := fault.Of(err); f.Reason != fault.Unavailable || f.Ambiguous || strings.Contains(err.Error(), "hush") {
		t.Errorf("refused connection: %v ambiguous=%v", err, f.Ambiguous)
	}
}

func TestRedirectGetsNothing(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was called") }))
	defer stranger.Close()
	srv := httptest.NewServer(http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	signIn := func(transport func() http.RoundTripper) http.RoundTripper {
		next := transport()
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.SetBasicAuth("u", "p")
			return next.RoundTrip(r)
		})
	}
	client := open(t, config(srv.URL), wire.Options{Authorize: signIn})
	r, err := client.Do(t.Context(), wire.Request{Op: "t", Method: "POST"})
	if err != nil {
		t.Fatal(err)
	}
	if f := client.Fault("t", r); f == nil || f.Code != "DSCFG007" {
		t.Errorf("%v", f)
	}
	other := client.URL()
	other.Host = strings.TrimPrefix(stranger.URL, "http://")
	if _, err := client.Do(t.Context(), wire.Request{Op: "t", Method: "GET", URL: other}); err == nil {
		t.Error("a call to another host was made")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnAuthorizersFaultIsHandedOn(t *testing.T) {
	want := &fault.Error{Kind: fault.Transient, Reason: fault.Auth, Op: "oauth: token", Code: "DSCFG006", WholeTarget: true}
	client := open(t, config("https://erp.example/x"), wire.Options{Authorize: func(func() http.RoundTripper) http.RoundTripper {
		return roundTripper(func(*http.Request) (*http.Response, error) { return nil, want })
	}})
	if _, err := client.Do(t.Context(), wire.Request{Op: "t", Method: "GET"}); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
}

func TestCertificates(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	sum := sha256.Sum256(srv.Certificate().Raw)
	bundle := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	for name, tc := range map[string]struct {
		ca, pin string
		ok      bool
	}{
		"unknown":   {"", "", false},
		"bundle":    {bundle, "", true},
		"pin":       {"", hex.EncodeToString(sum[:]), true},
		"other pin": {"", strings.Repeat("ab", 32), false},
	} {
		c := config(srv.URL)
		c.CA, c.Pin = tc.ca, tc.pin
		_, err := open(t, c, wire.Options{}).Do(t.Context(), wire.Request{Op: "t", Method: "GET"})
		if f := fault.Of(err); tc.ok && err != nil || !tc.ok && (err == nil || !f.WholeTarget || f.Ambiguous) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefusesWhatIsMisconfigured(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*backoffice.Config)
		code   string
	}{
		"plain http":  {func(c *backoffice.Config) { c.AllowHTTP = false }, "DSCFG009"},
		"placeholder": {func(c *backoffice.Config) { c.URI = "https://erp.example/companies({{id}})" }, "DSCFG007"},
		"no bundle":   {func(c *backoffice.Config) { c.CA = "nonsense" }, "DSCFG007"},
		"short pin":   {func(c *backoffice.Config) { c.Pin = "ab" }, "DSCFG007"},
	} {
		c := config("http://erp.example/x")
		tc.change(&c)
		_, err := wire.Open(c, backoffice.Deps{}, wire.Options{})
		if f := fault.Of(err); err == nil || f.Code != tc.code || !f.WholeTarget {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(t, config("https://erp.example/x"), wire.Options{}).Do(ctx, wire.Request{Op: "t", Method: "GET"})
	if !fault.Is(err, fault.Canceled) {
		t.Errorf("%v", err)
	}
}

// A name that leads to the machine's own credentials is not called.
func TestFound_NamesOfLinkLocalAddresses(t *testing.T) {
	for _, address := range []string{"169.254.169.254:80", "[fe80::1%eth0]:443", "168.63.129.16:80", "0.0.0.0:80", "[::ffff:169.254.169.254]:80", "nonsense"} {
		if err := wire.Reachable("tcp", address, nil); err == nil {
			t.Errorf("%s may be called", address)
		}
	}
	for _, address := range []string{"127.0.0.1:80", "10.1.2.3:7047", "[2001:db8::1]:443"} {
		if err := wire.Reachable("tcp", address, nil); err != nil {
			t.Errorf("%s may not be called: %v", address, err)
		}
	}
}
