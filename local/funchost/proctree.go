package funchost

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// proc is a process as /proc shows it. Its start time tells it from a later one with the same id.
type proc struct {
	pid, parent int
	start       string
}

// readProc reads one process; false if it has ended.
func readProc(pid int) (proc, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return proc{}, false
	}
	// pid (name) state parent ... start; the name may hold anything, brackets and spaces included
	const state, parent, start = 0, 1, 19
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) <= start || fields[state] == "Z" {
		return proc{}, false
	}
	p := proc{pid: pid, start: fields[start]}
	p.parent, _ = strconv.Atoi(fields[parent])
	return p, true
}

// descendants are the processes below one, nearest first.
func descendants(root int) []proc {
	children := map[int][]proc{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder))
		if p, ok := readProc(pid); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	all := children[root]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all
}

// killAll ends those of the processes that still run.
func killAll(all []proc) {
	for _, p := range all {
		if now, ok := readProc(p.pid); ok && now.start == p.start {
			_ = killPID(p.pid)
		}
	}
}

func killPID(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}
