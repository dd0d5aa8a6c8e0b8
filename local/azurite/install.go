package azurite

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed package.json
var packageJSON []byte

//go:embed package-lock.json
var packageLock []byte

// minNode is the oldest Node.js on which this version was seen to work. Its
// package asks for 22, and npm only warns below.
const minNode = 20

// Install makes sure that the pinned Azurite lies in cacheDir (empty: the
// user's cache folder) and returns its folder. A finished installation is
// found without npm. Several processes may call it at once: one installs, the
// others wait for it; one that was killed halfway leaves nothing that is used.
func Install(ctx context.Context, cacheDir string, log io.Writer) (string, error) {
	if cacheDir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("azurite: no cache folder, set Options.CacheDir: %w", err)
		}
		cacheDir = filepath.Join(user, "dime-connectors")
	}
	cacheDir, err := filepath.Abs(cacheDir)
	if err != nil {
		return "", fmt.Errorf("azurite: cache folder: %w", err)
	}
	app := filepath.Join(cacheDir, fmt.Sprintf("azurite-%.12x", sha256.Sum256(packageLock)))
	if installed(app) {
		return app, nil
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("azurite: cache folder: %w", err)
	}
	unlock, err := lock(ctx, app+".lock")
	if err != nil {
		return "", fmt.Errorf("azurite: wait for another installation: %w", err)
	}
	defer unlock()
	if installed(app) {
		return app, nil
	}
	if _, err := findNode(ctx); err != nil {
		return "", err
	}
	partial := app + ".partial"
	defer os.RemoveAll(partial)
	if err := npmCI(ctx, partial, log); err != nil {
		return "", err
	}
	if err := os.RemoveAll(app); err != nil { // damaged, or installed() had found it
		return "", fmt.Errorf("azurite: %w", err)
	}
	if err := os.Rename(partial, app); err != nil {
		return "", fmt.Errorf("azurite: %w", err)
	}
	return app, nil
}

func entryPoint(app string) string {
	return filepath.Join(app, "node_modules", "azurite", "dist", "src", "azurite.js")
}

func installed(app string) bool {
	info, err := os.Stat(entryPoint(app))
	return err == nil && info.Mode().IsRegular()
}

// npmCI installs the locked packages into dir, which it empties first.
func npmCI(ctx context.Context, dir string, log io.Writer) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("azurite: npm is not on PATH: install Node.js %d or newer together with npm; it is needed once, to install Azurite %s", minNode, Version)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "package.json"), packageJSON, 0o644),
		os.WriteFile(filepath.Join(dir, "package-lock.json"), packageLock, 0o644)); err != nil {
		return fmt.Errorf("azurite: %w", err)
	}
	if log == nil {
		log = io.Discard
	}
	fmt.Fprintf(log, "installing Azurite %s (365 MB, once)\n", Version)
	begin := time.Now()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = &out, &out
	tieToParent(cmd, false)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("azurite: npm ci failed (is the npm registry reachable?): %w: %s", err, lastBytes(out.String(), tailSize))
	}
	if !installed(dir) {
		return fmt.Errorf("azurite: npm ci succeeded but left no %s", entryPoint(""))
	}
	fmt.Fprintf(log, "installed Azurite in %s\n", time.Since(begin).Round(time.Second))
	return nil
}

func lastBytes(s string, n int) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-n):]
}

var nodeVersion = regexp.MustCompile(`^v(\d+)\.`)

// findNode returns the path of a node that is new enough.
func findNode(ctx context.Context) (string, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", fmt.Errorf("azurite: node is not on PATH: install Node.js %d or newer (with npm) to run Azurite", minNode)
	}
	out, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("azurite: node --version: %w", err)
	}
	version := strings.TrimSpace(string(out))
	m := nodeVersion.FindStringSubmatch(version)
	if m == nil {
		return "", fmt.Errorf("azurite: node --version answers %q, want something like v%d.0.0", version, minNode)
	}
	if major, err := strconv.Atoi(m[1]); err != nil || major < minNode {
		return "", fmt.Errorf("azurite: Node.js %s is too old: install %d or newer", version, minNode)
	}
	return node, nil
}

// lock takes the advisory lock of a file, which ends with the process that
// holds it. The file stays: to remove it would let two hold it at once.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		taken, err := tryLock(f)
		if taken {
			return func() { f.Close() }, nil
		}
		if err != nil {
			f.Close()
			return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
