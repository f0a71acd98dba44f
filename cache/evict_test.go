package cache

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

func TestOldestListingsGoWithTheirBodies(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MaxSize = 2 << 20 })
	var roots []backends.Entry
	for i := range 3 {
		key := backends.DirKey(fmt.Sprint("D", i))
		roots = append(roots, userDir(fmt.Sprint("d", i), key))
		b.f.set(key, bodyFile(fmt.Sprint("f", i), "v1", string(noise(600<<10))), userDir("sub", "S"+key))
	}
	b.f.set("", roots...)
	b.f.listing[""] = backends.Listing{MaxAge: -1}
	for i := range 3 {
		b.clock.add(time.Second)
		b.readDir(b.lookup(b.root, fmt.Sprint("d", i)).Node)
	}
	d0 := b.lookup(b.root, "d0").Node
	before := b.readDir(d0)
	if err := b.c.sweep(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, false, true} {
		equal(t, fmt.Sprint("whole ", i), b.sink().Dir(backends.DirKey(fmt.Sprint("D", i))).Whole, want)
	}
	if used := b.c.bodies.used(); used > 1<<20 {
		t.Errorf("bodies take %d bytes", used)
	}
	after := b.readDir(d0)
	equal(t, "lists", b.f.listed("D0"), 2)
	for i := range after {
		before[i].Attr.Valid, after[i].Attr.Valid = 0, 0
	}
	equal(t, "entries", fmt.Sprint(after), fmt.Sprint(before))
	if got := b.read(after[0].Node); string(got) != string(noise(600<<10)) {
		t.Error("body differs")
	}
	equal(t, "fetches", len(b.f.fetched()), 0)
	checkBodies(t, b)
}

// checkBodies looks for bodies that an entry wants and nobody has.
func checkBodies(t *testing.T, b *bench) {
	t.Helper()
	err := b.c.meta.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketEntries).ForEach(func(_, v []byte) error {
			e, err := decodeEntry(v)
			if err == nil && e.body != 0 && !b.c.bodies.has(e.body) {
				t.Errorf("%s has lost its body", e.name)
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk fills a small disk for real.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("workfs-test", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	b := newBench(t, func(o *Options) { o.CacheDir = dir + "/cache" })
	b.f.set("", bodyFile("small", "v1", "small body"), userFile("large", "v1", 20<<20), rangedFile("ranged", "v1", 20<<20))
	b.f.content("id-large", "v1", noise(20<<20))
	b.f.content("id-ranged", "v1", noise(20<<20))
	small := b.lookup(b.root, "small")
	for _, name := range []string{"large", "ranged"} {
		_, err := b.tryRead(b.lookup(b.root, name).Node, 1<<20)
		isError(t, name, err, backends.ErrNoSpace)
	}
	var err error
	for i := 0; err == nil && i < 100; i++ {
		batch := b.sink().Begin("many")
		if err = batch.Add("M", bodyFile("m", fmt.Sprint(i), string(noise(1<<20))+fmt.Sprint(i))); err == nil {
			err = batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: "M"}}})
		}
		batch.Discard()
	}
	isError(t, "listings", err, backends.ErrNoSpace)
	equal(t, "what was there", string(b.read(small.Node)), "small body")
	checkBodies(t, b)
	if err := b.c.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	equal(t, "after a restart", string(b.read(b.lookup(b.root, "small").Node)), "small body")
	checkBodies(t, b)
	if err := b.c.Clear(); err != nil && !errors.Is(err, backends.ErrNoSpace) {
		t.Fatal(err)
	}
	equal(t, "after clearing", string(b.read(b.lookup(b.root, "small").Node)), "small body")
	if _, err := os.Stat(dir + "/cache/CACHEDIR.TAG"); err != nil {
		t.Error(err)
	}
}
