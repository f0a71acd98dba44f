package cache

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

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
	c        *Cache
	services map[uint32]*service // by number of their scope
	order    []*service
	static   map[backends.NodeID]*staticDir
	byRoot   map[backends.NodeID]staticEntry // roots of services and connections, where the tree shows them
	gaps     []backends.Gap                  // that the connections came with

	listings *listings
	events   *broadcast[backends.Event]
	changes  *broadcast[Change]
	moves    moves
	latest   *latest
	expiry   *expiry
	served   *served
	contents *contents
	ctx      context.Context // ends with the tree; flights are made under it
	cancel   context.CancelFunc

	beginning sync.Mutex     // a leaf
	closed    bool           // guarded by beginning
	running   sync.WaitGroup // flights and other goroutines of the tree
}

var _ backends.Tree = (*Tree)(nil)

// service is a backend at its place.
type service struct {
	connection string
	path       string // "" where it is the connection's directory itself
	backend    backends.Backend
	sink       *sink
	feed       *feed // nil when the service tells of no changes
	root       backends.NodeID
}

// prefix is the service's path in the tree.
func (s *service) prefix() string {
	if s.path == "" {
		return s.connection
	}
	return s.connection + "/" + s.path
}

// staticDir is a directory that the configuration makes: the root, and connections with several services.
type staticDir struct {
	entries []staticEntry
}

type staticEntry struct {
	name   string
	node   backends.NodeID
	parent backends.NodeID
	attr   backends.Attr
}

// Mount makes the tree of these connections. A cache has one tree.
func (c *Cache) Mount(connections []Connection) (*Tree, error) {
	t := &Tree{
		c: c, services: map[uint32]*service{}, static: map[backends.NodeID]*staticDir{},
		byRoot: map[backends.NodeID]staticEntry{},
	}
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
	root := &staticDir{}
	t.static[backends.RootID] = root
	seen := map[string]bool{}
	for _, conn := range connections {
		if !validName(conn.Name) || seen[conn.Name] {
			return nil, fmt.Errorf("connection name %q is not usable or not unique", conn.Name)
		}
		seen[conn.Name] = true
		e, err := t.mountConnection(conn)
		if err != nil {
			return nil, fmt.Errorf("connection %s: %w", conn.Name, err)
		}
		root.entries = append(root.entries, e)
		for _, g := range conn.Gaps {
			t.gaps = append(t.gaps, backends.Gap{Path: path.Join(conn.Name, g.Path), Reason: g.Reason})
		}
	}
	rootAttr, err := t.staticAttr("workfs", "root")
	if err != nil {
		return nil, err
	}
	t.byRoot[backends.RootID] = staticEntry{node: backends.RootID, parent: backends.RootID, attr: rootAttr}
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

func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

func (t *Tree) mountConnection(conn Connection) (staticEntry, error) {
	entry := staticEntry{name: conn.Name, parent: backends.RootID}
	dir := &staticDir{}
	var scopes []string
	for _, m := range conn.Mounted {
		s, err := t.mountService(conn.Name, m)
		if err != nil {
			return entry, err
		}
		scope := m.Backend.Scope()
		attr, err := t.staticAttr(scope, "")
		if err != nil {
			return entry, err
		}
		if m.Path == "" {
			if len(conn.Mounted) > 1 {
				return entry, errors.New("a backend that is the connection's directory must be its only one")
			}
			entry.node, entry.attr = s.root, attr
			t.byRoot[s.root] = entry
			return entry, nil
		}
		if !validName(m.Path) {
			return entry, fmt.Errorf("path %q is not a name", m.Path)
		}
		scopes = append(scopes, scope)
		dir.entries = append(dir.entries, staticEntry{name: m.Path, node: s.root, attr: attr})
	}
	attr, err := t.staticAttr(strings.Join(scopes, "\x00"), "connection\x00"+nameIfEmpty(scopes, conn.Name))
	if err != nil {
		return entry, err
	}
	entry.attr = attr
	err = t.c.meta.Update(func(tx *bbolt.Tx) (err error) {
		entry.node, err = nextNode(tx)
		return err
	})
	if err != nil {
		return entry, err
	}
	for i := range dir.entries {
		dir.entries[i].parent = entry.node
		t.byRoot[dir.entries[i].node] = dir.entries[i]
	}
	t.static[entry.node] = dir
	t.byRoot[entry.node] = entry
	return entry, nil
}

// nameIfEmpty tells connections without services apart, which nothing but their name can.
func nameIfEmpty(scopes []string, name string) string {
	if len(scopes) == 0 {
		return name
	}
	return ""
}

func (t *Tree) mountService(connection string, m backends.Mounted) (*service, error) {
	sink, err := t.c.sinkFor(m.Backend.Scope())
	if err != nil {
		return nil, err
	}
	if other, ok := t.services[sink.no]; ok {
		return nil, fmt.Errorf("%s shows what %s shows already", m.Path, other.prefix())
	}
	s := &service{connection: connection, path: m.Path, backend: m.Backend, sink: sink}
	if f, ok := m.Backend.(backends.Follower); ok {
		s.feed = newFeed(t, s, f)
	}
	id := identOf(sink.scope, "")
	at, err := t.c.staticTime(id)
	if err != nil {
		return nil, err
	}
	err = t.c.meta.Update(func(tx *bbolt.Tx) error {
		n, rec, err := makeDir(tx, sink.no, "")
		if err != nil {
			return err
		}
		s.root = n
		rec.ownTime, rec.ident, rec.gone = true, id, zeroTime
		if rec.mtime.IsZero() {
			rec.mtime = at
		}
		return storeDir(tx, n, &rec)
	})
	if err != nil {
		return nil, err
	}
	if err := t.c.heedEdition(s); err != nil {
		return nil, err
	}
	t.services[sink.no] = s
	t.order = append(t.order, s)
	return s, nil
}

// staticTime tells when a directory of ours was first seen.
func (c *Cache) staticTime(id ident) (time.Time, error) {
	var s seen
	ok := false
	if err := c.state.read(func(st stateTx) { s, ok = st.seen(id) }); err != nil {
		return s.at, err
	}
	if !ok {
		s = seen{at: c.o.Now().UTC()}
		return s.at, c.state.write(&stateChange{times: map[ident]seen{id: s}})
	}
	return s.at, nil
}

func (t *Tree) staticAttr(scope, id string) (backends.Attr, error) {
	at, err := t.c.staticTime(identOf(scope, id))
	return backends.Attr{Ino: backends.Ino(scope, id), Dir: true, Mtime: at, Ctime: at, Btime: at, Valid: dirValid}, err
}

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
func (t *Tree) Watch(fn func(backends.Event)) (stop func()) {
	var stopped atomic.Bool
	unwatch := t.events.watch(func(events []backends.Event) {
		for _, e := range events {
			if stopped.Load() || t.ctx.Err() != nil {
				return
			}
			fn(e)
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
