package cache

import (
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// What a Change says happened.
const (
	ActionCreated = "created"
	ActionChanged = "changed" // another content, or other times
	ActionRemoved = "removed"
	ActionRenamed = "renamed" // within its directory
	ActionMoved   = "moved"   // to another directory
	// ActionMany stands for more changes of a service than could be told.
	ActionMany = "many"
)

// Change is something that happened in the tree after it was first seen.
type Change struct {
	At         time.Time // when it was committed
	Action     string
	Path       string // slash separated, from the root of the tree
	OldPath    string // of what was renamed or moved
	IsDir      bool
	Ino        uint64
	Connection string
	Service    string // path of the service in the tree
	Collection string // that told of it
	Item       backends.Info
	Origin     backends.Origin
}

const (
	// maxChanges bounds the changes that wait for a slow listener.
	maxChanges = 100_000
	// maxMoves bounds the moves that are remembered until the item leaves its old directory.
	maxMoves = 10_000
)

// Changes calls fn for what changes in the tree, in order, from a goroutine that holds no lock: for the additions, removals
// and new contents for which there are Events, of what can be seen from the root. fn keeps the slice if it likes. It is not
// called any more when stop has returned, unless it was running.
func (t *Tree) Changes(fn func([]Change)) (stop func()) { return t.changes.watch(fn) }

// collapseChanges makes one of the changes of each service.
func collapseChanges(waiting []Change) []Change {
	var few []Change
	at := map[string]int{}
	for i := range waiting {
		c := &waiting[i]
		n, ok := at[c.Service]
		if !ok {
			n = len(few)
			at[c.Service] = n
			few = append(few, Change{Action: ActionMany, Path: c.Service, IsDir: true, Connection: c.Connection, Service: c.Service})
		}
		few[n].At, few[n].Origin = c.At, c.Origin
	}
	return few
}

// notes are what a commit does to entries that somebody may have seen, for who listens to changes.
type notes struct {
	t      *Tree
	s      *service
	list   []note
	before map[backends.NodeID]string // paths of directories before the commit
}

// note is one event with what only the commit knows.
type note struct {
	kind   backends.EventKind
	dir    backends.NodeID
	name   string
	node   backends.NodeID
	ino    uint64
	isDir  bool
	info   backends.Info
	was    string // for additions: the path at which the identity was shown already
	paired bool   // a removal that is a part of another note's change
}

// listen begins to take notes when anybody listens.
func (a *applier) listen() {
	t := a.c.tree.Load()
	if t == nil || !t.changes.watched() || t.service(a.s.no) == nil {
		return
	}
	a.notes = &notes{t: t, s: t.service(a.s.no), before: map[backends.NodeID]string{}}
	for n, w := range a.work {
		if w.rec.listed {
			a.notes.before[n] = t.pathOf(a.tx, n)
		}
	}
}

// note notes an event of an entry whose directory somebody may have seen. Other attributes of directories are not worth a
// note: they come with what is in them.
func (a *applier) note(dir backends.NodeID, kind backends.EventKind, e *entry, det []byte) {
	if a.notes == nil || kind == backends.EventAttr && e.is(isDir) {
		return
	}
	n := note{kind: kind, dir: dir, name: e.name, node: e.node, ino: e.ino, isDir: e.is(isDir)}
	if d, err := decodeDetail(det); err == nil {
		n.info = d.Info
	}
	a.notes.list = append(a.notes.list, n)
}

// shownAt gives the path at which an identity is shown already, before an addition of it to a directory.
func (a *applier) shownAt(w *dirWork, p *pending) (string, error) {
	if a.notes == nil || !w.rec.listed {
		return "", nil
	}
	var at place
	if p.flags&isDir != 0 {
		d, err := p.packed.detail()
		if err != nil {
			return "", err
		}
		n := dirNode(a.tx, a.s.no, backends.DirKey(d.Dir))
		if n == 0 {
			return "", nil
		}
		rec, err := a.getDir(n)
		if err != nil {
			return "", err
		}
		at = place{rec.parent, rec.cookie}
	} else {
		_, k, err := a.inode(p)
		if err != nil {
			return "", err
		}
		if len(k.places) > 0 {
			at = k.places[0]
		}
	}
	return a.notes.pathAt(a.tx, at), nil
}

// shownNow gives the path at which what was removed from a directory is shown still.
func (a *applier) shownNow(n *note) string {
	if n.isDir {
		if rec, err := a.getDir(n.node); err == nil {
			return a.notes.pathAt(a.tx, place{rec.parent, rec.cookie})
		}
		return ""
	}
	k, err := loadNode(a.tx, backends.NodeID(number(a.inos.get(key64(n.ino)))))
	if err != nil || len(k.places) == 0 {
		return ""
	}
	return a.notes.pathAt(a.tx, k.places[0])
}

// pathAt gives the path of an entry; "" when the tree does not show it.
func (ns *notes) pathAt(tx *bbolt.Tx, at place) string {
	if at.dir == 0 {
		return ""
	}
	e, err := decodeEntry(tx.Bucket(bucketEntries).Get(at.key()))
	if err != nil {
		return ""
	}
	return join(ns.t.pathOf(tx, at.dir), e.name)
}

// join gives the path of a name in a directory; "" when the directory has none.
func join(dir, name string) string {
	if dir == "" {
		return ""
	}
	return dir + "/" + name
}

// parent gives the directory of a path.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// makeChanges makes the changes that a commit amounts to, at its end.
func (a *applier) makeChanges() {
	ns := a.notes
	if ns == nil || len(ns.list) == 0 {
		return
	}
	after := map[backends.NodeID]string{}
	removed := map[uint64][]*note{}
	for i := range ns.list {
		n := &ns.list[i]
		if n.kind == backends.EventRemoved {
			removed[n.ino] = append(removed[n.ino], n)
		} else if _, ok := after[n.dir]; !ok {
			after[n.dir] = ns.t.pathOf(a.tx, n.dir)
		}
	}
	for i := range ns.list {
		n := &ns.list[i]
		if n.kind != backends.EventAdded {
			continue
		}
		if from := removed[n.ino]; len(from) > 0 {
			from[0].paired = true
			n.was = join(ns.before[from[0].dir], from[0].name)
			removed[n.ino] = from[1:]
		} else if n.was != "" {
			ns.t.moves.add(n.ino)
		}
	}
	for i := range ns.list {
		n := &ns.list[i]
		c := Change{
			Path: join(after[n.dir], n.name), IsDir: n.isDir, Ino: n.ino, Connection: ns.s.connection,
			Service: ns.s.prefix(), Collection: a.b.coll, Item: n.info, Origin: a.s.origin,
		}
		switch n.kind {
		case backends.EventAdded:
			c.Action = ActionCreated
			if n.was != "" {
				c.Action, c.OldPath = moveOf(n.was, c.Path), n.was
			}
		case backends.EventRemoved:
			c.Action, c.Path = ActionRemoved, join(ns.before[n.dir], n.name)
			if n.paired || c.Path == "" {
				continue
			}
			if now := a.shownNow(n); now != "" {
				if ns.t.moves.take(n.ino) {
					continue
				}
				// It came to a directory that was listed for the first time, which nobody was told of.
				c.Action, c.OldPath, c.Path = moveOf(c.Path, now), c.Path, now
			}
		default:
			c.Action = ActionChanged
		}
		if c.Path == c.OldPath {
			c.Action, c.OldPath = ActionChanged, ""
		}
		if c.Path != "" {
			a.changes = append(a.changes, c)
		}
	}
}

func moveOf(from, to string) string {
	if parent(from) == parent(to) {
		return ActionRenamed
	}
	return ActionMoved
}

// moves remembers identities that were added to a directory while another showed them. Guarded by Cache.committing.
type moves map[uint64]bool

func (m moves) add(ino uint64) {
	if len(m) >= maxMoves {
		clear(m) // they are not left where they were, it seems
	}
	m[ino] = true
}

// take tells whether an identity has been added so, and forgets that.
func (m moves) take(ino uint64) bool {
	had := m[ino]
	delete(m, ino)
	return had
}
