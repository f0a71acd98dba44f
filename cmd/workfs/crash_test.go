package main

import (
	"flag"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
)

var kills = flag.Int("kills", 5, "how often TestKill kills the process")

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

// TestKill kills the process at random moments of a first sync, time and again, and compares what comes out of it with a
// tree that never crashed.
func TestKill(t *testing.T) {
	t.Parallel()
	needTool(t, "find", "sha256sum")
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts", "directory", "presence")
	args := append([]string{"--formats", "md,json,eml"}, lasting...)
	// Everything is listed, and everything but a directory of 1,500 files and the largest one is read. What Exchange makes of
	// a message differs each time, so the contents of eml are not compared.
	// What was read lately becomes recent by that.
	recent := []string{".", "-path", "./box/recent", "-prune", "-o"}
	walk := append(slices.Clip(recent), "-name", "Many files", "-prune", "-o", "-type", "f", "-size", "-9M", "-exec", "sha256sum", "{}", "+")
	list := append(slices.Clip(recent), "-printf", identities+"\n")
	total := func() int { n, _ := e.requests(); return n }

	random := rand.New(rand.NewPCG(1, 2))
	for i := range *kills {
		m := e.mount(args...)
		e.resetRequests()
		cmd := exec.Command("find", walk...)
		cmd.Dir, cmd.Env = e.point, e.environ()
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // it fails when the process is killed under it
			close(ended)
		}()
		moment := 1 + random.IntN(1600 / *kills)
		running := true
		for running && total() < moment {
			select {
			case <-ended:
				running = false
			case <-time.After(time.Millisecond):
			}
		}
		m.kill9()
		<-ended
		t.Logf("kill %d after %d requests (find still running: %v)", i, total(), running)
	}
	m := e.mount(args...)
	gotList, _, _ := e.tool("find", list...)
	gotSums, gotErrors, _ := e.tool("find", walk...)
	m.umount()

	e.cache, e.state = e.path("cache2"), e.path("state2")
	m = e.mount(args...)
	wantList, _, _ := e.tool("find", list...)
	wantSums, wantErrors, _ := e.tool("find", walk...)
	m.umount()
	same(t, "entries after crashes", sorted(wantList), sorted(gotList))
	contents := func(sums string) []string {
		return slices.DeleteFunc(sorted(sums), func(line string) bool { return strings.HasSuffix(line, ".eml") })
	}
	same(t, "contents after crashes", contents(wantSums), contents(gotSums))
	if n := len(contents(gotSums)); n < 1000 {
		t.Errorf("only %d contents", n)
	}
	if strings.Join(sorted(gotErrors), "\n") != strings.Join(sorted(wantErrors), "\n") {
		t.Errorf("errors differ:\n%s\nwithout crashes:\n%s", gotErrors, wantErrors)
	}
}

// sorted splits the output of a command and puts its lines in order: that of a directory depends on how it was read.
func sorted(s string) []string { return slices.Sorted(slices.Values(lines(s))) }
