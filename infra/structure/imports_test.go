package structure

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// never: who must not import what, and why. Both sides may end with "/...".
var never = []struct{ who, what, why string }{
	{"shared/...", "local/...", "production code knows no simulator"},
	{"shared/...", "functions/...", "functions call shared, not the other way round"},
	{"shared/...", "infra/...", "what is deployed does not depend on how it is deployed"},
	{"functions/...", "local/...", "production code knows no simulator"},
	{"local/...", "functions/...", "the local world runs the packed program, as Azure does"},
	{"local/...", "shared/...", "simulators are the outside world: one that shares our code shares our mistakes"},
	{"infra/...", "local/...", "packing works without the local world"},

	{"shared/exchange", "shared/graph", "the engine speaks the words of shared/calendar, not Graph's"},
	{"shared/exchange", "shared/funchost", "the engine does not know which host runs it"},
	{"shared/exchange", "net/http", "the engine makes no calls of its own"},
	{"shared/routing", "shared/exchange", "routing knows targets as rows; what is done there is the workers'"},
	{"shared/routing", "net/http", "routing makes no calls of its own"},
	{"shared/backoffice", "shared/exchange", "the two connectors do not know each other"},
	{"shared/backoffice", "shared/funchost", "the worker does not know which host runs it"},
	{"shared/backoffice/...", "shared/routing", "whom an appointment concerns is decided before"},
	{"shared/backoffice/webhook", "shared/store", "a kind decides nothing and remembers nothing"},
	{"shared/backoffice/bc", "shared/store", "a kind decides nothing and remembers nothing"},
	{"shared/backoffice/nav", "shared/store", "a kind decides nothing and remembers nothing"},
	{"shared/target", "shared/exchange", "it serves every worker and knows none"},
	{"shared/target", "shared/backoffice", "it serves every worker and knows none"},
	{"shared/graph", "shared/store", "a client decides nothing and remembers nothing"},
	{"shared/dimescheduler", "shared/store", "a client decides nothing and remembers nothing"},
	{"shared/store", "shared/bus", "state and nudges are written one after the other, by the engine"},
	{"shared/bus", "shared/store", "state and nudges are written one after the other, by the engine"},
}

// only: which packages alone may import what, and why each of them. Tests are
// free to import any library.
var only = map[string]map[string]string{
	"github.com/microsoftgraph/...": {"shared/graph": "the client of Graph; the SDK costs minutes and gigabytes to compile, once"},
	"github.com/microsoft/...":      {"shared/graph": "kiota, the ground of msgraph-sdk-go"},
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus": {
		"shared/bus":     "sends, and looks at dead letters",
		"local/funchost": "receives as the host does",
		"local/world":    "the board that sends to the queue",
	},
	"github.com/Azure/go-amqp": {"shared/bus": "azservicebus lets its errors through"},
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables": {
		"shared/store": "the state",
		"shared/app":   "makes the client with the identity that the settings name",
		"local/world":  "sets up what administrators do, and ages reads for the tour",
	},
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets": {"shared/secret": "the one reader of the vault"},
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity": {
		"shared/app":   "the managed identity",
		"shared/graph": "the ways to sign in to Graph",
	},
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/...": {
		"shared/app":    "hands credentials to the clients",
		"shared/bus":    "takes a credential",
		"shared/graph":  "takes a credential",
		"shared/secret": "takes a credential, classifies the vault's errors",
		"shared/store":  "classifies the tables' errors",
		"local/world":   "helpers of the tables client",
	},
	"github.com/Azure/go-ntlmssp": {"shared/backoffice/ntlm": "the messages of NTLM"},
	"golang.org/x/crypto/...":     {"local/erpsim": "MD4, of which the server's side of NTLM is made"},
	"golang.org/x/oauth2/...":     {"shared/backoffice/oauth": "signs connectors in by client credentials"},
	"github.com/robfig/cron/v3": {
		"shared/settings": "checks the schedules",
		"local/funchost":  "fires the timers",
	},
	"github.com/expr-lang/expr/...": {"shared/rules": "runs the customer's expressions"},
	"shared/app":                    {"functions": "the one program of the app"},
	"shared/funchost": {
		"functions/...":    "triggers",
		"shared/app":       "parks what can not be decoded",
		"shared/graphhook": "puts the outcome into the invocation's log line",
	},
	"infra/pack/packer": {
		"infra/pack":  "the command",
		"local/world": "runs what would be deployed",
	},
}

// pure: all that these packages may import of other than the standard library.
var pure = map[string]struct {
	imports []string
	why     string
}{
	"shared/appointment": {nil, "the domain words depend on nothing"},
	"shared/fault":       {nil, "a leaf that every package may use"},
	"shared/calendar":    {[]string{"shared/appointment"}, "words, no behaviour"},
	"shared/merge":       {[]string{"shared/appointment"}, "decides from its arguments alone"},
	"shared/category":    {[]string{"shared/appointment"}, "decides from its arguments alone"},
	"shared/rules": {[]string{
		"github.com/expr-lang/expr", "github.com/expr-lang/expr/ast", "github.com/expr-lang/expr/file",
		"github.com/expr-lang/expr/parser", "github.com/expr-lang/expr/vm",
	}, "decides from its arguments alone"},
	"shared/trace":    {nil, "a leaf that every package may use"},
	"shared/funchost": {[]string{"shared/fault", "shared/trace"}, "knows the host and nothing of what runs under it"},
	"shared/settings": {[]string{"shared/secret", "github.com/robfig/cron/v3"}, "read before anything else is there"},
}

// outside is what lets a program reach or depend on the world around it.
var outside = []string{"net/...", "os/...", "io/...", "log/...", "syscall", "database/...", "math/rand/...", "crypto/rand", "unsafe"}

// noOutside are packages whose result depends on their arguments only.
var noOutside = map[string][]string{
	"shared/appointment":       outside,
	"shared/calendar":          outside,
	"shared/backoffice/fields": outside,
	"shared/rules":             outside,
	"shared/category":          outside,
	"shared/merge":             append([]string{"time", "context"}, outside...),
}

// testImports: which tests of local may import shared, and why.
var testImports = map[string]map[string]string{
	"local/world": {
		"shared/settings":   "holds the settings that the world gives against those that the app reads",
		"shared/store":      "reads what the world has set up",
		"shared/backoffice": "holds its connectors against what the app takes",
		"shared/rules":      "holds its rules against what the app takes",
	},
}

func TestForbiddenArrows(t *testing.T) {
	all := readPackages(t)
	for _, rule := range never {
		exists(t, all, rule.who)
		for path, p := range all {
			if !in(path, rule.who) {
				continue
			}
			for _, i := range p.Imports {
				if in(i, rule.what) {
					t.Errorf("%s imports %s: %s", path, i, rule.why)
				}
			}
		}
	}
}

func TestOnlyTheseImport(t *testing.T) {
	all := readPackages(t)
	for what, importers := range only {
		used := map[string]bool{}
		for path, p := range all {
			for _, i := range p.Imports {
				if !in(i, what) {
					continue
				}
				allowed := false
				for who := range importers {
					if in(path, who) {
						used[who], allowed = true, true
					}
				}
				if !allowed {
					t.Errorf("%s imports %s, which is for %s only", path, i, strings.Join(slices.Sorted(maps.Keys(importers)), ", "))
				}
			}
		}
		for who, why := range importers {
			exists(t, all, who)
			if !used[who] {
				t.Errorf("%s no longer imports %s (%s): take it off the list", who, what, why)
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	all := readPackages(t)
	for path, rule := range pure {
		exists(t, all, path)
		for _, i := range all[path].Imports {
			if !isStandard(i) && !slices.Contains(rule.imports, i) {
				t.Errorf("%s imports %s: %s", path, i, rule.why)
			}
		}
	}
	for path, forbidden := range noOutside {
		exists(t, all, path)
		for _, i := range all[path].Imports {
			if slices.ContainsFunc(forbidden, func(pattern string) bool { return in(i, pattern) }) {
				t.Errorf("%s imports %s: what it returns must depend on its arguments only", path, i)
			}
		}
	}
}

// Function folders hold glue between shared packages and the standard library.
func TestFunctionsUseNoLibraries(t *testing.T) {
	for path, p := range readPackages(t) {
		if !in(path, "functions/...") {
			continue
		}
		for _, i := range p.Imports {
			if !isStandard(i) && !isOwn(i) {
				t.Errorf("%s imports %s: only the packages of shared speak to the outside", path, i)
			}
		}
	}
}

func TestLocalTestsThatImportShared(t *testing.T) {
	all := readPackages(t)
	for path, p := range all {
		if !in(path, "local/...") {
			continue
		}
		for _, i := range p.TestImports {
			if _, allowed := testImports[path][i]; in(i, "shared/...") && !allowed {
				t.Errorf("the tests of %s import %s: a simulator is tested against the vendor's SDK, not against our own client", path, i)
			}
		}
	}
	for path, list := range testImports {
		exists(t, all, path)
		for i := range list {
			if !slices.Contains(all[path].TestImports, i) {
				t.Errorf("the tests of %s no longer import %s: take it off the list", path, i)
			}
		}
	}
}

// shared is a folder of packages, never a package.
func TestSharedIsAFolder(t *testing.T) {
	if _, found := readPackages(t)["shared"]; found {
		t.Error("there are Go files in shared itself: they belong into a package below it")
	}
}

// exists fails when a rule names a package that is not there: the rule would
// hold nothing any more.
func exists(t *testing.T, all map[string]pkg, pattern string) {
	t.Helper()
	for path := range all {
		if in(path, pattern) {
			return
		}
	}
	t.Errorf("a rule names %s, but there is no such package", pattern)
}
