package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dime-scheduler/connectors/shared/fault"
	"github.com/dime-scheduler/connectors/shared/settings"
)

func ok(context.Context) error { return nil }

func TestReport(t *testing.T) {
	m := Monitor{
		Version: "v1",
		Probes: []Probe{
			{"tables", ok},
			{"vault", func(context.Context) error {
				return &fault.Error{Kind: fault.Permanent, Reason: fault.Auth, Op: "vault", Err: errors.New("https://secret.example/?sig=x")}
			}},
			{"bus", func(context.Context) error { panic("https://secret.example") }},
		},
		Lag:    func(context.Context) (time.Duration, error) { return 90 * time.Second, nil },
		Parked: func(context.Context) (int, error) { return 2, nil },
	}
	lag, parked := int64(90), 2
	want := Report{Version: "v1", LagSeconds: &lag, Parked: &parked, Checks: []Check{
		{Name: "tables", OK: true},
		{Name: "vault", Problem: "denies access: check the app's identity, its roles and secrets"},
		{Name: "bus", Problem: "fails: see the log"},
	}}
	if diff := cmp.Diff(want, m.Check(t.Context())); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestReady(t *testing.T) {
	m := Monitor{Version: "v1", Probes: []Probe{{"tables", ok}}}
	want := Report{Ready: true, Version: "v1", Checks: []Check{{Name: "tables", OK: true}}}
	if diff := cmp.Diff(want, m.Check(t.Context())); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

// However many ask, the dependencies are asked once per 5 s, and one that does
// not heed its context does not hold the report up.
func TestAsksSeldomAndDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		release := make(chan struct{})
		m := Monitor{Probes: []Probe{{"stuck", func(context.Context) error {
			asked.Add(1)
			<-release
			return nil
		}}}}
		gone, leave := context.WithCancel(t.Context())
		leave()
		for range 10 {
			if r := m.Check(gone); r.Ready || r.Checks[0].Problem != "does not answer in time" {
				t.Errorf("%+v", r)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		close(release)
		time.Sleep(5 * time.Second)
		if r := m.Check(t.Context()); !r.Ready {
			t.Errorf("%+v", r)
		}
	})
}

func TestLogsAProblemOnce(t *testing.T) {
	var log bytes.Buffer
	m := Monitor{Keep: time.Nanosecond, Log: slog.New(slog.NewTextHandler(&log, nil)), Probes: []Probe{
		{"board", func(context.Context) error { return &fault.Error{Reason: fault.Unavailable, Op: "board: ping"} }},
	}}
	for range 3 {
		m.Check(t.Context())
	}
	if n := strings.Count(log.String(), "board: ping"); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
}

func TestStartup(t *testing.T) {
	s := Startup{Version: "v1"}
	report := func(checks ...Check) Report { return Report{Version: "v1", Checks: checks} }
	check := func(want Report) {
		t.Helper()
		if diff := cmp.Diff(want, s.Check(t.Context())); diff != "" {
			t.Errorf("want (-), got (+):\n%s", diff)
		}
	}
	check(report(Check{Name: "start", Problem: "is under way"}))

	s.Failed(fmt.Errorf("settings: %w", errors.Join(
		&settings.Problem{Setting: "PUBLIC_URL", Text: "is http://private.example"},
		errors.Join(&settings.Problem{Setting: "KEYVAULT_URL", Text: "is missing"}),
	)))
	const wrong = "is missing or wrong: the log says what to do"
	check(report(Check{Name: "setting PUBLIC_URL", Problem: wrong}, Check{Name: "setting KEYVAULT_URL", Problem: wrong}))

	s.Failed(fmt.Errorf("app: %w", &fault.Error{Reason: fault.Unavailable, Op: "tables at https://private.example"}))
	check(report(Check{Name: "start", Problem: "can not be reached, or is out of order"}))
}

func TestEveryReasonHasASentence(t *testing.T) {
	for _, reason := range []fault.Reason{fault.Auth, fault.RateLimit, fault.Invalid, fault.NotFound, fault.Unavailable, fault.Timeout, fault.Canceled} {
		if got := sentence(&fault.Error{Reason: reason}); got == sentence(errors.New("x")) {
			t.Errorf("%s: %q", reason, got)
		}
	}
}

// What is suspended is counted by its reason; the app itself is as ready as before.
func TestSuspendedTargetsAreCounted(t *testing.T) {
	m := &Monitor{Suspended: func(context.Context) (map[string]int, error) { return map[string]int{"DSEX001": 3, "DSEX009": 1}, nil }}
	r := m.Check(t.Context())
	if !r.Ready || r.Suspended["DSEX001"] != 3 || r.Suspended["DSEX009"] != 1 {
		t.Errorf("%+v", r)
	}
	m = &Monitor{Suspended: func(context.Context) (map[string]int, error) { return nil, errors.New("no") }}
	if r := m.Check(t.Context()); !r.Ready || r.Suspended != nil {
		t.Errorf("not known: %+v", r)
	}
}
