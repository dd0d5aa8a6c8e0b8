package funchost

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBrokenAppsAreRefusedWithEachReason(t *testing.T) {
	trigger := func(text string) string { return `{"bindings":[` + text + `]}` }
	for name, c := range map[string]struct {
		host      string
		functions map[string]string
		want      []string
	}{
		"host.json": {
			host:      `{"version":"1.0","retry":{},"customHandler":{"description":{"defaultExecutablePath":"nowhere"},"port":1}}`,
			functions: map[string]string{"1st": functionFiles["hook"]},
			want:      []string{`version is "1.0"`, "retry is not modelled", `"nowhere" is neither in`, "customHandler.port", "function 1st: the folder's name"},
		},
		"no proxying": {
			host:      strings.Replace(hostJSON, "true", "false", 1),
			functions: map[string]string{"hook": functionFiles["hook"]},
			want:      []string{"function hook: HTTP without customHandler.enableProxyingHttpRequest"},
		},
		"no functions":       {host: hostJSON, want: []string{"no function.json one level below"}},
		"settings":           {host: hostJSON, functions: map[string]string{"sb": queue("missing", `"dataType":"binary"`)}, want: []string{"function sb: queueName: %Q_missing%: no such app setting"}},
		"connection":         {host: hostJSON, functions: map[string]string{"sb": queue("binary", `"dataType":"binary"`)}, want: []string{`connection "Bus": set the app setting Bus`}},
		"auto complete":      {host: strings.Replace(hostJSON, "{", `{"extensions":{"serviceBus":{"autoCompleteMessages":false}},`, 1), functions: map[string]string{"ticker": functionFiles["ticker"]}, want: []string{"autoCompleteMessages must be true"}},
		"span":               {host: strings.Replace(hostJSON, "{", `{"functionTimeout":"soon",`, 1), functions: map[string]string{"ticker": functionFiles["ticker"]}, want: []string{`"soon" is no time span`}},
		"schedule":           {host: hostJSON, functions: map[string]string{"t": trigger(`{"type":"timerTrigger","name":"t","schedule":"* *"}`)}, want: []string{"function t: schedule \"* *\" has 2 fields"}},
		"triggers":           {host: hostJSON, functions: map[string]string{"a": trigger(`{"type":"blobTrigger","name":"b"}`), "b": trigger(`{"type":"queue","name":"q"}`), "c": "{"}, want: []string{`function a: trigger "blobTrigger" is not modelled`, "function b: has no trigger", "function c: function.json"}},
		"level":              {host: hostJSON, functions: map[string]string{"a": strings.Replace(functionFiles["hook"], "anonymous", "nobody", 1)}, want: []string{`authLevel "nobody"`}},
		"one route twice":    {host: hostJSON, functions: map[string]string{"a": functionFiles["hook"], "b": functionFiles["hook"]}, want: []string{"functions a and b both answer POST /api/graph/notifications"}},
		"route":              {host: hostJSON, functions: map[string]string{"a": httpFunction(`"route":"x/{id:int}"`), "b": httpFunction(`"route":"{*rest}/x"`)}, want: []string{`"{id:int}" is not modelled`, `"{*rest}" must be last`}},
		"reserved":           {host: strings.Replace(hostJSON, "{", `{"extensions":{"http":{"routePrefix":""}},`, 1), functions: map[string]string{"a": httpFunction(`"route":"admin/x"`)}, want: []string{"reserved for the host"}},
		"batch of text":      {host: hostJSON, functions: map[string]string{"sb": queue("binary", `"cardinality":"many"`)}, want: []string{`cardinality "many" is modelled only`}},
		"output of a queue":  {host: hostJSON, functions: map[string]string{"t": trigger(`{"type":"timerTrigger","name":"t","schedule":"0 0 0 * * *"},{"type":"serviceBus","direction":"out","name":"o"}`)}, want: []string{"bindings [serviceBus] are not modelled"}},
		"identity of a user": {host: hostJSON, functions: map[string]string{"sb": strings.Replace(functionFiles["sbbinary"], `"Bus"`, `"Identity"`, 1)}, want: []string{"identity connections are not modelled"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, c.host)
			for function, text := range c.functions {
				write(t, filepath.Join(a.dir, function, "function.json"), text)
			}
			_, err := Start(t.Context(), a.options("Identity", "ns.servicebus.windows.net"))
			if err == nil {
				t.Fatal("must be refused")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in\n%v", want, err)
				}
			}
		})
	}
}

func TestHandlerWithoutExecBitIsRefused(t *testing.T) {
	a := newApp(t, hostJSON, "hook")
	file := filepath.Join(a.dir, "handler")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	write(t, file, "#!/bin/sh\n")
	if _, err := Start(t.Context(), a.options()); err == nil || !strings.Contains(err.Error(), "exec bit") {
		t.Errorf("got %v", err)
	}
}

func TestHostConfig(t *testing.T) {
	host := `{"version":"2.0","functionTimeout":"-1","extensions":{"serviceBus":{"maxConcurrentCalls":8}},
		"customHandler":{"description":{"defaultExecutablePath":"%EXE%","workingDirectory":"sub","arguments":["%ARG%","%NONE%x"]}}}`
	a := newApp(t, host)
	s := settings{
		"EXE": "handler", "ARG": "one",
		"AzureFunctionsJobHost__extensions__ServiceBus__maxConcurrentSessions": "64",
		"AzureFunctionsJobHost__extensions__serviceBus__sessionIdleTimeout":    "00:00:01",
		"AzureFunctionsJobHost__customHandler__enableProxyingHttpRequest":      "true",
	}
	c, err := readHostConfig(a.dir, s)
	if err != nil {
		t.Fatal(err)
	}
	if c.FunctionTimeout != 0 || c.Bus.MaxConcurrentCalls != 8 || c.Bus.MaxConcurrentSessions != 64 || c.Bus.SessionIdle != time.Second ||
		c.Bus.LockRenewal != 5*time.Minute || !c.Proxying || c.RoutePrefix != "api" || c.Initialization != 30*time.Second {
		t.Errorf("got %+v", c)
	}
	if c.WorkingDirectory != filepath.Join(a.dir, "sub") || c.Executable != filepath.Join(a.dir, "handler") || strings.Join(c.Arguments, ",") != "one,x" {
		t.Errorf("got %+v", c)
	}
}

func TestDisabledFunctionsAreLeftOut(t *testing.T) {
	a := newApp(t, hostJSON, "hook", "portal")
	d := a.start(a.options("AzureWebJobs.hook.Disabled", "true"))
	if got := do(t, "POST", d.URL()+"/api/graph/notifications", "x"); got.Status != 404 {
		t.Errorf("got %+v", got)
	}
}

func TestTimeSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00:05:00": 5 * time.Minute, "1.02:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second, "00:00:00.5": 500 * time.Millisecond,
		"-00:00:00.0010000": -time.Millisecond, "10:30": 10*time.Hour + 30*time.Minute, "2": 48 * time.Hour,
	} {
		if got, err := parseTimeSpan(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5m", "24:00:00", "00:60:00", "1:2:3:4:5"} {
		if _, err := parseTimeSpan(text); err == nil {
			t.Errorf("%q must be refused", text)
		}
	}
}

func TestMoreExactRoutesWin(t *testing.T) {
	var all []route
	for _, template := range []string{"{*rest}", "a/{x}", "a/b", "a/{x}/{y?}", "{x}/b"} {
		r, err := parseRoute("api", template)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	for path, want := range map[string]string{
		"api/a/b": "api/a/b", "API/A/c": "api/a/{x}", "api/a/c/d": "api/a/{x}/{y?}", "api/z/b": "api/{x}/b", "api/z/z": "api/{*rest}", "api": "api/{*rest}",
	} {
		d := &Double{app: &app{}}
		for _, r := range all {
			d.app.functions = append(d.app.functions, &function{Name: r.template, HTTP: &httpTrigger{Route: r}})
		}
		if f := d.match("GET", strings.Split(path, "/")); f == nil || f.Name != want {
			t.Errorf("%s: %+v, want %s", path, f, want)
		}
	}
}
