package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/funchost"
)

// Every function folder has a registered handler, and each handler a folder,
// with the same trigger.
func TestRegisteredAsInFunctionJSON(t *testing.T) {
	order := func(x, y funchost.Function) int { return strings.Compare(x.Name+x.Method, y.Name+y.Method) }
	registered := functions(funchost.Options{}, slog.New(slog.DiscardHandler), parts{}).Functions()
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
