package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// shape is what a tree shows of its configuration: connections and their services at their places. It does not change once
// the tree has it; another one takes its place.
type shape struct {
	services map[uint32]*service // by number of their scope
	order    []*service
	static   map[backends.NodeID]*staticDir
	byRoot   map[backends.NodeID]staticEntry // roots of services and connections, where the tree shows them
	gaps     map[string][]backends.Gap       // that the connections came with
}

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

// staticDir is a directory that the configuration makes: the root, and connections with several services. One that was
// taken away stays as an empty one, for who still has it.
type staticDir struct {
	entries []staticEntry
	last    uint64 // cookie that was given out
	gone    bool
}

type staticEntry struct {
	name   string
	node   backends.NodeID
	parent backends.NodeID
	cookie uint64
	attr   backends.Attr
}

// find gives the entry of a name.
func (d *staticDir) find(name string) (staticEntry, bool) {
	for _, e := range d.entries {
		if e.name == name {
			return e, true
		}
	}
	return staticEntry{}, false
}

// put adds an entry, with the cookie that it had if it is the one of before.
func (d *staticDir) put(e staticEntry, before staticEntry, had bool) {
	if had && before.node == e.node {
		e.cookie = before.cookie
	} else {
		d.last++
		e.cookie = d.last
	}
	d.entries = append(d.entries, e)
	slices.SortFunc(d.entries, func(a, b staticEntry) int { return int(a.cookie) - int(b.cookie) })
}

func newShape() *shape {
	return &shape{
		services: map[uint32]*service{}, static: map[backends.NodeID]*staticDir{backends.RootID: {}},
		byRoot: map[backends.NodeID]staticEntry{}, gaps: map[string][]backends.Gap{},
	}
}

// without gives the shape without a connection.
func (p *shape) without(connection string) *shape {
	q := &shape{services: maps.Clone(p.services), static: maps.Clone(p.static), byRoot: maps.Clone(p.byRoot), gaps: maps.Clone(p.gaps)}
	delete(q.gaps, connection)
	for _, s := range p.order {
		if s.connection != connection {
			q.order = append(q.order, s)
			continue
		}
		delete(q.services, s.sink.no)
		delete(q.byRoot, s.root)
	}
	root := &staticDir{last: p.static[backends.RootID].last}
	for _, e := range p.static[backends.RootID].entries {
		if e.name != connection {
			root.entries = append(root.entries, e)
			continue
		}
		delete(q.byRoot, e.node)
		if q.static[e.node] != nil {
			q.static[e.node] = &staticDir{gone: true}
		}
	}
	q.static[backends.RootID] = root
	return q
}

// has gives a connection's entry in the root.
func (p *shape) has(connection string) (staticEntry, bool) {
	return p.static[backends.RootID].find(connection)
}

func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// add adds a connection. before is the shape in which it may have been, nil for none: what is the same there keeps its node.
func (p *shape) add(t *Tree, conn Connection, before *shape) error {
	if _, twice := p.has(conn.Name); twice || !validName(conn.Name) {
		return fmt.Errorf("connection name %q is not usable or not unique", conn.Name)
	}
	var was staticEntry
	had := false
	if before != nil {
		was, had = before.has(conn.Name)
	}
	e, dir, err := p.place(t, conn)
	if err != nil {
		return fmt.Errorf("connection %s: %w", conn.Name, err)
	}
	if dir != nil {
		if had && before.static[was.node] != nil && was.attr.Ino == e.attr.Ino {
			e.node = was.node
		} else if e.node, err = t.c.connectionNode(e.attr.Ino, before != nil); err != nil {
			return fmt.Errorf("connection %s: %w", conn.Name, err)
		}
		for i := range dir.entries {
			dir.entries[i].parent = e.node
			p.byRoot[dir.entries[i].node] = dir.entries[i]
		}
		p.static[e.node] = dir
	}
	p.byRoot[e.node] = e
	p.static[backends.RootID].put(e, was, had)
	for _, g := range conn.Gaps {
		p.gaps[conn.Name] = append(p.gaps[conn.Name], backends.Gap{Path: path.Join(conn.Name, g.Path), Reason: g.Reason})
	}
	return nil
}

// place adds the services of a connection and gives its entry in the root. Where it has a directory of its own, that comes
// along and the entry has no node yet.
func (p *shape) place(t *Tree, conn Connection) (staticEntry, *staticDir, error) {
	entry := staticEntry{name: conn.Name, parent: backends.RootID}
	dir := &staticDir{}
	var scopes []string
	for _, m := range conn.Mounted {
		s, err := p.addService(t, conn.Name, m)
		if err != nil {
			return entry, nil, err
		}
		scope := m.Backend.Scope()
		attr, err := t.c.staticAttr(scope, "")
		if err != nil {
			return entry, nil, err
		}
		if m.Path == "" {
			if len(conn.Mounted) > 1 {
				return entry, nil, errors.New("a backend that is the connection's directory must be its only one")
			}
			entry.node, entry.attr = s.root, attr
			return entry, nil, nil
		}
		if !validName(m.Path) {
			return entry, nil, fmt.Errorf("path %q is not a name", m.Path)
		}
		scopes = append(scopes, scope)
		// The same services are the same directory, so that their order tells cookies.
		dir.put(staticEntry{name: m.Path, node: s.root, attr: attr}, staticEntry{}, false)
	}
	var err error
	entry.attr, err = t.c.staticAttr(strings.Join(scopes, "\x00"), "connection\x00"+nameIfEmpty(scopes, conn.Name))
	return entry, dir, err
}

// nameIfEmpty tells connections without services apart, which nothing but their name can.
func nameIfEmpty(scopes []string, name string) string {
	if len(scopes) == 0 {
		return name
	}
	return ""
}

func (p *shape) addService(t *Tree, connection string, m backends.Mounted) (*service, error) {
	sink, err := t.c.sinkFor(m.Backend.Scope())
	if err != nil {
		return nil, err
	}
	if other, ok := p.services[sink.no]; ok {
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
	if s.root, err = t.c.rootOf(sink, id, at); err != nil {
		return nil, err
	}
	if err := t.c.heedEdition(s); err != nil {
		return nil, err
	}
	p.services[sink.no] = s
	p.order = append(p.order, s)
	return s, nil
}

// rootOf gives the root directory of a service, which it makes when it has to. Most mounts find all as it was: they write
// nothing, since each transaction would keep them waiting for the disk.
func (c *Cache) rootOf(sink *sink, id ident, at time.Time) (root backends.NodeID, err error) {
	asWas := false
	err = c.meta.View(func(tx *bbolt.Tx) error {
		if root = dirNode(tx, sink.no, ""); root == 0 {
			return nil
		}
		rec, err := loadDir(tx, root)
		asWas = rec.ownTime && rec.ident == id && rec.gone.IsZero() && !rec.mtime.IsZero()
		return err
	})
	if err != nil || asWas {
		return root, err
	}
	err = c.meta.Update(func(tx *bbolt.Tx) error {
		n, rec, err := makeDir(tx, sink.no, "")
		if err != nil {
			return err
		}
		root = n
		rec.ownTime, rec.ident, rec.gone = true, id, zeroTime
		if rec.mtime.IsZero() {
			rec.mtime = at
		}
		return storeDir(tx, n, &rec)
	})
	return root, err
}

// factConnection is the key of the node of a connection's directory among the facts.
func factConnection(ino uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("connection/"), ino)
}

// connectionNode gives the node of a connection's directory, known by its inode: the one that it had in the last mount, or a
// new one. A mount asks for a new one where it shows other connections than it began with, since the kernel may know the node
// by another name still.
func (c *Cache) connectionNode(ino uint64, anew bool) (n backends.NodeID, err error) {
	key := factConnection(ino)
	if !anew {
		err = c.meta.View(func(tx *bbolt.Tx) error {
			n = backends.NodeID(number(tx.Bucket(bucketFacts).Get(key)))
			return nil
		})
		if err != nil || n != 0 {
			return n, err
		}
	}
	err = c.meta.Update(func(tx *bbolt.Tx) error {
		if n, err = nextNode(tx); err != nil {
			return err
		}
		return tx.Bucket(bucketFacts).Put(key, key64(uint64(n)))
	})
	return n, storeError("number a directory", err)
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

func (c *Cache) staticAttr(scope, id string) (backends.Attr, error) {
	at, err := c.staticTime(identOf(scope, id))
	return backends.Attr{Ino: backends.Ino(scope, id), Dir: true, Mtime: at, Ctime: at, Btime: at, Valid: dirValid}, err
}
