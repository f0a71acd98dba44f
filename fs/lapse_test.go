package fs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/workfs/workfs/backends"
)

// TestEntriesThatAreNotForeverAnyMore: where nothing tells of changes any more, the kernel asks again for the names of that
// directory's files, and for no others. Its directories stay what they are for who stands in them.
func TestEntriesThatAreNotForeverAnyMore(t *testing.T) {
	tree := newMemTree()
	d, other := tree.mkdir(backends.RootID, "d"), tree.mkdir(backends.RootID, "other")
	a := tree.write(d, "a", "1")
	b := tree.write(d, "b", "2")
	tree.write(tree.mkdir(d, "sub"), "inside", "3")
	tree.write(other, "c", "4")
	mnt, server := mount(t, tree, nil)
	stat := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := os.Stat(filepath.Join(mnt, name)); err != nil {
				t.Error(err)
			}
		}
	}
	all := []string{"d/a", "d/b", "d/sub/inside", "other/c"}
	stat(all...)
	stat(all...)
	in, err := os.Open(filepath.Join(mnt, "d/sub"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	lookups := func() uint64 { return server.Requests()["LOOKUP"] }
	before := lookups()
	stat(all...)
	if now := lookups(); now != before {
		t.Fatalf("%d lookups of what the kernel has", now-before)
	}
	tree.emit(backends.Event{Kind: backends.EventExpired, Dir: d, IsDir: true})
	tree.emit(backends.Event{Kind: backends.EventReplaced, Dir: d, Name: "a", Node: a})
	tree.emit(backends.Event{Kind: backends.EventReplaced, Dir: d, Name: "b", Node: b})
	eventually(t, "both are asked for again", func() bool {
		stat(all...)
		return lookups() == before+2
	})
	stat(all...)
	if now := lookups(); now != before+2 {
		t.Errorf("%d more lookups", now-before-2)
	}
	if _, err := in.ReadDir(-1); err != nil {
		t.Errorf("the directory that somebody has open: %v", err)
	}
}
