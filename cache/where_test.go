package cache

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/workfs/workfs/backends"
)

// where gives what Where says, in the order of directories.
func where(s backends.Sink, id string) []backends.Shown {
	all := s.Where(id)
	slices.SortFunc(all, func(a, b backends.Shown) int { return cmp.Compare(a.Dir, b.Dir) })
	return all
}

func TestWhereIsAnIdentity(t *testing.T) {
	b := newBench(t)
	twoFolders(t, b)
	s := b.sink()
	f := userFile("f", "v1", 1)
	f.Info = backends.Info{ServiceID: "service-f", ETag: "e1"}
	in := func(dir backends.DirKey, version string, e backends.Entry) backends.Shown {
		return backends.Shown{Dir: dir, Collection: "coll/" + string(dir), Item: e.Item, Version: version, Info: e.Info}
	}
	put := func(dir backends.DirKey, e backends.Entry) {
		commit(t, s, "coll/"+string(dir), backends.Commit{}, func(batch backends.Batch) { add(t, batch, dir, e) })
	}
	put("a", f)
	equalSlices(t, "one place", where(s, f.ID), []backends.Shown{in("a", "v1", f)})
	put("b", f)
	equalSlices(t, "two places", where(s, f.ID), []backends.Shown{in("a", "v1", f), in("b", "v1", f)})
	commit(t, s, "coll/a", backends.Commit{}, func(batch backends.Batch) { batch.Remove(f.Item) })
	equalSlices(t, "left one", where(s, f.ID), []backends.Shown{in("b", "v1", f)})
	f.Version, f.Info.ETag = "v2", "e2"
	put("b", f)
	equalSlices(t, "another version", where(s, f.ID), []backends.Shown{in("b", "v2", f)})
	commit(t, s, "coll/b", backends.Commit{}, func(batch backends.Batch) { batch.Remove(f.Item) })
	equalSlices(t, "gone", where(s, f.ID), nil)
	equalSlices(t, "unknown", where(s, "nothing"), nil)

	d := userDir("d", "d")
	d.Info.ETag = "d1"
	put("a", d)
	equalSlices(t, "a directory", where(s, d.ID), []backends.Shown{in("a", "", d)})
	put("b", d)
	equalSlices(t, "a moved directory", where(s, d.ID), []backends.Shown{in("b", "", d)})
	commit(t, s, "coll/a", backends.Commit{}, func(batch backends.Batch) { batch.Remove(d.Item) })
	equalSlices(t, "gone from where it was", where(s, d.ID), []backends.Shown{in("b", "", d)})
	commit(t, s, "coll/b", backends.Commit{}, func(batch backends.Batch) { batch.Remove(d.Item) })
	equalSlices(t, "a directory that is gone", where(s, d.ID), nil)

	put("a", f)
	if err := b.c.Clear(); err != nil {
		t.Fatal(err)
	}
	equalSlices(t, "in no whole directory", where(s, f.ID), nil)
}

func TestWhereWithCollisions(t *testing.T) {
	b := newBench(t)
	b.c.ino = func(_, id string) uint64 {
		// The first one is another's; then others are tried, with a number at the end.
		_, n, _ := strings.Cut(id, "\x00")
		return 7 + uint64(len(n))*uint64(id[1])
	}
	var es []backends.Entry
	for i := range 3 {
		e := userFile(fmt.Sprint("f", i), fmt.Sprint("v", i), 1)
		e.ID = fmt.Sprint("f", i)
		es = append(es, e)
	}
	b.f.set("", es...)
	b.readDir(b.root)
	for i, e := range es {
		got := where(b.sink(), e.ID)
		equal(t, "places", len(got), 1)
		equal(t, "version", got[0].Version, fmt.Sprint("v", i))
	}
}
