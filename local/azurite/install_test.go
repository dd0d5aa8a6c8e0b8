//go:build !windows

package azurite

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakePath makes PATH a folder that holds only the given scripts.
func fakePath(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestInstallTellsWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		scripts map[string]string
		want    string
	}{
		"no node":      {nil, "node is not on PATH: install Node.js 20 or newer"},
		"old node":     {map[string]string{"node": "echo v18.19.0"}, "Node.js v18.19.0 is too old: install 20 or newer"},
		"strange node": {map[string]string{"node": "echo hello"}, `node --version answers "hello"`},
		"no npm":       {map[string]string{"node": "echo v22.1.0"}, "npm is not on PATH: install Node.js 20 or newer together with npm"},
		"npm fails":    {map[string]string{"node": "echo v22.1.0", "npm": "echo no route to host >&2; exit 1"}, "no route to host"},
		"npm lies":     {map[string]string{"node": "echo v22.1.0", "npm": "exit 0"}, "npm ci succeeded but left no"},
	} {
		t.Run(name, func(t *testing.T) {
			fakePath(t, c.scripts)
			cache := t.TempDir()
			_, err := Install(t.Context(), cache, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "*.partial")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// goodNPM counts its calls in $CALLS and leaves the file that Start runs.
const goodNPM = `echo call >> "$CALLS"; /bin/mkdir -p node_modules/azurite/dist/src; echo > node_modules/azurite/dist/src/azurite.js`

func TestInstallRunsOnceForManyCallers(t *testing.T) {
	fakePath(t, map[string]string{"node": "echo v22.1.0", "npm": goodNPM})
	calls := filepath.Join(t.TempDir(), "calls")
	t.Setenv("CALLS", calls)
	cache := filepath.Join(t.TempDir(), "not", "there", "yet")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if app, err := Install(t.Context(), cache, nil); err != nil || !installed(app) {
				t.Errorf("Install: %q, %v", app, err)
			}
		})
	}
	group.Wait()
	if got, err := os.ReadFile(calls); err != nil || string(got) != "call\n" {
		t.Errorf("npm calls %q (%v), want one", got, err)
	}
}

func TestInstallRepairsAndReports(t *testing.T) {
	fakePath(t, map[string]string{"node": "echo v22.1.0", "npm": goodNPM})
	t.Setenv("CALLS", os.DevNull)
	cache := t.TempDir()
	app, err := Install(t.Context(), cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(entryPoint(app)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if _, err := Install(t.Context(), cache, &log); err != nil || !installed(app) {
		t.Errorf("Install over a damaged folder: %v", err)
	}
	if !strings.Contains(log.String(), "installing Azurite "+Version) {
		t.Errorf("log %q does not tell of the installation", log.String())
	}
}

func TestInstalledNeedsNoNPM(t *testing.T) {
	fakePath(t, map[string]string{"node": "echo v22.1.0", "npm": goodNPM})
	t.Setenv("CALLS", os.DevNull)
	cache := t.TempDir()
	if _, err := Install(t.Context(), cache, nil); err != nil {
		t.Fatal(err)
	}
	fakePath(t, nil)
	if _, err := Install(t.Context(), cache, nil); err != nil {
		t.Errorf("second Install: %v", err)
	}
}

func TestStartReportsAServerThatDoesNotCome(t *testing.T) {
	fakePath(t, map[string]string{
		"node": `[ "$1" = --version ] && echo v22.1.0 && exit; echo port is taken >&2; exit 3`,
		"npm":  goodNPM,
	})
	t.Setenv("CALLS", os.DevNull)
	_, err := Start(t.Context(), Options{CacheDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "port is taken") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v, want the exit status and what was printed", err)
	}
}
