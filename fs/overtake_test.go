package fs_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

// TestNoticesAfterAnswers: an answer that was made before a change and comes after it does not stand, however late it comes.
func TestNoticesAfterAnswers(t *testing.T) {
	listed := func(dir, name string) bool {
		list, err := os.ReadDir(dir)
		return err == nil && slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == name })
	}
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return -1
		}
		return info.Size()
	}
	for _, c := range []struct {
		name   string
		look   func(dir string)                       // what is answered late
		change func(tree *memTree, d backends.NodeID) // meanwhile
		seen   func(dir string) bool                  // afterwards
	}{
		{
			"name that comes", func(dir string) { size(filepath.Join(dir, "new")) },
			func(tree *memTree, d backends.NodeID) {
				n := tree.write(d, "new", "text")
				tree.emit(backends.Event{Kind: backends.EventAdded, Dir: d, Name: "new", Node: n})
			},
			func(dir string) bool { return size(filepath.Join(dir, "new")) == 4 },
		},
		{
			"new version", func(dir string) { size(filepath.Join(dir, "file")) },
			func(tree *memTree, d backends.NodeID) {
				tree.unlink(d, "file", false)
				n := tree.write(d, "file", "longer")
				tree.emit(backends.Event{Kind: backends.EventReplaced, Dir: d, Name: "file", Node: n})
			},
			func(dir string) bool { return size(filepath.Join(dir, "file")) == 6 },
		},
		{
			"attributes", func(dir string) { size(filepath.Join(dir, "file")) },
			func(tree *memTree, d backends.NodeID) {
				n := tree.child(d, "file")
				tree.set(n, func(n *memNode) { n.attr.Mtime = when.Add(time.Hour) })
				tree.emit(backends.Event{Kind: backends.EventAttr, Dir: d, Node: n})
			},
			func(dir string) bool {
				info, err := os.Stat(filepath.Join(dir, "file"))
				return err == nil && info.ModTime().Equal(when.Add(time.Hour))
			},
		},
		{
			"listing", func(dir string) { listed(dir, "") },
			func(tree *memTree, d backends.NodeID) {
				n := tree.write(d, "new", "text")
				tree.emit(backends.Event{Kind: backends.EventAdded, Dir: d, Name: "new", Node: n})
			},
			func(dir string) bool { return listed(dir, "new") },
		},
		{
			"listing that has run out", func(dir string) { listed(dir, "") },
			func(tree *memTree, d backends.NodeID) {
				tree.write(d, "new", "text")
				tree.emit(backends.Event{Kind: backends.EventExpired, Dir: d, IsDir: true})
			},
			func(dir string) bool { return listed(dir, "new") },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tree := newMemTree()
			d := tree.mkdir(backends.RootID, "d")
			tree.write(d, "file", "old")
			mnt, _ := mount(t, tree, nil)
			dir := filepath.Join(mnt, "d")
			if _, err := os.Stat(dir); err != nil {
				t.Fatal(err)
			}
			known, late := make(chan struct{}, 16), make(chan struct{})
			tree.mu.Lock()
			tree.answered = func(dir backends.NodeID) {
				if dir == d {
					known <- struct{}{}
					<-late
				}
			}
			tree.mu.Unlock()
			looked := make(chan struct{})
			go func() {
				defer close(looked)
				c.look(dir)
			}()
			<-known
			c.change(tree, d)
			time.Sleep(1200 * time.Millisecond) // so long that notices are not put off any more
			close(late)
			<-looked
			eventually(t, "the change is seen", func() bool { return c.seen(dir) })
		})
	}
}
