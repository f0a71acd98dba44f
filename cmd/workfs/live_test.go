package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// liveFlags are those of a mount that the simulator can reach: plain http on loopback, as behind a tunnel.
func liveFlags(t testing.TB) []string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return []string{"--webhook-listen", address, "--webhook-address", "http://" + address}
}

// shown is what a tree shows of one path, without what may differ between two caches: the times of directories are those
// at which they were first seen.
type shown struct {
	ino   uint64
	size  int64
	mtime time.Time
	ctime time.Time
	sum   [32]byte
}

// dump reads a whole tree but for paths that skip chooses.
func dump(t testing.TB, root string, skip func(path string) bool) map[string]shown {
	t.Helper()
	all := map[string]shown{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if skip != nil && skip(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		s := shown{ino: st.Ino}
		if !d.IsDir() {
			s.size, s.mtime, s.ctime = info.Size(), info.ModTime(), time.Unix(st.Ctim.Unix())
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if int64(len(b)) != s.size {
				return fmt.Errorf("%s: %d bytes, stat says %d", rel, len(b), s.size)
			}
			s.sum = sha256.Sum256(b)
		}
		all[rel] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// difference tells in which paths two trees differ, and how, "" when they don't.
func difference(got, want map[string]shown) string {
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(want)) {
		w := want[path]
		g, ok := got[path]
		switch {
		case !ok:
			lines = append(lines, "missing: "+path)
		case g.ino != w.ino:
			lines = append(lines, fmt.Sprintf("inode %d, want %d: %s", g.ino, w.ino, path))
		case g.sum != w.sum || g.size != w.size:
			lines = append(lines, fmt.Sprintf("content of %d bytes, want %d: %s", g.size, w.size, path))
		case !g.mtime.Equal(w.mtime) || !g.ctime.Equal(w.ctime):
			lines = append(lines, fmt.Sprintf("times %v %v, want %v %v: %s", g.mtime, g.ctime, w.mtime, w.ctime, path))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[path]; !ok {
			lines = append(lines, "surplus: "+path)
		}
	}
	return strings.Join(lines, "\n")
}
