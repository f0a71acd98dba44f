package cache

import (
	"fmt"
	"testing"

	"github.com/workfs/workfs/backends"
)

func TestSequencesAreTold(t *testing.T) {
	s := newSequences()
	for i, c := range []struct{ off, size, row int64 }{
		{0, 1 << 20, 0},
		{1 << 20, 1 << 20, 1 << 20},
		{3 << 20, 1 << 20, 2 << 20}, // the kernel asks for several at once, which come in any order
		{2 << 20, 1 << 20, 3 << 20},
		{4 << 20, 1 << 20, 4 << 20},
		{900 << 20, 4096, 0},
		{100 << 20, 4096, 0},
		{100<<20 + 4096, 4096, 4096},
	} {
		equal(t, "read", [2]int64{int64(i), s.at(7, c.off, c.size)}, [2]int64{int64(i), c.row})
	}
	equal(t, "another file", s.at(8, 100<<20, 4096), 0)
	for row, want := range map[int64]int64{1: 1, window - 1: 1, window: 2, 2 * window: 3, 100 * window: 3} {
		equal(t, "windows ahead", windowsAhead(row), want)
	}
	for n := range backends.NodeID(maxSequences + 10) {
		s.at(100+n, 0, 1)
	}
	equal(t, "files watched", len(s.ends), maxSequences)
}

func TestReadersFarInAFileHaveSeveralWindowsAhead(t *testing.T) {
	b := newBench(t)
	data := noise(6 * window)
	b.f.set("", rangedFile("big", "v1", len(data)))
	b.f.content("id-big", "v1", data)
	n := b.lookup(b.root, "big").Node
	read := func(from, to int64) {
		t.Helper()
		p := make([]byte, 1<<20)
		for off := from; off < to; off += int64(len(p)) {
			if m, err := b.t.ReadAt(t.Context(), n, p, off); err != nil || m != len(p) {
				t.Fatalf("read at %d: %d bytes, %v", off, m, err)
			}
		}
	}
	windows := func(want int) {
		t.Helper()
		b.eventually("windows", func() bool { return b.c.Stats().Blobs == int64(want) })
		equal(t, "fetches", len(b.f.fetched()), want)
	}
	read(0, 1<<20)
	windows(1)
	read(1<<20, 2<<20)
	windows(2)
	read(2<<20, 9<<20)
	windows(4)
	read(9<<20, 17<<20)
	windows(6)
}

func TestReadersOfKnownSizesHaveContentsAhead(t *testing.T) {
	b := newBench(t)
	const n = 60
	var es []backends.Entry
	for i := range n {
		name := fmt.Sprintf("%03d", i)
		es = append(es, userFile(name, "v1", int64(i%7)))
		b.f.content("id-"+name, "v1", []byte("1234567"[:i%7]))
	}
	b.f.set("", es...)
	ds := b.readDir(b.root)
	fetched := func(want int) {
		t.Helper()
		b.eventually("fetches", func() bool { return b.c.Stats().Blobs == int64(want) })
		equal(t, "fetches", len(b.f.fetched()), want)
	}
	for _, d := range ds { // stat fetches nothing
		b.attr(d.Node)
	}
	fetched(0)
	for _, i := range []int{1, 45, 3, 24, 41} { // here and there
		b.read(ds[i].Node)
	}
	fetched(5)
	for i := range 3 {
		b.read(ds[8+i].Node)
	}
	fetched(5 + 3 + 2*3) // not 14, which is empty
	b.read(ds[11].Node)
	for i := range ds {
		if got := b.read(ds[i].Node); string(got) != "1234567"[:i%7] {
			t.Errorf("file %d: %q", i, got)
		}
	}
	fetched(n - 9)
}
