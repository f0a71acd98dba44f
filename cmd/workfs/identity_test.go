package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// snapshot lists the tree with what backup tools compare: inode, size, mtime, ctime. Of Teams, which answers one request per
// second, it takes a channel and a chat. With paths the name of the connection is left out.
func snapshot(t *testing.T, m *mnt, what string) []string {
	t.Helper()
	connections := lines(m.e.must("ls"))
	if len(connections) != 2 {
		t.Fatalf("ls: %q", connections)
	}
	var all []string
	for _, c := range connections {
		at := m.path(c)
		all = append(all, lines(m.e.must("find", at, "-path", filepath.Join(at, "teams"), "-prune", "-o", "-printf", what+"\\n"))...)
		for _, part := range []string{"teams/channels/Engineering/General", "teams/chats"} {
			dir := filepath.Join(at, part)
			if _, err := os.Stat(dir); err != nil {
				continue
			}
			if filepath.Base(part) == "chats" {
				entries, err := os.ReadDir(dir)
				if err != nil || len(entries) == 0 {
					t.Fatalf("%d chats, %v", len(entries), err)
				}
				dir = filepath.Join(dir, entries[0].Name())
			}
			all = append(all, lines(m.e.must("find", dir, "-printf", what+"\\n"))...)
		}
	}
	if len(all) < 1000 {
		t.Fatalf("only %d entries", len(all))
	}
	return all
}

// Attributes and the path below the connection, as find prints them.
const (
	attributes = "%y %i %s %T@ %C@ %P"
	identities = "%y %i %s %P" // without times that are first seen
)

// broken matches what the services refuse to give, by design of the simulated company.
var broken = regexp.MustCompile(`_Corrupt~`)

// same compares two snapshots.
func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d entries, there were %d", what, len(got), len(want))
	}
	had := make(map[string]bool, len(want))
	for _, line := range want {
		had[line] = true
	}
	bad := 0
	for i, line := range got {
		if !had[line] {
			if bad++; bad <= 10 {
				was := ""
				if i < len(want) {
					was = want[i]
				}
				t.Errorf("%s: new or changed:\n  is  %s\n  was %s", what, line, was)
			}
		}
	}
	if bad > 10 {
		t.Errorf("%s: %d entries are new or changed", what, bad)
	}
	for i := range want {
		if bad == 0 && i < len(got) && want[i] != got[i] {
			t.Errorf("%s: the order of entries differs:\n  is  %s\n  was %s", what, got[i], want[i])
			break
		}
	}
}

// TestIdentity looks at the tree as backup tools do: nothing may seem changed that is not.
func TestIdentity(t *testing.T) {
	t.Parallel() // Teams makes it wait
	needTool(t, "find")
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts", "directory", "presence", "teams", "chats", "files")
	args := append([]string{"--formats", "md,json"}, lasting...)
	m := e.mount(args...)
	first := snapshot(t, m, attributes)
	same(t, "a second look", first, snapshot(t, m, attributes))

	m = m.remount(false, args...)
	same(t, "after a remount", first, snapshot(t, m, attributes))

	m = m.remount(true, args...)
	same(t, "after a cache wipe", first, snapshot(t, m, attributes))

	m.umount()
	original := e.config
	b, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	e.config = filepath.Join(e.etc, "renamed.toml")
	renamed := strings.NewReplacer("[connections.contoso]", "[connections.work]", "[connections.box]", "[connections.archive]").Replace(string(b))
	write(t, e.config, []byte(renamed))
	m = e.mount(args...)
	got := snapshot(t, m, attributes)
	m.umount()
	// Only the connections' own directories are new: the names sort as before.
	same(t, "with renamed connections", first, got)

	e.config = original
	e.point = e.path("elsewhere")
	if err := os.Mkdir(e.point, 0o700); err != nil {
		t.Fatal(err)
	}
	m = e.mount(args...)
	same(t, "at another mountpoint", first, snapshot(t, m, attributes))
	want := snapshot(t, m, identities)
	m.umount()

	e.cache, e.state = e.path("cache2"), e.path("state2")
	m = e.mount(args...)
	same(t, "on another machine", want, snapshot(t, m, identities))
	m.umount()
}

// TestContentIdentity does the same with contents whose size only a fetch tells.
func TestContentIdentity(t *testing.T) {
	t.Parallel()
	needTool(t, "find")
	e := newEnv(t, sim.Options{})
	e.features("mail", "calendar", "contacts")
	args := append([]string{"-c", "contoso", "--formats", "eml"}, lasting...)
	m := e.mount(args...)
	find := func() []string {
		out, _, _ := e.tool("find", "contoso", "-printf", attributes+"\\n") // exit 1 for what the service refuses
		var whole []string
		for _, line := range lines(out) {
			if !broken.MatchString(line) {
				whole = append(whole, line)
			}
		}
		return whole
	}
	first := find()
	if len(first) < 1000 {
		t.Fatalf("only %d entries", len(first))
	}
	same(t, "a second look", first, find())
	m = m.remount(false, args...)
	same(t, "after a remount", first, find())
	m = m.remount(true, args...)
	same(t, "after a cache wipe", first, find())
	m.umount()
}
