//go:build !linux

package azurite

import "os/exec"

// tieToParent does nothing: only Linux can end a child with its parent.
func tieToParent(*exec.Cmd, bool) {}
