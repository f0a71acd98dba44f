package cache

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

// changes gathers changes; the function it returns waits until all that was queued has come and gives it.
func (b *bench) changes() func() []Change {
	var mu sync.Mutex
	var got []Change
	marks := 0
	b.Cleanup(b.t.Changes(func(cs []Change) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range cs {
			if c.Action == "mark" {
				marks++
			} else {
				got = append(got, c)
			}
		}
	}))
	want := 0
	return func() []Change {
		b.Helper()
		want++
		b.t.changes.push([]Change{{Action: "mark"}})
		b.eventually("the mark", func() bool { mu.Lock(); defer mu.Unlock(); return marks == want })
		mu.Lock()
		defer mu.Unlock()
		out := got
		got = nil
		return out
	}
}

// briefly writes changes in a line each.
func briefly(cs []Change) []string {
	out := []string{}
	for _, c := range cs {
		line := c.Action + " " + c.Path
		if c.OldPath != "" {
			line += " from " + c.OldPath
		}
		if c.IsDir {
			line += "/"
		}
		out = append(out, line)
	}
	return out
}

// commit commits a batch of one collection.
func commit(tb testing.TB, s backends.Sink, collection string, how backends.Commit, fill func(backends.Batch)) {
	tb.Helper()
	b := s.Begin(collection)
	defer b.Discard()
	fill(b)
	if err := b.Commit(how); err != nil {
		tb.Fatal(err)
	}
}

func add(tb testing.TB, b backends.Batch, dir backends.DirKey, es ...backends.Entry) {
	tb.Helper()
	if err := b.Add(dir, es...); err != nil {
		tb.Fatal(err)
	}
}

// twoFolders lists the folders a and b of a service whole, a with a file f in it.
func twoFolders(tb testing.TB, b *bench) (aDir, bDir backends.NodeID) {
	b.f.set("", userDir("a", "a"), userDir("b", "b"))
	b.f.set("a", userFile("f", "v1", 1))
	b.f.set("b")
	for _, dir := range []backends.DirKey{"", "a", "b"} {
		b.f.listing[dir] = backends.Listing{MaxAge: -1}
	}
	aDir, bDir = b.lookup(b.root, "a").Node, b.lookup(b.root, "b").Node
	equalSlices(tb, "a", b.names(aDir), []string{"f"})
	equalSlices(tb, "b", b.names(bDir), []string{})
	return aDir, bDir
}

func TestChangesSayWhatHappened(t *testing.T) {
	b := newBench(t)
	drain := b.changes()
	twoFolders(t, b)
	equalSlices(t, "first listings", briefly(drain()), []string{})
	arrived := b.clock.now()
	b.clock.add(40 * time.Millisecond)
	s := b.sink().(*sink)
	origin := backends.Origin{By: backends.ByWebhook, Subscription: "sub", At: arrived}
	s.origin = origin

	g := userFile("g", "v1", 2)
	g.Info = backends.Info{ServiceID: "id-g", ETag: "e1", WebURL: "https://example.com/g"}
	commit(t, s, "coll/a", backends.Commit{}, func(batch backends.Batch) { add(t, batch, "a", g) })
	got := drain()
	equal(t, "changes", len(got), 1)
	equal(t, "created", got[0], Change{
		At: b.clock.now(), Action: ActionCreated, Path: "c/box/a/g", Ino: b.lookup(b.lookup(b.root, "a").Node, "g").Attr.Ino,
		Connection: "c", Service: "c/box", Collection: "coll/a", Item: g.Info, Origin: origin,
	})

	steps := []struct {
		what string
		do   func(backends.Batch)
		want []string
	}{
		{"nothing", func(batch backends.Batch) { add(t, batch, "a", g) }, []string{}},
		{"a new content", func(batch backends.Batch) { g.Version = "v2"; add(t, batch, "a", g) }, []string{"changed c/box/a/g"}},
		{"another time", func(batch backends.Batch) { g.Ctime = g.Ctime.Add(1); add(t, batch, "a", g) }, []string{"changed c/box/a/g"}},
		{"another name", func(batch backends.Batch) { g.Name.Stem = "h"; add(t, batch, "a", g) },
			[]string{"renamed c/box/a/h from c/box/a/g"}},
		{"a removal", func(batch backends.Batch) { batch.Remove("item-g") }, []string{"removed c/box/a/h"}},
	}
	for _, step := range steps {
		commit(t, s, "coll/a", backends.Commit{}, step.do)
		equalSlices(t, step.what, briefly(drain()), step.want)
	}

	top := userDir("d", "d")
	commit(t, s, "coll/", backends.Commit{}, func(batch backends.Batch) { add(t, batch, "", top) })
	equalSlices(t, "a directory", briefly(drain()), []string{"created c/box/d/"})
	top.Name.Stem = "e"
	commit(t, s, "coll/", backends.Commit{}, func(batch backends.Batch) { add(t, batch, "", top) })
	equalSlices(t, "a directory's name", briefly(drain()), []string{"renamed c/box/e from c/box/d/"})
	commit(t, s, "coll/", backends.Commit{}, func(batch backends.Batch) { add(t, batch, "a", top) })
	equalSlices(t, "a directory's place", briefly(drain()), []string{"moved c/box/a/e from c/box/e/"})
	f := userFile("in", "v1", 1)
	commit(t, s, "coll/d", backends.Commit{Whole: []backends.Listing{{Dir: "d"}}}, func(batch backends.Batch) {})
	commit(t, s, "coll/d", backends.Commit{}, func(batch backends.Batch) { add(t, batch, "d", f) })
	equalSlices(t, "below a moved directory", briefly(drain()), []string{"created c/box/a/e/in"})
	commit(t, s, "coll/", backends.Commit{}, func(batch backends.Batch) { batch.Remove("item-d") })
	equalSlices(t, "a directory's end", briefly(drain()), []string{"removed c/box/a/e/"})
	commit(t, s, "coll/d", backends.Commit{}, func(batch backends.Batch) { batch.Remove("item-in") })
	equalSlices(t, "what nobody can see", briefly(drain()), []string{})
}

func TestMovesOverTwoCommits(t *testing.T) {
	f := userFile("f", "v1", 1)
	addTo := func(dir string) func(*testing.T, backends.Sink) {
		return func(t *testing.T, s backends.Sink) {
			commit(t, s, "coll/"+dir, backends.Commit{}, func(b backends.Batch) { add(t, b, backends.DirKey(dir), f) })
		}
	}
	removeFrom := func(dir string) func(*testing.T, backends.Sink) {
		return func(t *testing.T, s backends.Sink) {
			commit(t, s, "coll/"+dir, backends.Commit{}, func(b backends.Batch) { b.Remove("item-f") })
		}
	}
	for _, test := range []struct {
		name     string
		steps    []func(*testing.T, backends.Sink)
		want     [][]string
		unlisted bool // b has not been listed before
	}{
		{
			name: "added first", steps: []func(*testing.T, backends.Sink){addTo("b"), removeFrom("a")},
			want: [][]string{{"moved c/box/b/f from c/box/a/f"}, {}},
		},
		{
			name: "removed first", steps: []func(*testing.T, backends.Sink){removeFrom("a"), addTo("b")},
			want: [][]string{{"removed c/box/a/f"}, {"created c/box/b/f"}},
		},
		{
			name: "and back", steps: []func(*testing.T, backends.Sink){addTo("b"), removeFrom("a"), addTo("a"), removeFrom("b")},
			want: [][]string{{"moved c/box/b/f from c/box/a/f"}, {}, {"moved c/box/a/f from c/box/b/f"}, {}},
		},
		{
			name: "to a directory that is listed first", unlisted: true,
			steps: []func(*testing.T, backends.Sink){func(t *testing.T, s backends.Sink) {
				commit(t, s, "coll/b", backends.Commit{Whole: []backends.Listing{{Dir: "b", MaxAge: -1}}},
					func(b backends.Batch) { add(t, b, "b", f) })
			}, removeFrom("a")},
			want: [][]string{{}, {"moved c/box/b/f from c/box/a/f"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			var aDir backends.NodeID
			if test.unlisted {
				b.f.set("", userDir("a", "a"), userDir("b", "b"))
				b.f.set("a", f)
				aDir = b.lookup(b.root, "a").Node
			} else {
				aDir, _ = twoFolders(t, b)
			}
			before := b.lookup(aDir, "f")
			drain := b.changes()
			for i, step := range test.steps {
				step(t, b.sink())
				equalSlices(t, fmt.Sprint("step ", i), briefly(drain()), test.want[i])
			}
			for _, dir := range []string{"a", "b"} {
				for _, d := range b.readDir(b.lookup(b.root, dir).Node) {
					equal(t, "node", d.Node, before.Node)
					equal(t, "ino", d.Attr.Ino, before.Attr.Ino)
				}
			}
		})
	}
}

func TestMoveWithinOneCommit(t *testing.T) {
	b := newBench(t)
	aDir, bDir := twoFolders(t, b)
	before := b.lookup(aDir, "f")
	drain, events := b.changes(), b.watch()
	f := userFile("f", "v1", 1)
	for _, step := range []struct {
		dir    backends.DirKey
		want   string
		events []backends.Event
	}{
		{"b", "moved c/box/b/f from c/box/a/f", []backends.Event{
			{Kind: backends.EventRemoved, Dir: aDir, Name: "f", Node: before.Node},
			{Kind: backends.EventAdded, Dir: bDir, Name: "f", Node: before.Node},
		}},
		{"a", "moved c/box/a/f from c/box/b/f", []backends.Event{
			{Kind: backends.EventAdded, Dir: aDir, Name: "f", Node: before.Node},
			{Kind: backends.EventRemoved, Dir: bDir, Name: "f", Node: before.Node},
		}},
	} {
		// The item has been in this collection since its listing.
		commit(t, b.sink(), "coll/a", backends.Commit{}, func(batch backends.Batch) { add(t, batch, step.dir, f) })
		equalSlices(t, "changes", briefly(drain()), []string{step.want})
		equalSlices(t, "events", ofChange(events()), step.events)
	}
}

func TestSlowListenerGetsOneForMany(t *testing.T) {
	b := newBench(t)
	twoFolders(t, b)
	b.t.changes.most = 10
	hold, entered := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	var got []string
	b.Cleanup(b.t.Changes(func(cs []Change) {
		once.Do(func() { close(entered) })
		<-hold
		mu.Lock()
		defer mu.Unlock()
		got = append(got, briefly(cs)...)
	}))
	one := func(i int) {
		commit(t, b.sink(), "coll/b", backends.Commit{}, func(batch backends.Batch) {
			add(t, batch, "b", userFile(fmt.Sprint("n", i), "v1", 1))
		})
	}
	one(0)
	<-entered
	for i := range 12 {
		one(i + 1)
	}
	close(hold)
	b.eventually("the last", func() bool { mu.Lock(); defer mu.Unlock(); return slices.Contains(got, "created c/box/b/n12") })
	equal(t, "changes", strings.Join(got, ", "), "created c/box/b/n0, many c/box/, created c/box/b/n12")
}
