package azurite

import (
	"os/exec"
	"syscall"
)

// tieToParent lets the child die with this process, even when that is killed,
// and spares it the Ctrl-C of the terminal, after which this process may still
// need it. With flush it gets the signal on which it writes its files first.
func tieToParent(cmd *exec.Cmd, flush bool) {
	signal := syscall.SIGKILL
	if flush {
		signal = syscall.SIGTERM
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: signal}
}
