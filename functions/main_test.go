package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/app"
	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Every function folder has a registered handler, and each handler a folder,
// with the same trigger.
func TestRegisteredAsInFunctionJSON(t *testing.T) {
	order := func(x, y funchost.Function) int { return strings.Compare(x.Name+x.Method, y.Name+y.Method) }
	registered := functions(&app.App{}, &app.Doctor{}, slog.New(slog.DiscardHandler)).Functions()
	slices.SortFunc(registered, order)
	described := readFunctionJSON(t)
	slices.SortFunc(described, order)
	if diff := cmp.Diff(described, registered); diff != "" {
		t.Errorf("function.json (-), registered (+):\n%s", diff)
	}
}

// readFunctionJSON returns what the folders say of their functions, once per method.
func readFunctionJSON(t *testing.T) (out []funchost.Function) {
	t.Helper()
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder.Name(), "function.json"))
		if err != nil {
			t.Errorf("a folder without a function: %v", err)
			continue
		}
		var file struct {
			Bindings []struct {
				Type, Name, Route string
				Methods           []string
			}
		}
		if err := json.Unmarshal(text, &file); err != nil || len(file.Bindings) == 0 {
			t.Errorf("%s/function.json: %d bindings, %v", folder.Name(), len(file.Bindings), err)
			continue
		}
		trigger := file.Bindings[0]
		f := funchost.Function{Name: folder.Name(), Type: trigger.Type, Binding: trigger.Name, Route: trigger.Route}
		if trigger.Type != "httpTrigger" {
			out = append(out, f)
			continue
		}
		for _, method := range trigger.Methods {
			f.Method = strings.ToUpper(method)
			out = append(out, f)
		}
	}
	return out
}

// Function folders hold glue: small, and without the SDKs that shared hides.
func TestFunctionsAreGlue(t *testing.T) {
	files, err := filepath.Glob("*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > 150 && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s has %d lines: business rules belong into shared", file, lines)
		}
		for _, sdk := range []string{"github.com/Azure/", "github.com/microsoft/", "github.com/microsoftgraph/"} {
			if strings.Contains(string(text), `"`+sdk) {
				t.Errorf("%s imports %s: only the packages of shared speak to the outside", file, sdk)
			}
		}
	}
}

// With wrong settings the program stays up, says all that is wrong in its log,
// and in its health report which settings those are.
func TestWrongSettings(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	getenv := func(name string) string {
		switch name {
		case "FUNCTIONS_CUSTOMHANDLER_PORT":
			return port
		case "PUBLIC_URL":
			return "http://private.example"
		}
		return ""
	}
	ctx, signal := context.WithCancel(t.Context())
	var stdout, stderr strings.Builder // read once run has returned
	code := make(chan int, 1)
	go func() { code <- run(ctx, getenv, &stdout, &stderr) }()

	body := ""
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(body, "KEYVAULT_URL") && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		res, err := http.Get("http://127.0.0.1:" + port + "/api/health")
		if err != nil {
			continue // it does not listen yet
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("health: %d %q, %v", res.StatusCode, text, err)
		}
		body = string(text)
	}
	if !strings.Contains(body, `"setting PUBLIC_URL"`) || !strings.Contains(body, `"setting KEYVAULT_URL"`) || strings.Contains(body, "private.example") {
		t.Errorf("health: %s", body)
	}
	select {
	case got := <-code:
		t.Fatalf("ended with %d: the host gives up after the third time", got)
	default:
	}
	signal()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d after a signal", got)
	}
	for _, setting := range []string{"PUBLIC_URL", "KEYVAULT_URL", "GRAPH_TENANT_ID"} {
		if !strings.Contains(stderr.String(), "setting "+setting) {
			t.Errorf("%s is not in the log: %s", setting, stderr.String())
		}
	}
}
