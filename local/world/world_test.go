package world

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/dime-scheduler/connectors/local/boardsim"
	"github.com/dime-scheduler/connectors/shared/settings"
)

const patience = time.Minute

// start starts a world around the fake handler.
func start(t *testing.T, o Options) *World {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("the local world needs Node.js for Azurite, and node is not on PATH")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(handlerEnv, "1")
	o.Binary = binary
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !check(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

func (w *World) fakeHealth(t *testing.T) (h fakeHealth) {
	t.Helper()
	body := request(t, http.DefaultClient, http.MethodGet, w.HealthURL(), nil, http.StatusOK)
	if err := json.Unmarshal(body, &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func request(t *testing.T, client *http.Client, method, url string, body io.Reader, want int, header ...string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d, %v: %s", method, url, response.Status, want, err, text)
	}
	return text
}

func TestWorld(t *testing.T) {
	var progress bytes.Buffer
	w := start(t, Options{Log: &progress})
	var signing string

	t.Run("the app has settings that it takes", func(t *testing.T) {
		env := w.fakeHealth(t).Env
		for _, name := range settings.Names() {
			if _, set := w.Settings[name]; !set {
				t.Errorf("setting %s is missing: something of that name could come in from the environment", name)
			}
		}
		got, err := settings.Load(func(name string) string { return env[name] })
		if err != nil {
			t.Fatalf("the app refuses the settings:\n%v", err)
		}
		if got.PublicURL != w.HostURL() || got.TLS(got.Vault.URL) == nil {
			t.Errorf("public address %q, own authority %v", got.PublicURL, got.TLS(got.Vault.URL) != nil)
		}
	})

	t.Run("the secrets in the vault open the board and Graph", func(t *testing.T) {
		pem, err := os.ReadFile(w.Settings["LOCAL_CA_FILE"])
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		vault := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		defer vault.CloseIdleConnections()
		get := func(name string) string {
			var s struct{ Value string }
			body := request(t, vault, http.MethodGet, w.Settings["KEYVAULT_URL"]+"/secrets/"+name+"?api-version=7.5", nil,
				http.StatusOK, "Authorization", "Bearer local")
			if err := json.Unmarshal(body, &s); err != nil || s.Value == "" {
				t.Fatalf("%s: %v", name, err)
			}
			return s.Value
		}
		secret := func(setting string) string { return get(w.Settings[setting]) }
		list := request(t, http.DefaultClient, http.MethodGet, w.Settings["DIMESCHEDULER_URL"]+"/resource", nil,
			http.StatusOK, "X-API-KEY", secret("DIMESCHEDULER_SECRET_NAME"))
		if !bytes.Contains(list, []byte("Anna Peeters")) {
			t.Errorf("resources: %s", list)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {w.Settings["GRAPH_CLIENT_ID"]}, "client_secret": {secret("GRAPH_SECRET_NAME")}}
		request(t, http.DefaultClient, http.MethodPost, w.Settings["AUTHORITY_URL"]+"/"+w.Settings["GRAPH_TENANT_ID"]+"/oauth2/v2.0/token",
			strings.NewReader(form.Encode()), http.StatusOK, "Content-Type", "application/x-www-form-urlencoded")
		if len(secret("CLIENT_STATE_SECRET_NAME")) < 32 {
			t.Error("the key of clientState is too short")
		}
		signing = get(partnerKey)
	})

	t.Run("the board's changes reach the app", func(t *testing.T) {
		eventually(t, "a call for each appointment of the demo", func() bool {
			return w.fakeHealth(t).Calls["/appointmentpush"] == len(demoAppointments)
		})
		eventually(t, "resourcesync was triggered", func() bool { return w.fakeHealth(t).Calls["/resourcesync"] == 1 })
	})

	t.Run("the two sides differ while nobody carries anything", func(t *testing.T) {
		if len(w.Differences()) == 0 {
			t.Error("no difference, though the fake handler does nothing")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*poll)
		defer cancel()
		if err := w.AwaitAgreement(ctx); err == nil || !strings.Contains(err.Error(), "ANNA") {
			t.Errorf("AwaitAgreement: %v, want the differences", err)
		}
	})

	t.Run("a killed handler comes back", func(t *testing.T) {
		before := w.Pulse()
		if err := w.KillHandler(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another handler", func() bool {
			p := w.Pulse()
			return p.HandlerPID != 0 && p.HandlerPID != before.HandlerPID && p.HandlerRestarts == before.HandlerRestarts+1
		})
		if got := w.fakeHealth(t).PID; got == before.HandlerPID {
			t.Error("the killed handler answers")
		}
		if w.HandlerMemory() == 0 || w.HandlerSize() == 0 {
			t.Errorf("memory %d, size %d", w.HandlerMemory(), w.HandlerSize())
		}
	})

	time.Sleep(crashWindow) // the third crash within it would stop the host
	t.Run("the handler is killed within a write", func(t *testing.T) { w.testAmbush(t) })
	t.Run("trouble", func(t *testing.T) { w.testTrouble(t) })
	t.Run("companies", func(t *testing.T) { w.testCompanies(t) })
	t.Run("webhook", func(t *testing.T) { w.testHook(t, signing) })
	t.Run("reads age", func(t *testing.T) { w.testAgeReads(t) })
	t.Run("what is set up is what the app reads", func(t *testing.T) { w.testSetUp(t) })

	t.Run("nothing is left", func(t *testing.T) {
		pid := w.Pulse().HandlerPID
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("the handler lives on: %v", err)
		}
		if _, err := os.Stat(filepath.Dir(w.LogFile())); !os.IsNotExist(err) {
			t.Errorf("the folder is still there: %v", err)
		}
		for _, address := range []string{w.HealthURL(), w.Settings["GRAPH_URL"], w.Settings["DIMESCHEDULER_URL"], w.Settings["KEYVAULT_URL"], w.ERPAddresses()[0], w.HookAddress()} {
			if response, err := http.Get(address); err == nil {
				response.Body.Close()
				t.Errorf("%s still answers", address)
			}
		}
		if w.Err() != nil {
			t.Errorf("Err after Close: %v", w.Err())
		}
	})
	for _, part := range []string{"app", "storage", "queues", "board", "Graph", "vault", "ERP", "webhook", "demo", "host"} {
		if !strings.Contains(progress.String(), "  "+part) {
			t.Errorf("no progress line about %s:\n%s", part, &progress)
		}
	}
}

// testAmbush plays the app's part: a write, during which the handler dies.
func (w *World) testAmbush(t *testing.T) {
	events := w.Settings["GRAPH_URL"] + "/users/anna@example.com/events"
	token := "Bearer " + w.Graph.Token(clientID)
	for _, afterCommit := range []bool{false, true} {
		pid, there := w.Pulse().HandlerPID, len(w.Graph.Events("anna@example.com"))
		sprung := w.KillAtNextWrite(afterCommit)
		body := `{"subject":"x","start":{"dateTime":"2026-11-23T08:00:00","timeZone":"UTC"},"end":{"dateTime":"2026-11-23T09:00:00","timeZone":"UTC"}}`
		request(t, http.DefaultClient, http.MethodGet, events, nil, http.StatusOK, "Authorization", token) // no write: nothing happens
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, events, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		r.Header.Set("Content-Type", "application/json")
		if response, err := http.DefaultClient.Do(r); err == nil {
			response.Body.Close()
			t.Errorf("after commit %t: the write was answered with %s", afterCommit, response.Status)
		}
		if err := <-sprung; err != nil {
			t.Fatal(err)
		}
		eventually(t, "another handler", func() bool { p := w.Pulse().HandlerPID; return p != 0 && p != pid })
		if got := len(w.Graph.Events("anna@example.com")) - there; got != map[bool]int{false: 0, true: 1}[afterCommit] {
			t.Errorf("after commit %t: %d events were written", afterCommit, got)
		}
	}
}

func (w *World) testTrouble(t *testing.T) {
	users := w.Settings["GRAPH_URL"] + "/users"
	token := "Bearer " + w.Graph.Token(clientID)
	request(t, http.DefaultClient, http.MethodGet, users, nil, http.StatusOK, "Authorization", token)
	w.SetStorm(true)
	request(t, http.DefaultClient, http.MethodGet, users, nil, http.StatusTooManyRequests, "Authorization", token)
	w.SetStorm(false)
	w.SetGraphDown(true)
	if response, err := http.Get(users); err == nil {
		response.Body.Close()
		t.Errorf("Graph answers %s while it is down", response.Status)
	}
	if p := w.Pulse(); !p.GraphDown || p.Storm {
		t.Errorf("pulse: down %t, storm %t", p.GraphDown, p.Storm)
	}
	w.SetGraphDown(false)
	w.DropNotifications(2)
	if !w.Pulse().Dropping {
		t.Error("pulse does not tell that notifications are dropped")
	}
	w.StopDropping()
	if w.Pulse().Dropping || w.ExpireSubscriptions() != 0 {
		t.Error("notifications are still dropped, or there is a subscription that nobody made")
	}
	request(t, http.DefaultClient, http.MethodGet, users, nil, http.StatusOK, "Authorization", token)
}

// testAgeReads writes a row as the app does.
func (w *World) testAgeReads(t *testing.T) {
	ctx := t.Context()
	service, err := aztables.NewServiceClientFromConnectionString(w.Settings["TABLES_CONNECTION_STRING"], nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AgeReads(ctx, time.Hour); err == nil {
		t.Error("no error without a table")
	}
	table := service.NewClient("targets")
	if _, err := table.CreateTable(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.AgeReads(ctx, time.Hour); err == nil {
		t.Error("no error without a mailbox")
	}
	row := `{"PartitionKey":"mailbox","RowKey":"m1","LastRead":"2026-11-23T08:30:00.500000000Z","Email":"a@example.com"}`
	if _, err := table.AddEntity(ctx, []byte(row), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.AgeReads(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	got, err := table.GetEntity(ctx, "mailbox", "m1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(got.Value, []byte(`"LastRead":"2026-11-23T07:30:00.500000000Z"`)) || !bytes.Contains(got.Value, []byte("a@example.com")) {
		t.Errorf("row: %s", got.Value)
	}
}

func TestIntakeCallsTheWebhook(t *testing.T) {
	w := start(t, Options{Intake: true})
	list := w.Board.List(time.Time{}, time.Time{})
	if err := w.Board.Edit(list[0].GUID, func(a *boardsim.Appointment) { a.Subject = "other" }); err != nil {
		t.Fatal(err)
	}
	if err := w.Board.Delete(list[1].GUID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three kinds of calls", func() bool {
		calls := w.fakeHealth(t).Calls
		return calls["/api/appointments/create"] == len(demoAppointments) && calls["/api/appointments/update"] == 1 && calls["/api/appointments/delete"] == 1
	})
	if n := w.counts(Appointments).Active; n != 0 {
		t.Errorf("%d messages in the queue, though the board calls the webhook", n)
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"an unknown host", Options{Host: "azure"}, `host "azure" is neither double nor func`},
		{"no project", Options{Root: t.TempDir()}, "no host.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := Start(t.Context(), c.o)
			if err == nil {
				w.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestStartWithoutNode(t *testing.T) {
	bin := t.TempDir() // a PATH with go and git alone
	for _, tool := range []string{"go", "git"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skipf("%s is not on PATH", tool)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w, err := Start(t.Context(), Options{Binary: binary})
	if err == nil {
		w.Close()
		t.Fatal("started")
	}
	if !strings.Contains(err.Error(), "install Node.js") {
		t.Errorf("error %q does not say what to install", err)
	}
}
