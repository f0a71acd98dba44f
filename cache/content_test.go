package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

// noise is content that does not compress and in which every place differs.
func noise(n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(p)
	return p
}

func rangedFile(name, version string, size int) backends.Entry {
	e := userFile(name, version, int64(size))
	e.Ranged = true
	return e
}

func TestLargeFileInWindows(t *testing.T) {
	b := newBench(t)
	data := noise(3*window + 12345)
	b.f.set("", rangedFile("big", "v1", len(data)))
	b.f.content("id-big", "v1", data)
	n := b.lookup(b.root, "big").Node
	if got := b.read(n); !bytes.Equal(got, data) {
		t.Fatal("content differs")
	}
	b.eventually("read-ahead to end", func() bool {
		b.t.contents.mu.Lock()
		defer b.t.contents.mu.Unlock()
		return len(b.t.contents.fetches) == 0
	})
	seen := map[int64]bool{}
	for _, c := range b.f.fetched() {
		if c.off%window != 0 || seen[c.off] || c.n != min(window, int64(len(data))-c.off) {
			t.Errorf("fetch %+v", c)
		}
		seen[c.off] = true
	}
	equal(t, "windows", len(seen), 4)
	p := make([]byte, 100_000)
	for _, off := range []int64{0, window - 7, 2*window - 50_000, 3*window + 12_000, int64(len(data)) - 1} {
		m, err := b.t.ReadAt(context.Background(), n, p, off)
		if want := data[off:min(int64(len(data)), off+100_000)]; err != nil || !bytes.Equal(p[:m], want) {
			t.Errorf("read at %d: %d bytes, %v", off, m, err)
		}
	}
	for _, off := range []int64{int64(len(data)), int64(len(data)) + 1e12} {
		m, err := b.t.ReadAt(context.Background(), n, p, off)
		if m != 0 || err != nil {
			t.Errorf("read at %d: %d bytes, %v", off, m, err)
		}
	}
	b.reopen()
	if got := b.read(b.lookup(b.root, "big").Node); !bytes.Equal(got, data) {
		t.Error("content differs after a restart")
	}
	equal(t, "fetches", len(b.f.fetched()), 4)
}

func TestRandomReadsDoNotReadAhead(t *testing.T) {
	b := newBench(t)
	data := noise(4 * window)
	b.f.set("", rangedFile("big", "v1", len(data)))
	b.f.content("id-big", "v1", data)
	n := b.lookup(b.root, "big").Node
	p := make([]byte, 4096)
	for _, off := range []int64{3*window + 5<<20, 0, 3 * window} {
		m, err := b.t.ReadAt(context.Background(), n, p, off)
		if err != nil || !bytes.Equal(p[:m], data[off:off+4096]) {
			t.Errorf("read at %d: %v", off, err)
		}
	}
	b.eventually("fetches to end", func() bool { return b.c.Stats().Blobs == 2 })
	equal(t, "fetches", len(b.f.fetched()), 2)
}

func TestReadersShareAFetchAndGetBytesEarly(t *testing.T) {
	b := newBench(t)
	data := noise(2 * window)
	b.f.set("", rangedFile("big", "v1", len(data)))
	gate := make(chan struct{})
	reader := &gatedReader{data: data[:window], gate: gate, after: 1 << 20}
	backend := &streamBackend{fake: b.f, open: func(off int64) backends.Content {
		return backends.Content{ReadCloser: reader, Off: off, Total: int64(len(data))}
	}}
	for _, s := range b.t.shape().services {
		s.backend = backend
	}
	n := b.lookup(b.root, "big").Node
	var wg sync.WaitGroup
	for i := range 7 { // not so far that they read ahead
		wg.Add(1)
		go func() {
			defer wg.Done()
			p := make([]byte, 128<<10)
			off := int64(i) * (128 << 10)
			if m, err := b.t.ReadAt(context.Background(), n, p, off); err != nil || !bytes.Equal(p[:m], data[off:off+128<<10]) {
				t.Errorf("reader %d: %v", i, err)
			}
		}()
	}
	wg.Wait() // though the stream has not ended
	ctx, cancel := context.WithCancel(context.Background())
	late := func(ctx context.Context, off int64) chan error {
		c := make(chan error, 1)
		go func() {
			p := make([]byte, 1000)
			m, err := b.t.ReadAt(ctx, n, p, off)
			if err == nil && !bytes.Equal(p[:m], data[off:off+1000]) {
				err = errors.New("content differs")
			}
			c <- err
		}()
		return c
	}
	one, two := late(ctx, 5<<20), late(context.Background(), 3<<20)
	b.eventually("both wait", func() bool {
		b.t.contents.mu.Lock()
		defer b.t.contents.mu.Unlock()
		for _, x := range b.t.contents.fetches {
			return x.waiters == 2
		}
		return false
	})
	cancel()
	isError(t, "interrupted", <-one, context.Canceled)
	close(gate)
	if err := <-two; err != nil {
		t.Error(err)
	}
}

// streamBackend is a fake with a stream of its own.
type streamBackend struct {
	*fake
	open func(off int64) backends.Content
}

func (s *streamBackend) Fetch(_ context.Context, _ backends.File, off, _ int64) (backends.Content, error) {
	return s.open(off), nil
}

// gatedReader stops after some bytes until its gate opens.
type gatedReader struct {
	data  []byte
	at    int
	after int
	gate  chan struct{}
}

func (g *gatedReader) Read(p []byte) (int, error) {
	if g.at == g.after {
		<-g.gate
		g.after = len(g.data)
	}
	n := copy(p, g.data[g.at:g.after])
	g.at += n
	if n == 0 {
		return 0, errors.New("read past the end")
	}
	return n, nil
}

func (g *gatedReader) Close() error { return nil }

func TestBrokenOffStreamGoesOn(t *testing.T) {
	b := newBench(t)
	data := noise(window + 1000)
	small := noise(5000)
	b.f.set("", rangedFile("big", "v1", len(data)), rangedFile("small", "v1", len(small)), userFile("whole", "v1", int64(len(small))))
	b.f.content("id-big", "v1", data)
	b.f.content("id-small", "v1", small)
	b.f.content("id-whole", "v1", small)
	b.f.cut["id-big@v1"] = 3 << 20
	b.f.cut["id-small@v1"] = 3000
	b.f.cut["id-whole@v1"] = 0
	if got := b.read(b.lookup(b.root, "big").Node); !bytes.Equal(got, data) {
		t.Error("big differs")
	}
	if got := b.read(b.lookup(b.root, "small").Node); !bytes.Equal(got, small) {
		t.Error("small differs")
	}
	if got := b.read(b.lookup(b.root, "whole").Node); !bytes.Equal(got, small) {
		t.Error("whole differs")
	}
	for _, c := range b.f.fetched() {
		if c.id == "id-whole" && c.off != 0 {
			t.Errorf("a range of a file without ranges: %+v", c)
		}
	}
	b.eventually("every byte to have been fetched once", func() bool {
		return b.c.Stats().FetchedBytes == int64(len(data)+2*len(small))
	})
	b.f.set("", userFile("again", "v1", int64(len(small))))
	b.f.content("id-again", "v1", small)
	b.f.cut["id-again@v1"] = 100
	b.expire()
	n := b.lookup(b.root, "again").Node
	_, err := b.tryRead(n, 1000)
	isError(t, "a stream that cannot go on", err, backends.ErrUnavailable)
	if got := b.read(n); !bytes.Equal(got, small) {
		t.Error("the next try differs")
	}
}

func TestServiceThatIgnoresRanges(t *testing.T) {
	b := newBench(t)
	data := noise(window + 5000)
	b.f.set("", rangedFile("big", "v1", len(data)))
	backend := &streamBackend{fake: b.f, open: func(int64) backends.Content {
		return backends.Content{ReadCloser: nopCloser{bytes.NewReader(data)}, Off: 0, Total: int64(len(data))}
	}}
	for _, s := range b.t.shape().services {
		s.backend = backend
	}
	p := make([]byte, 1000)
	m, err := b.t.ReadAt(context.Background(), b.lookup(b.root, "big").Node, p, window+100)
	if err != nil || !bytes.Equal(p[:m], data[window+100:window+1100]) {
		t.Errorf("read %d, %v", m, err)
	}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func TestWrongStatedSizeIsANewVersion(t *testing.T) {
	ctx := context.Background()
	for _, size := range []int{3000, 2 * window} {
		b := newBench(t)
		data := noise(size)
		b.f.set("", rangedFile("f", "v1", size+10))
		b.f.content("id-f", "v1", data)
		was := b.lookup(b.root, "f")
		drain := b.watch()
		_, err := b.tryRead(was.Node, 1000)
		isError(t, "first reader", err, backends.ErrStale)
		_, err = b.t.Attr(ctx, was.Node)
		isError(t, "stat of the old", err, backends.ErrStale)
		now := b.lookup(b.root, "f")
		equal(t, "size", now.Attr.Size, int64(size))
		equal(t, "ctime", now.Attr.Ctime, b.clock.now())
		equal(t, "cookie", now.Cookie, was.Cookie)
		equal(t, "mtime", now.Attr.Mtime, was.Attr.Mtime)
		equalSlices(t, "events", drain(), []backends.Event{{Kind: backends.EventReplaced, Dir: b.root, Name: "f", Node: now.Node, Was: was.Node}})
		if got := b.read(now.Node); !bytes.Equal(got, data) {
			t.Error("content differs")
		}
		// Neither a new listing that says the same again nor a wiped cache forgets it.
		ctime := now.Attr.Ctime
		b.expire()
		equal(t, "after a listing", b.lookup(b.root, "f").Node, now.Node)
		equal(t, "events", len(drain()), 0)
		b.options.CacheDir = t.TempDir()
		b.reopen()
		after := b.lookup(b.root, "f")
		equal(t, "size after a wipe", after.Attr.Size, int64(size))
		equal(t, "ctime after a wipe", after.Attr.Ctime, ctime)
		bytesKnown, _ := b.t.Usage()
		equal(t, "usage", bytesKnown, uint64(size))
	}
}

func TestFirstCopyIsRemembered(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	b.f.set("", userFile("x.eml", "v1", backends.SizeUnknown))
	b.f.content("id-x.eml", "v1", []byte("first copy"))
	first := b.attr(b.lookup(b.root, "x.eml").Node)
	equal(t, "size", first.Size, 10)
	info, err := b.t.Info(ctx, "c/box/x.eml")
	if err != nil || info.SHA256 != "ee7cc2ac17c1c76c0ff1d3a8ae4e9f11c1a4f8ea8f0f9e5bd17bfb2ad7c39fb6" && len(info.SHA256) != 64 {
		t.Errorf("info %+v, %v", info, err)
	}
	sum := info.SHA256
	wipe := func() {
		b.options.CacheDir = t.TempDir()
		b.reopen()
		b.clock.add(time.Hour)
	}
	wipe()
	x := b.lookup(b.root, "x.eml")
	equal(t, "attributes after a wipe", withoutValid(x.Attr), withoutValid(first))
	equal(t, "fetches", len(b.f.fetched()), 1)

	// Made anew with the same size: served, and a new version from then on.
	b.f.content("id-x.eml", "v1", []byte("other copy"))
	drain := b.watch()
	equal(t, "content", string(b.read(x.Node)), "other copy")
	equal(t, "content again", string(b.read(x.Node)), "other copy")
	now := b.lookup(b.root, "x.eml")
	if now.Node == x.Node || now.Attr.Size != 10 || !now.Attr.Ctime.Equal(b.clock.now()) {
		t.Errorf("new version %+v", now)
	}
	equalSlices(t, "events", drain(), []backends.Event{{Kind: backends.EventReplaced, Dir: b.root, Name: "x.eml", Node: now.Node, Was: x.Node}})
	equal(t, "fetches", len(b.f.fetched()), 2)
	info, err = b.t.Info(ctx, "c/box/x.eml")
	if err != nil || info.SHA256 == sum || !info.Cached || info.ID != "id-x.eml" || info.Service != "c/box" {
		t.Errorf("info %+v, %v", info, err)
	}

	// Made anew with another size: not for the reader who was promised the old one.
	wipe()
	x = b.lookup(b.root, "x.eml")
	equal(t, "ctime after a wipe", x.Attr.Ctime, now.Attr.Ctime)
	b.f.content("id-x.eml", "v1", []byte("a longer copy"))
	_, err = b.tryRead(x.Node, 100)
	isError(t, "promised another size", err, backends.ErrStale)
	now = b.lookup(b.root, "x.eml")
	equal(t, "size", now.Attr.Size, 13)
	equal(t, "content", string(b.read(now.Node)), "a longer copy")
	equal(t, "fetches", len(b.f.fetched()), 3)

	// A new version of the service has nothing to do with the old one.
	b.f.set("", userFile("x.eml", "v2", backends.SizeUnknown))
	b.f.content("id-x.eml", "v2", []byte("v2"))
	b.expire()
	x = b.lookup(b.root, "x.eml")
	equal(t, "size", b.attr(x.Node).Size, 2)
	equal(t, "ctime", b.attr(x.Node).Ctime, day.Add(time.Minute))
	equal(t, "node", b.lookup(b.root, "x.eml").Node, x.Node)
	equal(t, "old version", string(b.read(now.Node)), "a longer copy")
}

func withoutValid(a backends.Attr) backends.Attr {
	a.Valid = 0
	return a
}

// waiting reads as nothing, once its channel is closed.
type waiting chan struct{}

func (w waiting) Read([]byte) (int, error) {
	<-w
	return 0, io.EOF
}

// TestGivenUpAtTheLastMoment: a fetch that everybody has left may come to its end all the same. Whoever asks meanwhile gets
// that copy, not another one.
func TestGivenUpAtTheLastMoment(t *testing.T) {
	b := newBench(t)
	b.f.set("", userFile("x.eml", "v1", backends.SizeUnknown))
	gate := make(chan struct{})
	var opened atomic.Int32
	backend := &streamBackend{fake: b.f, open: func(int64) backends.Content {
		data := fmt.Appendf(nil, "copy %d", opened.Add(1))
		return backends.Content{ReadCloser: io.NopCloser(io.MultiReader(waiting(gate), bytes.NewReader(data))), Total: int64(len(data))}
	}}
	for _, s := range b.t.shape().services {
		s.backend = backend
	}
	n := b.lookup(b.root, "x.eml").Node
	stat := func(ctx context.Context) chan error {
		c := make(chan error, 1)
		go func() {
			_, err := b.t.Attr(ctx, n)
			c <- err
		}()
		return c
	}
	fetching := func(what string, is func(*fetch) bool) {
		b.eventually(what, func() bool {
			b.t.contents.mu.Lock()
			defer b.t.contents.mu.Unlock()
			for _, x := range b.t.contents.fetches {
				return is(x)
			}
			return false
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	one := stat(ctx)
	fetching("somebody waits", func(x *fetch) bool { return x.waiters == 1 && opened.Load() == 1 })
	cancel()
	isError(t, "interrupted", <-one, context.Canceled)
	fetching("nobody waits", func(x *fetch) bool { return x.left })
	two := stat(context.Background())
	fetching("somebody waits again", func(x *fetch) bool { return !x.left && x.waiters == 1 })
	close(gate)
	if err := <-two; err != nil {
		t.Fatal(err)
	}
	equal(t, "content", string(b.read(n)), "copy 1")
	equal(t, "fetches", opened.Load(), 1)
	equal(t, "ctime", b.attr(n).Ctime, day.Add(time.Minute))
}

func TestFirstSeenTimes(t *testing.T) {
	b := newBench(t)
	csv := bodyFile("list.csv", "", "alice\n")
	csv.Mtime, csv.Ctime = time.Time{}, time.Time{}
	dir := userDir("d", "D")
	dir.Mtime = time.Time{}
	b.f.set("", csv, dir)
	b.f.set("D", bodyFile("one", "v1", "1"))
	start := b.clock.now()
	check := func(what string, d backends.Dirent, want time.Time) {
		t.Helper()
		if !d.Attr.Mtime.Equal(want) || d.Attr.Ctime.Unix() != want.Unix() {
			t.Errorf("%s: mtime %v, ctime %v, want %v", what, d.Attr.Mtime, d.Attr.Ctime, want)
		}
		if a := b.attr(d.Node); !a.Mtime.Equal(d.Attr.Mtime) || !a.Ctime.Equal(d.Attr.Ctime) {
			t.Errorf("%s: attr says %+v, lookup %+v", what, a, d.Attr)
		}
	}
	check("file", b.lookup(b.root, "list.csv"), start)
	check("directory", b.lookup(b.root, "d"), start)
	b.clock.add(time.Hour)
	b.readDir(b.lookup(b.root, "d").Node)
	check("directory that was listed", b.lookup(b.root, "d"), start)
	b.options.CacheDir = t.TempDir()
	b.reopen()
	b.clock.add(time.Hour)
	check("file after a wipe", b.lookup(b.root, "list.csv"), start)
	check("directory after a wipe", b.lookup(b.root, "d"), start)
	equal(t, "service root", b.attr(b.root).Mtime, start)

	b.readDir(b.lookup(b.root, "d").Node)
	b.f.set("D", bodyFile("one", "v1", "1"), bodyFile("two", "v1", "2"))
	csv.Body = []byte("alice\nbob\n")
	b.f.set("", csv, dir)
	b.expire()
	drain := b.watch()
	changed := b.clock.now()
	b.readDir(b.root)
	d := b.lookup(b.root, "d")
	b.readDir(d.Node)
	check("file with other content", b.lookup(b.root, "list.csv"), changed)
	check("directory that changed", b.lookup(b.root, "d"), changed)
	moved := false
	for _, e := range drain() {
		moved = moved || e == backends.Event{Kind: backends.EventAttr, Dir: b.root, Node: d.Node, IsDir: true}
	}
	equal(t, "event", moved, true)
	b.options.CacheDir = t.TempDir()
	b.reopen()
	b.clock.add(time.Hour)
	check("file after a wipe", b.lookup(b.root, "list.csv"), changed)
	check("directory after a wipe", b.lookup(b.root, "d"), changed)
}

func TestBrokenItem(t *testing.T) {
	b := newBench(t)
	b.f.set("", userFile("x.eml", "v1", backends.SizeUnknown), userDir("d", "D"))
	b.f.gaps = []backends.Gap{{Path: "archive", Reason: "Graph does not offer it."}, {Reason: "All of it."}}
	b.f.fetchErr["id-x.eml"] = fmt.Errorf("%w: ErrorCorruptData", backends.ErrBroken)
	n := b.lookup(b.root, "x.eml").Node
	for range 3 {
		_, err := b.t.Attr(context.Background(), n)
		isError(t, "stat", err, backends.ErrBroken)
		_, err = b.tryRead(n, 10)
		isError(t, "read", err, backends.ErrBroken)
	}
	equal(t, "fetches", len(b.f.fetched()), 1)
	var paths []string
	for _, g := range b.t.Coverage() {
		paths = append(paths, g.Path)
	}
	equalSlices(t, "coverage", paths, []string{"c/box", "c/box/archive", "c/box/x.eml"})
	b.clock.add(brokenFor)
	b.f.content("id-x.eml", "v1", []byte("MIME"))
	delete(b.f.fetchErr, "id-x.eml")
	equal(t, "later", b.attr(n).Size, 4)
	equal(t, "coverage", len(b.t.Coverage()), 2)
}

func TestVersionThatIsGone(t *testing.T) {
	b := newBench(t)
	b.f.set("", userFile("x", "v1", 4))
	n := b.lookup(b.root, "x").Node
	_, err := b.tryRead(n, 10)
	isError(t, "the listing is behind", err, backends.ErrStale)
	b.f.set("", userFile("x", "v2", 4))
	b.f.content("id-x", "v2", []byte("new!"))
	x := b.lookup(b.root, "x")
	equal(t, "listed anew at once", b.f.listed(""), 2)
	equal(t, "content", string(b.read(x.Node)), "new!")
	_, err = b.tryRead(n, 10)
	isError(t, "the old one", err, backends.ErrStale)
	b.lookup(b.root, "x")
	equal(t, "no further listing", b.f.listed(""), 2)
}

func TestHydrationReadsAhead(t *testing.T) {
	b := newBench(t)
	const n = 100
	var es []backends.Entry
	for i := range n {
		name := fmt.Sprintf("%03d.eml", i)
		es = append(es, userFile(name, "v1", backends.SizeUnknown))
		b.f.content("id-"+name, "v1", []byte(strings.Repeat("x", i+1)))
	}
	b.f.set("", es...)
	ds := b.readDir(b.root)
	equal(t, "fetches by readdir", len(b.f.fetched()), 0)
	for i := range 2 {
		b.attr(ds[2*i].Node)
	}
	equal(t, "fetches before the third in a row", len(b.f.fetched()), 2)
	b.attr(ds[5].Node)
	b.eventually("read-ahead", func() bool { return b.lookup(b.root, "069.eml").Attr.Size == 70 })
	bulk := 0
	for _, c := range b.f.fetched() {
		if c.prio == backends.Bulk {
			bulk++
		}
	}
	equal(t, "bulk fetches are bounded", bulk >= aheadFiles-aheadAtOnce && bulk <= aheadFiles+aheadAtOnce, true)
	for i := 6; i < n; i++ {
		equal(t, "size", b.attr(ds[i].Node).Size, int64(i+1))
	}
	for id, times := range b.f.fetchedIDs() {
		if times != 1 {
			t.Errorf("%s was fetched %d times", id, times)
		}
	}
	equal(t, "fetches", len(b.f.fetched()), n-3)
}

func TestReadAheadEndsWhenNobodyFollows(t *testing.T) {
	b := newBench(t)
	b.t.contents.ahead.idle = 10 * time.Millisecond
	var es []backends.Entry
	for i := range 20 {
		name := fmt.Sprintf("%03d.eml", i)
		es = append(es, userFile(name, "v1", backends.SizeUnknown))
		b.f.content("id-"+name, "v1", []byte("x"))
	}
	b.f.set("", es...)
	ds := b.readDir(b.root)
	cancelled := make(chan struct{}, 20)
	b.f.onFetch = func(ctx context.Context, f backends.File, _ int64) {
		if f.ID > "id-002.eml" {
			<-ctx.Done()
			cancelled <- struct{}{}
		}
	}
	for i := range 3 {
		b.attr(ds[i].Node)
	}
	for range aheadAtOnce {
		<-cancelled
	}
	b.eventually("the end of the walk", func() bool {
		a := b.t.contents.ahead
		a.mu.Lock()
		defer a.mu.Unlock()
		return !a.walks[b.root].running
	})
	equal(t, "fetches", len(b.f.fetched()), 3+aheadAtOnce)
}

func TestNeighbours(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "A"), userFile("b", "v1", 3), userDir("c", "C"), userFile("d", "v1", 3), bodyFile("e", "v1", ""),
		userFile("f", "v1", backends.SizeUnknown), bodyFile("g", "v1", "G"))
	b.f.content("id-d", "v1", []byte("ddd"))
	ds := b.readDir(b.root)
	b.read(ds[3].Node)
	b.eventually("the content is kept", func() bool { return b.c.Stats().Blobs == 1 }) // a reader is served before
	at, err := b.t.Place(context.Background(), ds[4].Node)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "place", at, backends.Place{Dir: b.root, Cookie: ds[4].Cookie, Name: "e"})
	for _, c := range []struct {
		from  int
		back  bool
		limit int
		want  string
	}{
		{0, false, 100, "d=ddd e= g=G "},
		{0, false, 1, "d=ddd "},
		{3, false, 100, "e= g=G "},
		{6, false, 100, ""},
		{6, true, 100, "e= d=ddd a=A "},
		{4, true, 1, "d=ddd "},
		{0, true, 100, ""},
	} {
		got, seen := "", 0
		err := b.t.Neighbours(context.Background(), b.root, ds[c.from].Cookie, c.back, func(f backends.Neighbour) bool {
			data, err := f.Read()
			if err != nil || int64(len(data)) != f.Size {
				t.Errorf("%s: %d bytes of %d, %v", f.Name, len(data), f.Size, err)
			}
			if d := ds[slices.IndexFunc(ds, func(d backends.Dirent) bool { return d.Name == f.Name })]; d.Node != f.Node || d.Cookie != f.Cookie {
				t.Errorf("%s is node %d at %d, want %d at %d", f.Name, f.Node, f.Cookie, d.Node, d.Cookie)
			}
			got += f.Name + "=" + string(data) + " "
			seen++
			return seen < c.limit
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprintf("neighbours of %s, backward %v, at most %d", ds[c.from].Name, c.back, c.limit), got, c.want)
	}
	// The last place of all that there are is where a walk backward begins.
	got := ""
	if err := b.t.Neighbours(context.Background(), b.root, ds[6].Cookie+100, true, func(f backends.Neighbour) bool {
		got += f.Name
		return true
	}); err != nil {
		t.Fatal(err)
	}
	equal(t, "from beyond the end", got, "geda")
	equal(t, "fetches", len(b.f.fetched()), 1)
}

func TestMaxSizeEvictsAndMinFreeRefuses(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MaxSize = 600 << 10 })
	var es []backends.Entry
	for i := range 10 {
		name := fmt.Sprint("f", i)
		es = append(es, userFile(name, "v1", 100<<10))
		b.f.content("id-"+name, "v1", bytes.Repeat([]byte{byte(i)}, 100<<10))
	}
	b.f.set("", es...)
	for i := range 10 {
		if got := b.read(b.lookup(b.root, fmt.Sprint("f", i)).Node); len(got) != 100<<10 || got[5] != byte(i) {
			t.Errorf("file %d differs", i)
		}
	}
	s := b.c.Stats()
	if s.BlobBytes+s.BodyBytes > 600<<10 || s.Blobs == 0 {
		t.Errorf("stats %+v", s)
	}
	if got := b.read(b.lookup(b.root, "f0").Node); len(got) != 100<<10 || got[5] != 0 {
		t.Error("an evicted file differs")
	}
	b.options.MaxSize, b.options.MinFree = 0, 1<<60
	b.reopen()
	if err := b.c.blobs.Clear(); err != nil { // which of them are left, and are still fetched ahead, is a matter of luck
		t.Fatal(err)
	}
	_, err := b.tryRead(b.lookup(b.root, "f1").Node, 1000)
	isError(t, "no room", err, backends.ErrNoSpace)
	batch := b.sink().Begin("x")
	defer batch.Discard()
	if err = batch.Add("N", bodyFile("n", "v1", "body")); err == nil {
		err = batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: "N"}}})
	}
	isError(t, "no room for bodies", err, backends.ErrNoSpace)
	equal(t, "whole", b.sink().Dir("N").Whole, false)
}

func TestDamagedBlobIsFetchedAgain(t *testing.T) {
	b := newBench(t)
	b.f.set("", userFile("x", "v1", 5))
	b.f.content("id-x", "v1", []byte("12345"))
	b.read(b.lookup(b.root, "x").Node)
	if err := b.c.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(b.options.CacheDir, "blobs", "??", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	overwrite(t, files[0], 2, "X")
	b.open()
	equal(t, "content", string(b.read(b.lookup(b.root, "x").Node)), "12345")
	equal(t, "fetches", len(b.f.fetched()), 2)
}

func TestReplacedVersionIsFetchedByVersion(t *testing.T) {
	b := newBench(t)
	b.f.set("", userFile("x", "v1", 3))
	b.f.content("id-x", "v1", []byte("one"))
	b.f.content("id-x", "v2", []byte("two!"))
	old := b.lookup(b.root, "x").Node
	b.f.set("", userFile("x", "v2", 4))
	b.expire()
	now := b.lookup(b.root, "x").Node
	equal(t, "old", string(b.read(old)), "one")
	equal(t, "new", string(b.read(now)), "two!")
	equal(t, "size of the old", b.attr(old).Size, 3)

	// And back again: another node, the same content.
	b.f.set("", userFile("x", "v1", 3))
	b.expire()
	equal(t, "back", string(b.read(b.lookup(b.root, "x").Node)), "one")
	equal(t, "fetches", len(b.f.fetched()), 2)
}

// TestSharedContent: entries that name the same content fetch it once, also after it was stored and opened again.
func TestSharedContent(t *testing.T) {
	b := newBench(t)
	other := userFile("y", "v1", 5)
	other.Content = "id-x"
	newer := userFile("z", "v2", 3)
	newer.Content = "id-x"
	b.f.set("", userFile("x", "v1", 5), other, newer)
	b.f.content("id-x", "v1", []byte("12345"))
	b.f.content("id-z", "v2", []byte("new"))
	equal(t, "content", string(b.read(b.lookup(b.root, "x").Node)), "12345")
	equal(t, "the same content", string(b.read(b.lookup(b.root, "y").Node)), "12345")
	equal(t, "another version", string(b.read(b.lookup(b.root, "z").Node)), "new")
	equal(t, "fetches", len(b.f.fetched()), 2)
	b.reopen()
	equal(t, "content", string(b.read(b.lookup(b.root, "y").Node)), "12345")
	equal(t, "fetches", len(b.f.fetched()), 2)
	if x, y := b.lookup(b.root, "x"), b.lookup(b.root, "y"); x.Node == y.Node {
		t.Error("two entries are one node")
	}
}
