package main

import (
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// TestMemoryLimit: the limit is the setting's, Go's own variable counts before it, and status tells what is taken.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	for _, c := range []struct {
		environ []string
		args    []string
		want    int64
	}{
		{nil, nil, 256 << 20},
		{[]string{"WORKFS_MEMORY=200Mi"}, nil, 200 << 20},
		{nil, []string{"--memory", "off"}, 0},
		{[]string{"GOMEMLIMIT=300MiB"}, []string{"--memory", "200Mi"}, 300 << 20},
	} {
		m := e.mountEnv(c.environ, c.args...)
		got := m.status().Memory
		if got.Limit != c.want {
			t.Errorf("%v %v: a limit of %d bytes, want %d", c.environ, c.args, got.Limit, c.want)
		}
		if got.Anonymous == 0 || got.Resident <= got.Anonymous || got.Heap == 0 || got.Goroutines == 0 || got.Files == 0 {
			t.Errorf("%v %v: %+v", c.environ, c.args, got)
		}
		if text := e.expect(0, []string{"memory: "}, "status", m.point); strings.Contains(text, " in use of ") != (c.want > 0) {
			t.Errorf("%v %v: status says\n%s", c.environ, c.args, text)
		}
		m.umount()
	}
}
