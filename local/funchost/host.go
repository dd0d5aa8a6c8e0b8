package funchost

import "context"

// Host runs a packed app: the double, or the real host through func.
type Host interface {
	// URL is the public address, without a slash at its end.
	URL() string

	// Trigger has a timer run now. It returns when the host has taken the order, not when the function has run.
	Trigger(ctx context.Context, function string) error

	// HandlerPID is the process id of the handler that runs now, or 0.
	HandlerPID() int

	// KillHandler ends the handler with SIGKILL. The host sees a crash and starts it anew; the third within half
	// an hour stops the host.
	KillHandler() error

	// Wait returns when the host has ended: nil after Stop, else why it ended by itself.
	Wait() error

	// Stop ends the host in order and leaves no process behind. It may be called twice.
	Stop() error
}

var (
	_ Host = (*Double)(nil)
	_ Host = (*Func)(nil)
)
