package structure

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// banned are names that say nothing of what a package provides.
var banned = []string{"util", "utils", "common", "helper", "helpers", "model", "models", "types", "impl", "misc", "base", "core"}

func TestPackageNames(t *testing.T) {
	for p, info := range readPackages(t) {
		if slices.Contains(banned, path.Base(p)) {
			t.Errorf("%s: name a package by what it provides", p)
		}
		if name := info.Name; name != "main" && name != path.Base(p) {
			t.Errorf("%s holds package %s: the folder and the package have one name", p, name)
		}
	}
}

// Every package has one package doc: the place to look for what it is, what it
// guarantees and what it is not.
func TestOnePackageDocEach(t *testing.T) {
	const tooShort = 80
	for p, info := range readPackages(t) {
		files, err := filepath.Glob(filepath.Join(info.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var docs []string
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if file.Doc == nil {
				continue
			}
			docs = append(docs, filepath.Base(name))
			want := "Package " + info.Name + " "
			if info.Name == "main" {
				want = "Command " + path.Base(p) + " "
			}
			if text := file.Doc.Text(); !strings.HasPrefix(text, want) || len(text) < tooShort {
				t.Errorf("%s: the package doc begins with %q and says what the package is for", name, want)
			}
		}
		if len(docs) != 1 {
			t.Errorf("%s has %d package docs %v, want one", p, len(docs), docs)
		}
	}
}

// maxLines is where a file has more than one idea in it. Tests may be longer.
const maxLines = 600

func TestSizes(t *testing.T) {
	for _, name := range trackedFiles(t) {
		if strings.HasPrefix(name, "vendor/") || strings.Contains(name, "node_modules/") {
			t.Errorf("%s: libraries come from the registries, pinned, not from copies", name)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if lines := strings.Count(readFile(t, name), "\n"); lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: split it by idea", name, lines, maxLines)
		}
	}
}

// places are what only one machine or one network has. They are put together
// here, so that this file does not find itself.
var places = regexp.MustCompile(`(^|[^\w.-])(` + strings.Join([]string{
	"/work" + "/", "/root" + "/", "/home" + `/\w`, "/Users" + `/[a-z]+/(src|go|Documents)`,
	`proxy\.` + `golang\.org`, `registry\.` + `npmjs\.org`, `registry\.` + `yarnpkg\.com`, `deb\.` + `debian\.org`,
}, "|") + `)`)

func TestNoPlacesOfOneMachine(t *testing.T) {
	for _, name := range trackedFiles(t) {
		if slices.Contains([]string{".png", ".ico", ".zip", ".gz"}, path.Ext(name)) {
			continue
		}
		for i, line := range strings.Split(readFile(t, name), "\n") {
			if found := places.FindString(line); found != "" {
				t.Errorf("%s:%d names %q, which is not everywhere", name, i+1, strings.TrimSpace(found))
			}
		}
	}
}

// hostWords are names of the host's wire format.
var hostWords = regexp.MustCompile(`"[^"]*(FUNCTIONS_CUSTOMHANDLER_PORT|X-Azure-Functions-InvocationId|ReturnValue)[^"]*"|` + "`[^`]*ReturnValue[^`]*`")

// Only shared/funchost knows the wire format of the Functions host, so that
// another way to be hosted is one more package.
func TestOnlyFunchostKnowsTheHost(t *testing.T) {
	seen := false
	for _, name := range trackedFiles(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
			!strings.HasPrefix(name, "shared/") && !strings.HasPrefix(name, "functions/") {
			continue
		}
		found := hostWords.MatchString(readFile(t, name))
		if strings.HasPrefix(name, "shared/funchost/") {
			seen = seen || found
		} else if found {
			t.Errorf("%s speaks the host's wire format: that is the business of shared/funchost", name)
		}
	}
	if !seen {
		t.Error("the words of the wire format are not in shared/funchost either: this test looks for the wrong ones")
	}
}
