package packer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// source is what the packed app takes over from the project as it is.
type source struct {
	host      []byte            // host.json
	handler   string            // file name of the handler, as host.json has it
	functions map[string][]byte // function.json by function name
}

func (s source) names() []string {
	names := make([]string, 0, len(s.functions))
	for name := range s.functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The host's own rule is ^[a-z][a-z0-9_-]{0,127}$ in any letter case; here a
// function's name is also a Go package and a route, so it is lower case.
var functionName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,127}$`)

// readSource reads host.json and functions/*/function.json and reports all
// that is wrong with them at once.
func readSource(root string) (source, error) {
	src := source{functions: map[string][]byte{}}
	var problems []error
	var err error
	if src.host, src.handler, err = readHost(root); err != nil {
		problems = append(problems, err)
	}
	dir := filepath.Join(root, "functions")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return src, errors.Join(append(problems, fmt.Errorf("the functions cannot be listed: %w", err))...)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			continue
		}
		if name == "host" || name == src.handler || !functionName.MatchString(name) {
			problems = append(problems, fmt.Errorf("functions/%s: not a name that a function can have (%s, neither host nor the handler's file name)", name, functionName))
			continue
		}
		var binding struct{ Bindings []json.RawMessage }
		text, err := readJSON(filepath.Join(dir, name, "function.json"), &binding)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, fmt.Errorf("functions/%s has no function.json: every folder in functions/ is a function", name))
		case err != nil:
			problems = append(problems, err)
		case len(binding.Bindings) == 0:
			problems = append(problems, fmt.Errorf("functions/%s/function.json has no bindings: the host would not call it", name))
		default:
			src.functions[name] = text
		}
	}
	if len(src.functions) == 0 && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("%s holds no function", dir))
	}
	return src, errors.Join(problems...)
}

// readHost returns host.json and the file name that it expects the handler to have.
func readHost(root string) (text []byte, handler string, err error) {
	var host struct {
		Version       string
		CustomHandler struct {
			Description struct{ DefaultExecutablePath string }
		}
	}
	path := filepath.Join(root, "host.json")
	text, err = readJSON(path, &host)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s has no host.json: is it the root of the project?", root)
	}
	if err != nil {
		return nil, "", err
	}
	handler = host.CustomHandler.Description.DefaultExecutablePath
	if host.Version != "2.0" {
		return nil, "", fmt.Errorf("%s: version is %q, the host wants 2.0", path, host.Version)
	}
	if handler == "" || handler != filepath.Base(handler) || !filepath.IsLocal(handler) || strings.Contains(handler, `\`) {
		return nil, "", fmt.Errorf("%s: customHandler.description.defaultExecutablePath is %q, want the bare file name of the handler at the package root", path, handler)
	}
	return text, handler, nil
}

func readJSON(path string, into any) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, fmt.Errorf("%s is not the JSON that it should be: %w", path, err)
	}
	return text, nil
}
