//go:build !unix

package funchost

import (
	"os"
	"os/exec"
)

// Here are no process groups and no interrupt: what these functions end, they kill, and children of it live on.

func ownGroup(*exec.Cmd) {}

func killGroup(pid int) { _ = killPID(pid) }

func interrupt(p *os.Process) error { return p.Kill() }

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
