//go:build unix

package funchost

import (
	"syscall"
	"testing"
)

func TestHandlerHasItsOwnProcessGroup(t *testing.T) {
	a := newApp(t, hostJSON, "portal")
	d := a.start(a.options())
	if group, err := syscall.Getpgid(d.HandlerPID()); err != nil || group != d.HandlerPID() {
		t.Errorf("group %d, %v: a terminal's Ctrl-C must not reach the handler", group, err)
	}
}
