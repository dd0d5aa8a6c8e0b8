package packer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeTree fills the empty folder dir with the app.
func writeTree(ctx context.Context, dir string, src source, opt Options) error {
	handler := filepath.Join(dir, src.handler)
	if opt.Binary != "" {
		if err := copyFile(handler, opt.Binary); err != nil {
			return fmt.Errorf("the given handler: %w", err)
		}
	} else if err := build(ctx, opt, handler); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "host.json"), src.host, 0o644); err != nil {
		return err
	}
	for name, text := range src.functions {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name, "function.json"), text, 0o644); err != nil {
			return err
		}
	}
	// Modes are set, not left to the umask.
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || path == handler {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}

// checkReplaceable refuses a folder that holds anything but a packed app, so
// that a mistyped path costs nothing.
func checkReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the output folder: %w", err)
	}
	_, handler, err := readHost(dir)
	if err != nil {
		return fmt.Errorf("%s is not empty and holds no packed app: choose another output folder", dir)
	}
	for _, entry := range entries {
		if name := entry.Name(); name == "host.json" || name == handler {
			continue
		}
		inner, err := os.ReadDir(filepath.Join(dir, entry.Name()))
		if err != nil || len(inner) != 1 || inner[0].Name() != "function.json" {
			return fmt.Errorf("%s holds %s, which is no part of a packed app: move it away or choose another output folder", dir, entry.Name())
		}
	}
	return nil
}

// replace puts stage in the place of dir.
func replace(dir, stage string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("the earlier app: %w", err)
	}
	return os.Rename(stage, dir)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
