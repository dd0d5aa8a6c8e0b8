package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                         "module example.com/app\n\ngo 1.26\n",
		"host.json":                      `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}}}`,
		"functions/main.go":              "package main\n\nfunc main() {}\n",
		"functions/health/function.json": `{"bindings":[{"type":"httpTrigger"}]}`,
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "app")
	for name, test := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"packs":            {[]string{"-root", root, "-o", out, "-zip", out + ".zip", "-version", "v1.2.3"}, 0, "packed v1.2.3 with 1 functions (health)"},
		"wants a folder":   {nil, 2, "usage"},
		"unknown flag":     {[]string{"-x"}, 2, "-x"},
		"stray argument":   {[]string{"-o", out, "more"}, 2, "usage"},
		"not a project":    {[]string{"-root", t.TempDir(), "-o", out}, 1, "no host.json"},
		"help is no fault": {[]string{"-h"}, 0, "-zip"},
	} {
		t.Run(name, func(t *testing.T) {
			var output bytes.Buffer
			if status := run(t.Context(), test.args, &output, &output); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			if !strings.Contains(output.String(), test.says) {
				t.Errorf("output %q does not say %q", output.String(), test.says)
			}
		})
	}
	if _, err := os.Stat(out + ".zip"); err != nil {
		t.Error(err)
	}
}
