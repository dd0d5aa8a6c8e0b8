package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dime-scheduler/connectors/shared/doctor"
)

// From a shell: what is wrong with the settings is said in words, with exit code 1.
func TestDoctorCommand(t *testing.T) {
	none := func(string) string { return "" }
	var out, problems strings.Builder
	if code := examine(t.Context(), []string{"-doctor"}, none, &out, &problems); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, part := range []string{"failed", "KEYVAULT_URL", "is missing", "-> ", "skipped"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}

	// A settings file stands for the environment, and its secrets stay where they are.
	file := filepath.Join(t.TempDir(), "local.settings.json")
	if err := os.WriteFile(file, []byte(`{"Values":{"ServiceBus":"Endpoint=sb://x;SharedAccessKey=canary","PUBLIC_URL":"http://canary.example"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	getenv := func(string) string { t.Error("the environment was read"); return "" }
	if code := examine(t.Context(), []string{"-doctor", "-json", "-mailbox", "a@b.example", "-settings", file}, getenv, &out, &problems); code != 1 {
		t.Errorf("exit code %d", code)
	}
	var r doctor.Report
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil || r.OK || r.Mailbox != "a@b.example" || strings.Contains(out.String(), "canary") {
		t.Errorf("%v: %s", err, out.String())
	}

	for name, args := range map[string][]string{
		"no -doctor":     {"-mailbox", "a@b.example"},
		"what is it":     {"-doctor", "now"},
		"no such flag":   {"-surgeon"},
		"no such file":   {"-doctor", "-settings", file + "x"},
		"not a settings": {"-doctor", "-settings", "main.go"},
	} {
		if code := examine(t.Context(), args, none, &out, &problems); code != 2 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	if code := examine(t.Context(), []string{"-help"}, none, &out, &problems); code != 0 {
		t.Errorf("-help: exit code %d", code)
	}
}
