package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

func TestListingIsAskedAgainWhenOld(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"))
	b.readDir(b.root)
	b.clock.add(4 * time.Minute)
	equal(t, "remaining age", b.lookup(b.root, "a").Attr.Valid, time.Minute)
	equal(t, "lists while young", b.f.listed(""), 1)
	b.f.set("", bodyFile("a", "v2", "two!"), bodyFile("b", "v1", "b"))
	drain := b.watch()
	was := b.lookup(b.root, "a")
	b.expire()
	equalSlices(t, "names", b.names(b.root), []string{"a", "b"})
	equal(t, "lists", b.f.listed(""), 2)
	now := b.lookup(b.root, "a")
	if now.Node == was.Node || now.Cookie != was.Cookie || now.Attr.Ino != was.Attr.Ino {
		t.Errorf("a new version has %+v after %+v", now, was)
	}
	equal(t, "old version", string(b.read(was.Node)), "one")
	equal(t, "new version", string(b.read(now.Node)), "two!")
	added := b.lookup(b.root, "b")
	equalSlices(t, "events", ofChange(drain()), []backends.Event{
		{Kind: backends.EventReplaced, Dir: b.root, Name: "a", Node: now.Node, Was: was.Node},
		{Kind: backends.EventAdded, Dir: b.root, Name: "b", Node: added.Node},
	})
	b.expire()
	b.readDir(b.root)
	equal(t, "lists", b.f.listed(""), 3)
	equalSlices(t, "events of the same again", ofChange(drain()), nil)

	b.clock.add(2 * keepRetired)
	if err := b.c.sweep(); err != nil {
		t.Fatal(err)
	}
	_, err := b.tryRead(was.Node, 10)
	isError(t, "a version that was replaced long ago", err, backends.ErrStale)
	_, err = b.t.Attr(context.Background(), was.Node)
	isError(t, "its attributes", err, backends.ErrStale)
	equal(t, "new version", string(b.read(b.lookup(b.root, "a").Node)), "two!")
}

// ofChange leaves out expiry and the times of directories.
func ofChange(evs []backends.Event) (out []backends.Event) {
	for _, e := range evs {
		if e.Kind != backends.EventExpired && !(e.Kind == backends.EventAttr && e.IsDir) {
			out = append(out, e)
		}
	}
	return out
}

func TestStaticListingsAreForEver(t *testing.T) {
	b := newBench(t)
	b.f.listing[""] = backends.Listing{MaxAge: -1}
	b.f.set("", userDir("d", "D"), bodyFile("a", "v1", "one"))
	equal(t, "file", b.lookup(b.root, "a").Attr.Valid, backends.Forever)
	equal(t, "directory", b.lookup(b.root, "d").Attr.Valid, time.Hour)
	b.clock.add(10000 * time.Hour)
	b.readDir(b.root)
	equal(t, "lists", b.f.listed(""), 1)
}

func TestFailedListing(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"))
	for _, err := range []error{backends.ErrUnavailable, backends.ErrForbidden, backends.ErrThrottled} {
		b.f.fail("", fmt.Errorf("wrapped: %w", err))
		_, got := b.tryReadDir(b.root)
		isError(t, "nothing listed yet", got, err)
		_, _, got = b.t.Lookup(ctx, b.root, "a")
		isError(t, "nothing listed yet", got, err)
	}
	equal(t, "each look asks", b.f.listed(""), 6)
	b.f.fail("", nil)
	b.readDir(b.root)
	equal(t, "lists", b.f.listed(""), 7)

	b.expire()
	b.f.fail("", backends.ErrUnavailable)
	equalSlices(t, "the old listing serves", b.names(b.root), []string{"a"})
	equal(t, "lists", b.f.listed(""), 8)
	equal(t, "valid during the pause", b.lookup(b.root, "a").Attr.Valid, 2*time.Second)
	equal(t, "no lists during the pause", b.f.listed(""), 8)
	lists := 8
	for _, pause := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		b.clock.add(pause*time.Second - time.Millisecond)
		b.readDir(b.root)
		equal(t, "lists just before the end of the pause", b.f.listed(""), lists)
		b.clock.add(time.Millisecond)
		b.readDir(b.root)
		lists++
		equal(t, "lists at the end of the pause", b.f.listed(""), lists)
	}
	cs, err := b.t.Collections()
	if err != nil || len(cs) != 1 || cs[0].Error == "" || cs[0].PausedFor != "1m0s" || cs[0].Entries != 1 {
		t.Errorf("status of collections: %+v, %v", cs, err)
	}
	b.clock.add(time.Hour)
	b.f.fail("", backends.ErrForbidden)
	_, err = b.tryReadDir(b.root)
	isError(t, "forbidden now", err, backends.ErrForbidden)
	gaps := b.t.Coverage()
	if len(gaps) != 1 || gaps[0].Path != "c/box" {
		t.Errorf("coverage %+v", gaps)
	}
	b.f.fail("", backends.ErrNotFound)
	_, err = b.tryReadDir(b.root)
	isError(t, "gone now", err, backends.ErrNotFound)
	b.f.fail("", nil)
	equalSlices(t, "back again", b.names(b.root), []string{"a"})
	equal(t, "coverage", len(b.t.Coverage()), 0)
}

func TestListWithoutWholeIsAnError(t *testing.T) {
	b := newBench(t)
	b.f.list = func(context.Context, backends.DirKey, backends.Sink) error { return nil }
	_, err := b.tryReadDir(b.root)
	isError(t, "not whole", err, backends.ErrUnavailable)
	b.f.list = func(context.Context, backends.DirKey, backends.Sink) error { panic("hostile") }
	_, err = b.tryReadDir(b.root)
	isError(t, "panic", err, backends.ErrUnavailable)
	b.f.list = func(_ context.Context, dir backends.DirKey, s backends.Sink) error {
		batch := s.Begin("x")
		defer batch.Discard()
		if err := batch.Add(dir, bodyFile("partial", "v1", "x")); err != nil {
			return err
		}
		return backends.ErrUnavailable
	}
	_, err = b.tryReadDir(b.root)
	isError(t, "failed half way", err, backends.ErrUnavailable)
	b.f.list = nil
	b.f.set("")
	equal(t, "entries", len(b.readDir(b.root)), 0)
}

func TestListIsSharedAndInterruptible(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"))
	started, release := make(chan backends.Priority, 10), make(chan struct{})
	var prio func() backends.Priority
	cancelled := make(chan struct{}, 10)
	b.f.onList = func(ctx context.Context, _ backends.DirKey) {
		prio = func() backends.Priority { return backends.PriorityOf(ctx) }
		started <- backends.PriorityOf(ctx)
		select {
		case <-release:
		case <-ctx.Done():
			cancelled <- struct{}{}
		}
	}
	look := func(ctx context.Context) chan error {
		c := make(chan error, 1)
		go func() {
			_, _, err := b.t.Lookup(ctx, b.root, "a")
			c <- err
		}()
		return c
	}
	waiters := func(n int) func() bool {
		return func() bool {
			b.t.listings.mu.Lock()
			defer b.t.listings.mu.Unlock()
			f := b.t.listings.flights[b.root]
			return f != nil && f.waiters == n
		}
	}
	bulk := backends.WithPriority(context.Background(), backends.Bulk)
	first, cancelFirst := context.WithCancel(bulk)
	one := look(first)
	equal(t, "priority of the first", <-started, backends.Bulk)
	second, cancelSecond := context.WithCancel(context.Background())
	defer cancelSecond()
	two, three := look(second), look(bulk)
	b.eventually("three waiters", waiters(3))
	equal(t, "raised", prio(), backends.Interactive)
	cancelFirst()
	isError(t, "interrupted", <-one, context.Canceled)
	close(release)
	for _, c := range []chan error{two, three} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	equal(t, "lists", b.f.listed(""), 1)

	// The last one out ends it, and who comes then begins anew.
	b.expire()
	release = make(chan struct{})
	third, cancelThird := context.WithCancel(context.Background())
	one = look(third)
	<-started
	cancelThird()
	isError(t, "interrupted", <-one, context.Canceled)
	<-cancelled
	close(release)
	if err := <-look(context.Background()); err != nil {
		t.Error(err)
	}
	equal(t, "lists", b.f.listed(""), 3)
}

func TestListHasADeadline(t *testing.T) {
	b := newBench(t, func(o *Options) { o.OpTimeout = 20 * time.Millisecond })
	b.f.set("")
	b.f.onList = func(ctx context.Context, _ backends.DirKey) { <-ctx.Done() }
	_, err := b.tryReadDir(b.root)
	isError(t, "slow listing", err, context.DeadlineExceeded)
	if !backends.Temporary(err) {
		t.Errorf("%v is not temporary", err)
	}
}

func TestFreshRenewsCoveredListings(t *testing.T) {
	b := newBench(t)
	s := b.sink()
	batch := s.Begin("folder")
	for _, d := range []backends.DirKey{"", "M1", "M2"} {
		if err := batch.Add(d, bodyFile("f"+string(d), "v1", "x")); err != nil {
			t.Fatal(err)
		}
	}
	err := batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: "", Covered: true}, {Dir: "M1", Covered: true}, {Dir: "M2"}}})
	if err != nil {
		t.Fatal(err)
	}
	b.expire()
	batch = s.Begin("folder")
	begun := b.clock.now()
	b.clock.add(time.Second)
	if err := batch.Commit(backends.Commit{Fresh: true}); err != nil {
		t.Fatal(err)
	}
	for d, want := range map[backends.DirKey]time.Time{"": begun, "M1": begun, "M2": begun.Add(-5*time.Minute - time.Second)} {
		if st := s.Dir(d); !st.Whole || !st.AsOf.Equal(want) || st.Empty {
			t.Errorf("%q: %+v, want as of %v", d, st, want)
		}
	}
	equal(t, "valid", b.lookup(b.root, "f").Attr.Valid, 5*time.Minute-time.Second)
	equal(t, "lists", b.f.listed(""), 0)
	equal(t, "has", s.Has("folder", "item-fM2"), true)
	equal(t, "has in another collection", s.Has("other", "item-fM2"), false)
	equal(t, "never heard of", s.Dir("nothing"), backends.DirState{})
}

func TestMemoryGoesWithTheBatch(t *testing.T) {
	b := newBench(t)
	s := b.sink()
	if err := s.Put("account", []byte("x")); err != nil {
		t.Fatal(err)
	}
	batch := s.Begin("c")
	if err := batch.Commit(backends.Commit{Memory: map[string][]byte{"cursor": []byte("1"), "account": nil}}); err != nil {
		t.Fatal(err)
	}
	if err := batch.Commit(backends.Commit{}); err == nil {
		t.Error("a batch was committed twice")
	}
	_, ok := s.Get("account")
	equal(t, "deleted", ok, false)
	m := b.c.Memory("contoso")
	if err := m.Put("me", []byte("alice")); err != nil {
		t.Fatal(err)
	}
	b.reopen()
	v, _ := b.sink().Get("cursor")
	equal(t, "cursor", string(v), "1")
	v, _ = b.c.Memory("contoso").Get("me")
	equal(t, "account", string(v), "alice")
	_, ok = b.c.Memory("other").Get("me")
	equal(t, "another connection's", ok, false)
	b.options.CacheDir = t.TempDir()
	b.reopen()
	v, _ = b.c.Memory("contoso").Get("me")
	equal(t, "account after a wipe", string(v), "alice")
	_, ok = b.sink().Get("cursor")
	equal(t, "cursor after a wipe", ok, false)
}

func TestExpiredEvents(t *testing.T) {
	b := newBench(t)
	b.f.set("", userDir("d", "D"))
	b.f.set("D")
	drain := b.watch()
	d := b.lookup(b.root, "d").Node
	b.readDir(d)
	b.lookup(b.root, "d")
	b.t.expiry.fire()
	equal(t, "nothing yet", len(drain()), 0)
	b.clock.add(5 * time.Minute)
	b.t.expiry.fire()
	equalSlices(t, "both", drain(), []backends.Event{
		{Kind: backends.EventExpired, Dir: b.root, IsDir: true}, {Kind: backends.EventExpired, Dir: d, IsDir: true},
	})
	b.clock.add(time.Hour)
	b.t.expiry.fire()
	equal(t, "not again without a look", len(drain()), 0)
	b.readDir(d)
	b.clock.add(4 * time.Minute)
	batch := b.f.sink.Begin("coll/D")
	if err := batch.Commit(backends.Commit{Whole: []backends.Listing{{Dir: "D"}}}); err != nil {
		t.Fatal(err)
	}
	b.clock.add(2 * time.Minute)
	b.t.expiry.fire()
	equal(t, "renewed meanwhile", len(drain()), 0)
	b.clock.add(3 * time.Minute)
	b.t.expiry.fire()
	equal(t, "run out after all", len(drain()), 1)
}

func TestExpiredEventComesByItself(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Now = time.Now })
	b.f.set("", bodyFile("a", "v1", "x"))
	b.f.listing[""] = backends.Listing{MaxAge: 30 * time.Millisecond}
	got := make(chan backends.Event, 10)
	defer b.t.Watch(func(events []backends.Event) {
		for _, e := range events {
			got <- e
		}
	})()
	b.readDir(b.root)
	select {
	case e := <-got:
		equal(t, "event", e, backends.Event{Kind: backends.EventExpired, Dir: b.root, IsDir: true})
	case <-time.After(20 * time.Second):
		t.Error("no event")
	}
}

func TestSchemaTakesListingsAnew(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Schema = "md 1" })
	b.f.set("", bodyFile("a", "v1", "one"), userFile("x.eml", "v1", backends.SizeUnknown))
	b.f.content("id-x.eml", "v1", []byte("MIME"))
	before := b.readDir(b.root)
	b.attr(before[1].Node)
	b.options.Schema = "md 2"
	b.f.set("", bodyFile("a", "v2", "one, rendered anew"), userFile("x.eml", "v1", backends.SizeUnknown))
	b.reopen()
	equal(t, "whole", b.sink().Dir("").Whole, false)
	equal(t, "has", b.sink().Has("coll/", "item-a"), false)
	drain := b.watch()
	after := b.readDir(b.root)
	equal(t, "lists", b.f.listed(""), 2)
	equal(t, "cookie", after[0].Cookie, before[0].Cookie)
	equal(t, "ino", after[0].Attr.Ino, before[0].Attr.Ino)
	equal(t, "unchanged", after[1].Node, before[1].Node)
	equal(t, "size", after[1].Attr.Size, 4)
	equal(t, "body", string(b.read(after[0].Node)), "one, rendered anew")
	equal(t, "content", string(b.read(after[1].Node)), "MIME")
	equal(t, "fetches", len(b.f.fetched()), 1)
	equalSlices(t, "events", ofChange(drain()), []backends.Event{{Kind: backends.EventReplaced, Dir: b.root, Name: "a", Node: after[0].Node, Was: before[0].Node}})
	b.reopen()
	b.readDir(b.root)
	equal(t, "lists with the same schema", b.f.listed(""), 2)
}

// editioned is a backend with an edition.
type editioned struct {
	*fake
	edition string
}

func (e *editioned) Edition() string { return e.edition }

func TestEditionTakesListingsAnew(t *testing.T) {
	b := newBench(t)
	other := newFake("other")
	other.set("", bodyFile("b", "v1", "two"))
	e := &editioned{b.f, "bodies"}
	b.backend, b.more = e, []backends.Mounted{{Path: "other", Backend: other}}
	b.reopen()
	b.f.set("", userDir("d", "D"), bodyFile("a", "v1", "one"))
	b.f.set("D", bodyFile("x", "v1", "ten"))
	b.f.listing[""] = backends.Listing{MaxAge: -1}
	look := func() []backends.Dirent {
		b.readDir(b.t.shape().order[1].root)
		list := b.readDir(b.root)
		for _, entry := range list {
			if entry.Name == "d" {
				b.readDir(entry.Node)
			}
		}
		return list
	}
	before := look()
	b.reopen()
	look()
	equal(t, "lists with the same edition", b.f.listed("")+b.f.listed("D")+other.listed(""), 3)

	e.edition = "names"
	b.f.set("", bodyFile("a", "v2", "without a body"))
	b.options.Offline = true
	b.reopen()
	look()
	equal(t, "lists offline", b.f.listed("")+b.f.listed("D")+other.listed(""), 3)
	b.options.Offline = false
	b.reopen()
	equal(t, "whole", b.sink().Dir("").Whole, false)
	after := look()
	equal(t, "lists with another edition", b.f.listed(""), 2)
	equal(t, "lists of another service", other.listed(""), 1)
	equal(t, "entries", len(after), 1)
	equal(t, "body", string(b.read(after[0].Node)), "without a body")
	for _, entry := range before {
		if entry.Name == "a" {
			equal(t, "ino", after[0].Attr.Ino, entry.Attr.Ino)
		}
	}
	b.reopen()
	look()
	equal(t, "lists with that edition", b.f.listed(""), 2)
}

// TestGapsOfConnections: what a connection does not show is told beside what its backends tell.
func TestGapsOfConnections(t *testing.T) {
	b := newBench(t)
	b.f.gaps = []backends.Gap{{Path: "files", Reason: "a"}}
	b.gaps = []backends.Gap{{Reason: "not chosen"}, {Path: "outlook/*/mail", Reason: "b"}}
	b.reopen()
	equalSlices(t, "coverage", b.t.Coverage(), []backends.Gap{{Path: "c", Reason: "not chosen"}, {Path: "c/box/files", Reason: "a"}, {Path: "c/outlook/*/mail", Reason: "b"}})
}

func TestClear(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"), userFile("x.eml", "v1", backends.SizeUnknown))
	b.f.content("id-x.eml", "v1", []byte("MIME"))
	before := b.readDir(b.root)
	b.attr(before[1].Node)
	if err := b.sink().Put("cursor", []byte("1")); err != nil {
		t.Fatal(err)
	}
	open := b.sink().Begin("c")
	if err := b.c.Clear(); err != nil {
		t.Fatal(err)
	}
	isError(t, "an open batch", open.Commit(backends.Commit{}), backends.ErrUnavailable)
	_, ok := b.sink().Get("cursor")
	equal(t, "cursor", ok, false)
	equal(t, "blobs", b.c.Stats().Blobs, 0)
	after := b.readDir(b.root)
	equal(t, "lists", b.f.listed(""), 2)
	equal(t, "same entries", fmt.Sprint(after), fmt.Sprint(withSize(before, 1, 4)))
	equal(t, "body", string(b.read(after[0].Node)), "one")
	equal(t, "content", string(b.read(after[1].Node)), "MIME")
	equal(t, "fetches", len(b.f.fetched()), 2)
}

func withSize(ds []backends.Dirent, i int, size int64) []backends.Dirent {
	ds[i].Attr.Size = size
	return ds
}

func TestOffline(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"), userDir("d", "D"), userFile("x", "v1", 100))
	b.readDir(b.root)
	b.options.Offline = true
	b.reopen()
	b.clock.add(1000 * time.Hour)
	equal(t, "body", string(b.read(b.lookup(b.root, "a").Node)), "one")
	_, err := b.tryReadDir(b.lookup(b.root, "d").Node)
	isError(t, "never listed", err, backends.ErrUnavailable)
	_, err = b.tryRead(b.lookup(b.root, "x").Node, 10)
	isError(t, "never fetched", err, backends.ErrUnavailable)
	equal(t, "lists", b.f.listed("")+b.f.listed("D"), 1)
	equal(t, "fetches", len(b.f.fetched()), 0)
}

func TestRemovedAndMovedDirectories(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	b.f.set("", userDir("a", "A"), userDir("b", "B"))
	b.f.set("A", userDir("sub", "S"))
	b.f.set("B")
	b.f.set("S", bodyFile("f", "v1", "x"))
	dirA, dirB := b.lookup(b.root, "a").Node, b.lookup(b.root, "b").Node
	sub := b.lookup(dirA, "sub")
	b.readDir(dirB)
	f := b.lookup(sub.Node, "f")
	b.f.set("A")
	b.f.set("B", userDir("renamed", "S"))
	b.expire()
	equal(t, "gone from a", len(b.readDir(dirA)), 0)
	_, err := b.t.Attr(ctx, sub.Node)
	isError(t, "in between", err, backends.ErrNotFound)
	_, err = b.tryReadDir(sub.Node)
	isError(t, "in between", err, backends.ErrNotFound)
	moved := b.lookup(dirB, "renamed")
	equal(t, "same node", moved.Node, sub.Node)
	again := b.lookup(sub.Node, "f")
	equal(t, "same child", again.Node, f.Node)
	equal(t, "path", b.t.Path(f.Node), "c/box/b/renamed/f")

	b.f.set("B")
	b.expire()
	b.readDir(dirB)
	b.clock.add(2 * keepRetired)
	for range 2 {
		if err := b.c.sweep(); err != nil {
			t.Fatal(err)
		}
		b.clock.add(2 * keepRetired)
	}
	_, err = b.t.Attr(ctx, f.Node)
	isError(t, "file of a removed directory", err, backends.ErrStale)
	_, entries := b.t.Usage()
	equal(t, "entries", entries, 2)
}

func TestMoveBetweenDirectoriesOfACollection(t *testing.T) {
	b := newBench(t)
	s := b.sink()
	b.f.set("", userDir("a", "A"), userDir("b", "B"))
	commit := func(fill func(backends.Batch), whole ...backends.DirKey) {
		t.Helper()
		batch := s.Begin("folder")
		fill(batch)
		var c backends.Commit
		for _, d := range whole {
			c.Whole = append(c.Whole, backends.Listing{Dir: d, MaxAge: -1})
		}
		if err := batch.Commit(c); err != nil {
			t.Fatal(err)
		}
	}
	part := func(ext string) backends.Entry {
		e := bodyFile("m", "v1", "body "+ext)
		e.ID += ext
		e.Name = names.Wanted{Stem: "m", Key: "m", Ext: ext}
		return e
	}
	add := func(d backends.DirKey) func(backends.Batch) {
		return func(batch backends.Batch) {
			if err := batch.Add(d, part(".md"), part(".json")); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit(add("A"), "A", "B")
	dirA, dirB := b.lookup(b.root, "a").Node, b.lookup(b.root, "b").Node
	drain := b.watch()
	was := b.readDir(dirA)
	equal(t, "parts", len(was), 2)
	commit(add("B"))
	equal(t, "left a", len(b.readDir(dirA)), 0)
	now := b.readDir(dirB)
	for i := range now {
		equal(t, "name", now[i].Name, was[i].Name)
		equal(t, "node", now[i].Node, was[i].Node)
	}
	equal(t, "events", len(ofChange(drain())), 4)
	commit(func(batch backends.Batch) {
		add("B")(batch)
		batch.Remove("item-m")
	})
	equal(t, "added and removed", len(b.readDir(dirB)), 0)
	commit(func(batch backends.Batch) {
		batch.Remove("item-m")
		add("C")(batch) // not whole
		add("A")(batch)
	})
	equal(t, "removed and added", len(b.readDir(dirA)), 2)
	commit(add("C"))
	equal(t, "moved to where nobody looks", len(b.readDir(dirA)), 0)
	equal(t, "has", s.Has("folder", "item-m"), false)
}

func TestConcurrentUse(t *testing.T) {
	b := newBench(t, func(o *Options) { o.DefaultMaxAge = time.Nanosecond; o.Now = time.Now })
	for i := range 4 {
		b.f.set(backends.DirKey(fmt.Sprint("D", i)), bodyFile("a", "v1", "one"), userFile("x", "v1", backends.SizeUnknown))
	}
	b.f.set("", userDir("d0", "D0"), userDir("d1", "D1"), userDir("d2", "D2"), userDir("d3", "D3"))
	b.f.content("id-x", "v1", []byte("content"))
	stop := b.t.Watch(func([]backends.Event) {})
	defer stop()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 15 {
				d, _, err := b.t.Lookup(context.Background(), b.root, fmt.Sprint("d", (i+j)%4))
				if err != nil {
					t.Error(err)
					return
				}
				err = b.t.ReadDir(context.Background(), d.Node, 0, func(f backends.Dirent) bool {
					data, err := b.tryRead(f.Node, 3)
					if want := map[string]string{"a": "one", "x": "content"}[f.Name]; err != nil || string(data) != want {
						t.Errorf("%s: %q, %v", f.Name, data, err)
					}
					return true
				})
				if err != nil {
					t.Error(err)
				}
				switch j % 5 {
				case 0:
					b.f.set(backends.DirKey(fmt.Sprint("D", i%4)), bodyFile("a", fmt.Sprint("v", i, j), "one"), userFile("x", "v1", backends.SizeUnknown))
				case 3:
					if err := b.c.sweep(); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wg.Wait()
	equal(t, "fetches of one content", b.f.fetchedIDs()["id-x"], 1)
	if err := b.c.Close(); err != nil {
		t.Error(err)
	}
	_, err := b.tryReadDir(b.root)
	if err == nil {
		t.Error("a closed cache listed")
	}
	if errors.Is(err, context.Canceled) {
		t.Errorf("a closed cache says %v", err)
	}
}

// TestEndOfADirectory asks for what follows the last entry: nothing, until something does.
func TestEndOfADirectory(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"), bodyFile("b", "v1", "two"))
	b.readDir(b.root)
	last := b.readDir(b.root)[1].Cookie // without a commit in between
	after := func() (names []string) {
		t.Helper()
		err := b.t.ReadDir(context.Background(), b.root, last, func(d backends.Dirent) bool {
			names = append(names, d.Name)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	equal(t, "the end is known", b.t.ends.at(b.root, last, b.c.meta.Commits()), true)
	equalSlices(t, "after the last one", after(), nil)
	b.f.set("", bodyFile("a", "v1", "one"), bodyFile("b", "v1", "two"), bodyFile("c", "v1", "three"))
	b.expire()
	b.readDir(b.root)
	equalSlices(t, "after one more has come", after(), []string{"c"})
	equalSlices(t, "from the beginning", b.names(b.root), []string{"a", "b", "c"})

	b.f.set("")
	b.expire()
	equalSlices(t, "all gone", b.names(b.root), nil)
	b.f.set("", bodyFile("d", "v1", "four"))
	b.expire()
	equalSlices(t, "after an empty one", b.names(b.root), []string{"d"})
}
