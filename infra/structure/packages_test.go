package structure

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/")

const (
	module = "github.com/dime-scheduler/connectors/"
	root   = "../.."
)

// pkg is a package of this repository as `go list` tells of it. Paths of own
// packages are relative to the root ("shared/store"), all others as imported.
type pkg struct {
	Path        string
	Name        string
	Dir         string
	Imports     []string // of the package itself
	TestImports []string // of its tests, without those of the package itself
}

// packages reads every package of the repository. It asks for imports only, so
// nothing is compiled.
var packages = sync.OnceValues(func() (map[string]pkg, error) {
	if err := lookAround(); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	all := map[string]pkg{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); decoder.More(); {
		var p struct {
			ImportPath, Name, Dir              string
			Imports, TestImports, XTestImports []string
		}
		if err := decoder.Decode(&p); err != nil {
			return nil, err
		}
		path := own(p.ImportPath)
		all[path] = pkg{
			Path: path, Name: p.Name, Dir: p.Dir, Imports: ownAll(p.Imports),
			TestImports: slices.DeleteFunc(ownAll(append(p.TestImports, p.XTestImports...)), func(i string) bool { return i == path }),
		}
	}
	return all, nil
})

// lookAround reads the folders, so that go test does not take a result from its
// cache when there is a new file: it does not see what other programs read.
func lookAround() error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains([]string{".git", "node_modules", "dist", ".local"}, entry.Name()) {
			return fs.SkipDir
		}
		return err
	})
}

func readPackages(t *testing.T) map[string]pkg {
	t.Helper()
	all, err := packages()
	if err != nil || len(all) < 20 {
		t.Fatalf("go list tells of %d packages: %v", len(all), err)
	}
	return all
}

func own(path string) string { return strings.TrimPrefix(path, module) }

func ownAll(paths []string) []string {
	out := make([]string, 0, len(paths))
	for _, p := range paths {
		out = append(out, own(p))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// isOwn reports a path of this repository.
func isOwn(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first == "functions" || first == "shared" || first == "local" || first == "infra"
}

// isStandard reports a path of the standard library: no dot in its first part.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !isOwn(path) && !strings.Contains(first, ".")
}

// in reports that path is pattern, or lies below it where pattern ends with "/...".
func in(path, pattern string) bool {
	if folder, below := strings.CutSuffix(pattern, "/..."); below {
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	return path == pattern
}

// trackedFiles returns the repository's files, those not yet committed included,
// with slashes, relative to the root.
func trackedFiles(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	output, err := cmd.Output()
	if err != nil {
		t.Skipf("git does not list the files (not a clone?): %v", err)
	}
	var files []string
	for _, name := range strings.Split(string(output), "\x00") {
		if info, err := os.Stat(filepath.Join(root, name)); name != "" && err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	if len(files) < 100 {
		t.Fatalf("git lists %d files only", len(files))
	}
	return files
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
