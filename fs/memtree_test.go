package fs_test

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// memTree is a Tree held in maps, which a test changes as it likes.
type memTree struct {
	mu       sync.Mutex
	nodes    map[backends.NodeID]*memNode
	next     backends.NodeID
	watchers map[int]func([]backends.Event)

	// answered, if set, is called by Lookup and ReadDir when they know their answer, before they give it.
	answered func(dir backends.NodeID)
	// block, if set, is called by Attr and ReadAt of nodes whose slow is set.
	block func(ctx context.Context) error
	reads map[backends.NodeID]int
}

type memNode struct {
	attr     backends.Attr
	content  []byte
	children map[string]backends.NodeID
	cookies  map[string]uint64
	cookie   uint64
	parent   backends.NodeID
	lazy     bool // the size is told by Attr only
	slow     bool
	err      error
}

var when = time.Date(2026, 11, 20, 9, 12, 33, 123456789, time.UTC)

func newMemTree() *memTree {
	t := &memTree{nodes: map[backends.NodeID]*memNode{}, next: backends.RootID + 1, watchers: map[int]func([]backends.Event){}, reads: map[backends.NodeID]int{}}
	t.nodes[backends.RootID] = newMemDir(backends.RootID)
	return t
}

func newMemDir(id backends.NodeID) *memNode {
	return &memNode{
		attr:     backends.Attr{Ino: uint64(id) + 1000, Dir: true, Mtime: when, Ctime: when, Valid: backends.Forever},
		children: map[string]backends.NodeID{}, cookies: map[string]uint64{},
	}
}

func (t *memTree) link(parent backends.NodeID, name string, id backends.NodeID) {
	p := t.nodes[parent]
	p.cookie++
	p.children[name] = id
	p.cookies[name] = p.cookie
	t.nodes[id].parent = parent
}

func (t *memTree) mkdir(parent backends.NodeID, name string) backends.NodeID {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.next
	t.next++
	t.nodes[id] = newMemDir(id)
	t.link(parent, name, id)
	return id
}

func (t *memTree) write(parent backends.NodeID, name, content string) backends.NodeID {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.next
	t.next++
	t.nodes[id] = &memNode{
		attr:    backends.Attr{Ino: uint64(id) + 1000, Size: int64(len(content)), Mtime: when, Ctime: when, Btime: when.Add(-time.Hour), Valid: backends.Forever},
		content: []byte(content),
	}
	t.link(parent, name, id)
	return id
}

func (t *memTree) child(dir backends.NodeID, name string) backends.NodeID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodes[dir].children[name]
}

func (t *memTree) set(id backends.NodeID, f func(*memNode)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.nodes[id])
}

// unlink takes a name away; gone forgets the node as well.
func (t *memTree) unlink(parent backends.NodeID, name string, gone bool) backends.NodeID {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.nodes[parent]
	id := p.children[name]
	delete(p.children, name)
	delete(p.cookies, name)
	if gone {
		delete(t.nodes, id)
	}
	return id
}

func (t *memTree) emit(events ...backends.Event) {
	t.mu.Lock()
	fns := make([]func([]backends.Event), 0, len(t.watchers))
	for _, f := range t.watchers {
		fns = append(fns, f)
	}
	t.mu.Unlock()
	for _, f := range fns {
		f(events)
	}
}

func (t *memTree) dirent(parent *memNode, name string) backends.Dirent {
	id := parent.children[name]
	n := t.nodes[id]
	a := n.attr
	if n.lazy {
		a.Size = backends.SizeUnknown
	}
	return backends.Dirent{Name: name, Cookie: parent.cookies[name], Node: id, Attr: a}
}

func (t *memTree) Lookup(_ context.Context, dir backends.NodeID, name string) (backends.Dirent, time.Duration, error) {
	defer t.answer(dir)
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.nodes[dir]
	if p == nil {
		return backends.Dirent{}, 0, backends.ErrNotFound
	}
	if p.err != nil {
		return backends.Dirent{}, 0, p.err
	}
	if _, ok := p.children[name]; !ok {
		return backends.Dirent{}, backends.Forever, backends.ErrNotFound
	}
	return t.dirent(p, name), 0, nil
}

func (t *memTree) ReadDir(_ context.Context, dir backends.NodeID, after uint64, fn func(backends.Dirent) bool) error {
	defer t.answer(dir)
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.nodes[dir]
	if p == nil {
		return backends.ErrNotFound
	}
	if p.err != nil {
		return p.err
	}
	for _, name := range t.sorted(p) {
		if p.cookies[name] > after && !fn(t.dirent(p, name)) {
			break
		}
	}
	return nil
}

func (t *memTree) answer(dir backends.NodeID) {
	t.mu.Lock()
	answered := t.answered
	t.mu.Unlock()
	if answered != nil {
		answered(dir)
	}
}

func (t *memTree) sorted(p *memNode) []string {
	names := make([]string, 0, len(p.children))
	for name := range p.children {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { return p.cookies[names[i]] < p.cookies[names[j]] })
	return names
}

func (t *memTree) wait(ctx context.Context, n *memNode) error {
	t.mu.Lock()
	block, slow := t.block, n != nil && n.slow
	t.mu.Unlock()
	if slow {
		return block(ctx)
	}
	return nil
}

func (t *memTree) node(id backends.NodeID) *memNode {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodes[id]
}

func (t *memTree) Attr(ctx context.Context, id backends.NodeID) (backends.Attr, error) {
	n := t.node(id)
	if n == nil {
		return backends.Attr{}, backends.ErrNotFound
	}
	if err := t.wait(ctx, n); err != nil {
		return backends.Attr{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.err != nil {
		return backends.Attr{}, n.err
	}
	n.lazy = false
	return n.attr, nil
}

func (t *memTree) ReadAt(ctx context.Context, id backends.NodeID, p []byte, off int64) (int, error) {
	n := t.node(id)
	if n == nil {
		return 0, backends.ErrStale
	}
	if err := t.wait(ctx, n); err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads[id]++
	if n.err != nil {
		return 0, n.err
	}
	if off >= int64(len(n.content)) {
		return 0, nil
	}
	return copy(p, n.content[off:]), nil
}

func (t *memTree) Place(_ context.Context, id backends.NodeID) (backends.Place, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir := t.nodes[id].parent
	for name, child := range t.nodes[dir].children {
		if child == id {
			return backends.Place{Dir: dir, Cookie: t.nodes[dir].cookies[name], Name: name}, nil
		}
	}
	return backends.Place{}, backends.ErrStale
}

func (t *memTree) Neighbours(_ context.Context, dir backends.NodeID, from uint64, backward bool, fn func(backends.Neighbour) bool) error {
	var files []backends.Neighbour
	t.mu.Lock()
	for _, name := range t.sorted(t.nodes[dir]) {
		child, cookie := t.nodes[dir].children[name], t.nodes[dir].cookies[name]
		content := t.nodes[child].content
		if cookie != from && cookie < from == backward {
			files = append(files, backends.Neighbour{Name: name, Cookie: cookie, Node: child, Size: int64(len(content)),
				Read: func() ([]byte, error) { return content, nil }})
		}
	}
	t.mu.Unlock()
	if backward {
		slices.Reverse(files)
	}
	for _, f := range files {
		if !fn(f) {
			break
		}
	}
	return nil
}

func (t *memTree) Usage() (uint64, uint64) { return 12345, 67 }

func (t *memTree) Watch(fn func([]backends.Event)) func() {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := len(t.watchers)
	t.watchers[id] = fn
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, id)
	}
}
