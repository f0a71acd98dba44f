package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/workfs/workfs/backends/sim"
)

// tree is what a backup tool would compare: names, inodes, sizes, times and contents of a part of the mount.
func (e *env) tree(path string) string {
	e.t.Helper()
	return e.must("find", path, "-printf", "%p %i %s %T@ %C@\n") + e.must("grep", "-r", "", path)
}

// TestDamagedCache: whatever happens to the files of the cache, a later mount works and shows the same as before.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	m := e.mount()
	month := filepath.Dir(strings.TrimPrefix(m.newest("*.md"), m.point+"/"))
	const box = "box/files"
	look := func() string {
		return e.tree(month) + e.must("find", box, "-maxdepth", "2", "-printf", "%p %i %s %T@ %C@\n")
	}
	file := strings.TrimSpace(e.must("sh", "-c", "find box/files -type f -size +1k -size -64k | sort | head -n 1"))
	before, content := look(), e.must("cat", file)
	m.umount()

	truncate := func(n int64) func(string) error { return func(p string) error { return os.Truncate(p, n) } }
	flip := func(p string) error {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 1 + len(b)/512 {
			b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
		}
		return os.WriteFile(p, b, 0o600)
	}
	// pages damages the head of each page of a database but the first two, which tell where the others are. bbolt has
	// checksums for those two only: damage within records that leaves the pages in order is not to be told from data.
	pages := func(p string) error {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for at := 2 * os.Getpagesize(); at+16 <= len(b); at += os.Getpagesize() {
			for i := range 16 {
				b[at+i] ^= 0xff
			}
		}
		return os.WriteFile(p, b, 0o600)
	}
	garbage := func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("garbage!"), 4096), 0o600) }
	for _, c := range []struct {
		name, files string
		damage      func(string) error
	}{
		{"meta.db empty", "meta.db", truncate(0)},
		{"meta.db short", "meta.db", truncate(5000)},
		{"meta.db cut", "meta.db", truncate(20480)},
		{"meta.db pages", "meta.db", pages},
		{"meta.db garbage", "meta.db", garbage},
		{"meta.db gone", "meta.db", os.Remove},
		{"bodies.db empty", "bodies.db", truncate(0)},
		{"bodies.db cut", "bodies.db", truncate(12288)},
		{"bodies.db pages", "bodies.db", pages},
		{"bodies.db gone", "bodies.db", os.Remove},
		{"blobs cut", "blobs", truncate(3)},
		{"blobs flipped", "blobs", flip},
		{"blobs gone", "blobs", os.Remove},
		{"everything gone", "", os.RemoveAll},
	} {
		t.Run(c.name, func(t *testing.T) {
			damaged := 0
			if c.files == "" {
				damaged++
				if err := c.damage(e.cache); err != nil {
					t.Fatal(err)
				}
			} else if err := filepath.WalkDir(filepath.Join(e.cache, c.files), func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				damaged++
				return c.damage(path)
			}); err != nil {
				t.Fatal(err)
			}
			if damaged == 0 {
				t.Fatal("there was nothing to damage")
			}
			m := e.mount()
			if after := look(); after != before {
				t.Errorf("the tree changed: %s", firstDifference(before, after))
			}
			if got := e.must("cat", file); got != content {
				t.Error("the content of a Box file changed")
			}
			m.umount()
		})
	}
}

// firstDifference gives the first lines in which two texts differ.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "line " + x[i] + "\nis now " + y[i]
		}
	}
	return "one is longer"
}

// TestFullCacheDisk: on a full disk listings work or say ENOSPC, nothing becomes wrong, and space that is freed is used.
func TestFullCacheDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can mount a tmpfs")
	}
	e := newEnv(t, sim.Options{})
	m := e.mount()
	month := filepath.Dir(strings.TrimPrefix(m.newest("*.md"), m.point+"/"))
	before := e.tree(month)
	file := strings.TrimSpace(e.must("sh", "-c", "find box/files -type f -size +2M | sort | head -n 1"))
	if file == "" {
		t.Fatal("no large file in Box")
	}
	sum := e.must("sha256sum", file)
	m.umount()

	disk := e.path("disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("workfs-test", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("SKIPPED: no tmpfs here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	e.cache = filepath.Join(disk, "cache")
	m = e.mount("--cache-min-free", "0", "--op-timeout", "20s")
	e.must("ls", month)
	ballast := filepath.Join(disk, "ballast")
	fill := exec.Command("sh", "-c", "cat /dev/zero > "+ballast)
	if err := fill.Run(); err == nil {
		t.Fatal("the disk does not fill up")
	}
	for _, path := range []string{"contoso/teams/channels", alice + "/contacts", alice + "/mail"} {
		if _, stderr, code := e.tool("ls", "-R", path); code != 0 && !strings.Contains(stderr, errnoText(syscall.ENOSPC)) {
			t.Errorf("ls -R %s on a full disk: exit %d: %s", path, code, head(stderr, 5))
		}
	}
	e.fails(syscall.ENOSPC, "sha256sum", file)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	e.poll("the file after space was freed", func() bool {
		got, _, code := e.tool("sha256sum", file)
		return code == 0 && got == sum
	})
	if after := e.tree(month); after != before {
		t.Errorf("after the disk was full: %s", firstDifference(before, after))
	}
	m.umount()
	m = e.mount("--cache-min-free", "0")
	if after := e.tree(month); after != before {
		t.Errorf("after a remount: %s", firstDifference(before, after))
	}
	m.umount()
}

// TestBadMountpoints: a directory that can't be mounted on is refused with the reason, and left as it is.
func TestBadMountpoints(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sim.Options{})
	file, full := e.path("file"), e.path("full")
	e.write(file, "text")
	if err := os.Mkdir(full, 0o700); err != nil {
		t.Fatal(err)
	}
	e.write(filepath.Join(full, "mine"), "text")
	for _, dir := range []string{e.cache, filepath.Join(e.cache, "inside"), e.state} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		text string
		args []string
	}{
		{"does not exist: mkdir -p", []string{e.path("nowhere")}},
		{"is not a directory", []string{file}},
		{"is not empty", []string{full}},
		{"workfs itself uses", []string{filepath.Join(e.cache, "inside")}},
		{"workfs itself uses", []string{e.state}},
		{"workfs itself uses", []string{e.dir, "--allow-non-empty"}},
		{"workfs itself uses", []string{e.etc, "--allow-non-empty"}},
		{"workfs itself uses", []string{"--cache-dir", "cache", "cache/inside"}},
	} {
		cmd := e.command(append([]string{"mount"}, c.args...)...)
		cmd.Dir = e.dir
		if _, stderr, code := run(t, cmd); code != 2 || !strings.Contains(stderr, c.text) {
			t.Errorf("mount %v: exit %d, says %q, want %q", c.args, code, stderr, c.text)
		}
	}
	e.point = full
	m := e.mount("--allow-non-empty")
	if got := e.must("ls"); got != "box\ncontoso\n" {
		t.Errorf("ls gives %q", got)
	}
	m.umount()
	if got := read(t, filepath.Join(full, "mine")); got != "text" {
		t.Errorf("the hidden file holds %q", got)
	}
}

// TestNoFUSE: without /dev/fuse the error says what to do.
func TestNoFUSE(t *testing.T) {
	t.Parallel()
	needTool(t, "unshare", "mount")
	e := newEnv(t, sim.Options{})
	cmd := e.command()
	inside := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /dev && exec "$0" mount "$1"`, cmd.Path, e.point)
	inside.Env = cmd.Env
	if _, stderr, code := run(t, inside); strings.Contains(stderr, "unshare:") || strings.Contains(stderr, "mount:") {
		t.Skipf("SKIPPED: no mount namespaces here: %s", stderr)
	} else if code != 1 || !strings.Contains(stderr, "/dev/fuse is missing") || !strings.Contains(stderr, "modprobe fuse") {
		t.Errorf("exit %d, says %q", code, stderr)
	}
}
