package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/backends"
)

// dirValid bounds how long the kernel may keep a directory: their entries are never for ever, so that a lost event
// heals.
const dirValid = time.Hour

// Connection is one sign-in with its backends, a directory at the root of the tree.
type Connection struct {
	Name    string
	Mounted []backends.Mounted
	// Gaps are for Tree.Coverage, beside what the backends tell. Their paths are those in the connection's directory.
	Gaps []backends.Gap
}

// Tree shows the connections of a mount. It implements backends.Tree.
type Tree struct {
	c       *Cache
	shown   atomic.Pointer[shape]
	shaping sync.Mutex // held by who puts another shape in its place; before Cache.committing

	listings *listings
	events   *broadcast[backends.Event]
	changes  *broadcast[Change]
	moves    moves
	latest   *latest
	expiry   *expiry
	served   *served
	ends     ends
	contents *contents
	ctx      context.Context // ends with the tree; flights are made under it
	cancel   context.CancelFunc

	beginning sync.Mutex     // a leaf
	closed    bool           // guarded by beginning
	following bool           // guarded by beginning
	running   sync.WaitGroup // flights and other goroutines of the tree
}

var _ backends.Tree = (*Tree)(nil)

// Mount makes the tree of these connections. A cache has one tree.
func (c *Cache) Mount(connections []Connection) (*Tree, error) {
	t := &Tree{c: c}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.listings = newListings(t)
	t.events = newBroadcast[backends.Event]()
	t.changes = newBroadcast[Change]()
	t.changes.most, t.changes.collapse = maxChanges, collapseChanges
	t.moves = moves{}
	t.latest = newLatest()
	t.expiry = newExpiry(t)
	t.served = newServed(t)
	t.contents = newContents(t)
	p := newShape()
	for _, conn := range connections {
		if err := p.add(t, conn, nil); err != nil {
			return nil, err
		}
	}
	rootAttr, err := c.staticAttr("workfs", "root")
	if err != nil {
		return nil, err
	}
	p.byRoot[backends.RootID] = staticEntry{node: backends.RootID, parent: backends.RootID, attr: rootAttr}
	t.shown.Store(p)
	if !c.tree.CompareAndSwap(nil, t) {
		return nil, errors.New("the cache has a tree already")
	}
	t.running.Add(4) // nobody else has the tree yet
	go t.events.run(&t.running)
	go t.changes.run(&t.running)
	go t.expiry.run(&t.running)
	go t.served.run()
	return t, nil
}

// shape is what the tree shows now of its configuration.
func (t *Tree) shape() *shape { return t.shown.Load() }

// service gives the service of a scope, nil if it is not shown.
func (t *Tree) service(scope uint32) *service { return t.shape().services[scope] }

// close ends flights and goroutines and waits for them.
func (t *Tree) close() {
	t.beginning.Lock()
	t.closed = true
	t.beginning.Unlock()
	t.cancel()
	t.events.close()
	t.changes.close()
	t.expiry.close()
	t.running.Wait()
}

// begin counts a goroutine that is about to start, which says running.Done at its end. It tells whether it may start.
func (t *Tree) begin() bool {
	t.beginning.Lock()
	defer t.beginning.Unlock()
	if !t.closed {
		t.running.Add(1)
	}
	return !t.closed
}

// Watch implements backends.Tree.
func (t *Tree) Watch(fn func([]backends.Event)) (stop func()) {
	var stopped atomic.Bool
	unwatch := t.events.watch(func(events []backends.Event) {
		if !stopped.Load() && t.ctx.Err() == nil {
			fn(events)
		}
	})
	return func() {
		stopped.Store(true)
		unwatch()
	}
}

// Usage implements backends.Tree.
func (t *Tree) Usage() (bytes, entries uint64) {
	return uint64(max(t.c.bytes.Load(), 0)), uint64(max(t.c.entries.Load(), 0))
}
