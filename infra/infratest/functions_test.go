package infratest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHostRunsOneHandlerAtThePackageRoot(t *testing.T) {
	host := readHost(t)
	if host.Version != "2.0" || host.CustomHandler.Description.DefaultExecutablePath != "handler" {
		t.Errorf("version %q, handler %q", host.Version, host.CustomHandler.Description.DefaultExecutablePath)
	}
	if !host.CustomHandler.EnableProxyingHTTPRequest {
		t.Error("without enableProxyingHttpRequest the webhook's body is not passed on as it came")
	}
	// Bundle 4 has the Service Bus extension 5, whose options are used here.
	if host.ExtensionBundle.ID != "Microsoft.Azure.Functions.ExtensionBundle" || host.ExtensionBundle.Version != "[4.*, 5.0.0)" {
		t.Errorf("extension bundle %+v", host.ExtensionBundle)
	}
}

func TestHostKeepsALockAsLongAsAFunctionMayRun(t *testing.T) {
	host := readHost(t)
	bus := host.Extensions.ServiceBus
	if bus.MaxAutoLockRenewalDuration < host.FunctionTimeout || host.FunctionTimeout <= 0 {
		t.Errorf("locks are renewed for %v, a function may run for %v: a second worker would start beside the first",
			time.Duration(bus.MaxAutoLockRenewalDuration), time.Duration(host.FunctionTimeout))
	}
	if bus.PrefetchCount != 0 {
		t.Error("prefetched messages lose their lock while they wait")
	}
	if !bus.AutoCompleteMessages {
		t.Error("a custom handler cannot complete messages itself")
	}
	if idle := time.Duration(bus.SessionIdleTimeout); idle <= 0 || idle > time.Second {
		t.Errorf("an idle session holds its slot for %v: at most 1s", idle)
	}
	if bus.MaxConcurrentCalls != 16 || bus.MaxConcurrentSessions != 64 {
		t.Errorf("%d calls, %d sessions at once: want 16 and 64", bus.MaxConcurrentCalls, bus.MaxConcurrentSessions)
	}
}

var settingReference = regexp.MustCompile(`^%[A-Z][A-Z0-9_]*%$`)

func TestBindings(t *testing.T) {
	// The name under which the handler finds the trigger's data.
	names := map[string]string{"httpTrigger": "req", "http": "res", "serviceBusTrigger": "msg", "timerTrigger": "timer"}
	legal := regexp.MustCompile(`^[a-z][a-z0-9]{0,59}$`)
	for function, bindings := range readFunctions(t) {
		t.Run(function, func(t *testing.T) {
			if !legal.MatchString(function) || function == "host" {
				t.Error("a function's name is also its folder, package and route: one lower-case word, not host")
			}
			var types []string
			for _, b := range bindings {
				types = append(types, b.Type)
				if b.Name != names[b.Type] {
					t.Errorf("the %s is named %q, want %q", b.Type, b.Name, names[b.Type])
				}
				if want := map[bool]string{true: "out", false: "in"}[b.Type == "http"]; b.Direction != want {
					t.Errorf("the %s has direction %q, want %q", b.Type, b.Direction, want)
				}
			}
			trigger := bindings[0]
			switch trigger.Type {
			case "httpTrigger":
				// Requests are proxied only for exactly these two bindings.
				if !slices.Equal(types, []string{"httpTrigger", "http"}) {
					t.Errorf("bindings %v", types)
				}
			case "serviceBusTrigger":
				if len(types) != 1 {
					t.Errorf("bindings %v", types)
				}
				if trigger.DataType != "binary" {
					t.Error("without dataType binary a field of the body overwrites the message's own metadata")
				}
				if trigger.Cardinality != "one" {
					t.Error("the locks of a batch are not renewed: cardinality must be one")
				}
				if trigger.Connection != "ServiceBus" || !settingReference.MatchString(trigger.QueueName) {
					t.Errorf("connection %q, queue %q", trigger.Connection, trigger.QueueName)
				}
			case "timerTrigger":
				if len(types) != 1 {
					t.Errorf("bindings %v", types)
				}
				if !settingReference.MatchString(trigger.Schedule) {
					t.Errorf("schedule %q is not a setting", trigger.Schedule)
				}
				if trigger.RunOnStartup == nil || *trigger.RunOnStartup || trigger.UseMonitor == nil || !*trigger.UseMonitor {
					t.Error("want runOnStartup false (it fires on every scale-out) and useMonitor true (a missed run is made up for)")
				}
			default:
				t.Errorf("the first binding is a %s", trigger.Type)
			}
		})
	}
}

// Public requests and triggers reach the handler on one listener: a public
// path that equals a trigger's, /<function>, would let anybody forge a message.
func TestNoPublicRouteReachesATrigger(t *testing.T) {
	prefix := readHost(t).Extensions.HTTP.RoutePrefix
	if prefix != "api" {
		t.Errorf("route prefix %q, want api: it keeps public paths apart", prefix)
	}
	if _, named := readFunctions(t)[prefix]; named {
		t.Errorf("a function is named %s, as the route prefix is", prefix)
	}
	seen := map[string]string{}
	for function, b := range triggers(t, "httpTrigger") {
		first, _, _ := strings.Cut(b.Route, "/")
		switch {
		case first == "" || strings.ContainsAny(first, "{}"):
			t.Errorf("%s: route %q must start with a fixed word", function, b.Route)
		case strings.EqualFold(first, "admin") || strings.EqualFold(first, "runtime"):
			t.Errorf("%s: the host keeps routes under %s to itself", function, first)
		}
		if len(b.Methods) == 0 {
			t.Errorf("%s: without methods it answers all of them", function)
		}
		for _, method := range b.Methods {
			shape := method + " " + regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(strings.ToLower(b.Route), "{}")
			if other, taken := seen[shape]; taken {
				t.Errorf("%s and %s share the route %s", function, other, shape)
			}
			seen[shape] = function
		}
	}
}

func TestOnlyTheseRoutesNeedNoKey(t *testing.T) {
	// Graph cannot send a key, so the app checks clientState; health tells
	// nothing that helps an attacker; the portal asks the platform who it is.
	anonymous := []string{"graphlifecycle", "graphwebhook", "health", "portal"}
	for function, b := range triggers(t, "httpTrigger") {
		want := "function"
		if slices.Contains(anonymous, function) {
			want = "anonymous"
		}
		if b.AuthLevel != want {
			t.Errorf("%s has authLevel %q, want %q", function, b.AuthLevel, want)
		}
	}
}
