// Package packer builds the deployable tree of the Functions app and, on
// request, its zip.
//
// The tree is what the Functions host expects at its script root, and nothing
// else:
//
//	handler               the compiled ./functions, mode 0755
//	host.json
//	<name>/function.json  one folder per function, directly below the root,
//	                      because the host looks no deeper
//
// Guarantees: the output folder is replaced as a whole or left as it was; a
// folder that holds anything but a packed app is never touched; the same input
// gives the same zip, byte for byte; the zip carries unix modes, since only
// some hosting plans set the executable bit themselves.
//
// It is not a deployment tool: nothing leaves the machine.
package packer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Options say what to pack and where to. Root and Out are required.
type Options struct {
	// Root is the project's root: the folder with host.json and functions/.
	Root string
	// Out is the folder to write. It may be missing, empty, or hold an
	// earlier packed app, which is replaced.
	Out string
	// Zip, if set, is the file to write the package to; not inside Out.
	Zip string
	// Version is stamped into main.version of the handler. Empty means
	// git describe, or "dev" outside of a git repository.
	Version string
	// GOOS and GOARCH are the handler's target. Empty means linux and amd64,
	// which is what Azure runs; the local world may ask for its own machine's.
	GOOS, GOARCH string
	// Binary, if set, is a handler built elsewhere, copied in place of
	// compiling one; Version, GOOS and GOARCH then change nothing in it.
	Binary string
}

// Result tells what was packed.
type Result struct {
	Version   string   // as stamped
	Functions []string // names of the functions, sorted
}

// Pack builds the tree at opt.Out and the zip at opt.Zip. It is safe to repeat.
// A cancelled ctx ends the compiler and leaves Out as it was.
func Pack(ctx context.Context, opt Options) (Result, error) {
	opt, err := opt.resolve()
	if err != nil {
		return Result{}, err
	}
	src, err := readSource(opt.Root)
	if err != nil {
		return Result{}, err
	}
	if err := checkReplaceable(opt.Out); err != nil {
		return Result{}, err
	}
	if opt.Version == "" {
		opt.Version = describe(ctx, opt.Root)
	}
	if err := checkVersion(opt.Version); err != nil {
		return Result{}, err
	}

	// Staged beside Out, so that the final rename stays on one file system.
	if err := os.MkdirAll(filepath.Dir(opt.Out), 0o755); err != nil {
		return Result{}, err
	}
	stage, err := os.MkdirTemp(filepath.Dir(opt.Out), ".pack-*")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(stage)
	if err := writeTree(ctx, stage, src, opt); err != nil {
		return Result{}, err
	}
	if err := replace(opt.Out, stage); err != nil {
		return Result{}, err
	}
	if opt.Zip != "" {
		if err := writeZip(opt.Zip, opt.Out, src.handler); err != nil {
			return Result{}, fmt.Errorf("zip %s: %w", opt.Zip, err)
		}
	}
	return Result{Version: opt.Version, Functions: src.names()}, nil
}

// resolve fills the defaults and makes every path absolute, because the
// compiler runs in Root.
func (opt Options) resolve() (Options, error) {
	if opt.Root == "" || opt.Out == "" {
		return opt, errors.New("packing needs a root and an output folder")
	}
	if opt.GOOS == "" {
		opt.GOOS = "linux"
	}
	if opt.GOARCH == "" {
		opt.GOARCH = "amd64"
	}
	for _, path := range []*string{&opt.Root, &opt.Out, &opt.Zip, &opt.Binary} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return opt, err
		}
		*path = abs
	}
	if opt.Zip != "" {
		if rel, err := filepath.Rel(opt.Out, opt.Zip); err == nil && filepath.IsLocal(rel) {
			return opt, fmt.Errorf("the zip %s lies inside the output folder, which holds the app only: choose a path outside of it", opt.Zip)
		}
	}
	return opt, nil
}
