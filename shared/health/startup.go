package health

import (
	"context"
	"sync"

	"github.com/dime-scheduler/connectors/shared/settings"
)

// Startup is the health of an app that has not started yet. It is safe for
// concurrent use.
type Startup struct {
	Version string

	mu  sync.Mutex
	err error
}

// Failed notes why the last attempt to start has failed.
func (s *Startup) Failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Check returns a report that is never ready: it names the settings that are
// wrong, or says what kind of fault the last attempt met.
func (s *Startup) Check(context.Context) Report {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	report := Report{Version: s.Version}
	if err == nil {
		report.Checks = []Check{{Name: "start", Problem: "is under way"}}
		return report
	}
	for _, name := range wrongSettings(err) {
		report.Checks = append(report.Checks, Check{Name: "setting " + name, Problem: "is missing or wrong: the log says what to do"})
	}
	if report.Checks == nil {
		report.Checks = []Check{{Name: "start", Problem: sentence(err)}}
	}
	return report
}

// wrongSettings finds the settings that err is about, joined or wrapped.
func wrongSettings(err error) (names []string) {
	switch e := err.(type) {
	case *settings.Problem:
		return []string{e.Setting}
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			names = append(names, wrongSettings(err)...)
		}
	case interface{ Unwrap() error }:
		return wrongSettings(e.Unwrap())
	}
	return names
}
