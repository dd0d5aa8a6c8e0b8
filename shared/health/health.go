// Package health says whether the app can do its work: a Monitor asks each
// dependency, a Startup stands for an app that has not started yet.
//
// A report is public: it names dependencies and settings and says what kind of
// fault there is, and holds no address, value or text of an error. Those are in
// the log, once per change.
package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/dime-scheduler/connectors/shared/fault"
)

// Report is the state of the app.
type Report struct {
	Ready   bool    `json:"ready"` // all checks are ok
	Version string  `json:"version"`
	Checks  []Check `json:"checks"`
	// LagSeconds is for how long the target has been due that is due the
	// longest; absent if it is not known.
	LagSeconds *int64 `json:"lagSeconds,omitempty"`
	// Parked is how many messages could not be used and wait for a person, 100
	// at most; absent if it is not known.
	Parked *int `json:"parkedMessages,omitempty"`
	// Suspended is how many targets are suspended, by the stable code that says why;
	// absent if there is none, or it is not known.
	Suspended map[string]int `json:"suspended,omitempty"`
	// TakePart is how many resources take part with a calendar, the number that is
	// licensed; absent if it is not known.
	TakePart *int `json:"resourcesTakingPart,omitempty"`
}

// Check is the state of one dependency.
type Check struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"`
}

// Probe asks one dependency whether it works. It must be cheap and change nothing.
type Probe struct {
	Name string
	Ask  func(ctx context.Context) error
}

// Monitor asks all dependencies, at most every few seconds, however often it
// is asked itself. It is safe for concurrent use.
type Monitor struct {
	Version string
	Probes  []Probe
	// Lag returns for how long the target has been due that is due the longest; may be nil.
	Lag func(ctx context.Context) (time.Duration, error)
	// Parked counts the messages that could not be used, up to 100; may be nil.
	Parked func(ctx context.Context) (int, error)
	// Suspended counts the suspended targets by code; may be nil.
	Suspended func(ctx context.Context) (map[string]int, error)
	// TakePart counts the resources that take part with a calendar; may be nil.
	TakePart func(ctx context.Context) (int, error)
	Log      *slog.Logger // nil = nowhere
	// Keep is how long a report is good for; 0 = 5 s.
	Keep time.Duration

	mu     sync.Mutex
	report Report
	at     time.Time // zero: there is no report yet
}

// patience is how long a dependency may take to answer.
const patience = 5 * time.Second

// Check returns a report that is at most Keep old. It asks the dependencies
// on behalf of all who wait, so the end of ctx does not end that.
func (m *Monitor) Check(ctx context.Context) Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && time.Since(m.at) < cmp.Or(m.Keep, 5*time.Second) {
		return m.report
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()

	answers := make([]chan error, len(m.Probes))
	for i, p := range m.Probes {
		answers[i] = ask(ctx, p.Ask)
	}
	var lag time.Duration
	lagAnswer := ask(ctx, func(ctx context.Context) (err error) {
		if m.Lag == nil {
			return errors.New("not known")
		}
		lag, err = m.Lag(ctx)
		return err
	})
	var suspended map[string]int
	suspendedAnswer := ask(ctx, func(ctx context.Context) (err error) {
		if m.Suspended == nil {
			return errors.New("not known")
		}
		suspended, err = m.Suspended(ctx)
		return err
	})
	var parked int
	parkedAnswer := ask(ctx, func(ctx context.Context) (err error) {
		if m.Parked == nil {
			return errors.New("not known")
		}
		parked, err = m.Parked(ctx)
		return err
	})
	var taking int
	takingAnswer := ask(ctx, func(ctx context.Context) (err error) {
		if m.TakePart == nil {
			return errors.New("not known")
		}
		taking, err = m.TakePart(ctx)
		return err
	})
	report := Report{Ready: true, Version: m.Version}
	for i, p := range m.Probes {
		c := Check{Name: p.Name, OK: true}
		if err := await(ctx, answers[i]); err != nil {
			c.OK, c.Problem, report.Ready = false, sentence(err), false
			m.note(ctx, c, err)
		}
		report.Checks = append(report.Checks, c)
	}
	if await(ctx, lagAnswer) == nil {
		seconds := int64(lag / time.Second)
		report.LagSeconds = &seconds
	}
	if await(ctx, suspendedAnswer) == nil {
		report.Suspended = suspended
	}
	if await(ctx, parkedAnswer) == nil {
		report.Parked = &parked
	}
	if await(ctx, takingAnswer) == nil {
		report.TakePart = &taking
	}
	m.report, m.at = report, time.Now()
	return report
}

// note logs a problem that the last report did not have.
func (m *Monitor) note(ctx context.Context, c Check, err error) {
	for _, before := range m.report.Checks {
		if before == c {
			return
		}
	}
	if m.Log != nil {
		m.Log.WarnContext(ctx, "a dependency does not work", "dependency", c.Name, "error", err.Error())
	}
}

// ask runs f on a goroutine of its own; a panic is an error.
func ask(ctx context.Context, f func(context.Context) error) chan error {
	answer := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				answer <- fmt.Errorf("panic: %v", v)
			}
		}()
		answer <- f(ctx)
	}()
	return answer
}

// await does not rely on f to heed its context.
func await(ctx context.Context, answer chan error) error {
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-answer:
		return err
	default:
		return context.Cause(ctx)
	}
}

// sentence says what kind of fault err is, and nothing of its text.
func sentence(err error) string {
	switch fault.Of(err).Reason {
	case fault.Auth:
		return "denies access: check the app's identity, its roles and secrets"
	case fault.RateLimit:
		return "asks for fewer calls"
	case fault.NotFound:
		return "is there, but what the settings name is not"
	case fault.Invalid:
		return "refuses the request: check the settings"
	case fault.Unavailable:
		return "can not be reached, or is out of order"
	case fault.Timeout, fault.Canceled:
		return "does not answer in time"
	}
	return "fails: see the log"
}
