package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/workfs/workfs/backends"
)

// at is a connection of one service.
func at(name, path string, b backends.Backend) Connection {
	return Connection{Name: name, Mounted: []backends.Mounted{{Path: path, Backend: b}}}
}

func TestReplaceKeepsWhatIsOfTheSameScope(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"), userDir("closed", "C"))
	b.f.fail("C", backends.ErrForbidden)
	connection, before := b.lookup(backends.RootID, "c"), b.readDir(b.root)
	_, err := b.tryReadDir(before[1].Node)
	isError(t, "without permission", err, backends.ErrForbidden)
	old := b.f
	b.f = newFake("scope")
	b.f.set("", bodyFile("a", "v1", "one"), userDir("closed", "C"))
	b.f.set("C", bodyFile("b", "v1", "two"))
	if err := b.t.Replace(at("c", "box", b.f)); err != nil {
		t.Fatal(err)
	}
	equal(t, "connection", b.lookup(backends.RootID, "c"), connection)
	equal(t, "service", b.lookup(connection.Node, "box").Node, b.root)
	equalSlices(t, "entries", b.readDir(b.root), before)
	equal(t, "body", string(b.read(before[0].Node)), "one")
	equal(t, "lists of what was listed", b.f.listed(""), 0)
	asked := old.listed("C")
	equalSlices(t, "names with permission", b.names(before[1].Node), []string{"b"})
	equal(t, "lists by the backend before", old.listed("C"), asked)
}

func TestReplaceByAnotherScope(t *testing.T) {
	b := newBench(t)
	b.f.set("", bodyFile("a", "v1", "one"))
	connection := b.lookup(backends.RootID, "c")
	a := b.lookup(b.root, "a")
	drain := b.watch()
	other := newFake("other")
	other.set("", bodyFile("a", "v1", "of another"))
	if err := b.t.Replace(at("c", "box", other)); err != nil {
		t.Fatal(err)
	}
	now := b.lookup(backends.RootID, "c")
	if now.Node == connection.Node || now.Attr.Ino == connection.Attr.Ino || now.Cookie == connection.Cookie {
		t.Errorf("the connection is %+v, was %+v", now, connection)
	}
	root := b.lookup(now.Node, "box")
	is := b.lookup(root.Node, "a")
	equal(t, "content", string(b.read(is.Node)), "of another")
	if is.Attr.Ino == a.Attr.Ino {
		t.Error("another account's file has the same inode")
	}
	var events []backends.Event
	b.eventually("events", func() bool { events = append(events, drain()...); return len(events) >= 2 })
	equalSlices(t, "events", events[:2], []backends.Event{
		{Kind: backends.EventRemoved, Dir: backends.RootID, Name: "c", Node: connection.Node, IsDir: true},
		{Kind: backends.EventAdded, Dir: backends.RootID, Name: "c", Node: now.Node, IsDir: true},
	})
	ctx := context.Background()
	for what, n := range map[string]backends.NodeID{"the connection": connection.Node, "its service": b.root, "its file": a.Node} {
		_, err := b.t.Attr(ctx, n)
		isError(t, what, err, backends.ErrNotFound)
	}
	_, err := b.tryReadDir(b.root)
	isError(t, "listing of before", err, backends.ErrNotFound)
	_, err = b.t.ReadAt(ctx, a.Node, make([]byte, 3), 0)
	isError(t, "content of before", err, backends.ErrNotFound)
	equal(t, "entries of the connection before", len(b.names(connection.Node)), 0)

	// And back: all is there as before.
	if err := b.t.Replace(at("c", "box", b.f)); err != nil {
		t.Fatal(err)
	}
	again := b.lookup(backends.RootID, "c")
	equal(t, "ino of before", again.Attr.Ino, connection.Attr.Ino)
	if again.Node == connection.Node || again.Node == now.Node {
		t.Errorf("the kernel may know the node %d of the connection as another directory", again.Node)
	}
	equal(t, "file of before", b.lookup(b.root, "a"), a)
	equal(t, "lists", b.f.listed(""), 1)

	// The next mount begins with what this one showed last.
	b.reopen()
	equal(t, "node in the next mount", b.lookup(backends.RootID, "c").Node, again.Node)
}

func TestConnectionsComeAndGo(t *testing.T) {
	b := newBench(t)
	b.f.set("")
	drain := b.watch()
	_, negative, err := b.t.Lookup(context.Background(), backends.RootID, "d")
	isError(t, "before", err, backends.ErrNotFound)
	if negative == 0 {
		t.Error("an absent connection is asked for again and again: does the event still matter?")
	}
	d := newFake("d")
	d.set("", bodyFile("x", "v1", "ten"))
	d.gaps = []backends.Gap{{Reason: "because"}}
	if err := b.t.Replace(Connection{Name: "d", Mounted: []backends.Mounted{{Backend: d}}, Gaps: []backends.Gap{{Path: "mail", Reason: "not chosen"}}}); err != nil {
		t.Fatal(err)
	}
	equalSlices(t, "root", b.names(backends.RootID), []string{"c", "d"})
	is := b.lookup(backends.RootID, "d")
	equalSlices(t, "d", b.names(is.Node), []string{"x"})
	equalSlices(t, "coverage", b.t.Coverage(), []backends.Gap{{Path: "d", Reason: "because"}, {Path: "d/mail", Reason: "not chosen"}})

	// What can't be shown leaves all as it was.
	for _, bad := range []Connection{at("d", "x/y", d), at("d", "box", b.f), at("e", "box", b.f), {Name: "a/b"}} {
		if err := b.t.Replace(bad); err == nil {
			t.Errorf("%+v is shown", bad)
		}
	}
	equal(t, "entry", b.lookup(backends.RootID, "d"), is)

	if err := b.t.Remove("d"); err != nil {
		t.Fatal(err)
	}
	equalSlices(t, "root", b.names(backends.RootID), []string{"c"})
	equal(t, "coverage", len(b.t.Coverage()), 0)
	if err := b.t.Remove("nobody"); err != nil {
		t.Fatal(err)
	}
	if err := b.t.Replace(at("d", "box", d)); err != nil {
		t.Fatal(err)
	}
	if again := b.lookup(backends.RootID, "d"); again.Cookie <= is.Cookie {
		t.Errorf("the cookie %d is given out again: %d", is.Cookie, again.Cookie)
	}
	var kinds []backends.EventKind
	b.eventually("events", func() bool {
		for _, e := range drain() {
			if e.Dir == backends.RootID && e.Name == "d" {
				kinds = append(kinds, e.Kind)
			}
		}
		return len(kinds) == 3
	})
	equalSlices(t, "events", kinds, []backends.EventKind{backends.EventAdded, backends.EventRemoved, backends.EventAdded})
	if err := b.c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.t.Replace(at("d", "box", d)); !errors.Is(err, errClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestReplaceEndsFollowers(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userFile("a", "v1", 1))
	b.f.listing[""] = backends.Listing{Covered: true}
	b.lookup(b.root, "a")
	feed.Live("coll/", backends.Liveness{By: backends.ByWebhook, Since: day})
	equal(t, "live", b.lookup(b.root, "a").Attr.Valid, backends.Forever)
	drain := b.watch()
	var running, most atomic.Int32
	follower := func(ctx context.Context, _ backends.Feed) {
		most.Store(max(most.Load(), running.Add(1)))
		<-ctx.Done()
		running.Add(-1)
	}
	if err := b.t.Replace(at("c", "box", &following{b.f, follower})); err != nil {
		t.Fatal(err)
	}
	if valid := b.lookup(b.root, "a").Attr.Valid; valid == backends.Forever {
		t.Error("what the follower before said still counts")
	}
	b.eventually("the kernel to hear of it", func() bool {
		for _, e := range drain() {
			if e.Kind == backends.EventReplaced && e.Name == "a" {
				return true
			}
		}
		return false
	})
	b.eventually("a follower", func() bool { return running.Load() == 1 })
	if err := b.t.Replace(at("c", "box", &following{b.f, follower})); err != nil {
		t.Fatal(err)
	}
	b.eventually("another follower", func() bool { return running.Load() == 1 })
	equal(t, "at a time", most.Load(), 1)
	if err := b.t.Remove("c"); err != nil {
		t.Fatal(err)
	}
	equal(t, "followers of what is gone", running.Load(), 0)
}

// TestReplaceWhileListing: whoever looks afterwards is not given the failure of the sign-in before.
func TestReplaceWhileListing(t *testing.T) {
	b := newBench(t)
	reached, proceed := make(chan struct{}), make(chan struct{})
	b.f.onList = func(context.Context, backends.DirKey) { close(reached); <-proceed }
	b.f.fail("", backends.ErrForbidden)
	first := make(chan error, 1)
	go func() { _, err := b.tryReadDir(b.root); first <- err }()
	<-reached
	other := newFake("scope")
	other.set("", bodyFile("a", "v1", "one"))
	if err := b.t.Replace(at("c", "box", other)); err != nil {
		t.Fatal(err)
	}
	second := make(chan []string, 1)
	go func() { second <- b.names(b.root) }()
	close(proceed)
	isError(t, "who looked before", <-first, backends.ErrForbidden)
	equalSlices(t, "who looked afterwards", <-second, []string{"a"})
	equal(t, "failures", len(b.t.listings.failures()), 0)
}
