package fs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
	"github.com/workfs/workfs/cache"
)

// The benchmarks of this file measure from the return of a commit to the cache until a process of its own, which looks all
// the time, sees the change on a real mount.

// beLooker makes this test binary the process that looks.
const beLooker = "WORKFS_TEST_BE_LOOKER"

func TestMain(m *testing.M) {
	if os.Getenv(beLooker) != "" {
		lookOut(os.Stdin, os.Stdout)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// monotonic is a clock that processes share.
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// lookOut takes lines of a kind, a value and paths, separated by tabs; says "looking", looks until each path is as the kind
// and the value say, and prints when that was.
func lookOut(in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		kind, value, paths := f[0], f[1], f[2:]
		seen := looks[kind]
		seen(paths[0], value)
		fmt.Fprintln(out, "looking")
		for _, path := range paths {
			for !seen(path, value) {
			}
		}
		fmt.Fprintln(out, int64(monotonic()))
	}
}

// looks tell whether a path is as a value says.
var looks = map[string]func(path, value string) bool{
	"size": func(path, value string) bool {
		var st unix.Stat_t
		return unix.Lstat(path, &st) == nil && strconv.FormatInt(st.Size, 10) == value
	},
	"content": func(path, value string) bool {
		b, err := os.ReadFile(path)
		return err == nil && strings.HasPrefix(string(b), value+"\n")
	},
	"there": func(path, _ string) bool {
		var st unix.Stat_t
		return unix.Lstat(path, &st) == nil
	},
	"gone": func(path, _ string) bool {
		var st unix.Stat_t
		return errors.Is(unix.Lstat(path, &st), unix.ENOENT)
	},
	"listed": func(path, value string) bool {
		d, err := os.Open(path)
		if err != nil {
			return false
		}
		defer d.Close()
		all, err := d.Readdirnames(-1)
		return err == nil && slices.Contains(all, value)
	},
}

// looker is the process that looks.
type looker struct {
	b   *testing.B
	in  io.Writer
	out *bufio.Reader
}

func newLooker(b *testing.B) *looker {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), beLooker+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // it ends with its input
	})
	return &looker{b, in, bufio.NewReader(out)}
}

// until tells how long after change returned the paths were seen to be as kind and value say.
func (l *looker) until(kind, value string, change func(), paths ...string) time.Duration {
	l.b.Helper()
	fmt.Fprintln(l.in, strings.Join(append([]string{kind, value}, paths...), "\t"))
	if line, err := l.out.ReadString('\n'); err != nil || line != "looking\n" {
		l.b.Fatalf("the process that looks says %q (%v)", line, err)
	}
	change()
	start := monotonic()
	line, err := l.out.ReadString('\n')
	if err != nil {
		l.b.Fatal(err)
	}
	at, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		l.b.Fatal(err)
	}
	return max(time.Duration(at)-start, 0)
}

// committer is a service of one directory, to whose sink a benchmark commits.
type committer struct {
	mu      sync.Mutex
	sink    backends.Sink
	entries []backends.Entry
}

func (*committer) Scope() string { return "seen" }

func (*committer) Coverage() []backends.Gap { return nil }

func (*committer) Fetch(context.Context, backends.File, int64, int64) (backends.Content, error) {
	return backends.Content{}, backends.ErrUnavailable
}

// List makes the directory whole with what it has at first.
func (c *committer) List(_ context.Context, dir backends.DirKey, sink backends.Sink) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sink = sink
	batch := sink.Begin("all")
	defer batch.Discard()
	return errors.Join(batch.Add(dir, c.entries...), batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: dir, MaxAge: -1}}}))
}

// change commits entries, and removes items.
func (c *committer) change(b *testing.B, entries []backends.Entry, gone ...string) {
	b.Helper()
	batch := c.sink.Begin("all")
	defer batch.Discard()
	for _, item := range gone {
		batch.Remove(item)
	}
	if err := errors.Join(batch.Add("", entries...), batch.Commit(backends.Commit{Fresh: true})); err != nil {
		b.Fatal(err)
	}
}

// version makes a version of a file, whose content is that number and so many bytes more.
func version(name string, v, more int) backends.Entry {
	text := strconv.Itoa(v)
	return backends.Entry{
		Name: names.Wanted{Stem: name, Key: name, User: true}, ID: name, Item: name, Version: text,
		Body: append([]byte(text+"\n"), make([]byte, more)...), Mtime: when, Ctime: when,
	}
}

// newSeen mounts a cache with a committer that has some files.
func newSeen(b *testing.B, files int) (c *committer, dir string) {
	c = &committer{}
	for i := range files {
		c.entries = append(c.entries, version(fmt.Sprint("file-", i), 0, 0))
	}
	opened, err := cache.Open(cache.Options{CacheDir: b.TempDir(), StateDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = opened.Close() }) // after the mount is gone
	tree, err := opened.Mount([]cache.Connection{{Name: "c", Mounted: []backends.Mounted{{Path: "s", Backend: c}}}})
	if err != nil {
		b.Fatal(err)
	}
	mnt, _ := mount(b, tree, nil)
	dir = filepath.Join(mnt, "c/s")
	if list, err := os.ReadDir(dir); err != nil || len(list) != files {
		b.Fatal(len(list), err)
	}
	return c, dir
}

// percentiles reports what most took, and what all but the slowest hundredth did.
func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, "p99-ms")
}

// BenchmarkChangeSeen measures changes one at a time. Run it with -benchtime 500x.
func BenchmarkChangeSeen(b *testing.B) {
	c, dir := newSeen(b, 100)
	l := newLooker(b)
	n := 0
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, k := range []struct {
		name  string
		trial func() time.Duration
	}{
		{"size", func() time.Duration {
			e := version("file-7", n, n%1000+10)
			return l.until("size", strconv.Itoa(len(e.Body)), func() { c.change(b, []backends.Entry{e}) }, path("file-7"))
		}},
		{"content", func() time.Duration {
			return l.until("content", strconv.Itoa(n), func() { c.change(b, []backends.Entry{version("file-8", n, 0)}) }, path("file-8"))
		}},
		{"new", func() time.Duration {
			name := fmt.Sprint("new-", n)
			return l.until("there", "", func() { c.change(b, []backends.Entry{version(name, n, 0)}) }, path(name))
		}},
		{"listed", func() time.Duration {
			name := fmt.Sprint("listed-", n)
			return l.until("listed", name, func() { c.change(b, []backends.Entry{version(name, n, 0)}) }, dir)
		}},
		{"gone", func() time.Duration {
			name := fmt.Sprint("gone-", n)
			l.until("there", "", func() { c.change(b, []backends.Entry{version(name, n, 0)}) }, path(name))
			return l.until("gone", "", func() { c.change(b, nil, name) }, path(name))
		}},
	} {
		b.Run(k.name, func(b *testing.B) {
			var took []time.Duration
			for range b.N {
				n++
				took = append(took, k.trial())
			}
			percentiles(b, took)
		})
	}
}

// BenchmarkManyChanged commits new versions of 10,000 files that the kernel knows, and looks at a hundred of them. Run it
// with -benchtime 10x.
func BenchmarkManyChanged(b *testing.B) {
	const files = 10_000
	c, dir := newSeen(b, files)
	l := newLooker(b)
	var sample []string
	for i := 0; i < files; i += files / 100 {
		sample = append(sample, filepath.Join(dir, c.entries[i].Name.Stem))
	}
	sample = append(sample, filepath.Join(dir, c.entries[files-1].Name.Stem))
	var took []time.Duration
	for n := range b.N {
		es := make([]backends.Entry, files)
		for i := range es {
			es[i] = version(c.entries[i].Name.Stem, n+1, n+10)
			if _, err := os.Lstat(filepath.Join(dir, es[i].Name.Stem)); err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, l.until("size", strconv.Itoa(len(es[0].Body)), func() { c.change(b, es) }, sample...))
	}
	percentiles(b, took)
}
