package main

import (
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// TestDeadMount kills the process; the next mount cleans up, although the kernel still answers for the dead one.
func TestDeadMount(t *testing.T) {
	e := newEnv(t, sim.Options{})
	m := e.mount()
	if got := strings.Fields(e.must("ls")); len(got) != 2 || got[0] != "box" || got[1] != "contoso" {
		t.Errorf("ls: %q", got)
	}
	m.kill9()
	m = e.mount()
	if got := strings.Fields(e.must("ls")); len(got) != 2 {
		t.Errorf("ls after a crash: %q", got)
	}
	m.umount()
}
