package cache

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// followAgain is the pause before a follower that ended is started again.
const followAgain = 10 * time.Second

// feed is what the follower of a service works with.
type feed struct {
	t        *Tree
	s        *service
	follower backends.Follower
	liveness *liveness
	looks    *looks
	begun    atomic.Bool
	again    time.Duration // followAgain, but for tests

	ctx    context.Context // the follower's
	cancel context.CancelFunc
	ended  chan struct{} // closed when it has ended
}

var _ backends.Feed = (*feed)(nil)

func newFeed(t *Tree, s *service, f backends.Follower) *feed {
	feed := &feed{
		t: t, s: s, follower: f, liveness: newLiveness(), looks: newLooks(), again: followAgain, ended: make(chan struct{}),
	}
	feed.ctx, feed.cancel = context.WithCancel(t.ctx)
	return feed
}

// Follow has the services that tell of changes keep their collections right until the cache is closed. Nothing is
// followed offline.
func (t *Tree) Follow() {
	if t.c.o.Offline {
		return
	}
	t.beginning.Lock()
	t.following = true
	t.beginning.Unlock()
	t.followAll()
}

// followAll begins to follow what is not followed yet, if the tree is followed.
func (t *Tree) followAll() {
	t.beginning.Lock()
	on := t.following
	t.beginning.Unlock()
	for _, s := range t.shape().order {
		if !on || s.feed == nil || s.feed.begun.Swap(true) {
			continue
		}
		if !t.begin() {
			return
		}
		s.feed.looks.on.Store(true)
		go s.feed.run()
	}
}

// end ends the follower and waits for that. It is not begun afterwards.
func (f *feed) end() {
	f.cancel()
	if f.begun.Swap(true) {
		<-f.ended
	}
}

// run has the service followed, and again should that end early.
func (f *feed) run() {
	defer f.t.running.Done()
	defer close(f.ended)
	for {
		f.follow()
		if f.ctx.Err() != nil {
			return
		}
		// Nobody keeps right what the follower said was live.
		f.liveness.clear()
		f.t.served.lapse(f.s.sink.no)
		select {
		case <-f.ctx.Done():
			return
		case <-time.After(f.again):
		}
	}
}

func (f *feed) follow() {
	log := f.t.c.log.With("service", f.s.prefix())
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic while following changes", "panic", p, "stack", string(debug.Stack()))
		} else if f.ctx.Err() == nil {
			log.Error("following changes has ended early")
		}
	}()
	f.follower.Follow(f.ctx, f)
}

// Sink implements backends.Feed.
func (f *feed) Sink(origin backends.Origin) backends.Sink {
	s := *f.s.sink
	s.origin = origin
	return &s
}

// Looks implements backends.Feed.
func (f *feed) Looks(ctx context.Context) ([]string, error) {
	for {
		numbers, err := f.looks.take(ctx)
		if err != nil {
			return nil, err
		}
		if names := f.t.c.collectionNames(numbers); len(names) > 0 {
			return names, nil
		}
	}
}

// Live implements backends.Feed.
func (f *feed) Live(collections string, l backends.Liveness) {
	if f.liveness.set(collections, l) {
		f.t.served.lapse(f.s.sink.no)
	}
}

// Expire implements backends.Feed. That a listing is not right is remembered, so that a crash before the next look does not
// make it count again.
func (f *feed) Expire(dirs ...backends.DirKey) {
	nodes, err := f.doubt(dirs)
	if err != nil {
		f.t.c.log.Error("directories that have to be listed anew can't be noted", "service", f.s.prefix(), "error", err)
	}
	for _, n := range nodes {
		f.t.listings.force(n)
	}
}

// doubt has listings count as taken long ago, by nobody who renews them, and gives the directories.
func (f *feed) doubt(dirs []backends.DirKey) (nodes []backends.NodeID, err error) {
	c := f.t.c
	c.committing.Lock()
	defer c.committing.Unlock()
	if c.sealed {
		return nil, errClosed
	}
	err = c.meta.Update(func(tx *bbolt.Tx) error {
		for _, dir := range dirs {
			n := dirNode(tx, f.s.sink.no, dir)
			if n == 0 {
				continue
			}
			nodes = append(nodes, n)
			rec, err := loadDir(tx, n)
			if err != nil {
				return err
			}
			rec.asOf, rec.covered = time.Unix(0, 0), false
			if err := storeDir(tx, n, &rec); err != nil {
				return err
			}
		}
		return nil
	})
	return nodes, err
}
