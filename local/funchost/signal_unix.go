//go:build unix

package funchost

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup starts a command in a process group of its own.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup is SIGKILL to the group that a process leads.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }

// exitCode is the process's own, or 128 + the signal that ended it, as .NET has it.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
