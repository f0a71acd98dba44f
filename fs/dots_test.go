package fs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
)

// TestEmptyDirectoryFills: the kernel, which keeps listings, sees what comes into a directory that it has found empty, and
// what comes after all names have left.
func TestEmptyDirectoryFills(t *testing.T) {
	tree := newMemTree()
	d := tree.mkdir(backends.RootID, "d")
	mnt, _ := mount(t, tree, nil)
	names := func() string {
		t.Helper()
		list, err := os.ReadDir(filepath.Join(mnt, "d"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range list {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}
	for _, name := range []string{"first", "second"} {
		for range 2 {
			if got := names(); got != "" {
				t.Fatalf("the empty directory lists %q", got)
			}
		}
		node := tree.write(d, name, "1")
		tree.emit(backends.Event{Kind: backends.EventAdded, Dir: d, Name: name, Node: node})
		eventually(t, "the new name is listed", func() bool { return names() == name })
		tree.unlink(d, name, true)
		tree.emit(backends.Event{Kind: backends.EventRemoved, Dir: d, Name: name, Node: node})
		eventually(t, "the name is gone", func() bool { return names() == "" })
	}
	out, err := exec.Command("ls", "-a", filepath.Join(mnt, "d")).Output()
	if err != nil || string(out) != ".\n..\n" {
		t.Errorf("ls -a: %q %v", out, err)
	}
}
