package funchost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHandlerGetsItsEnvironment(t *testing.T) {
	t.Setenv("FUNCHOST_TEST_INHERITED", "yes")
	a := newApp(t, hostJSON, "portal")
	o := a.options("OWN_SETTING", "a=b", "AzureWebJobsStorage", "UseDevelopmentStorage=true")
	d := a.start(o)
	r := a.await(1, starts)[0]
	if r.WorkingDirectory != a.dir || len(r.Args) != 1 || r.Args[0] != filepath.Join(a.dir, "handler") {
		t.Errorf("args %q in %s", r.Args, r.WorkingDirectory)
	}
	env := map[string]string{}
	for _, pair := range r.Environment {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	for name, want := range captured(t, "process-start.json").Environment {
		got, ok := env[name]
		want = strings.NewReplacer("<app>", a.dir, "7075", port(d)).Replace(want)
		switch {
		case !ok:
			t.Errorf("%s is missing", name)
		case want == "<port>" || want == "<guid>":
			if got == "" {
				t.Errorf("%s is empty", name)
			}
		case got != want:
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if env["OWN_SETTING"] != "a=b" || env["FUNCHOST_TEST_INHERITED"] != "yes" {
		t.Errorf("settings and this process's environment must reach the handler: %q, %q", env["OWN_SETTING"], env["FUNCHOST_TEST_INHERITED"])
	}
	if env["FUNCTIONS_CUSTOMHANDLER_PORT"] != env["FUNCTIONS_HTTPWORKER_PORT"] || env["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"] != env["FUNCTIONS_HTTPWORKER_ID"] {
		t.Error("the old names must hold the same values as the new ones")
	}
}

func port(d *Double) string { return d.URL()[strings.LastIndex(d.URL(), ":")+1:] }

func TestExitCodes(t *testing.T) {
	t.Parallel()
	a := newApp(t, hostJSON, "portal")
	d := a.start(a.options())
	n := 0
	exit := func(code string) { // a request without body is sent again to the next process, where it must not exit again
		n++
		do(t, "GET", fmt.Sprintf("%s/api/portal/x?do=once%%20%s%%20exit%%20%s", d.URL(), filepath.Join(a.dir, fmt.Sprint("once", n)), code), "")
	}
	for range 4 {
		exit("200")
	}
	a.await(5, starts)
	exit("1")
	exit("2")
	a.await(7, starts)
	eventually(t, "a running handler", func() bool { return d.HandlerPID() != 0 })

	exit("3")
	if err := waitFor(t, d); err == nil || !strings.Contains(err.Error(), "crashed 3 times") || !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("the third crash must stop the host: %v", err)
	}
	if n := len(a.records(starts)); n != 7 {
		t.Errorf("%d starts, want 7", n)
	}
}

func TestExitZeroIsNeverRestarted(t *testing.T) {
	a := newApp(t, hostJSON, "portal", "ticker")
	d := a.start(a.options())
	do(t, "POST", d.URL()+"/api/portal/x?do=exit%200", "body")
	v, err := d.Run(t.Context(), "ticker")
	if err != nil || v.Outcome != Failed || !strings.Contains(v.Error, "refused") {
		t.Errorf("got %+v, %v", v, err)
	}
	if n := len(a.records(starts)); n != 1 {
		t.Errorf("started %d times", n)
	}
	if !strings.Contains(a.logs.String(), "exit code 0") {
		t.Error("the log must say why nothing works any more")
	}
}

func TestCrashesOutsideTheWindowDoNotCount(t *testing.T) {
	a := newApp(t, hostJSON, "ticker")
	o := a.options()
	o.CrashWindow = time.Nanosecond
	d := a.start(o)
	for n := 2; n <= 6; n++ {
		eventually(t, "a handler", func() bool { return d.KillHandler() == nil })
		a.await(n, starts)
	}
	if v, err := d.Run(t.Context(), "ticker"); err != nil || v.Outcome != Succeeded {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestStartFailsWhenTheHandlerCrashes(t *testing.T) {
	a := newApp(t, hostJSON, "portal")
	_, err := Start(t.Context(), a.options("RECORD_EXIT", "7"))
	if err == nil || !strings.Contains(err.Error(), "exit code 7") {
		t.Errorf("got %v", err)
	}
	if n := len(a.records(starts)); n != 3 {
		t.Errorf("started %d times, want 3", n)
	}
}

func TestHandlerThatNeverListensIsGivenUp(t *testing.T) {
	host := strings.Replace(hostJSON, `"enable`, `"initializationTimeout":"00:00:00.2","enable`, 1)
	a := newApp(t, host, "portal")
	_, err := Start(t.Context(), a.options("RECORD_START_DELAY", "1h"))
	if err == nil || !strings.Contains(a.logs.String(), "FUNCTIONS_CUSTOMHANDLER_PORT") {
		t.Errorf("got %v; log:\n%s", err, a.logs)
	}
}

func TestCallsWaitForARestartedHandler(t *testing.T) {
	a := newApp(t, hostJSON, "ticker")
	d := a.start(a.options())
	if err := d.KillHandler(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if v, err := d.Run(t.Context(), "ticker"); err != nil || v.Outcome != Succeeded {
			// The one that meets the dying process may fail; later ones must not.
			a.await(2, starts)
			continue
		}
	}
	if v, err := d.Run(t.Context(), "ticker"); err != nil || v.Outcome != Succeeded {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestOutputIsLoggedByStream(t *testing.T) {
	a := newApp(t, hostJSON, "portal")
	d := a.start(a.options())
	do(t, "GET", d.URL()+"/api/portal/x?do=stdout%20one;%20stderr%20two;%20stderr%20a%20Warning", "")
	for _, want := range []string{"level=INFO msg=one", "level=ERROR msg=two", `level=WARN msg="a Warning"`} {
		eventually(t, want, func() bool { return strings.Contains(a.logs.String(), want) })
	}
}

func TestFunctionTimeout(t *testing.T) {
	t.Parallel()
	host := strings.Replace(hostJSON, `{`, `{"functionTimeout":"00:00:00.3",`, 1)
	a := newApp(t, host, "portal", "ticker")
	d := a.start(a.options("RECORD_DO", "hang"))
	other := make(chan Invocation)
	go func() {
		v, _ := d.Run(t.Context(), "ticker")
		other <- v
	}()
	a.await(1, calls("/ticker"))
	got := do(t, "GET", d.URL()+"/api/portal/x?do=hang", "")
	if got.Status != 500 || got.Body != "" {
		t.Errorf("the caller gets an empty 500: %+v", got)
	}
	if v := <-other; v.Outcome != TimedOut && v.Outcome != Failed {
		t.Errorf("what ran beside it must end: %+v", v)
	}
	a.await(2, starts)
	if len(a.records(calls("/api/portal/x"))) != 1 {
		t.Error("the request must not be sent to the next process")
	}
	if v := ended(t, d, "portal", 1); v.Outcome != TimedOut {
		t.Errorf("got %+v", v)
	}
	for range 2 { // two more restarts by timeout do not stop the host
		if got := do(t, "GET", d.URL()+"/api/portal/y?do=hang", ""); got.Status != 500 {
			t.Errorf("got %+v", got)
		}
	}
	if got := do(t, "GET", d.URL()+"/api/portal/z", ""); got.Status != 200 {
		t.Errorf("got %+v", got)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	host := strings.Replace(hostJSON, `{`, `{"functionTimeout":"00:00:00.2",`, 1)
	for do, want := range map[string]Outcome{
		"json {}":                           Succeeded,
		`json {"a":1}`:                      Succeeded,
		`type application/json;q=1 {"a":1}`: Succeeded,
		"json [1]":                          Failed,
		"json text":                         Failed,
		"type text/plain {}":                Failed,
		"status 500":                        Failed,
		"status 404":                        Failed,
		"redirect /elsewhere":               Succeeded,
		"json null":                         TimedOut,
		"status 204":                        TimedOut,
		"status 200":                        TimedOut,
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, host, "ticker")
			d := a.start(a.options("RECORD_DO", do))
			if v, err := d.Run(t.Context(), "ticker"); err != nil || v.Outcome != want {
				t.Errorf("got %+v, %v; want %s", v, err, want)
			}
		})
	}
}

func TestStopFinishesWhatRuns(t *testing.T) {
	a := newApp(t, hostJSON, "portal", "ticker")
	free := filepath.Join(t.TempDir(), "free")
	d := a.start(a.options("RECORD_DO", "wait "+free))
	pid := d.HandlerPID()
	if err := d.Trigger(t.Context(), "ticker"); err != nil {
		t.Fatal(err)
	}
	a.await(1, calls("/ticker"))
	status := make(chan int)
	go func() { status <- do(t, "GET", d.URL()+"/api/portal/x?do=wait%20"+free, "").Status }()
	a.await(1, calls("/api/portal/x"))
	stopped := make(chan error)
	go func() { stopped <- d.Stop() }()
	eventually(t, "a closed port", func() bool {
		c, err := dial(d)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if err := os.WriteFile(free, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != 200 {
		t.Errorf("HTTP in flight must be finished: %d", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if v := ended(t, d, "ticker", 1); v.Outcome != Succeeded {
		t.Errorf("got %+v", v)
	}
	if alive(pid) {
		t.Error("the handler still runs")
	}
	if err := waitFor(t, d); err != nil {
		t.Errorf("Wait after Stop: %v", err)
	}
}

func TestKillHostLeavesAnOrphan(t *testing.T) {
	a := newApp(t, hostJSON, "portal")
	d := a.start(a.options())
	d.KillHost()
	if err := waitFor(t, d); err == nil {
		t.Error("Wait must say that the host was killed")
	}
	pid := d.HandlerPID()
	if !alive(pid) {
		t.Fatal("the handler must live on")
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("Stop must end the orphan")
	}
}

func TestFaults(t *testing.T) {
	a := newApp(t, hostJSON, "ticker")
	o := a.options("RECORD_DO", "sleep 1ms")
	o.Faults.KillHandler = func(v Invocation) (time.Duration, bool) { return 0, v.Number == 2 }
	o.Faults.Delay = func(v Invocation) time.Duration { return time.Duration(v.Number) * 10 * time.Millisecond }
	d := a.start(o)
	for n := 1; n <= 3; n++ {
		v, err := d.Run(t.Context(), "ticker")
		if err != nil || v.Number != n || v.Duration < time.Duration(n)*10*time.Millisecond {
			t.Errorf("got %+v, %v", v, err)
		}
	}
	a.await(2, starts)
}
