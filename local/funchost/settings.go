package funchost

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// settings are the app settings over this process's environment, as the host's configuration sees them.
type settings map[string]string

func (s settings) lookup(name string) (string, bool) {
	if value, ok := s[name]; ok {
		return value, true
	}
	return os.LookupEnv(name)
}

var placeholder = regexp.MustCompile(`%([^%]+)%`)

// resolve replaces each %NAME%. A name without a setting is an error: the real host then fails to index the function.
func (s settings) resolve(text string) (string, error) {
	var missing []string
	out := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		value, ok := s.lookup(found[1 : len(found)-1])
		if !ok {
			missing = append(missing, found)
		}
		return value
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("%s: no such app setting", strings.Join(missing, ", "))
	}
	return out, nil
}

// expand replaces each %NAME% in a command line; a name without a setting becomes empty, as the real host has it.
func (s settings) expand(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		value, _ := s.lookup(found[1 : len(found)-1])
		return value
	})
}

// connection finds a connection string as the Service Bus extension does.
func (s settings) connection(name string) (string, error) {
	for _, key := range []string{"AzureWebJobs" + name, name, "ConnectionStrings:" + name} {
		if value, _ := s.lookup(key); value != "" {
			return value, nil
		}
	}
	return "", fmt.Errorf("connection %q: set the app setting %s to a connection string", name, name)
}

const hostOverride = "AzureFunctionsJobHost__"

// override applies AzureFunctionsJobHost__a__b__c settings to the tree of host.json. Names match without case.
func (s settings) override(tree map[string]any) {
	names := make([]string, 0, len(s))
	for name := range s {
		if len(name) > len(hostOverride) && strings.EqualFold(name[:len(hostOverride)], hostOverride) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		path := strings.Split(name[len(hostOverride):], "__")
		node := tree
		for _, step := range path[:len(path)-1] {
			key := keyOf(node, step)
			child, ok := node[key].(map[string]any)
			if !ok {
				child = map[string]any{}
				node[key] = child
			}
			node = child
		}
		var value any = s[name]
		var literal any
		if json.Unmarshal([]byte(s[name]), &literal) == nil {
			switch literal.(type) {
			case bool, float64:
				value = literal
			}
		}
		node[keyOf(node, path[len(path)-1])] = value
	}
}

func keyOf(node map[string]any, name string) string {
	for key := range node {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return name
}
