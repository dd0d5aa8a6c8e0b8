package infratest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// template is what the tests need to know of one Bicep file.
type template struct {
	text     string
	blocks   map[string]block  // resources and modules by symbol
	outputs  map[string]string // expression by name
	vars     map[string]string // expression by name, those of one line
	defaults map[string]string // expression by param, those that have one
}

// block is a resource or a module.
type block struct {
	kind     string // resource or module
	of       string // type@version or path
	existing bool
	props    map[string]string // expression by dotted path, like properties.lockDuration
}

var (
	blockStart = regexp.MustCompile(`^(resource|module) (\w+) '([^']+)' (existing )?= (?:if \(.*\) )?(?:\[for .+: )?\{$`)
	property   = regexp.MustCompile(`^('[^']+'|\w+): (.+)$`)
	output     = regexp.MustCompile(`^output (\w+) \w+ = (.+)$`)
	variable   = regexp.MustCompile(`^var (\w+) = (.+)$`)
	param      = regexp.MustCompile(`^param (\w+) \w+ = (.+)$`)
)

func readTemplate(t *testing.T, name string) template {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "infra", "bicep", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseTemplate(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return parsed
}

// parseTemplate reads templates that have one property per line.
func parseTemplate(text string) (template, error) {
	file := template{text: text, blocks: map[string]block{}, outputs: map[string]string{}, vars: map[string]string{}, defaults: map[string]string{}}
	var symbol string  // of the block being read
	var path []string  // of the property being read
	var lists []string // closing brackets, innermost last
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		if symbol == "" {
			if m := blockStart.FindStringSubmatch(line); m != nil {
				symbol = m[2]
				file.blocks[symbol] = block{kind: m[1], of: m[3], existing: m[4] != "", props: map[string]string{}}
			} else if strings.HasPrefix(line, "resource ") || strings.HasPrefix(line, "module ") {
				return file, fmt.Errorf("line %d: %q starts a resource or module in a way that this reader does not know", i+1, line)
			} else if m := output.FindStringSubmatch(line); m != nil {
				file.outputs[m[1]] = m[2]
			} else if m := variable.FindStringSubmatch(line); m != nil {
				file.vars[m[1]] = m[2]
			} else if m := param.FindStringSubmatch(line); m != nil {
				file.defaults[m[1]] = m[2]
			}
			continue
		}
		props := file.blocks[symbol].props
		m := property.FindStringSubmatch(line)
		switch {
		case len(lists) == 0 && (line == "}" || line == "}]"):
			symbol = ""
		case len(lists) > 0 && line == lists[len(lists)-1]:
			path, lists = path[:len(path)-1], lists[:len(lists)-1]
		case strings.HasPrefix(line, "..."):
			props[strings.Join(append(path, "..."), ".")] = strings.TrimPrefix(line, "...")
		case m == nil || (m[2] != "{" && !balanced(m[2])):
			return file, fmt.Errorf("line %d: %q is not one property", i+1, line)
		case m[2] == "{":
			path, lists = append(path, m[1]), append(lists, "}")
		default:
			name := strings.Join(append(path, m[1]), ".")
			if _, twice := props[name]; twice {
				return file, fmt.Errorf("line %d: %s is given twice", i+1, name)
			}
			props[name] = m[2]
		}
	}
	if symbol != "" {
		return file, fmt.Errorf("%s is never closed", symbol)
	}
	return file, nil
}

func balanced(expression string) bool {
	for _, pair := range []string{"{}", "[]", "()"} {
		if strings.Count(expression, pair[:1]) != strings.Count(expression, pair[1:]) {
			return false
		}
	}
	return true
}

// resources returns the resources of the type, without existing ones, by symbol.
func (file template) resources(kind string) map[string]block {
	found := map[string]block{}
	for symbol, b := range file.blocks {
		if b.kind == "resource" && !b.existing && strings.HasPrefix(b.of, kind+"@") {
			found[symbol] = b
		}
	}
	return found
}

// allTemplates returns every template by its path below infra/bicep.
func allTemplates(t *testing.T) map[string]template {
	t.Helper()
	modules, err := filepath.Glob(filepath.Join(root, "infra", "bicep", "modules", "*.bicep"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("no modules: %v", err)
	}
	all := map[string]template{"main.bicep": readTemplate(t, "main.bicep")}
	for _, path := range modules {
		name := "modules/" + filepath.Base(path)
		all[name] = readTemplate(t, name)
	}
	return all
}

func TestReaderRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, text := range map[string]string{
		"two properties in a line": "resource a 'T@1' = {\n  name: 'a', location: {\n}\n",
		"unknown start":            "resource a 'T@1' = [for x in [\n",
		"never closed":             "resource a 'T@1' = {\n  name: 'a'\n",
		"property twice":           "resource a 'T@1' = {\n  name: 'a'\n  name: 'b'\n}\n",
	} {
		if _, err := parseTemplate(text); err == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
}

func TestBicepCheckFindsNothing(t *testing.T) {
	check := os.Getenv("BICEP_CHECK")
	if check == "" {
		t.Skip("BICEP_CHECK is not set to the path of bicep-check's check.mjs")
	}
	cmd := exec.CommandContext(t.Context(), "node", check, filepath.Join(root, "infra", "bicep"))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("bicep-check: %v\n%s", err, output)
	}
}

func TestEveryModuleIsUsed(t *testing.T) {
	used := map[string]bool{"main.bicep": true}
	for _, b := range readTemplate(t, "main.bicep").blocks {
		if b.kind != "module" {
			t.Errorf("main.bicep declares %s: resources belong into a module", b.of)
		}
		used[b.of] = true
	}
	for name := range allTemplates(t) {
		if !used[name] {
			t.Errorf("%s is used by nothing", name)
		}
	}
}
