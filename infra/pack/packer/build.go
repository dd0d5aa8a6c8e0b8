package packer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// build compiles ./functions of the project to the file out.
//
// There is no -trimpath: it would be a second set of flags, and each set
// compiles the Graph SDK (gigabytes of build cache) anew.
func build(ctx context.Context, opt Options, out string) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("compiling the handler needs the go command, which is not on PATH: %w", err)
	}
	cmd := exec.CommandContext(ctx, tool, "build",
		"-ldflags", "-s -w -X main.version="+opt.Version, "-o", out, "./functions")
	cmd.Dir = opt.Root
	cmd.Env = buildEnv(os.Environ(), opt)
	if output, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("compiling the handler: %w", context.Cause(ctx))
		}
		return fmt.Errorf("compiling ./functions in %s: %w\n%s", opt.Root, err, bytes.TrimSpace(output))
	}
	return nil
}

// buildEnv is the caller's environment without what changes the compiled
// result. GOFLAGS is set rather than removed, as an absent one is read from
// the go command's own configuration; -buildvcs=false because the version is
// stamped by us, and stamping fails in a repository that another user owns.
func buildEnv(environ []string, opt Options) []string {
	fixed := []string{
		"GOOS=" + opt.GOOS, "GOARCH=" + opt.GOARCH, "GOAMD64=v1", "CGO_ENABLED=0",
		"GOFLAGS=-buildvcs=false", "GOWORK=off", "GOEXPERIMENT=",
	}
	env := slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(fixed, func(f string) bool { return strings.HasPrefix(f, key+"=") })
	})
	return append(env, fixed...)
}

// describe names the commit that Root is at.
func describe(ctx context.Context, root string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty")
	cmd.Dir = root
	output, err := cmd.Output()
	version := strings.TrimSpace(string(output))
	if err != nil || version == "" {
		return "dev"
	}
	return version
}

var versionPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+/-]{0,127}$`)

// checkVersion keeps the version one word: the linker's flags are split at spaces.
func checkVersion(version string) error {
	if !versionPattern.MatchString(version) {
		return fmt.Errorf("version %q cannot be stamped: want letters, digits and ._+/- only", version)
	}
	return nil
}
