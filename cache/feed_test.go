package cache

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

func TestFollowersEndWithTheTree(t *testing.T) {
	var running, runs atomic.Int32
	f := newFake("scope")
	b := newBenchOf(t, f, &following{f, func(ctx context.Context, _ backends.Feed) {
		runs.Add(1)
		running.Add(1)
		<-ctx.Done()
		time.Sleep(10 * time.Millisecond)
		running.Add(-1)
	}})
	b.t.Follow()
	b.t.Follow() // once is enough
	b.eventually("a start", func() bool { return running.Load() > 0 })
	if err := b.c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "followers after the end", running.Load(), 0)
	equal(t, "followers that were started", runs.Load(), 1)
}

func TestNothingIsFollowedOffline(t *testing.T) {
	var runs atomic.Int32
	f := newFake("scope")
	b := newBenchOf(t, f, &following{f, func(context.Context, backends.Feed) { runs.Add(1) }},
		func(o *Options) { o.Offline = true })
	b.t.Follow()
	if err := b.c.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "followers that were started", runs.Load(), 0)
}

func TestFollowerThatPanicsIsStartedAgain(t *testing.T) {
	var runs atomic.Int32
	f := newFake("scope")
	f.set("", userFile("a", "v1", 1))
	f.listing[""] = backends.Listing{Covered: true}
	proceed := make(chan struct{})
	b := newBenchOf(t, f, &following{f, func(ctx context.Context, feed backends.Feed) {
		if runs.Add(1) == 1 {
			feed.Live("coll/", backends.Liveness{By: backends.ByWebhook, Since: day})
			<-proceed
			panic("on purpose")
		}
		<-ctx.Done()
	}})
	b.t.service(1).feed.again = time.Millisecond
	b.t.Follow()
	b.eventually("liveness", func() bool { return b.lookup(b.root, "a").Attr.Valid == backends.Forever })
	close(proceed)
	b.eventually("another start", func() bool { return runs.Load() == 2 })
	if valid := b.lookup(b.root, "a").Attr.Valid; valid == backends.Forever {
		t.Error("what nobody follows any more is still live")
	}
}

// looked waits for the collections that were looked at.
func looked(t *testing.T, feed backends.Feed) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	names, err := feed.Looks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// notLooked fails when there are collections that were looked at.
func notLooked(t *testing.T, feed backends.Feed) {
	t.Helper()
	// What was noted is there at once.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if names, err := feed.Looks(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("looks: got %q, %v, want none", names, err)
	}
}

func TestLooksAreNotedOncePerCollection(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userDir("d", "d"), userDir("static", "static"), userFile("a", "v1", 1))
	b.f.set("d", userFile("b", "v1", 1))
	b.f.set("static", userFile("c", "v1", 1))
	b.f.listing["static"] = backends.Listing{MaxAge: -1}
	notLooked(t, feed)
	d := b.lookup(b.root, "d").Node
	equalSlices(t, "the listing just made", looked(t, feed), []string{"coll/"})
	b.lookup(b.root, "a")
	b.readDir(b.root)
	notLooked(t, feed)
	b.readDir(d)
	b.readDir(b.lookup(b.root, "static").Node)
	equalSlices(t, "another one", looked(t, feed), []string{"coll/d"})
	b.clock.add(lookAgain - time.Second)
	b.readDir(d)
	notLooked(t, feed)
	b.clock.add(time.Second)
	b.readDir(d)
	b.readDir(b.root)
	b.readDir(d)
	equalSlices(t, "again", looked(t, feed), []string{"coll/", "coll/d"})
}

func TestLooksKeepLittle(t *testing.T) {
	l := newLooks()
	l.on.Store(true)
	now := day
	for n := range uint64(3 * maxLooks) {
		l.note(n+1, now)
	}
	equal(t, "pending", len(l.pending), maxLooks)
	got, err := l.take(context.Background())
	equal(t, "error", err, nil)
	equal(t, "taken", len(got), maxLooks)
	for n := range uint64(3) {
		now = now.Add(lookAgain)
		l.note(n+1, now)
	}
	equal(t, "remembered", len(l.recent)+len(l.older), 2)
	l.note(7, now.Add(-time.Hour)) // the clock was turned back
	if got, _ := l.take(context.Background()); !slices.Contains(got, 7) {
		t.Errorf("got %v, want 7 among them", got)
	}
}

func TestLiveListingsAreGoodForEver(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userDir("covered", "covered"), userDir("own", "own"), userDir("static", "static"))
	for _, dir := range []backends.DirKey{"covered", "own", "static"} {
		b.f.set(dir, userFile("f", "v1", 1), userDir("sub", dir+"/sub"))
	}
	b.f.listing["covered"] = backends.Listing{Covered: true, MaxAge: time.Minute}
	b.f.listing["static"] = backends.Listing{MaxAge: -1}
	valid := func(dir string) time.Duration {
		t.Helper()
		return b.lookup(b.lookup(b.root, dir).Node, "f").Attr.Valid
	}
	equal(t, "before", valid("covered"), time.Minute)
	now := b.clock.now()
	for _, test := range []struct {
		name  string
		l     backends.Liveness
		valid time.Duration
	}{
		{"coll/covered", backends.Liveness{By: backends.ByWebhook}, time.Minute},
		{"coll/covered", backends.Liveness{Since: now}, time.Minute},
		// What is older is to be asked for soon, unless the follower brings it to then.
		{"coll/covered", backends.Liveness{By: backends.ByWebhook, Since: now.Add(time.Nanosecond)}, catchUpTime + time.Nanosecond},
		{"coll/covered", backends.Liveness{By: backends.ByWebhook, Since: now.Add(time.Hour)}, time.Minute},
		{"coll/covered", backends.Liveness{By: backends.ByWebhook, Since: now}, backends.Forever},
		{"coll/covered", backends.Liveness{}, time.Minute},
		{"coll/*", backends.Liveness{By: backends.ByLongPoll, Since: now}, backends.Forever},
		{"coll/cov*", backends.Liveness{By: backends.ByLongPoll}, time.Minute},
		{"coll/covered", backends.Liveness{By: backends.ByWebhook, Since: now}, backends.Forever},
		{"coll/covered", backends.Liveness{}, time.Minute},
		{"coll/cov*", backends.Liveness{}, backends.Forever},
		{"coll/*", backends.Liveness{}, time.Minute},
	} {
		feed.Live(test.name, test.l)
		equal(t, test.name+" "+test.l.By, valid("covered"), test.valid)
	}
	feed.Live("*", backends.Liveness{By: backends.ByLongPoll, Since: now})
	equal(t, "own", valid("own"), b.c.o.DefaultMaxAge)
	equal(t, "static", valid("static"), backends.Forever)
	covered := b.lookup(b.root, "covered").Node
	equal(t, "directory", b.lookup(covered, "sub").Attr.Valid, dirValid)
	_, negative, err := b.t.Lookup(context.Background(), covered, "nothing")
	isError(t, "lookup of nothing", err, backends.ErrNotFound)
	equal(t, "absence", negative, backends.Forever)
	b.clock.add(time.Hour)
	equal(t, "an hour later", valid("covered"), backends.Forever)
	equal(t, "listings", b.f.listed("covered"), 1)
}

func TestFreshCommitMakesLive(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userFile("f", "v1", 1))
	b.f.listing[""] = backends.Listing{Covered: true}
	b.lookup(b.root, "f")
	b.clock.add(time.Second)
	feed.Live("coll/", backends.Liveness{By: backends.ByWebhook, Since: b.clock.now()})
	if valid := b.lookup(b.root, "f").Attr.Valid; valid == backends.Forever {
		t.Error("live although changes of before it was may have been missed")
	}
	batch := feed.Sink(backends.Origin{By: backends.ByDelta}).Begin("coll/")
	if err := batch.Commit(backends.Commit{Fresh: true}); err != nil {
		t.Fatal(err)
	}
	equal(t, "after the delta", b.lookup(b.root, "f").Attr.Valid, backends.Forever)
}

// lapsed waits until so many events have come.
func lapsed(b *bench, drain func() []backends.Event, n int) []backends.Event {
	b.Helper()
	var got []backends.Event
	b.eventually("events", func() bool {
		got = append(got, drain()...)
		return len(got) >= n
	})
	return got
}

func TestEndOfLivenessDropsWhatWasForEver(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userDir("seen", "seen"), userDir("unseen", "unseen"), userDir("other", "other"))
	for _, dir := range []backends.DirKey{"seen", "unseen", "other"} {
		b.f.set(dir, userFile("f", "v1", 1), bodyFile("g", "v1", "body"), userDir("sub", dir+"/sub"))
		b.f.listing[dir] = backends.Listing{Covered: true}
	}
	since := b.clock.now()
	feed.Live("coll/seen", backends.Liveness{By: backends.ByWebhook, Since: since})
	feed.Live("coll/o*", backends.Liveness{By: backends.ByWebhook, Since: since})
	seen, other, unseen := b.lookup(b.root, "seen").Node, b.lookup(b.root, "other").Node, b.lookup(b.root, "unseen").Node
	f, g := b.lookup(seen, "f"), b.lookup(seen, "g")
	b.readDir(other)
	b.readDir(unseen)
	drain := b.watch()
	want := []backends.Event{
		{Kind: backends.EventExpired, Dir: seen, IsDir: true},
		{Kind: backends.EventReplaced, Dir: seen, Name: "f", Node: f.Node},
		{Kind: backends.EventReplaced, Dir: seen, Name: "g", Node: g.Node},
	}
	feed.Live("coll/seen", backends.Liveness{By: backends.ByWebhook, Since: since, Renewal: since.Add(time.Hour)})
	feed.Live("coll/seen", backends.Liveness{Problem: "The subscription was removed."})
	equalSlices(t, "the end", lapsed(b, drain, len(want)), want)

	// It is known as one that ends only when somebody sees it live again.
	feed.Live("coll/seen", backends.Liveness{By: backends.ByWebhook, Since: since})
	feed.Live("coll/seen", backends.Liveness{})
	feed.Live("coll/seen", backends.Liveness{By: backends.ByWebhook, Since: since})
	b.lookup(seen, "f")
	feed.Live("coll/seen", backends.Liveness{By: backends.ByWebhook, Since: since.Add(time.Minute)})
	equalSlices(t, "changes that were missed", lapsed(b, drain, len(want)), want)

	feed.Live("coll/o*", backends.Liveness{})
	got := lapsed(b, drain, 3)
	equal(t, "events of the other", len(got), 3)
	for _, e := range got {
		equal(t, "directory", e.Dir, other)
	}
}

func TestListingThatBecomesLiveIsWatchedWhenItsAgeEnds(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userFile("f", "v1", 1))
	b.f.listing[""] = backends.Listing{Covered: true, MaxAge: time.Minute}
	since := b.clock.now()
	f := b.lookup(b.root, "f")
	drain := b.watch()
	feed.Live("coll/", backends.Liveness{By: backends.ByWebhook, Since: since})
	b.clock.add(time.Hour)
	b.t.expiry.wake <- struct{}{}
	b.eventually("its age ends", func() bool {
		b.t.expiry.mu.Lock()
		defer b.t.expiry.mu.Unlock()
		return len(b.t.expiry.when) == 0
	})
	feed.Live("coll/", backends.Liveness{})
	equalSlices(t, "events", lapsed(b, drain, 2), []backends.Event{
		{Kind: backends.EventExpired, Dir: b.root, IsDir: true},
		{Kind: backends.EventReplaced, Dir: b.root, Name: "f", Node: f.Node},
	})
}

func TestExpireListsLiveDirectoriesAnew(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userFile("f", "v1", 1))
	b.f.listing[""] = backends.Listing{Covered: true}
	feed.Live("*", backends.Liveness{By: backends.ByLongPoll, Since: b.clock.now()})
	f := b.lookup(b.root, "f")
	drain := b.watch()
	feed.Expire("unknown", "")
	equalSlices(t, "events", lapsed(b, drain, 2), []backends.Event{
		{Kind: backends.EventExpired, Dir: b.root, IsDir: true},
		{Kind: backends.EventReplaced, Dir: b.root, Name: "f", Node: f.Node},
	})
	b.f.set("", userFile("f", "v1", 1), userFile("g", "v1", 1))
	equalSlices(t, "names", b.names(b.root), []string{"f", "g"})
	equal(t, "listings", b.f.listed(""), 2)
	equal(t, "valid", b.lookup(b.root, "g").Attr.Valid, backends.Forever)
}

// A listing that is not right stays so over a crash, and over a listing that was under way when that was learnt.
func TestExpireIsRemembered(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userFile("f", "v1", 1))
	b.f.listing[""] = backends.Listing{Covered: true}
	feed.Live("*", backends.Liveness{By: backends.ByLongPoll, Since: b.clock.now()})
	b.lookup(b.root, "f")
	feed.Expire("")
	err := b.c.meta.View(func(tx *bbolt.Tx) error {
		rec, err := loadDir(tx, b.root)
		if err == nil && (rec.covered || !rec.asOf.Before(b.clock.now().Add(-24*time.Hour))) {
			t.Errorf("the record still says as of %v, covered %v", rec.asOf, rec.covered)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.t.listings.succeeded(b.root, b.clock.now().Add(-time.Second))
	equal(t, "still to be listed", b.t.listings.isForced(b.root), true)
	b.lookup(b.root, "f")
	equal(t, "to be listed after that", b.t.listings.isForced(b.root), false)
	equal(t, "listings", b.f.listed(""), 2)
}

func TestForgottenListingsDropWhatWasForEver(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", bodyFile("f", "v1", "body"), userDir("static", "static"))
	b.f.set("static", userFile("g", "v1", 1))
	b.f.listing[""] = backends.Listing{Covered: true}
	b.f.listing["static"] = backends.Listing{MaxAge: -1}
	feed.Live("*", backends.Liveness{By: backends.ByLongPoll, Since: b.clock.now()})
	f := b.lookup(b.root, "f")
	drain := b.watch()
	if _, err := b.c.forgetListing(b.root); err != nil {
		t.Fatal(err)
	}
	equalSlices(t, "one", lapsed(b, drain, 2), []backends.Event{
		{Kind: backends.EventExpired, Dir: b.root, IsDir: true},
		{Kind: backends.EventReplaced, Dir: b.root, Name: "f", Node: f.Node},
	})
	b.lookup(b.root, "f")
	b.lookup(b.lookup(b.root, "static").Node, "g")
	drain()
	if err := b.c.Clear(); err != nil {
		t.Fatal(err)
	}
	equal(t, "all", len(lapsed(b, drain, 4)), 4)
}

func TestLivenessRacesWithLooks(t *testing.T) {
	b, feed := newLiveBench(t)
	b.f.set("", userFile("f", "v1", 1))
	b.f.listing[""] = backends.Listing{Covered: true}
	since := b.clock.now()
	b.lookup(b.root, "f")
	for range 200 {
		feed.Live("*", backends.Liveness{By: backends.ByLongPoll, Since: since})
		var forever atomic.Bool
		drain := b.watch()
		done := make(chan struct{})
		go func() {
			defer close(done)
			forever.Store(b.lookup(b.root, "f").Attr.Valid == backends.Forever)
		}()
		feed.Live("*", backends.Liveness{})
		<-done
		if forever.Load() {
			lapsed(b, drain, 2)
		}
		b.eventually("rest", func() bool {
			b.t.served.mu.Lock()
			defer b.t.served.mu.Unlock()
			return len(b.t.served.dirs)+len(b.t.served.scopes)+len(b.t.served.single) == 0
		})
	}
}
