package cache

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

// model is the simplest thing that Batch can mean: sets of entries, named anew as a whole after every batch.
type model struct {
	dirs map[backends.DirKey]map[string]backends.Entry // whole directories: by ID
}

type op struct {
	remove string // item
	dir    backends.DirKey
	add    []backends.Entry
}

func (m *model) apply(ops []op, whole []backends.DirKey) {
	type addition struct {
		dir  backends.DirKey
		e    backends.Entry
		dead bool
	}
	var adds []addition
	touched := map[string]bool{}
	for _, o := range ops {
		if o.remove != "" {
			touched[o.remove] = true
			for i := range adds {
				adds[i].dead = adds[i].dead || adds[i].e.Item == o.remove
			}
			continue
		}
		for _, e := range o.add {
			for i := range adds {
				if a := &adds[i]; a.e.ID == e.ID && (a.e.Item == e.Item || a.dir == o.dir) {
					a.dead = true
				}
			}
			adds = append(adds, addition{dir: o.dir, e: e})
		}
	}
	for _, a := range adds {
		if !a.dead {
			touched[a.e.Item] = true
		}
	}
	for _, set := range m.dirs {
		maps.DeleteFunc(set, func(_ string, e backends.Entry) bool { return touched[e.Item] })
	}
	for _, dir := range whole {
		m.dirs[dir] = map[string]backends.Entry{}
	}
	for _, a := range adds {
		if set := m.dirs[a.dir]; set != nil && !a.dead {
			set[a.e.ID] = a.e
		}
	}
}

// names gives the entries of a directory by their final names.
func (m *model) names(dir backends.DirKey) map[string]backends.Entry {
	var es []backends.Entry
	var wanted []names.Wanted
	for _, id := range slices.Sorted(maps.Keys(m.dirs[dir])) {
		e := m.dirs[dir][id]
		es = append(es, e)
		wanted = append(wanted, e.Name)
	}
	out := map[string]backends.Entry{}
	for i, name := range names.Assign(wanted) {
		out[name] = es[i]
	}
	return out
}

// history is what a user of the tree has seen so far.
type history struct {
	top     map[backends.DirKey]uint64                     // highest cookie by directory
	cookies map[backends.DirKey]map[string]backends.Dirent // by name
	nodes   map[backends.NodeID]string                     // what a node is, for ever
	byWhat  map[string]backends.NodeID                     // and the other way round
	mirror  map[backends.NodeID]map[string]backends.NodeID // kept up by events alone
	keys    map[backends.NodeID]backends.DirKey            // directories
	dirNode map[backends.DirKey]backends.NodeID            // and the other way round
}

func TestRandomBatchesAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playBatches(t, seed, 120, defaultBounds) })
		t.Run(fmt.Sprint("staged ", seed), func(t *testing.T) { playBatches(t, seed, 120, staging) })
		t.Run(fmt.Sprint("staged early ", seed), func(t *testing.T) { playBatches(t, seed, 120, stagingEarly) })
	}
}

// staging has first listings written in transactions of three entries.
var staging = bounds{details: 300, stageFrom: 1, stageChunk: 3}

// stagingEarly also has them written while the batch is filled.
var stagingEarly = bounds{details: 300, stageFrom: 1, stageChunk: 1}

func playBatches(t *testing.T, seed uint64, steps int, bounds bounds) {
	r := rand.New(rand.NewPCG(seed, 1))
	b := newBench(t)
	b.c.bounds = bounds
	// With few inodes there are collisions.
	fewInos := func(scope, id string) uint64 { return 2 + backends.Ino(scope, id)%5000 }
	b.c.ino = fewInos
	top := []backends.DirKey{"A", "B", "C"}
	subs := []backends.DirKey{"K1", "K2", "K3"}
	all := append(slices.Clone(top), subs...)
	m := &model{dirs: map[backends.DirKey]map[string]backends.Entry{}}
	h := &history{
		top: map[backends.DirKey]uint64{}, cookies: map[backends.DirKey]map[string]backends.Dirent{},
		nodes: map[backends.NodeID]string{}, byWhat: map[string]backends.NodeID{},
		mirror: map[backends.NodeID]map[string]backends.NodeID{}, keys: map[backends.NodeID]backends.DirKey{},
		dirNode: map[backends.DirKey]backends.NodeID{},
	}
	var roots []backends.Entry
	for _, k := range top {
		e := userDir("dir"+string(k), k)
		e.Mtime = time.Time{}
		roots = append(roots, e)
	}
	b.f.set("", roots...)
	b.f.listing[""] = backends.Listing{MaxAge: -1}
	for _, d := range b.readDir(b.root) {
		key := backends.DirKey(d.Name[3:])
		h.keys[d.Node], h.dirNode[key] = key, d.Node
	}
	drain, changes, sink := b.watch(), b.changes(), b.sink()
	for step := range steps {
		b.clock.add(time.Second)
		ops, whole := randomBatch(r, all)
		batch := sink.Begin("coll")
		for _, o := range ops {
			if bounds == stagingEarly && r.IntN(3) == 0 {
				if err := batch.(backends.Stager).Stage(append(slices.Clip(whole), all[r.IntN(len(all))])); err != nil {
					t.Fatal(err)
				}
			}
			if o.remove != "" {
				batch.Remove(o.remove)
			} else if err := batch.Add(o.dir, o.add...); err != nil {
				t.Fatal(err)
			}
		}
		discard := r.IntN(12) == 0
		commit := backends.Commit{Fresh: r.IntN(2) == 0, Memory: map[string][]byte{"cursor": fmt.Append(nil, step)}}
		for _, k := range whole {
			commit.Whole = append(commit.Whole, backends.Listing{Dir: k, MaxAge: -1, Covered: r.IntN(2) == 0})
		}
		if discard { // as if the commit had failed just before its end
			if err := b.c.stage(asBatch(t, batch), commit.Whole); err != nil {
				t.Fatal(err)
			}
			batch.Discard()
			checkAgainstModel(t, b, m, h, all)
			continue
		}
		if err := batch.Commit(commit); err != nil {
			t.Fatal(err)
		}
		m.apply(ops, whole)
		for _, e := range drain() {
			h.event(t, e)
		}
		checkAgainstModel(t, b, m, h, all)
		checkChanges(t, b, changes())
		if r.IntN(15) == 0 {
			b.clock.add(2 * keepRetired)
			if err := b.c.sweep(); err != nil {
				t.Fatal(err)
			}
			for _, k := range subs {
				if b.findDir(k) == 0 { // removed and swept
					delete(m.dirs, k)
					delete(h.top, k)
					delete(h.cookies, k)
					delete(h.dirNode, k)
				}
			}
			checkAgainstModel(t, b, m, h, all)
		}
		if r.IntN(25) == 0 {
			b.reopen()
			b.c.ino, b.c.bounds = fewInos, bounds
			drain, changes = b.watch(), b.changes()
			sink = b.sink()
		}
		if t.Failed() {
			for _, o := range ops {
				t.Logf("remove %q, add to %q:", o.remove, o.dir)
				for _, e := range o.add {
					t.Logf("  %s@%s of %s: %+v, dir %q", e.ID, e.Version, e.Item, e.Name, e.Dir)
				}
			}
			t.Fatalf("after step %d, whole %v", step, whole)
		}
	}
	checkStore(t, b, m)
}

func randomBatch(r *rand.Rand, all []backends.DirKey) (ops []op, whole []backends.DirKey) {
	for range r.IntN(6) {
		item := fmt.Sprint("item", r.IntN(25))
		if r.IntN(4) == 0 {
			ops = append(ops, op{remove: item})
			continue
		}
		o := op{dir: all[r.IntN(len(all))]}
		for range 1 + r.IntN(2) {
			o.add = append(o.add, randomEntry(r, item))
		}
		ops = append(ops, o)
	}
	if r.IntN(3) == 0 {
		dir := all[r.IntN(len(all))]
		whole = append(whole, dir)
		for range r.IntN(12) {
			ops = append(ops, op{dir: dir, add: []backends.Entry{randomEntry(r, fmt.Sprint("item", r.IntN(25)))}})
		}
	}
	return ops, whole
}

func randomEntry(r *rand.Rand, item string) backends.Entry {
	part := r.IntN(3)
	id := fmt.Sprint(item, "/", part)
	if item <= "item11" && item >= "item10" && part == 0 { // two of the items are directories
		k := backends.DirKey(fmt.Sprint("K", 1+len(item)%2+int(item[5]-'0')))
		e := userDir(fmt.Sprint("sub", r.IntN(2)), k)
		e.ID, e.Item, e.Name.Key = "dir-"+string(k), item, item
		if r.IntN(2) == 0 {
			e.Mtime = time.Time{}
		}
		return e
	}
	version := fmt.Sprint("v", r.IntN(3))
	e := backends.Entry{ID: id, Item: item, Version: version, Mtime: day.Add(time.Duration(r.IntN(2)) * time.Hour)}
	switch r.IntN(4) {
	case 0:
		e.Mtime = time.Time{}
		fallthrough
	case 1:
		e.Body = []byte(id + version)
	case 2:
		e.Size = backends.SizeUnknown
	case 3:
		e.Size = int64(len(id + version))
	}
	switch r.IntN(6) {
	case 0:
		e.Name = names.Wanted{Stem: fmt.Sprint("twin", r.IntN(3), ".txt"), Key: id, User: true}
	case 1:
		e.Name = names.Wanted{Stem: "members", Ext: ".csv", Key: id, Fixed: true}
	case 2:
		e.Name = names.Wanted{Stem: "2026-11", Key: id, User: true}
	default:
		e.Name = names.Wanted{Stem: fmt.Sprint("2026-11-20_", item), Key: item, Ext: fmt.Sprint(".p", part)}
	}
	return e
}

// event does to the mirror what a filesystem would do to the kernel.
func (h *history) event(t *testing.T, e backends.Event) {
	set := h.mirror[e.Dir]
	if set == nil {
		return // a directory that nobody has looked at
	}
	switch e.Kind {
	case backends.EventAdded:
		if _, ok := set[e.Name]; ok {
			t.Errorf("added what was there: %+v", e)
		}
		set[e.Name] = e.Node
	case backends.EventRemoved:
		if set[e.Name] != e.Node {
			t.Errorf("removed %+v, mirror has %d", e, set[e.Name])
		}
		delete(set, e.Name)
	case backends.EventReplaced:
		if _, ok := set[e.Name]; !ok || set[e.Name] == e.Node {
			t.Errorf("replaced %+v, mirror has %d", e, set[e.Name])
		}
		set[e.Name] = e.Node
	}
}

// checkChanges compares what is said to have happened with what is there now.
func checkChanges(t *testing.T, b *bench, changes []Change) {
	t.Helper()
	for _, c := range changes {
		d, err := b.t.resolve(context.Background(), c.Path)
		there := err == nil && d.Attr.Ino == c.Ino && d.Attr.Dir == c.IsDir
		if there != (c.Action != ActionRemoved) {
			t.Errorf("%+v: %v, there: %v", c, err, there)
		}
		if (c.OldPath != "") != (c.Action == ActionMoved || c.Action == ActionRenamed) || c.OldPath == c.Path {
			t.Errorf("%+v", c)
		}
	}
}

func checkAgainstModel(t *testing.T, b *bench, m *model, h *history, all []backends.DirKey) {
	t.Helper()
	for _, key := range all {
		if m.dirs[key] == nil {
			continue
		}
		node := h.dirNode[key]
		if node == 0 {
			continue
		}
		want := m.names(key)
		ds, err := b.tryReadDir(node)
		if err != nil {
			// A directory that nobody lists.
			if a, aerr := b.t.Attr(context.Background(), node); aerr == nil {
				t.Errorf("directory %s with attributes %+v: %v", key, a, err)
			}
			delete(h.dirNode, key)
			delete(h.cookies, key)
			delete(h.top, key)
			delete(h.mirror, node)
			continue
		}
		checkDir(t, b, h, key, node, ds, want)
	}
}

func checkDir(t *testing.T, b *bench, h *history, key backends.DirKey, node backends.NodeID, ds []backends.Dirent, want map[string]backends.Entry) {
	t.Helper()
	if len(ds) != len(want) {
		t.Errorf("directory %s has %d entries, want %d", key, len(ds), len(want))
	}
	now := map[string]backends.Dirent{}
	mirror := map[string]backends.NodeID{}
	last, top := uint64(0), h.top[key]
	for _, d := range ds {
		e, ok := want[d.Name]
		if !ok {
			t.Errorf("directory %s has %q", key, d.Name)
			continue
		}
		if d.Cookie <= last {
			t.Errorf("cookies not ascending: %d after %d", d.Cookie, last)
		}
		last = d.Cookie
		what := e.ID + "@" + e.Version
		if e.IsDir {
			what = "dir " + string(e.Dir)
			h.dirNode[e.Dir], h.keys[d.Node] = d.Node, e.Dir
		}
		was, had := h.cookies[key][d.Name]
		switch {
		case had && h.nodes[was.Node] == what && was.Cookie != d.Cookie:
			t.Errorf("%s/%s was cookie %d, is %d", key, d.Name, was.Cookie, d.Cookie)
		case had && was.Attr.Ino == d.Attr.Ino && was.Cookie == d.Cookie:
		case d.Cookie <= top:
			t.Errorf("%s/%s is new with cookie %d, not above %d", key, d.Name, d.Cookie, top)
		}
		h.top[key] = max(h.top[key], d.Cookie)
		if old, ok := h.nodes[d.Node]; ok && old != what {
			t.Errorf("node %d was %s, is %s", d.Node, old, what)
		}
		if n, ok := h.byWhat[what]; ok && n != d.Node && had && h.nodes[was.Node] == what {
			t.Errorf("%s was node %d, is %d", what, n, d.Node)
		}
		h.nodes[d.Node], h.byWhat[what] = what, d.Node
		checkEntry(t, b, key, &d, &e)
		now[d.Name] = d
		mirror[d.Name] = d.Node
	}
	h.cookies[key] = now
	if have := h.mirror[node]; have != nil && !maps.Equal(have, mirror) {
		t.Errorf("events made of %s %v, it is %v", key, have, mirror)
	}
	h.mirror[node] = mirror
}

func checkEntry(t *testing.T, b *bench, key backends.DirKey, d *backends.Dirent, e *backends.Entry) {
	t.Helper()
	got, _, err := b.t.Lookup(context.Background(), b.mustDir(key), d.Name)
	if err != nil || got != *d {
		t.Errorf("lookup of %s/%s: %+v, %v, readdir has %+v", key, d.Name, got, err, *d)
	}
	if d.Attr.Dir != e.IsDir {
		t.Errorf("%s/%s: directory %v", key, d.Name, d.Attr.Dir)
	}
	if !e.Mtime.IsZero() && !d.Attr.Mtime.Equal(e.Mtime) || d.Attr.Mtime.IsZero() || d.Attr.Ctime.IsZero() {
		t.Errorf("%s/%s: times %+v, want mtime %v", key, d.Name, d.Attr, e.Mtime)
	}
	if e.IsDir || d.Attr.Size == backends.SizeUnknown {
		return
	}
	if e.Body != nil {
		if body, err := b.tryRead(d.Node, 64); err != nil || string(body) != e.ID+e.Version {
			t.Errorf("%s/%s: body %q, %v", key, d.Name, body, err)
		}
	}
	if want := int64(len(e.ID + e.Version)); d.Attr.Size != want {
		t.Errorf("%s/%s: size %d, want %d", key, d.Name, d.Attr.Size, want)
	}
}

// mustDir finds the node of a directory in the store.
func (b *bench) mustDir(key backends.DirKey) backends.NodeID {
	b.Helper()
	n := b.findDir(key)
	if n == 0 {
		b.Fatalf("no directory %q", key)
	}
	return n
}

func (b *bench) findDir(key backends.DirKey) (n backends.NodeID) {
	b.Helper()
	s, err := b.c.sinkFor(b.f.scope)
	if err == nil {
		err = b.c.meta.View(func(tx *bbolt.Tx) error {
			n = dirNode(tx, s.no, key)
			return nil
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// checkStore looks for what should not be in the database: indices that lead nowhere, bodies that nobody has.
func checkStore(t *testing.T, b *bench, _ *model) {
	t.Helper()
	for range 4 { // what a removed directory had is retired when that is swept
		b.clock.add(2 * keepRetired)
		if err := b.c.sweep(); err != nil {
			t.Fatal(err)
		}
	}
	used := map[uint64]bool{}
	entries, bytes := 0, int64(0)
	err := b.c.meta.View(func(tx *bbolt.Tx) error {
		err := tx.Bucket(bucketEntries).ForEach(func(k, v []byte) error {
			e, err := decodeEntry(v)
			entries++
			bytes += max(e.size, 0)
			used[e.body] = true
			at := placeAt(k)
			if number(tx.Bucket(bucketNames).Get(keyIn(at.dir, e.name))) != at.cookie {
				t.Errorf("name %q of %v leads elsewhere", e.name, at)
			}
			if kn, _ := loadNode(tx, e.node); !e.is(isDir) && !slices.Contains(kn.places, at) {
				t.Errorf("node %d does not know %v", e.node, at)
			}
			return err
		})
		if n := tx.Bucket(bucketStaging).Stats().KeyN; n != 0 {
			t.Errorf("%d staged directories after a sweep", n)
		}
		for _, name := range []string{"names", "details"} {
			if n := tx.Bucket([]byte(name)).Stats().KeyN; n != entries {
				t.Errorf("%d %s for %d entries", n, name, entries)
			}
		}
		if n := tx.Bucket(bucketRetired).Stats().KeyN + tx.Bucket(bucketDead).Stats().KeyN + tx.Bucket(bucketOrphans).Stats().KeyN; n != 0 {
			t.Errorf("%d retired, dead or orphaned after a sweep", n)
		}
		items := 0
		e := tx.Bucket(bucketItems).ForEach(func(_, v []byte) error {
			for _, p := range decodePlaces(v) {
				items++
				if tx.Bucket(bucketEntries).Get(p.key()) == nil {
					t.Errorf("an item leads to %v, where nothing is", p)
				}
			}
			return nil
		})
		if items != entries {
			t.Errorf("%d places of items for %d entries", items, entries)
		}
		if err == nil {
			err = e
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	gotBytes, gotEntries := b.t.Usage()
	equal(t, "usage: entries", int(gotEntries), entries)
	equal(t, "usage: bytes", int64(gotBytes), bytes)
	err = b.c.bodies.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketBodies).ForEach(func(k, _ []byte) error {
			if !used[number(k)] {
				t.Errorf("body %d is nobody's", number(k))
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
