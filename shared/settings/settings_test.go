package settings

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const someGUID = "0F8FAD5B-D9CB-469F-A165-70867728950E"

// azure is a complete configuration as infra deploys it; with and without
// change one thing of it.
func azure() map[string]string {
	return map[string]string{
		nameServiceBusNamespace:  "ns.servicebus.windows.net",
		nameServiceBusCredential: "managedidentity",
		nameServiceBusClient:     someGUID,
		nameTablesURL:            "https://account.table.core.windows.net",
		nameVaultURL:             "https://vault.vault.azure.net/",
		nameIdentity:             someGUID,
		nameGraphTenant:          "contoso.onmicrosoft.com",
		nameGraphClient:          someGUID,
		namePublicURL:            "https://app.azurewebsites.net",
	}
}

func local() map[string]string {
	return map[string]string{
		nameLocalMode:        "1",
		nameServiceBus:       "Endpoint=sb://127.0.0.1:5690;SharedAccessKeyName=k;SharedAccessKey=hushhush;UseDevelopmentEmulator=true;",
		nameTablesConnection: "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=hushhush;TableEndpoint=http://127.0.0.1:10002/a;",
		nameVaultURL:         "https://localhost:8443",
		nameGraphURL:         "http://127.0.0.1:9000/v1.0",
		nameAuthorityURL:     "http://[::1]:9000",
		nameGraphTenant:      someGUID,
		nameGraphClient:      someGUID,
		nameBoardURL:         "http://localhost:9001/",
		namePublicURL:        "http://127.0.0.1:7071",
	}
}

func load(env map[string]string) (Settings, error) {
	return Load(func(name string) string { return env[name] })
}

func TestLoadInAzure(t *testing.T) {
	env := azure()
	env[nameBoardZone] = "Europe/Brussels"
	s, err := load(env)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.ToLower(someGUID)
	if s.Local || s.IdentityClientID != id || s.ServiceBus.ClientID != id {
		t.Errorf("identity: %+v", s)
	}
	if s.Vault.URL != "https://vault.vault.azure.net" || s.Vault.ClientState != "graph-client-state-keys" ||
		s.Vault.Graph != "graph-client-secret" || s.Vault.Board != "dimescheduler-api-key" {
		t.Errorf("vault: %+v", s.Vault)
	}
	if s.Graph.URL != "https://graph.microsoft.com/v1.0" || s.Graph.Authority != "https://login.microsoftonline.com" || s.Graph.Auth != AuthSecret {
		t.Errorf("graph: %+v", s.Graph)
	}
	if s.Board.URL != "https://api.dimescheduler.com" || s.Board.Zone.String() != "Europe/Brussels" {
		t.Errorf("board: %+v", s.Board)
	}
	if s.ServiceBus.Appointments != "appointments" || s.ServiceBus.Mailboxes != "mailboxes" || s.ServiceBus.Backoffice != "backoffice" {
		t.Errorf("queues: %+v", s.ServiceBus)
	}
	if s.Schedules.Redrive != "0 */5 * * * *" {
		t.Errorf("schedules: %+v", s.Schedules)
	}
}

func TestLoadInLocalMode(t *testing.T) {
	s, err := load(local())
	if err != nil {
		t.Fatal(err)
	}
	if !s.Local || !strings.Contains(s.ServiceBus.ConnectionString.Reveal(), "hushhush") || s.Tables.URL != "" {
		t.Errorf("got %+v", s)
	}
	if s.Board.URL != "http://localhost:9001" {
		t.Errorf("board URL %q keeps its slash", s.Board.URL)
	}
}

func TestSovereignClouds(t *testing.T) {
	for graph, login := range map[string]string{
		"https://graph.microsoft.us/v1.0":              "https://login.microsoftonline.us",
		"https://dod-graph.microsoft.us/v1.0":          "https://login.microsoftonline.us/",
		"https://microsoftgraph.chinacloudapi.cn/v1.0": "https://login.partner.microsoftonline.cn",
		"https://GRAPH.microsoft.com:443/v1.0/":        "https://login.microsoftonline.com",
	} {
		env := azure()
		env[nameGraphURL], env[nameAuthorityURL] = graph, login
		if _, err := load(env); err != nil {
			t.Errorf("%s with %s: %v", graph, login, err)
		}
	}
}

// TestProblems changes one thing of a good configuration and wants exactly one
// problem, with the setting's name, and text and remedy.
func TestProblems(t *testing.T) {
	cases := []struct {
		name    string
		base    func() map[string]string
		set     map[string]string
		setting string
		says    string
	}{
		{"plain http in Azure", azure, map[string]string{namePublicURL: "http://127.0.0.1"}, namePublicURL, "plain http"},
		{"a public address with a path", azure, map[string]string{namePublicURL: "https://app.example/api"}, namePublicURL, "holds a path"},
		{"plain http to another machine", local, map[string]string{nameBoardURL: "http://board.example"}, nameBoardURL, "another machine"},
		{"a name that only looks like loopback", local, map[string]string{nameBoardURL: "http://127.0.0.1.example"}, nameBoardURL, "another machine"},
		{"localhost in the user part", local, map[string]string{nameBoardURL: "http://localhost@evil.example"}, nameBoardURL, "more than host"},
		{"a foreign Graph", azure, map[string]string{nameGraphURL: "https://graph.microsoft.com.evil.example/v1.0"}, nameGraphURL, "not Microsoft Graph"},
		{"a foreign Graph in LOCAL_MODE", local, map[string]string{nameGraphURL: "https://evil.example/v1.0"}, nameGraphURL, "not Microsoft Graph"},
		{"a foreign port", azure, map[string]string{nameGraphURL: "https://graph.microsoft.com:8443/v1.0"}, nameGraphURL, "not Microsoft Graph"},
		{"a foreign login", azure, map[string]string{nameAuthorityURL: "https://login.example"}, nameAuthorityURL, "not Microsoft Entra"},
		{"two clouds", azure, map[string]string{nameGraphURL: "https://graph.microsoft.us/v1.0"}, nameAuthorityURL, "another cloud"},
		{"the real secret to a local login", local, map[string]string{nameGraphURL: "https://graph.microsoft.com/v1.0"}, nameAuthorityURL, "another cloud"},
		{"loopback Graph in Azure", azure, map[string]string{nameGraphURL: "https://localhost/v1.0"}, nameGraphURL, "not Microsoft Graph"},
		{"no version", azure, map[string]string{nameGraphURL: "https://graph.microsoft.com"}, nameGraphURL, "version"},
		{"tenant in the authority", azure, map[string]string{nameAuthorityURL: "https://login.microsoftonline.com/contoso"}, nameAuthorityURL, "path"},
		{"no tenant", azure, map[string]string{nameGraphTenant: ""}, nameGraphTenant, "missing"},
		{"any tenant", azure, map[string]string{nameGraphTenant: "Common"}, nameGraphTenant, "single tenant"},
		{"no client", azure, map[string]string{nameGraphClient: " "}, nameGraphClient, "missing"},
		{"client is no GUID", azure, map[string]string{nameGraphClient: "my app"}, nameGraphClient, "GUID"},
		{"federated without client", azure, map[string]string{nameGraphAuth: "federated", nameGraphClient: ""}, nameGraphClient, "federated"},
		{"auth of another kind", azure, map[string]string{nameGraphAuth: "password"}, nameGraphAuth, "none of"},
		{"no identity", azure, map[string]string{nameIdentity: ""}, nameIdentity, "missing"},
		{"no vault", azure, map[string]string{nameVaultURL: ""}, nameVaultURL, "missing"},
		{"vault without TLS", local, map[string]string{nameVaultURL: "http://localhost:1"}, nameVaultURL, "https"},
		{"a secret instead of its name", azure, map[string]string{nameBoardSecret: "k3y+/="}, nameBoardSecret, "name of a secret"},
		{"no tables", azure, map[string]string{nameTablesURL: ""}, nameTablesURL, "missing"},
		{"tables twice", azure, map[string]string{nameTablesConnection: "AccountName=a;DefaultEndpointsProtocol=https"}, nameTablesURL, "keep one"},
		{"emulated tables in Azure", azure, map[string]string{nameTablesURL: "", nameTablesConnection: local()[nameTablesConnection]}, nameTablesConnection, "emulator"},
		{"development storage in Azure", azure, map[string]string{nameTablesURL: "", nameTablesConnection: "UseDevelopmentStorage=true"}, nameTablesConnection, "emulator"},
		{"plain tables elsewhere", local, map[string]string{nameTablesConnection: "TableEndpoint=http://10.0.0.1/a;AccountName=a"}, nameTablesConnection, "another machine"},
		{"no bus", azure, map[string]string{nameServiceBusNamespace: ""}, nameServiceBusNamespace, "missing"},
		{"bus twice", azure, map[string]string{nameServiceBus: "Endpoint=sb://x.example"}, nameServiceBus, "keep one"},
		{"emulated bus in Azure", azure, map[string]string{nameServiceBusNamespace: "", nameServiceBus: local()[nameServiceBus]}, nameServiceBus, "emulator"},
		{"emulated bus elsewhere", local, map[string]string{nameServiceBus: "Endpoint=sb://10.0.0.1;SharedAccessKey=x;UseDevelopmentEmulator=true"}, nameServiceBus, "another machine"},
		{"bus of one queue", azure, map[string]string{nameServiceBusNamespace: "", nameServiceBus: "Endpoint=sb://x.example;SharedAccessKey=hushhush;EntityPath=q"}, nameServiceBus, "one queue"},
		{"garbled bus", azure, map[string]string{nameServiceBusNamespace: "", nameServiceBus: "hushhush"}, nameServiceBus, "Endpoint"},
		{"namespace with scheme", azure, map[string]string{nameServiceBusNamespace: "sb://ns.servicebus.windows.net"}, nameServiceBusNamespace, "host name"},
		{"credential of another kind", azure, map[string]string{nameServiceBusCredential: "cli"}, nameServiceBusCredential, "managedidentity"},
		{"client without credential", azure, map[string]string{nameServiceBusCredential: ""}, nameServiceBusCredential, "missing"},
		{"two queues of one name", azure, map[string]string{nameMailboxesQueue: "Appointments"}, nameMailboxesQueue, "same queue"},
		{"queue with a blank", azure, map[string]string{nameBackofficeQueue: "a b"}, nameBackofficeQueue, "name of a queue"},
		{"Windows zone", azure, map[string]string{nameBoardZone: "Romance Standard Time"}, nameBoardZone, "IANA"},
		{"zone of the machine", azure, map[string]string{nameBoardZone: "Local"}, nameBoardZone, "IANA"},
		{"five fields", azure, map[string]string{nameSweepSchedule: "*/5 * * * *"}, nameSweepSchedule, "six fields"},
		{"a zone in a schedule", azure, map[string]string{nameSweepSchedule: "TZ=UTC 0 * * * * *"}, nameSweepSchedule, "six fields"},
		{"unclear local mode", azure, map[string]string{nameLocalMode: "yes please"}, nameLocalMode, "neither"},
		{"CA outside of LOCAL_MODE", azure, map[string]string{nameLocalCA: "ca.pem"}, nameLocalCA, "remove it"},
		{"CA that is not there", local, map[string]string{nameLocalCA: "/nonexistent/ca.pem"}, nameLocalCA, "can not be read"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := c.base()
			maps.Copy(env, c.set)
			_, err := load(env)
			problems := all(t, err)
			if len(problems) != 1 {
				t.Fatalf("want one problem, got %v", err)
			}
			p := problems[0]
			if p.Setting != c.setting || !strings.Contains(p.Error(), c.says) || p.Remedy == "" {
				t.Errorf("got %q, want one of %s that says %q", p, c.setting, c.says)
			}
			if strings.Contains(p.Error(), "hushhush") {
				t.Errorf("%q shows a secret", p)
			}
		})
	}
}

func all(t *testing.T, err error) (problems []*Problem) {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not joined", err)
	}
	for _, e := range joined.Unwrap() {
		p, ok := errors.AsType[*Problem](e)
		if !ok {
			t.Fatalf("%v is no problem", e)
		}
		problems = append(problems, p)
	}
	return problems
}

func TestAllProblemsAtOnce(t *testing.T) {
	env := azure()
	env[namePublicURL], env[nameBoardZone], env[nameGraphAuth] = "http://app.example", "Mars/Base", "magic"
	_, err := load(env)
	var names []string
	for _, p := range all(t, err) {
		names = append(names, p.Setting)
	}
	slices.Sort(names)
	if want := []string{nameBoardZone, nameGraphAuth, namePublicURL}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestEmptyEnvironmentSaysWhatIsMissing(t *testing.T) {
	_, err := load(nil)
	var names []string
	for _, p := range all(t, err) {
		names = append(names, p.Setting)
	}
	slices.Sort(names)
	want := []string{nameIdentity, nameGraphClient, nameGraphTenant, nameVaultURL, namePublicURL, nameServiceBusNamespace, nameTablesURL}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func TestIdentityAloneNeedsNoAppRegistration(t *testing.T) {
	env := azure()
	env[nameGraphAuth], env[nameGraphTenant], env[nameGraphClient] = "Identity", "", ""
	if s, err := load(env); err != nil || s.Graph.Auth != AuthIdentity {
		t.Errorf("got %v, %v", s.Graph.Auth, err)
	}
}

// TestNamesAreWhatLoadReads holds the description against the code: docs and
// infra are held against the description.
func TestNamesAreWhatLoadReads(t *testing.T) {
	read := map[string]bool{}
	for _, env := range []map[string]string{azure(), local()} {
		_, _ = Load(func(name string) string { read[name] = true; return env[name] })
	}
	if !read[platformSignIn] {
		t.Error("Load does not ask whether the platform signs people in")
	}
	delete(read, platformSignIn) // the platform's, not the administrator's
	got := slices.Sorted(maps.Keys(read))
	if !slices.Equal(got, Names()) {
		t.Errorf("Load reads %v\ndescribed are %v", got, Names())
	}
	for _, d := range Describe() {
		if d.Meaning == "" {
			t.Errorf("%s has no meaning", d.Name)
		}
	}
}

func TestSettingsShowNoConnectionString(t *testing.T) {
	s, err := load(local())
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(s.ServiceBus)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, j); strings.Contains(text, "hushhush") {
		t.Errorf("shows the key: %s", text)
	}
}

func TestLocalCAVouchesForLoopbackOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	env := local()
	env[nameLocalCA] = file

	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(env); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Errorf("a file without certificate gives %v", err)
	}

	if err := os.WriteFile(file, certificate(t), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := load(env)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"https://localhost:8443", "http://127.0.0.1", "https://[::1]:1/x", "127.0.0.2:5671", "localhost"} {
		if c := s.TLS(a); c == nil || c.RootCAs == nil {
			t.Errorf("%s is not vouched for", a)
		}
	}
	for _, a := range []string{"https://graph.microsoft.com/v1.0", "https://localhost.example", "10.0.0.1:443"} {
		if s.TLS(a) != nil {
			t.Errorf("the local CA vouches for %s", a)
		}
	}
}

func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
