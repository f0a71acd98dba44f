package box

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// follower keeps the views right that somebody looks at, while Follow runs.
type follower struct {
	b    *Backend
	feed backends.Feed
	own  *stream
	all  *enterprise // nil unless the sign-in may act as every user
}

// Follow implements backends.Follower. The signed-in user's view is kept right by a long poll, those of others by the
// events of the enterprise, where the sign-in may read them.
func (b *Backend) Follow(ctx context.Context, feed backends.Feed) {
	f := &follower{b: b, feed: feed, own: newStream(b, feed)}
	if b.everybody() {
		f.all = newEnterprise(b, feed)
	}
	b.follower.Store(f)
	defer b.follower.Store(nil)
	var running sync.WaitGroup
	running.Go(func() { f.own.run(ctx) })
	if f.all != nil {
		running.Go(func() { f.all.run(ctx) })
	}
	running.Go(func() { f.looks(ctx) })
	running.Wait()
}

// looks starts what is needed for the views that somebody looks at.
func (f *follower) looks(ctx context.Context) {
	for {
		collections, err := f.feed.Looks(ctx)
		if err != nil {
			return
		}
		for _, c := range collections {
			if id, ok := viewOf(c); ok {
				f.want(id)
			}
		}
	}
}

// want has a view followed and gives a channel that is closed when listings of it can be live, or when it is known that
// they can't.
func (f *follower) want(view string) <-chan struct{} {
	switch {
	case view == f.b.own():
		f.own.wanted.set()
		return f.own.ready.done
	case f.all != nil:
		return f.all.want(view)
	}
	return nil
}

// rootListed tells which top-level folders a view has.
func (f *follower) rootListed(view string, entries []backends.Entry) {
	if f.all != nil && f.all.hooks != nil && view != f.b.own() {
		f.all.hooks.root(view, entries)
	}
}

// readyTime is how long a listing waits for a position: a listing that begins earlier could not be live.
const readyTime = 3 * time.Second

// follow has a view followed that is about to be listed.
func (b *Backend) follow(ctx context.Context, view string) {
	f := b.follower.Load()
	if f == nil {
		return
	}
	ready := f.want(view)
	if ready == nil {
		return
	}
	select {
	case <-ready:
		return
	default:
	}
	t := time.NewTimer(readyTime)
	defer t.Stop()
	select {
	case <-ready:
	case <-ctx.Done():
	case <-t.C:
	}
}

// came tells the follower that a view shows a folder again of which an old listing is remembered: nobody told of changes
// below it while it was out of sight.
func (b *Backend) came(view string) {
	f := b.follower.Load()
	switch {
	case f == nil:
	case view == b.own():
		f.own.restart()
	case f.all != nil:
		f.all.restart(view)
	}
}

// once is something that happens once.
type once struct {
	done chan struct{}
	one  sync.Once
}

func newOnce() *once { return &once{done: make(chan struct{})} }

func (o *once) set() { o.one.Do(func() { close(o.done) }) }

// backoff is the wait after a failure, doubled with each.
type backoff struct {
	first time.Duration
	n     int
}

// mostBackoff bounds the wait, in first waits.
const mostBackoff = 30

func (b *backoff) reset() { b.n = 0 }

func (b *backoff) wait(ctx context.Context) {
	d := min(b.first<<min(b.n, 10), mostBackoff*b.first)
	b.n++
	sleep(ctx, d/2+rand.N(d/2+1))
}

// sleep waits by the real clock; it tells whether the context goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// until gives the next wait, by the real clock, of one who waits for a time of Config.Now, which may jump.
func (b *Backend) until(at time.Time) time.Duration {
	return max(0, min(b.cfg.Tick, at.Sub(b.cfg.Now())))
}

// contact keeps account of whether a source of news can be reached.
type contact struct {
	lost time.Time // since when it can't, zero while it can
}

// graceTime is how long a view stays live while its source of news can't be reached.
const graceTime = time.Minute

// failed tells whether contact has been lost for so long that nothing is live any more.
func (c *contact) failed(now time.Time) bool {
	if c.lost.IsZero() {
		c.lost = now
	}
	return now.Sub(c.lost) >= graceTime
}

func (c *contact) succeeded() { c.lost = time.Time{} }
