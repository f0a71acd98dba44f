package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// TestProfile: what a mount records of itself is what Go's tools read, with this program's functions in it.
func TestProfile(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	e.must("ls", "-R", alice+"/mail/Inbox")
	for _, kind := range profileKinds {
		out := e.path(kind)
		e.expect(0, []string{out}, "profile", m.point, "--kind", kind, "--during", "100ms", "-o", out)
		switch kind {
		case "trace": // `go tool trace` has nothing but a browser to show it in
			if !strings.HasPrefix(read(t, out), "go 1.") {
				t.Error("the trace is none")
			}
			continue
		case "cpu": // nothing may have run in that time
			_, stderr, code := run(t, exec.Command("go", "tool", "pprof", "-raw", out))
			if code != 0 {
				t.Errorf("cpu: %s", stderr)
			}
			continue
		}
		// Memory is sampled: which of the program's functions are in it is chance, that some are is not.
		stdout, stderr, code := run(t, exec.Command("go", "tool", "pprof", "-raw", out))
		if code != 0 || !strings.Contains(stdout, "github.com/workfs/workfs/") {
			t.Errorf("%s: exit %d\n%s%s", kind, code, head(stderr, 5), head(stdout, 20))
		}
	}
	e.expect(2, []string{"choose from cpu"}, "profile", m.point, "--kind", "colour")
	e.expect(3, []string{"in no workfs mount"}, "profile", e.dir)
}
