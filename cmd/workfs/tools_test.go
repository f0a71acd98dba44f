package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// refusals matches what tools say of refusedNames.
var refusals = regexp.MustCompile(`(/States/|/Contract review \(preview only\)/|/Drop box/|_Corrupt~\w+\.eml|invoice_scan\.exe).*(Permission denied|Input/output error)`)

// checkRefusals fails the test for complaints of a tool but for what the services refuse, and the summary of a tool.
func checkRefusals(t *testing.T, tool, stderr string) {
	t.Helper()
	for line := range strings.Lines(stderr) {
		if !refusals.MatchString(line) && !strings.HasPrefix(line, "tar: Exiting with failure status") && !strings.HasPrefix(line, "rsync error: some files/attrs were not transferred") &&
			!strings.HasPrefix(line, "ERROR: ") {
			t.Errorf("%s: %s", tool, line)
		}
	}
}

// TestTools runs the tools that people use over the tree.
func TestTools(t *testing.T) {
	t.Parallel() // Teams makes it wait
	needTool(t, "find", "ls", "grep", "rg", "tar", "rsync", "diff", "cp")
	e := newEnv(t, sim.Options{})
	m := e.mount(append([]string{"--preset", "compliance"}, lasting...)...)
	trees := backedUp(t, m)
	over := func(args ...string) []string { return append(args, trees...) }

	paths := lines(e.must("find", trees...))
	if len(paths) < 2500 {
		t.Errorf("find sees %d paths", len(paths))
	}
	out, stderr, _ := e.tool("ls", over("-lR")...)
	checkRefusals(t, "ls -lR", stderr)
	if n := strings.Count(out, "\n-r--------"); n < 1800 {
		t.Errorf("ls -lR sees %d files", n)
	}
	if strings.Contains(out, "?????") {
		// A broken item keeps its name in the listing, and what is known of others shows.
		for line := range strings.Lines(out) {
			if strings.Contains(line, "?????") && !strings.Contains(line, "_Corrupt~") {
				t.Errorf("ls -lR: %s", line)
			}
		}
	}
	for _, tool := range []string{"grep -rc e", "rg -uuu -c --sort path e"} {
		parts := strings.Fields(tool)
		out, stderr, _ := e.tool(parts[0], over(parts[1:]...)...)
		checkRefusals(t, tool, stderr)
		if n := len(lines(out)); n < 1500 {
			t.Errorf("%s: %d files", tool, n)
		}
	}
	if _, stderr, code := e.tool("tar", append(append([]string{"-cf", e.path("clean.tar")}, excludes()...), trees...)...); code != 0 || stderr != "" {
		t.Errorf("tar of what is not refused: exit %d\n%s", code, head(stderr, 20))
	}
	_, stderr, _ = e.tool("tar", over("-cf", e.path("all.tar"))...)
	checkRefusals(t, "tar", stderr)

	copies := e.path("copies")
	for _, dir := range []string{"rsync", "cp"} {
		if err := os.MkdirAll(filepath.Join(copies, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	rsync := func(flags string) string {
		args := append(append([]string{flags, "-R"}, excludes()...), trees...)
		return e.must("rsync", append(args, filepath.Join(copies, "rsync"))...)
	}
	rsync("-a")
	if left := rsync("-ani"); left != "" {
		t.Errorf("rsync finds more to do:\n%s", head(left, 20))
	}
	_, stderr, _ = e.tool("cp", append(over("-a", "--parents"), filepath.Join(copies, "cp"))...)
	for line := range strings.Lines(stderr) {
		if !strings.Contains(line, "Permission denied") && !strings.Contains(line, "Input/output error") {
			t.Errorf("cp -a: %s", line)
		}
	}
	args := append([]string{"-r"}, excludes()...)
	if out, stderr, code := e.tool("diff", append(args, filepath.Join(copies, "rsync"), filepath.Join(copies, "cp"))...); code != 0 {
		t.Errorf("two copies differ:\n%s%s", head(out, 20), head(stderr, 20))
	}
	m.umount()
}
