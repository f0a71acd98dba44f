package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

// fake is a scriptable backend: each directory is a slice of entries, each content a slice of bytes.
type fake struct {
	scope string

	mu       sync.Mutex
	dirs     map[backends.DirKey][]backends.Entry
	listing  map[backends.DirKey]backends.Listing
	contents map[string][]byte // by "id@version"
	total    map[string]int64  // what Fetch states as total, where that is wrong
	lists    map[backends.DirKey]int
	fetches  []fetchCall
	listErr  map[backends.DirKey]error
	fetchErr map[string]error
	cut      map[string]int // stream ends with an error after so many bytes, once
	onList   func(ctx context.Context, dir backends.DirKey)
	onFetch  func(ctx context.Context, f backends.File, off int64)
	list     func(ctx context.Context, dir backends.DirKey, s backends.Sink) error
	gaps     []backends.Gap
	sink     backends.Sink
}

type fetchCall struct {
	id     string
	off, n int64
	prio   backends.Priority
}

func newFake(scope string) *fake {
	return &fake{
		scope: scope, dirs: map[backends.DirKey][]backends.Entry{}, listing: map[backends.DirKey]backends.Listing{},
		contents: map[string][]byte{}, total: map[string]int64{}, lists: map[backends.DirKey]int{},
		listErr: map[backends.DirKey]error{}, fetchErr: map[string]error{}, cut: map[string]int{},
	}
}

func (f *fake) Scope() string { return f.scope }

func (f *fake) Coverage() []backends.Gap { return f.gaps }

func (f *fake) List(ctx context.Context, dir backends.DirKey, sink backends.Sink) error {
	f.mu.Lock()
	f.lists[dir]++
	f.sink = sink
	err := f.listErr[dir]
	entries, ok := f.dirs[dir]
	entries = slices.Clone(entries)
	listing := f.listing[dir]
	hook, list := f.onList, f.list
	f.mu.Unlock()
	if hook != nil {
		hook(ctx, dir)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if list != nil {
		return list(ctx, dir, sink)
	}
	if !ok {
		return fmt.Errorf("%w: %q", backends.ErrNotFound, dir)
	}
	b := sink.Begin("coll/" + string(dir))
	defer b.Discard()
	if err := b.Add(dir, entries...); err != nil {
		return err
	}
	listing.Dir = dir
	return b.Commit(backends.Commit{Whole: []backends.Listing{listing}})
}

type cutReader struct {
	io.Reader
	left int
}

func (c *cutReader) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.Reader.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (f *fake) Fetch(ctx context.Context, file backends.File, off, n int64) (backends.Content, error) {
	f.mu.Lock()
	f.fetches = append(f.fetches, fetchCall{file.ID, off, n, backends.PriorityOf(ctx)})
	key := file.ID + "@" + file.Version
	data, ok := f.contents[key]
	err := f.fetchErr[file.ID]
	hook := f.onFetch
	total, wrong := f.total[key]
	cut, cuts := f.cut[key]
	delete(f.cut, key)
	f.mu.Unlock()
	if hook != nil {
		hook(ctx, file, off)
	}
	if ctx.Err() != nil {
		return backends.Content{}, ctx.Err()
	}
	if err != nil {
		return backends.Content{}, err
	}
	if !ok {
		return backends.Content{}, fmt.Errorf("%w: %s", backends.ErrStale, key)
	}
	if !wrong {
		total = int64(len(data))
	}
	part := data[min(off, int64(len(data))):]
	if n >= 0 {
		part = part[:min(n, int64(len(part)))]
	}
	var r io.Reader = bytes.NewReader(part)
	if cuts {
		r = &cutReader{r, cut}
	}
	return backends.Content{ReadCloser: io.NopCloser(r), Off: off, Total: total}, nil
}

func (f *fake) set(dir backends.DirKey, entries ...backends.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirs[dir] = entries
}

func (f *fake) content(id, version string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.contents[id+"@"+version] = data
}

func (f *fake) fail(dir backends.DirKey, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listErr[dir] = err
}

func (f *fake) listed(dir backends.DirKey) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lists[dir]
}

func (f *fake) fetched() []fetchCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.fetches)
}

// fetchedIDs tells how often each content was fetched.
func (f *fake) fetchedIDs() map[string]int {
	m := map[string]int{}
	for _, c := range f.fetched() {
		m[c.id]++
	}
	return m
}

var day = time.Date(2026, 11, 20, 9, 12, 33, 0, time.UTC)

func userFile(name, version string, size int64) backends.Entry {
	return backends.Entry{
		Name: names.Wanted{Stem: name, Key: "id-" + name, User: true}, ID: "id-" + name, Item: "item-" + name,
		Version: version, Size: size, Mtime: day, Ctime: day.Add(time.Minute), Btime: day.Add(-time.Hour),
	}
}

func bodyFile(name, version, body string) backends.Entry {
	e := userFile(name, version, 0)
	e.Body = []byte(body)
	return e
}

func userDir(name string, key backends.DirKey) backends.Entry {
	return backends.Entry{
		Name: names.Wanted{Stem: name, Key: "id-" + name, User: true}, ID: "id-" + name, Item: "item-" + name, IsDir: true,
		Dir: key, Mtime: day,
	}
}

// clock is turned by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// bench is a cache with a tree over one fake, mounted as c/box.
type bench struct {
	testing.TB
	f       *fake
	backend backends.Backend // f, or what makes more of it
	more    []backends.Mounted
	gaps    []backends.Gap
	c       *Cache
	t       *Tree
	clock   *clock
	options Options
	root    backends.NodeID // of the service
}

func newBench(tb testing.TB, change ...func(*Options)) *bench {
	f := newFake("scope")
	return newBenchOf(tb, f, f, change...)
}

func newBenchOf(tb testing.TB, f *fake, backend backends.Backend, change ...func(*Options)) *bench {
	b := &bench{TB: tb, f: f, backend: backend, clock: &clock{t: day.AddDate(0, 0, 1)}}
	b.options = Options{CacheDir: tb.TempDir(), StateDir: tb.TempDir(), Now: b.clock.now}
	if testing.Verbose() {
		b.options.Log = slog.New(slog.NewTextHandler(testWriter{tb}, nil))
	}
	for _, fn := range change {
		fn(&b.options)
	}
	b.open()
	tb.Cleanup(func() { b.c.Close() })
	return b
}

// following is a backend that tells of changes.
type following struct {
	*fake
	follow func(ctx context.Context, feed backends.Feed)
}

func (f *following) Follow(ctx context.Context, feed backends.Feed) { f.follow(ctx, feed) }

// newLiveBench makes a bench whose service is followed, and gives what its follower works with.
func newLiveBench(tb testing.TB, change ...func(*Options)) (*bench, backends.Feed) {
	f := newFake("scope")
	feeds := make(chan backends.Feed, 1)
	b := newBenchOf(tb, f, &following{f, func(ctx context.Context, feed backends.Feed) {
		feeds <- feed
		<-ctx.Done()
	}}, change...)
	b.t.Follow()
	return b, <-feeds
}

type testWriter struct{ tb testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.tb.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

func (b *bench) open() {
	b.Helper()
	c, err := Open(b.options)
	if err != nil {
		b.Fatal(err)
	}
	b.c = c
	b.t, err = c.Mount([]Connection{{
		Name: "c", Mounted: append([]backends.Mounted{{Path: "box", Backend: b.backend}}, b.more...), Gaps: b.gaps,
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.root = b.lookup(b.lookup(backends.RootID, "c").Node, "box").Node
}

func (b *bench) reopen() {
	b.Helper()
	if err := b.c.Close(); err != nil {
		b.Fatal(err)
	}
	b.open()
}

// sink is what the fake gets when it lists.
func (b *bench) sink() backends.Sink {
	b.Helper()
	s, err := b.c.sinkFor(b.f.scope)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bench) lookup(dir backends.NodeID, name string) backends.Dirent {
	b.Helper()
	d, _, err := b.t.Lookup(context.Background(), dir, name)
	if err != nil {
		b.Fatalf("lookup %q in %d: %v", name, dir, err)
	}
	return d
}

func (b *bench) readDir(dir backends.NodeID) []backends.Dirent {
	b.Helper()
	ds, err := b.tryReadDir(dir)
	if err != nil {
		b.Fatalf("readdir %d: %v", dir, err)
	}
	return ds
}

func (b *bench) tryReadDir(dir backends.NodeID) (ds []backends.Dirent, err error) {
	err = b.t.ReadDir(context.Background(), dir, 0, func(d backends.Dirent) bool {
		ds = append(ds, d)
		return true
	})
	return ds, err
}

func (b *bench) names(dir backends.NodeID) []string {
	b.Helper()
	var out []string
	for _, d := range b.readDir(dir) {
		out = append(out, d.Name)
	}
	return out
}

func (b *bench) attr(n backends.NodeID) backends.Attr {
	b.Helper()
	a, err := b.t.Attr(context.Background(), n)
	if err != nil {
		b.Fatalf("attr %d: %v", n, err)
	}
	return a
}

// read reads all of a node, a little at a time.
func (b *bench) read(n backends.NodeID) []byte {
	b.Helper()
	data, err := b.tryRead(n, 128<<10)
	if err != nil {
		b.Fatalf("read %d: %v", n, err)
	}
	return data
}

func (b *bench) tryRead(n backends.NodeID, step int) ([]byte, error) {
	var out []byte
	p := make([]byte, step)
	for {
		m, err := b.t.ReadAt(context.Background(), n, p, int64(len(out)))
		out = append(out, p[:m]...)
		if err != nil || m == 0 {
			return out, err
		}
	}
}

// expire makes all listings of the default age run out.
func (b *bench) expire() { b.clock.add(b.c.o.DefaultMaxAge + time.Second) }

// eventually polls a condition that something in the background brings about.
func (b *bench) eventually(what string, cond func() bool) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain: %s", what)
		}
	}
}

// watch gathers events; the function it returns waits until all that was queued has come and gives it.
func (b *bench) watch() func() []backends.Event {
	var mu sync.Mutex
	var got []backends.Event
	marks := 0
	stop := b.t.Watch(func(events []backends.Event) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range events {
			if e.Kind == markEvent {
				marks++
				continue
			}
			got = append(got, e)
		}
	})
	b.Cleanup(stop)
	want := 0
	return func() []backends.Event {
		b.Helper()
		want++
		b.t.events.push([]backends.Event{{Kind: markEvent}})
		b.eventually("the mark", func() bool { mu.Lock(); defer mu.Unlock(); return marks == want })
		mu.Lock()
		defer mu.Unlock()
		out := got
		got = nil
		return out
	}
}

const markEvent backends.EventKind = 99

func equal[T comparable](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equalSlices[T comparable](tb testing.TB, what string, got, want []T) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Errorf("%s:\ngot  %v\nwant %v", what, got, want)
	}
}

func equalMaps[K, V comparable](tb testing.TB, what string, got, want map[K]V) {
	tb.Helper()
	if !maps.Equal(got, want) {
		tb.Errorf("%s:\ngot  %v\nwant %v", what, got, want)
	}
}

func isError(tb testing.TB, what string, got, want error) {
	tb.Helper()
	if !errors.Is(got, want) {
		tb.Errorf("%s: got error %v, want %v", what, got, want)
	}
}
