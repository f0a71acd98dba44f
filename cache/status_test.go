package cache

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/workfs/workfs/backends"
)

func collections(b *bench) map[string]Collection {
	b.Helper()
	cs, err := b.t.Collections()
	if err != nil {
		b.Fatal(err)
	}
	byName := map[string]Collection{}
	for _, c := range cs {
		byName[c.Name] = c
	}
	equal(b, "names that are told of twice", len(cs)-len(byName), 0)
	return byName
}

func TestStatusTellsWhatIsListedOnceAndForAll(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userDir("fixed", "fixed"), userDir("aged", "aged"), userDir("told", "told"))
	b.f.listing["fixed"] = backends.Listing{MaxAge: -1}
	b.f.listing["told"] = backends.Listing{MaxAge: -1, Covered: true}
	for _, dir := range []backends.DirKey{"fixed", "aged", "told"} {
		b.f.set(dir, userFile("f", "v1", 1))
	}
	feed.Live("coll/*", backends.Liveness{By: backends.ByLongPoll, Since: b.clock.now()})
	for _, d := range b.readDir(b.root) {
		b.readDir(d.Node)
	}
	c := collections(b)["coll/*"]
	equal(t, "directories", c.Directories, 4) // with the root
	equal(t, "live directories", c.Live, 1)
	equal(t, "fixed directories", c.Fixed, 1)
}

func TestStatusTellsHowCollectionsAreFollowed(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userDir("mail", "mail"), userDir("x1", "x1"), userDir("x2", "x2"))
	for _, dir := range []backends.DirKey{"mail", "x1", "x2"} {
		b.f.set(dir, userFile("f", "v1", 1))
		b.f.listing[dir] = backends.Listing{Covered: true}
	}
	for _, d := range b.readDir(b.root) {
		b.readDir(d.Node)
		b.clock.add(time.Second)
	}
	first := b.clock.now().Add(-3 * time.Second)
	mail := backends.Liveness{
		By: backends.ByWebhook, Since: first, Interval: time.Minute, Renewal: first.Add(time.Hour), Subscription: "sub",
	}
	feed.Live("coll/mail", mail)
	feed.Live("coll/x*", backends.Liveness{By: backends.ByLongPoll, Since: first.Add(2 * time.Second), Problem: "Slow."})
	arrived := b.clock.now()
	b.clock.add(70 * time.Millisecond)
	s := feed.Sink(backends.Origin{By: backends.ByWebhook, Subscription: "sub", At: arrived})
	commit(t, s, "coll/mail", backends.Commit{Fresh: true}, func(batch backends.Batch) {
		add(t, batch, "mail", userFile("g", "v1", 1))
	})
	commit(t, feed.Sink(backends.Origin{By: backends.ByDelta}), "coll/x1", backends.Commit{}, func(backends.Batch) {})

	got := collections(b)
	equal(t, "rows", len(got), 3)
	root := got["coll/"]
	equal(t, "nobody said anything", root.Following == nil && root.LastChange == nil, true)
	m := got["coll/mail"]
	equal(t, "live directories", m.Live, 1)
	equal(t, "following", *m.Following, Following(mail))
	equal(t, "last sync", m.Newest, b.clock.now())
	change := LastChange{At: b.clock.now(), By: backends.ByWebhook, Subscription: "sub", Lag: 70 * time.Millisecond}
	equal(t, "last change", *m.LastChange, change)
	x := got["coll/x*"]
	equal(t, "collections", x.Collections, 2)
	equal(t, "directories", x.Directories, 2)
	equal(t, "of which live", x.Live, 1)
	equal(t, "problem", x.Following.Problem, "Slow.")
	equal(t, "no change", x.LastChange == nil, true)

	b.f.fail("x1", backends.ErrUnavailable)
	feed.Expire("x1")
	b.readDir(b.lookup(b.root, "x1").Node)
	got = collections(b)
	failed := got["coll/x1"]
	equal(t, "failure", failed.Error, backends.ErrUnavailable.Error())
	equal(t, "pause", failed.PausedFor, "2s")
	equal(t, "among the others still", got["coll/x*"].Collections, 2)

	info, err := b.t.Info(context.Background(), "c/box/mail/g")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "file is live", info.Live, true)
	equal(t, "file is valid for", info.ValidFor, -1)
	equal(t, "file's following", *info.Following, Following(mail))
	equal(t, "file's last change", *info.LastChange, change)
	if info, err = b.t.Info(context.Background(), "c/box/x1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "directory is live", info.Live, false)
	equal(t, "directory's following", info.Following.By, backends.ByLongPoll)
}

// BenchmarkCollections tells the state of 100,000 Box folders.
func BenchmarkCollections(b *testing.B) {
	w, feed := newLiveBench(b)
	feed.Live("coll/*", backends.Liveness{By: backends.ByLongPoll, Since: w.clock.now()})
	const n = 100_000
	var whole []backends.Listing
	for i := range n {
		whole = append(whole, backends.Listing{Dir: backends.DirKey(fmt.Sprint("folder/", i)), Covered: true})
	}
	s := w.sink().(*sink)
	for i := range whole {
		if i%1000 != 0 {
			continue
		}
		err := w.c.update(func(a *applier) error {
			for j := i; j < i+1000; j++ {
				a.s, a.b = s, newBatch(s, "coll/"+string(whole[j].Dir))
				if err := a.openCollection(true); err != nil {
					return err
				}
				node, rec, err := makeDir(a.tx, s.no, whole[j].Dir)
				if err != nil {
					return err
				}
				if err := a.close(&dirWork{node: node, rec: rec, listing: &whole[j]}, false); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		cs, err := w.t.Collections()
		if err != nil || len(cs) != 1 || cs[0].Directories != n || cs[0].Live != n {
			b.Fatal(len(cs), err)
		}
	}
}
