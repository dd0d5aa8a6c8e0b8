package funchost

import (
	"log/slog"
	"time"
)

// Options says what to run and how. App is the only field that must be set.
type Options struct {
	// App is the packed app: the folder with host.json, the handler and one folder for each function.
	App string

	// Settings are the app settings. They are given to the handler as environment, over this process's own
	// environment, which the handler inherits as it does from the real host; and they resolve %NAME% in
	// function.json and connection names. AzureFunctionsJobHost__a__b overrides a.b of host.json, and
	// AzureWebJobs.<function>.Disabled=true switches a function off.
	Settings map[string]string

	// Port is the public port on 127.0.0.1; 0 picks a free one.
	Port int

	// Log receives what the host reports and, under the category Host.Function.Console, each line of the handler:
	// stdout as Info, stderr as Error, or Warn if the line holds "warn". Nil discards it.
	Log *slog.Logger

	// Keys are the function keys. Nil leaves requests unchecked, as func start does.
	Keys *Keys

	// NoTimers leaves timers unfired; Trigger still runs them.
	NoTimers bool

	// NoQueues leaves queues unread.
	NoQueues bool

	// StateDir holds what must outlive the host: when each timer last ran. Empty keeps it in memory, so that no
	// timer is ever past due.
	StateDir string

	// CrashWindow is how close to the one before a crash must be to count towards the third, which stops the host.
	// 0 is the real host's 30 minutes; a test that kills the handler many times sets 1 ns.
	CrashWindow time.Duration

	// Faults are switched on by tests.
	Faults Faults
}

// Keys are the secrets that callers show as x-functions-key header or code query value.
type Keys struct {
	// Master opens everything, /admin included.
	Master string
	// Default opens every function of level "function"; empty for none.
	Default string
	// Functions holds one more key for each function, by its name.
	Functions map[string]string
}

// Faults are hooks on each invocation. They are called from the goroutine that runs it; nil is off.
type Faults struct {
	// KillHandler ends the handler with SIGKILL, at the returned time after the request was sent to it.
	KillHandler func(Invocation) (after time.Duration, kill bool)

	// DropCompletion leaves a message unsettled after the function succeeded, as a host does that dies just then:
	// it is delivered again once its lock has expired.
	DropCompletion func(Invocation) bool

	// Delay holds an invocation back before it is sent. The time counts towards functionTimeout.
	Delay func(Invocation) time.Duration
}
