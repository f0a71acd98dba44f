package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// TestBoxRecent: recent/ has the very bytes of files that the tree has, too, and what was read here is not downloaded again
// there.
func TestBoxRecent(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	entries, err := os.ReadDir(m.path("box/recent"))
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d recent files, %v", len(entries), err)
	}
	recent, inodes := map[string][]byte{}, map[uint64]bool{}
	for _, d := range entries {
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			t.Fatalf("%s: %v, %v", d.Name(), info, err)
		}
		data, err := os.ReadFile(m.path("box/recent", d.Name()))
		if err != nil || int64(len(data)) != info.Size() {
			t.Errorf("%s: %d of %d bytes, %v", d.Name(), len(data), info.Size(), err)
		}
		recent[d.Name()] = data
		inodes[info.Sys().(*syscall.Stat_t).Ino] = true
	}
	e.resetRequests()
	found := 0
	err = filepath.WalkDir(m.path("box/files"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if inodes[info.Sys().(*syscall.Stat_t).Ino] {
			t.Errorf("%s has the inode of a recent file", path)
		}
		want, ok := recent[d.Name()]
		if !ok || info.Size() != int64(len(want)) {
			return nil
		}
		found++
		got, err := os.ReadFile(path)
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the recent file, %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < len(recent) {
		t.Errorf("%d of %d recent files are in the tree", found, len(recent))
	}
	_, by := e.requests()
	for route, n := range by {
		if strings.HasSuffix(route, "/content") {
			t.Errorf("%s: %d times, for contents that are here", route, n)
		}
	}
}
