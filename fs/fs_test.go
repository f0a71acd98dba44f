package fs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/fs"
)

// mount mounts tree for one test.
func mount(t testing.TB, tree backends.Tree, change func(*fs.Options)) (string, *fs.Server) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("no /dev/fuse: the filesystem is not tested here")
	}
	dir := t.TempDir()
	o := fs.Options{Tree: tree, FSName: "workfs#test", Umask: fs.DefaultUmask, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	if change != nil {
		change(&o)
	}
	s, err := fs.Mount(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Unmount(); err != nil {
			t.Error(err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	return dir, s
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return string(out)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// total leaves STATFS out: the kernel never caches it, and find asks once for each filesystem that it meets.
func total(m map[string]uint64) (n uint64) {
	for kind, v := range m {
		if kind != "STATFS" {
			n += v
		}
	}
	return n
}

func TestToolsReadTheTree(t *testing.T) {
	tree := newMemTree()
	want := map[string]string{}
	for d := range 3 {
		dir := tree.mkdir(backends.RootID, fmt.Sprintf("dir %d", d))
		for i := range 700 {
			name, content := fmt.Sprintf("%03d-ñ.md", i), strings.Repeat(fmt.Sprintf("line %d of %d\n", i, d), i%50)
			tree.write(dir, name, content)
			want[filepath.Join(fmt.Sprintf("dir %d", d), name)] = content
		}
	}
	mnt, server := mount(t, tree, nil)

	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(mnt, name))
		if err != nil || string(got) != content {
			t.Fatalf("%s: %d bytes, %v; want %d bytes", name, len(got), err, len(content))
		}
	}
	if got := strings.Count(run(t, "find", mnt, "-type", "f"), "\n"); got != len(want) {
		t.Errorf("find sees %d files, want %d", got, len(want))
	}
	sum := run(t, "sh", "-c", "cd "+mnt+" && tar cf - . | tar tvf - | grep -c -- '^-r--------'")
	if strings.TrimSpace(sum) != fmt.Sprint(len(want)) {
		t.Errorf("tar sees %s files with mode 0400, want %d", sum, len(want))
	}
	run(t, "ls", "-lR", mnt)
	run(t, "grep", "-r", "-c", "line", mnt)
	// Some kernels reclaim pages and dentries without need, so a pass may find that some are gone; not every pass.
	const passes = 10
	for pass := 1; ; pass++ {
		before := total(server.Requests())
		run(t, "ls", "-lR", mnt)
		run(t, "find", mnt, "-newermt", "2020-01-01")
		run(t, "grep", "-r", "-c", "line", mnt)
		run(t, "du", "-s", mnt)
		n := total(server.Requests()) - before
		if n == 0 {
			break
		}
		if pass == passes {
			t.Fatalf("a warm tree still cost %d requests in pass %d: %v", n, pass, server.Requests())
		}
	}
}

func TestStat(t *testing.T) {
	tree := newMemTree()
	tree.write(tree.mkdir(backends.RootID, "d"), "f", "hello")
	mnt, _ := mount(t, tree, nil)
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, filepath.Join(mnt, "d/f"), 0, unix.STATX_ALL, &st); err != nil {
		t.Fatal(err)
	}
	if st.Size != 5 || st.Mode != syscall.S_IFREG|0o400 || st.Ino != 1003 || st.Nlink != 1 {
		t.Errorf("size %d mode %o ino %d nlink %d", st.Size, st.Mode, st.Ino, st.Nlink)
	}
	for what, got := range map[string]unix.StatxTimestamp{"mtime": st.Mtime, "ctime": st.Ctime} {
		if got.Sec != when.Unix() || int(got.Nsec) != when.Nanosecond() {
			t.Errorf("%s is %v, want %v", what, got, when)
		}
	}
	if st.Btime.Sec != when.Add(-time.Hour).Unix() {
		t.Errorf("btime is %v", st.Btime)
	}
	var vfs unix.Statfs_t
	if err := unix.Statfs(mnt, &vfs); err != nil {
		t.Fatal(err)
	}
	if vfs.Blocks != 4 || vfs.Files != 67 || vfs.Bfree != 0 || vfs.Ffree != 0 || vfs.Namelen != 255 {
		t.Errorf("statfs: %+v", vfs)
	}
	if out := run(t, "findmnt", "-n", "-o", "FSTYPE,SOURCE", mnt); !strings.Contains(out, "fuse.workfs") || !strings.Contains(out, "workfs#test") {
		t.Errorf("findmnt says %q", out)
	}
}

func TestWritesGetEROFS(t *testing.T) {
	tree := newMemTree()
	tree.write(backends.RootID, "f", "hello")
	mnt, _ := mount(t, tree, nil)
	f := filepath.Join(mnt, "f")
	errs := map[string]error{
		"create": os.WriteFile(filepath.Join(mnt, "new"), nil, 0o600),
		"remove": os.Remove(f),
		"mkdir":  os.Mkdir(filepath.Join(mnt, "d"), 0o700),
		"rename": os.Rename(f, f+"2"),
		"chmod":  os.Chmod(f, 0o777),
		"utimes": os.Chtimes(f, when, when),
		"link":   os.Link(f, f+"2"),
		"append": func() error { _, err := os.OpenFile(f, os.O_APPEND|os.O_WRONLY, 0); return err }(),
	}
	for what, err := range errs {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", what, err)
		}
	}
}

func TestUnknownSizeIsLearntByStat(t *testing.T) {
	tree := newMemTree()
	d := tree.mkdir(backends.RootID, "d")
	for i := range 5 {
		id := tree.write(d, fmt.Sprint(i), strings.Repeat("x", 5000+i))
		tree.set(id, func(n *memNode) { n.lazy = true })
	}
	mnt, server := mount(t, tree, nil)
	if got := strings.Count(run(t, "find", mnt, "-type", "f", "-name", "[0-9]"), "\n"); got != 5 {
		t.Errorf("find sees %d", got)
	}
	if n := server.Requests()["GETATTR"]; n > 3 {
		t.Errorf("listing names cost %d GETATTRs", n)
	}
	// Reading without a stat before it must give all bytes, too.
	if got := run(t, "cat", filepath.Join(mnt, "d", "3")); len(got) != 5003 {
		t.Errorf("cat gives %d bytes, want 5003", len(got))
	}
	for i := range 5 {
		if st, err := os.Stat(filepath.Join(mnt, "d", fmt.Sprint(i))); err != nil || st.Size() != int64(5000+i) {
			t.Errorf("stat of %d: %v, %v", i, st, err)
		}
	}
}

func TestErrno(t *testing.T) {
	table := []struct {
		err  error
		want syscall.Errno
	}{
		{backends.ErrNotFound, syscall.ENOENT},
		{backends.ErrStale, syscall.ESTALE},
		{backends.ErrForbidden, syscall.EACCES},
		{backends.ErrThrottled, syscall.ETIMEDOUT},
		{context.DeadlineExceeded, syscall.ETIMEDOUT},
		{backends.ErrUnavailable, syscall.EIO},
		{backends.ErrBroken, syscall.EIO},
		{backends.ErrNoSpace, syscall.ENOSPC},
		{errors.New("anything else"), syscall.EIO},
	}
	tree := newMemTree()
	mnt, _ := mount(t, tree, nil)
	for i, c := range table {
		if got := fs.Errno(fmt.Errorf("wrapped: %w", c.err)); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
		name := fmt.Sprint(i)
		id := tree.write(backends.RootID, name, "x")
		tree.set(id, func(n *memNode) { n.err = c.err })
		if _, err := os.ReadFile(filepath.Join(mnt, name)); !errors.Is(err, c.want) {
			t.Errorf("reading with %v: %v, want %v", c.err, err, c.want)
		}
		dir := tree.mkdir(backends.RootID, "d"+name)
		tree.set(dir, func(n *memNode) { n.err = c.err })
		if _, err := os.ReadDir(filepath.Join(mnt, "d"+name)); !errors.Is(err, c.want) {
			t.Errorf("listing with %v: %v, want %v", c.err, err, c.want)
		}
	}
}

func TestInterruptAndDeadline(t *testing.T) {
	tree := newMemTree()
	started := make(chan struct{}, 8)
	tree.block = func(ctx context.Context) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	id := tree.write(backends.RootID, "f", "x")
	tree.set(id, func(n *memNode) { n.lazy, n.slow = true, true })
	mnt, _ := mount(t, tree, func(o *fs.Options) { o.OpTimeout = time.Hour })
	cmd := exec.Command("stat", filepath.Join(mnt, "f"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("an interrupted stat succeeded")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a waiting stat can't be interrupted")
	}

	mnt, _ = mount(t, tree, func(o *fs.Options) { o.OpTimeout = 50 * time.Millisecond })
	if _, err := os.Stat(filepath.Join(mnt, "f")); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("past the deadline: %v, want ETIMEDOUT", err)
	}
}

func TestOtherUsersReadNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	tree := newMemTree()
	tree.write(tree.mkdir(backends.RootID, "d"), "f", "secret")
	mnt, _ := mount(t, tree, func(o *fs.Options) { o.AllowOther = true })
	// The way to the mountpoint must be open, or the test would pass for the wrong reason.
	for dir := mnt; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if dir != mnt {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, "cat", filepath.Join(mnt, "d/f")) // in the kernel's cache, now
	for _, path := range []string{"", "d", "d/f"} {
		cmd := exec.Command("cat", filepath.Join(mnt, path))
		if path != "d/f" {
			cmd = exec.Command("ls", filepath.Join(mnt, path))
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Permission denied") {
			t.Errorf("nobody reads %q: %s %v", path, out, err)
		}
	}
}

func TestEventsReachTheKernel(t *testing.T) {
	tree := newMemTree()
	d := tree.mkdir(backends.RootID, "d")
	tree.write(d, "stays", "1")
	tree.write(d, "goes", "1")
	tree.write(d, "changes", "old")
	sub := tree.mkdir(d, "folder")
	tree.write(sub, "inside", "x")
	mnt, server := mount(t, tree, nil)
	dir := filepath.Join(mnt, "d")
	names := func() string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, e := range entries {
			s = append(s, e.Name())
		}
		return strings.Join(s, " ")
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	if names() != "changes folder goes stays" || read("changes") != "old" {
		t.Fatal(names())
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "folder/inside")); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(filepath.Join(dir, "changes"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	n := tree.write(d, "new", "fresh")
	tree.emit(backends.Event{Kind: backends.EventAdded, Dir: d, Name: "new", Node: n})
	eventually(t, "a new file over a negative entry", func() bool { return read("new") == "fresh" })
	eventually(t, "a new file in the listing", func() bool { return names() == "changes folder goes new stays" })

	old := tree.unlink(d, "goes", true)
	tree.emit(backends.Event{Kind: backends.EventRemoved, Dir: d, Name: "goes", Node: old})
	eventually(t, "a removed file", func() bool { return strings.Contains(read("goes"), "no such file") })
	eventually(t, "a removed file's name", func() bool { return names() == "changes folder new stays" })

	tree.unlink(d, "changes", false)
	n = tree.write(d, "changes", "a longer text")
	tree.emit(backends.Event{Kind: backends.EventReplaced, Dir: d, Name: "changes", Node: n})
	eventually(t, "a new version", func() bool { return read("changes") == "a longer text" })
	buf := make([]byte, 100)
	if k, _ := held.ReadAt(buf, 0); string(buf[:k]) != "old" {
		t.Errorf("who held the old version reads %q", buf[:k])
	}

	tree.unlink(d, "folder", false)
	tree.mu.Lock()
	tree.link(d, "renamed", sub)
	tree.mu.Unlock()
	tree.emit(backends.Event{Kind: backends.EventRemoved, Dir: d, Name: "folder", Node: sub, IsDir: true})
	tree.emit(backends.Event{Kind: backends.EventAdded, Dir: d, Name: "renamed", Node: sub, IsDir: true})
	eventually(t, "a renamed folder", func() bool { return read("renamed/inside") == "x" })
	eventually(t, "its name", func() bool { return !strings.Contains(names(), "folder") })

	tree.set(d, func(n *memNode) { n.attr.Mtime = when.Add(time.Hour) })
	tree.emit(backends.Event{Kind: backends.EventAttr, Node: d})
	eventually(t, "the directory's new mtime", func() bool {
		st, err := os.Stat(dir)
		return err == nil && st.ModTime().Equal(when.Add(time.Hour))
	})

	names()
	before := server.Requests()
	tree.emit(backends.Event{Kind: backends.EventExpired, Dir: d})
	eventually(t, "an expired listing is asked for again", func() bool {
		names()
		after := server.Requests()
		return after["READDIR"]+after["READDIRPLUS"] > before["READDIR"]+before["READDIRPLUS"]
	})
}

// TestReadersGetPushes: who reads a directory in its order causes fewer READs than it has files. On a busy machine a reader can
// outrun the pusher all the way, so each gets a few tries with a mount of its own.
func TestReadersGetPushes(t *testing.T) {
	const files, tries = 1500, 5
	for name, c := range map[string]struct {
		formats []string
		reader  string // of all .md files
	}{
		"forward":  {[]string{"md"}, "cat *"},
		"backward": {[]string{"md"}, "ls -r | xargs cat"},
		"several":  {[]string{"md"}, "ls -r | xargs -P 3 -n 1 cat"},
		"one of two formats, each of which is listed": {[]string{"json", "md"}, "cat *.md"},
	} {
		t.Run(name, func(t *testing.T) {
			for try := 1; ; try++ {
				tree := newMemTree()
				d := tree.mkdir(backends.RootID, "d")
				for i := range files {
					for _, format := range c.formats {
						tree.write(d, fmt.Sprintf("%05d.%s", i, format), strings.Repeat(fmt.Sprintf("%07d\n", i), 300))
					}
				}
				mnt, server := mount(t, tree, nil)
				dir := filepath.Join(mnt, "d")
				out := run(t, "sh", "-c", "cd "+dir+"; "+c.reader+" | sort | uniq -c | awk '$1 != 300' | wc -l")
				if strings.TrimSpace(out) != "0" {
					t.Errorf("%s lines are wrong", out)
				}
				others, err := filepath.Glob(filepath.Join(dir, "*.json"))
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range others {
					if inPageCache(t, path) {
						t.Fatalf("%s was pushed, and nobody reads files of that kind", path)
					}
				}
				switch n := server.Requests()["READ"]; {
				case n < files*3/4:
					t.Logf("%d READs for %d files", n, files)
					return
				case try == tries:
					t.Fatalf("%d READs for %d files: nothing was pushed", n, files)
				}
			}
		})
	}
}

// inPageCache tells whether the kernel has the first page of a file.
func inPageCache(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	var resident byte
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&page[0])), uintptr(len(page)), uintptr(unsafe.Pointer(&resident))); errno != 0 {
		t.Fatal(errno)
	}
	return resident&1 != 0
}

func TestVirtualFiles(t *testing.T) {
	tree := newMemTree()
	tree.write(backends.RootID, "f", "x")
	var content atomic.Value // what the daemon would say now
	content.Store("")
	mnt, _ := mount(t, tree, func(o *fs.Options) {
		o.Virtual = []fs.VirtualFile{
			{Name: "status.json", Content: func() []byte { return []byte(content.Load().(string)) }},
			{Name: "README.md", Content: func() []byte { return []byte("read me") }},
		}
	})
	if out := run(t, "ls", "-a", mnt); strings.Contains(out, ".workfs") {
		t.Errorf("listed: %q", out)
	}
	if out := run(t, "ls", filepath.Join(mnt, ".workfs")); out != "README.md\nstatus.json\n" {
		t.Errorf("ls .workfs: %q", out)
	}
	status := filepath.Join(mnt, ".workfs/status.json")
	for _, want := range []string{"one\n", "a much longer second one\n", "3\n"} {
		content.Store(want)
		if out := run(t, "cat", status); out != want {
			t.Errorf("reads %q, want %q", out, want)
		}
		if st, err := os.Stat(status); err != nil || st.Size() != int64(len(want)) {
			t.Errorf("stat: %v %v", st, err)
		}
	}
	if _, err := os.Stat(filepath.Join(mnt, ".workfs/nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unknown name: %v", err)
	}
}

func TestXAttrs(t *testing.T) {
	tree := newMemTree()
	id := tree.write(backends.RootID, "f", "x")
	mnt, _ := mount(t, tree, func(o *fs.Options) {
		o.XAttrs = func(_ context.Context, n backends.NodeID) (map[string]string, error) {
			if n != id {
				return nil, nil
			}
			return map[string]string{"id": "AAMk"}, nil
		}
	})
	buf := make([]byte, 100)
	n, err := unix.Getxattr(filepath.Join(mnt, "f"), "user.workfs.id", buf)
	if err != nil || string(buf[:n]) != "AAMk" {
		t.Errorf("%q %v", buf[:max(n, 0)], err)
	}
	if _, err := unix.Getxattr(filepath.Join(mnt, "f"), "user.workfs.other", buf); !errors.Is(err, unix.ENODATA) {
		t.Errorf("unknown xattr: %v", err)
	}
	n, err = unix.Listxattr(filepath.Join(mnt, "f"), buf)
	if err != nil || string(buf[:n]) != "user.workfs.id\x00" {
		t.Errorf("list: %q %v", buf[:max(n, 0)], err)
	}
}
