package vaultsim_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/dime-scheduler/connectors/local/vaultsim"
)

// fixedToken also checks that the client asked for what the challenge named.
type fixedToken struct {
	t     *testing.T
	token string
}

func (f fixedToken) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if want := []string{"https://vault.azure.net/.default"}; !slices.Equal(o.Scopes, want) || o.TenantID == "" {
		f.t.Errorf("token asked for %v of tenant %q, want %v and a tenant", o.Scopes, o.TenantID, want)
	}
	return azcore.AccessToken{Token: f.token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// client serves the vault with TLS and returns the real SDK's client of it.
func client(t *testing.T, vault *vaultsim.Server, token string, retries int32) *azsecrets.Client {
	t.Helper()
	srv := httptest.NewTLSServer(vault)
	t.Cleanup(srv.Close)
	c, err := azsecrets.NewClient(srv.URL, fixedToken{t, token}, &azsecrets.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Transport: srv.Client(),
			Retry:     policy.RetryOptions{MaxRetries: retries, RetryDelay: time.Millisecond},
		},
		DisableChallengeResourceVerification: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantProblem checks status, code and, if it is not empty, a part of the body.
func wantProblem(t *testing.T, err error, status int, code, inner string) {
	t.Helper()
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		t.Errorf("error %v, want a %d", err, status)
		return
	}
	body, _ := io.ReadAll(response.RawResponse.Body)
	if response.StatusCode != status || response.ErrorCode != code || !bytes.Contains(body, []byte(inner)) {
		t.Errorf("answer %d %s %s, want %d %s %s", response.StatusCode, response.ErrorCode, body, status, code, inner)
	}
}

func TestSetAndGetByVersion(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	vault := &vaultsim.Server{Clock: func() time.Time { return now }}
	c := client(t, vault, "token", -1)

	value, kind := "one", "text/plain"
	set, err := c.SetSecret(ctx, "GraphSecret", azsecrets.SetSecretParameters{Value: &value, ContentType: &kind, Tags: map[string]*string{"owner": &kind}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !set.Attributes.Created.Equal(now) || !*set.Attributes.Enabled || set.ID.Name() != "GraphSecret" {
		t.Errorf("SetSecret answered %+v", set.Secret)
	}
	second := vault.Set("graphsecret", "two") // names ignore case
	for version, want := range map[string]string{"": "two", second: "two", set.ID.Version(): "one"} {
		got, err := c.GetSecret(ctx, "GraphSecret", version, nil)
		if err != nil || *got.Value != want {
			t.Errorf("GetSecret(%q) = %v, %v, want %q", version, got.Value, err, want)
		}
	}
	_, err = c.GetSecret(ctx, "GraphSecret", "0123456789abcdef0123456789abcdef", nil)
	wantProblem(t, err, 404, "SecretNotFound", "")
	_, err = c.GetSecret(ctx, "absent", "", nil)
	wantProblem(t, err, 404, "SecretNotFound", "")
	if got := vault.Calls("challenge"); got != 1 {
		t.Errorf("%d challenges, want one for all calls of a client", got)
	}
	if got := vault.Calls("get"); got != 5 {
		t.Errorf("Calls(get) = %d, want 5", got)
	}
}

func TestDisabledDeniedThrottled(t *testing.T) {
	ctx := t.Context()
	vault := &vaultsim.Server{}
	vault.Set("s", "v")
	c := client(t, vault, "token", -1)
	get := func() error { _, err := c.GetSecret(ctx, "s", "", nil); return err }

	vault.Disable("s")
	wantProblem(t, get(), 403, "Forbidden", "SecretDisabled")
	vault.Enable("s")
	vault.Deny("S")
	wantProblem(t, get(), 403, "Forbidden", "ForbiddenByRbac")
	vault.Allow("S")
	vault.Deny("")
	wantProblem(t, get(), 403, "Forbidden", "ForbiddenByRbac")
	vault.Allow("")
	vault.Throttle(1, 1500*time.Millisecond)
	err := get()
	wantProblem(t, err, 429, "Throttled", "")
	var response *azcore.ResponseError
	if errors.As(err, &response) && response.RawResponse.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q, want 2", response.RawResponse.Header.Get("Retry-After"))
	}
	if err := get(); err != nil {
		t.Errorf("after all faults: %v", err)
	}
}

func TestClientRetriesAThrottledCall(t *testing.T) {
	vault := &vaultsim.Server{}
	vault.Set("s", "v")
	vault.Throttle(1, 0)
	if _, err := client(t, vault, "token", 2).GetSecret(t.Context(), "s", "", nil); err != nil {
		t.Error(err)
	}
	if got := vault.Calls("get"); got != 2 {
		t.Errorf("Calls(get) = %d, want 2", got)
	}
}

func TestRefusedToken(t *testing.T) {
	vault := &vaultsim.Server{Accept: func(token string) bool { return token == "good" }}
	vault.Set("s", "v")
	_, err := client(t, vault, "bad", -1).GetSecret(t.Context(), "s", "", nil)
	wantProblem(t, err, 401, "Unauthorized", "")
	if _, err := client(t, vault, "good", -1).GetSecret(t.Context(), "s", "", nil); err != nil {
		t.Error(err)
	}
}

func TestPatch(t *testing.T) {
	ctx := t.Context()
	vault := &vaultsim.Server{}
	version := vault.Set("s", "v")
	c := client(t, vault, "token", -1)
	off, expires := false, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	got, err := c.UpdateSecretProperties(ctx, "s", version, azsecrets.UpdateSecretPropertiesParameters{
		SecretAttributes: &azsecrets.SecretAttributes{Enabled: &off, Expires: &expires},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *got.Attributes.Enabled || !got.Attributes.Expires.Equal(expires) || got.Value != nil {
		t.Errorf("UpdateSecretProperties answered %+v", got.Secret)
	}
	_, err = c.GetSecret(ctx, "s", version, nil)
	wantProblem(t, err, 403, "Forbidden", "SecretDisabled")
}

func TestSoftDelete(t *testing.T) {
	ctx := t.Context()
	vault := &vaultsim.Server{}
	vault.Set("s", "v")
	c := client(t, vault, "token", -1)
	if _, err := c.DeleteSecret(ctx, "s", nil); err != nil {
		t.Fatal(err)
	}
	_, err := c.GetSecret(ctx, "s", "", nil)
	wantProblem(t, err, 404, "SecretNotFound", "")
	value := "w"
	_, err = c.SetSecret(ctx, "s", azsecrets.SetSecretParameters{Value: &value}, nil)
	wantProblem(t, err, 409, "Conflict", "ObjectIsDeletedButRecoverable")
	if _, err := c.GetDeletedSecret(ctx, "s", nil); err != nil {
		t.Error(err)
	}
	if _, err := c.RecoverDeletedSecret(ctx, "s", nil); err != nil {
		t.Error(err)
	}
	if got, err := c.GetSecret(ctx, "s", "", nil); err != nil || *got.Value != "v" {
		t.Errorf("after recovery: %v, %v", got.Value, err)
	}
	vault.Delete("s")
	if _, err := c.PurgeDeletedSecret(ctx, "s", nil); err != nil {
		t.Error(err)
	}
	_, err = c.GetDeletedSecret(ctx, "s", nil)
	wantProblem(t, err, 404, "SecretNotFound", "")
}

func TestListsArePaged(t *testing.T) {
	ctx := t.Context()
	vault := &vaultsim.Server{}
	for i := range 30 {
		vault.Set("many", strings.Repeat("x", i))
		vault.Set("name-"+string(rune('a'+i%26))+strings.Repeat("0", i/26), "v")
	}
	vault.Set("gone", "v")
	vault.Delete("gone")
	c := client(t, vault, "token", -1)
	names := map[string]bool{}
	for pager := c.NewListSecretPropertiesPager(nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, each := range page.Value {
			names[each.ID.Name()] = true
		}
	}
	if len(names) != 31 || names["gone"] {
		t.Errorf("list has %d names (gone: %v), want 31 without it", len(names), names["gone"])
	}
	versions := map[string]bool{}
	for pager := c.NewListSecretPropertiesVersionsPager("many", nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, each := range page.Value {
			versions[each.ID.Version()] = true
		}
	}
	if len(versions) != 30 {
		t.Errorf("%d versions, want 30", len(versions))
	}
	if list, versions := vault.Calls("list"), vault.Calls("versions"); list != 2 || versions != 2 {
		t.Errorf("pages read: %d of the list, %d of the versions, want 2 and 2", list, versions)
	}
}

func TestBadRequests(t *testing.T) {
	ctx := t.Context()
	vault := &vaultsim.Server{}
	c := client(t, vault, "token", -1)
	_, err := c.GetSecret(ctx, "under_score", "", nil)
	wantProblem(t, err, 400, "BadParameter", "")
	large := strings.Repeat("x", 26<<10)
	_, err = c.SetSecret(ctx, "large", azsecrets.SetSecretParameters{Value: &large}, nil)
	wantProblem(t, err, 400, "BadParameter", "")
	_, err = c.SetSecret(ctx, "empty", azsecrets.SetSecretParameters{}, nil)
	wantProblem(t, err, 400, "BadParameter", "")
}

func TestFaultHook(t *testing.T) {
	vault := &vaultsim.Server{Fault: func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}}
	_, err := client(t, vault, "token", -1).GetSecret(t.Context(), "s", "", nil)
	wantProblem(t, err, http.StatusBadGateway, "", "")
}

func TestCertificateServesLoopbackToWhoTrustsIt(t *testing.T) {
	certificate, authorityPEM, err := vaultsim.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	vault := &vaultsim.Server{}
	srv := httptest.NewUnstartedServer(vault)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the client that hangs up
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authorityPEM) {
		t.Fatal("the authority's PEM holds no certificate")
	}
	_, port, _ := strings.Cut(srv.Listener.Addr().String(), ":")
	get := func(host string, roots *x509.CertPool) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+":"+port+"/secrets", nil)
		if err != nil {
			return err
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		if err := get(host, roots); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := get("127.0.0.1", x509.NewCertPool()); err == nil {
		t.Error("a client that does not trust the authority got an answer")
	}
}
