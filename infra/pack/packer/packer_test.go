package packer

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const hostJSON = `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}}}`

// project writes a small project: a handler that imports nothing, two
// functions, and files that must not be shipped. Overrides replace or, when
// empty, remove a file.
func project(t *testing.T, overrides map[string]string) string {
	t.Helper()
	files := map[string]string{
		"go.mod":                           "module example.com/app\n\ngo 1.26\n",
		"host.json":                        hostJSON,
		"local.settings.json":              `{"Values":{"KEY":"private"}}`,
		"functions/main.go":                "package main\n\nvar version string\n\nfunc main() { println(version) }\n",
		"functions/health/function.json":   `{"bindings":[{"type":"httpTrigger"}]}`,
		"functions/health/health.go":       "package health\n",
		"functions/redrive/function.json":  `{"bindings":[{"type":"timerTrigger"}]}`,
		"functions/redrive/notes.txt":      "not for the package",
		"functions/testdata/captures.json": "{}",
	}
	for name, text := range overrides {
		files[name] = text
	}
	root := t.TempDir()
	for name, text := range files {
		if text == "" {
			continue
		}
		write(t, filepath.Join(root, filepath.FromSlash(name)), text)
	}
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree lists dir as "mode name", folders included, sorted by name.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		list = append(list, fmt.Sprintf("%v %s", info.Mode(), filepath.ToSlash(name)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var wantTree = []string{
	"-rwxr-xr-x handler",
	"drwxr-xr-x health",
	"-rw-r--r-- health/function.json",
	"-rw-r--r-- host.json",
	"drwxr-xr-x redrive",
	"-rw-r--r-- redrive/function.json",
}

func TestPackCompilesAndWritesTheTreeAndNothingElse(t *testing.T) {
	// None of the caller's own settings may reach the compiler.
	t.Setenv("GOFLAGS", "-mod=vendor")
	t.Setenv("GOOS", "windows")
	t.Setenv("CGO_ENABLED", "1")
	root, out := project(t, nil), filepath.Join(t.TempDir(), "deep", "app")
	result, err := Pack(t.Context(), Options{Root: root, Out: out, Version: "v9.8.7-test"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Version: "v9.8.7-test", Functions: []string{"health", "redrive"}}, result); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantTree, tree(t, out)); diff != "" {
		t.Error(diff)
	}
	if left := tree(t, filepath.Dir(out)); len(left) != len(wantTree)+1 {
		t.Errorf("something is left beside the app: %v", left)
	}

	handler, err := elf.Open(filepath.Join(out, "handler"))
	if err != nil {
		t.Fatal(err)
	}
	defer handler.Close()
	if handler.Machine != elf.EM_X86_64 {
		t.Errorf("built for %v", handler.Machine)
	}
	if handler.Section(".symtab") != nil || handler.Section(".debug_info") != nil {
		t.Error("not stripped")
	}
	for _, segment := range handler.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Error("not static: it asks for a dynamic loader")
		}
	}
	binary, err := os.ReadFile(filepath.Join(out, "handler"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(binary, []byte("v9.8.7-test")) {
		t.Error("the version is not in the handler")
	}
}

func TestZipIsDeterministicAndKeepsModes(t *testing.T) {
	root, dir := project(t, nil), t.TempDir()
	binary := filepath.Join(dir, "prebuilt")
	write(t, binary, "a handler") // mode 0644: Pack must not take it over
	var zips [2][]byte
	for i := range zips {
		out, file := filepath.Join(dir, "app"), filepath.Join(dir, "zips", "app.zip")
		// Times on disk differ between the rounds; the zip must not show it.
		if _, err := Pack(t.Context(), Options{Root: root, Out: out, Zip: file, Binary: binary}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantTree, tree(t, out)); diff != "" {
			t.Error(diff)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		zips[i] = text
		if left := tree(t, filepath.Dir(file)); len(left) != 1 {
			t.Errorf("temporary files are left: %v", left)
		}
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("two packs of the same input differ")
	}

	archive, err := zip.NewReader(bytes.NewReader(zips[0]), int64(len(zips[0])))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range archive.File {
		got = append(got, fmt.Sprintf("%v %s", file.Mode(), file.Name))
		if !file.Modified.Equal(zipTime) {
			t.Errorf("%s has the time %v", file.Name, file.Modified)
		}
		if unix := file.CreatorVersion >> 8; unix != 3 {
			t.Errorf("%s carries no unix mode (creator %d)", file.Name, unix)
		}
	}
	want := []string{
		"-rwxr-xr-x handler",
		"-rw-r--r-- health/function.json",
		"-rw-r--r-- host.json",
		"-rw-r--r-- redrive/function.json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPackReplacesAnEarlierApp(t *testing.T) {
	root, out := project(t, nil), filepath.Join(t.TempDir(), "app")
	binary := filepath.Join(root, "prebuilt")
	write(t, binary, "a handler")
	write(t, filepath.Join(out, "host.json"), hostJSON)
	write(t, filepath.Join(out, "handler"), "an older one")
	write(t, filepath.Join(out, "retired", "function.json"), "{}")
	if _, err := Pack(t.Context(), Options{Root: root, Out: out, Binary: binary}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantTree, tree(t, out)); diff != "" {
		t.Error(diff)
	}
}

func TestPackRefuses(t *testing.T) {
	type test struct {
		files map[string]string // of the project
		out   map[string]string // already in the output folder
		edit  func(*Options)
		want  []string // all in the error
	}
	for name, test := range map[string]test{
		"no host.json": {
			files: map[string]string{"host.json": ""},
			want:  []string{"has no host.json"},
		},
		"several mistakes, all named": {
			files: map[string]string{
				"host.json":                      `{"version":"2.0"}`,
				"functions/health/function.json": "",
				"functions/Bad.Name/x.txt":       "x",
			},
			want: []string{"defaultExecutablePath", "functions/health has no function.json", "functions/Bad.Name: not a name"},
		},
		"a function named as the handler": {
			files: map[string]string{"functions/handler/function.json": `{"bindings":[{}]}`},
			want:  []string{"functions/handler: not a name"},
		},
		"broken function.json": {
			files: map[string]string{"functions/health/function.json": "{"},
			want:  []string{"health", "function.json is not the JSON"},
		},
		"function.json without bindings": {
			files: map[string]string{"functions/health/function.json": `{"bindings":[]}`},
			want:  []string{"has no bindings"},
		},
		"no functions": {
			files: map[string]string{"functions/health/function.json": "", "functions/health/health.go": "",
				"functions/redrive/function.json": "", "functions/redrive/notes.txt": ""},
			want: []string{"holds no function"},
		},
		"handler in a sub-folder": {
			files: map[string]string{"host.json": `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"bin/handler"}}}`},
			want:  []string{`"bin/handler"`, "bare file name"},
		},
		"does not compile": {
			files: map[string]string{"functions/main.go": "package main\n\nfunc main() { undefinedName() }\n"},
			edit:  func(opt *Options) { opt.Binary = "" },
			want:  []string{"compiling ./functions", "undefinedName"},
		},
		"a version that is two words": {
			edit: func(opt *Options) { opt.Version = "1.0 -X main.other=1" },
			want: []string{"cannot be stamped"},
		},
		"zip inside of the app": {
			edit: func(opt *Options) { opt.Zip = filepath.Join(opt.Out, "app.zip") },
			want: []string{"inside the output folder"},
		},
		"no output folder": {
			edit: func(opt *Options) { opt.Out = "" },
			want: []string{"needs a root and an output folder"},
		},
		"output folder holds something else": {
			out:  map[string]string{"thesis.txt": "the only copy"},
			want: []string{"holds no packed app"},
		},
		"app that somebody added to": {
			out:  map[string]string{"host.json": hostJSON, "notes/keep.txt": "the only copy"},
			want: []string{"holds notes", "no part of a packed app"},
		},
		"prebuilt handler is missing": {
			edit: func(opt *Options) { opt.Binary = filepath.Join(opt.Root, "nothing") },
			want: []string{"the given handler"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, out := project(t, test.files), filepath.Join(t.TempDir(), "app")
			opt := Options{Root: root, Out: out, Binary: filepath.Join(root, "prebuilt")}
			write(t, opt.Binary, "a handler")
			if err := os.Mkdir(out, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range test.out {
				write(t, filepath.Join(out, filepath.FromSlash(name)), text)
			}
			if test.edit != nil {
				test.edit(&opt)
			}
			before := tree(t, filepath.Dir(out))
			_, err := Pack(t.Context(), opt)
			if err == nil {
				t.Fatal("packed")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if diff := cmp.Diff(before, tree(t, filepath.Dir(out))); diff != "" {
				t.Errorf("a refused pack changed the disk: %s", diff)
			}
		})
	}
}

func TestPackWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Pack(t.Context(), Options{Root: project(t, nil), Out: filepath.Join(t.TempDir(), "app")})
	if err == nil || !strings.Contains(err.Error(), "needs the go command") {
		t.Errorf("got %v", err)
	}
}

func TestVersionOutsideOfARepository(t *testing.T) {
	// Git must not find the repository that a temporary folder may lie in.
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	root := project(t, nil)
	if got := describe(t.Context(), root); got != "dev" {
		t.Errorf("version %q, want dev", got)
	}
}

func TestBuildEnvReplacesWhatChangesTheResult(t *testing.T) {
	got := buildEnv([]string{"HOME=/h", "GOFLAGS=-tags=x", "GOOS=plan9", "GOPROXY=p"}, Options{GOOS: "linux", GOARCH: runtime.GOARCH})
	want := []string{"HOME=/h", "GOPROXY=p", "GOOS=linux", "GOARCH=" + runtime.GOARCH, "GOAMD64=v1", "CGO_ENABLED=0",
		"GOFLAGS=-buildvcs=false", "GOWORK=off", "GOEXPERIMENT="}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
