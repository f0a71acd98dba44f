package fs_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/workfs/workfs/backends"
)

// TestManyChangedAtOnce: of many files that change or go in one commit none is seen as it was, whether somebody has it open
// or not, and who has one open or stands in the directory goes on.
func TestManyChangedAtOnce(t *testing.T) {
	const files = 100
	tree := newMemTree()
	d := tree.mkdir(backends.RootID, "d")
	name := func(i int) string { return fmt.Sprint("file-", i) }
	for i := range files {
		tree.write(d, name(i), "old")
	}
	mnt, _ := mount(t, tree, nil)
	dir := filepath.Join(mnt, "d")
	t.Chdir(dir)
	for i := range files {
		if _, err := os.Stat(name(i)); err != nil {
			t.Fatal(err)
		}
	}
	var open []*os.File
	for _, i := range []int{0, 50, 98, 99} {
		f, err := os.Open(name(i))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		open = append(open, f)
	}
	var events []backends.Event
	for i := range files {
		was := tree.unlink(d, name(i), false)
		if i%10 == 9 {
			events = append(events, backends.Event{Kind: backends.EventRemoved, Dir: d, Name: name(i), Node: was})
			continue
		}
		n := tree.write(d, name(i), "longer")
		events = append(events, backends.Event{Kind: backends.EventReplaced, Dir: d, Name: name(i), Node: n, Was: was})
	}
	tree.emit(events...)
	for i := range files {
		eventually(t, name(i)+" is as it is now", func() bool {
			info, err := os.Stat(name(i))
			if i%10 == 9 {
				return os.IsNotExist(err)
			}
			return err == nil && info.Size() == 6
		})
	}
	for _, f := range open {
		if b, err := io.ReadAll(f); err != nil || string(b) != "old" {
			t.Errorf("%s, open since before: %q, %v", f.Name(), b, err)
		}
	}
	if wd, err := os.Getwd(); err != nil || wd != dir {
		t.Errorf("standing in %q, %v", wd, err)
	}
}
