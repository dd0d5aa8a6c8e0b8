package azurite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain also is the process that TestDiesWithItsParent kills: it starts
// Azurite, prints its pid and waits.
func TestMain(m *testing.M) {
	if os.Getenv("AZURITE_TEST_PARENT") == "" {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("pid %d\n", s.cmd.Process.Pid)
	<-s.Done()
}

func TestDiesWithItsParent(t *testing.T) {
	start(t, Options{}) // installed from here on
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), "AZURITE_TEST_PARENT=1")
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	parent.Stderr = os.Stderr
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(stdout); pid == 0 && lines.Scan(); {
		if _, rest, found := strings.Cut(lines.Text(), "pid "); found {
			fmt.Sscan(rest, &pid)
		}
	}
	parent.Process.Kill()
	parent.Wait()
	if pid == 0 {
		t.Fatal("the parent printed no pid")
	}
	for deadline := time.Now().Add(30 * time.Second); alive(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("Azurite outlived its killed parent by 30 s")
		}
	}
}

// alive tells whether the process runs; an unreaped zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}
