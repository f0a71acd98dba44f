package cache

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// applier applies a batch within one write transaction.
type applier struct {
	c    *Cache
	s    *sink
	b    *batch
	tx   *bbolt.Tx
	now  time.Time
	coll uint64
	rec  collRecord

	names *buffer
	items *buffer
	inos  *buffer

	work    map[backends.NodeID]*dirWork
	events  []backends.Event
	notes   *notes // nil when nobody listens to changes
	changes []Change
	state   stateChange
	dead    []uint64        // bodies that nothing refers to
	loose   map[uint64]bool // those to which only what is yet to come can refer
	bytes   int64
	count   int64
}

// dirWork is what a batch does to one directory.
type dirWork struct {
	node    backends.NodeID
	rec     dirRecord
	was     bool              // it was whole before
	listing *backends.Listing // it is whole now
	adds    []int32           // indices in batch.adds
	staged  *stagedDir        // its additions have been written already
	touched map[uint64]bool   // cookies of entries whose item was added or removed
}

func newApplier(c *Cache, tx *bbolt.Tx, s *sink) *applier {
	return &applier{
		c: c, s: s, tx: tx, now: c.o.Now(), work: map[backends.NodeID]*dirWork{}, loose: map[uint64]bool{},
		names: newBuffer(tx, bucketNames), items: newBuffer(tx, bucketItems), inos: newBuffer(tx, bucketInos),
		state: stateChange{times: map[ident]seen{}, copies: map[ident]copyRecord{}, inos: map[ident]uint64{}},
	}
}

// commit applies a batch: all of it or nothing.
func (c *Cache) commit(b *batch, how backends.Commit) error {
	if err := c.stage(b, how.Whole); err != nil {
		return storeError("commit", err)
	}
	c.committing.Lock()
	defer c.committing.Unlock()
	if err := c.committable(b); err != nil {
		return err
	}
	var a *applier
	err := c.meta.Update(func(tx *bbolt.Tx) error {
		a = newApplier(c, tx, b.s)
		a.b = b
		return a.run(how)
	})
	if err != nil {
		return storeError("commit", err)
	}
	c.committed(a)
	return nil
}

// committable tells why a batch can't be committed (any more). The caller holds committing.
func (c *Cache) committable(b *batch) error {
	if c.sealed {
		return errClosed
	}
	if b.epoch != c.epoch.Load() {
		return fmt.Errorf("%w: the cache was cleared meanwhile", backends.ErrUnavailable)
	}
	return nil
}

// committed makes known what a transaction did. The caller holds committing.
func (c *Cache) committed(a *applier) {
	for i, ino := range a.state.inos {
		c.inos[i] = ino
	}
	c.bytes.Add(a.bytes)
	c.entries.Add(a.count)
	if t := c.tree.Load(); t != nil {
		for n, w := range a.work {
			if w.listing != nil {
				t.listings.succeeded(n, a.b.begun)
			}
		}
		if a.b != nil && len(a.events) > 0 {
			now := c.o.Now()
			t.latest.changed(a.coll, now, a.b.s.origin)
			for i := range a.changes {
				a.changes[i].At = now
			}
		}
		t.events.push(a.events)
		t.changes.push(a.changes)
	}
}

func (a *applier) run(how backends.Commit) error {
	if err := a.openCollection(how.Fresh); err != nil {
		return err
	}
	for key, value := range how.Memory {
		if err := a.s.remember(a.tx, key, value); err != nil {
			return err
		}
	}
	for i := range how.Whole {
		l := &how.Whole[i]
		n, rec, err := makeDir(a.tx, a.s.no, l.Dir)
		if err != nil {
			return err
		}
		a.work[n] = &dirWork{node: n, rec: rec, was: a.c.whole(&rec), listing: l}
	}
	if err := a.sort(); err != nil {
		return err
	}
	order := make([]*dirWork, 0, len(a.work))
	for _, w := range a.work {
		order = append(order, w)
	}
	slices.SortFunc(order, func(x, y *dirWork) int { return cmp.Compare(x.node, y.node) })
	a.listen()
	for _, w := range order {
		if err := a.apply(w); err != nil {
			return fmt.Errorf("directory %d: %w", w.node, err)
		}
	}
	a.makeChanges()
	return a.finish()
}

// finish writes what has been gathered, the sums, and the state before the caller's transaction that relies on it becomes durable.
func (a *applier) finish() error {
	a.names.bucket.FillPercent = ascending // those of a new directory come together
	for _, b := range []*buffer{a.names, a.items, a.inos} {
		if err := b.flush(); err != nil {
			return err
		}
	}
	facts := a.tx.Bucket(bucketFacts)
	if a.bytes != 0 || a.count != 0 {
		if err := facts.Put(factBytes, key64(uint64(a.c.bytes.Load()+a.bytes))); err != nil {
			return err
		}
		if err := facts.Put(factEntries, key64(uint64(a.c.entries.Load()+a.count))); err != nil {
			return err
		}
	}
	for n := range a.loose {
		a.dead = append(a.dead, n)
	}
	for _, n := range a.dead {
		if err := a.tx.Bucket(bucketDead).Put(key64(n), nil); err != nil {
			return err
		}
	}
	return a.c.state.write(&a.state)
}

func (a *applier) openCollection(fresh bool) error {
	key := keyScoped(a.s.no, a.b.coll)
	colls := a.tx.Bucket(bucketColls)
	a.coll = number(a.tx.Bucket(bucketCollKeys).Get(key))
	if a.coll == 0 {
		n, err := nextFact(a.tx, factColl)
		if err != nil {
			return err
		}
		a.coll = n
		a.rec = collRecord{scope: a.s.no, name: a.b.coll}
		if err := a.tx.Bucket(bucketCollKeys).Put(key, key64(n)); err != nil {
			return err
		}
	} else {
		rec, err := decodeColl(colls.Get(key64(a.coll)))
		if err != nil {
			return err
		}
		a.rec = rec
	}
	if fresh && a.b.begun.After(a.rec.fresh) {
		a.rec.fresh = a.b.begun
	}
	return colls.Put(key64(a.coll), a.rec.append(nil))
}

// sort finds out which directories the batch's entries and removals concern.
func (a *applier) sort() error {
	dirs := make([]*dirWork, len(a.b.dirs)) // nil: ignores additions
	for i, key := range a.b.dirs {
		w, err := a.workFor(dirNode(a.tx, a.s.no, key))
		if err != nil {
			return err
		}
		dirs[i] = w
		if st := a.b.staged[int32(i)]; st != nil && w != nil && st.same(w.node, &w.rec) {
			w.staged = st
		}
	}
	var last ident // an item's entries mostly come one after the other
	for i := range int32(a.b.adds.len()) {
		p := a.b.adds.at(i)
		alive := a.b.alive(i)
		if p.hasItem && alive && p.item != last {
			last = p.item
			if err := a.touchItem(p.item); err != nil {
				return err
			}
		}
		w := dirs[p.dir]
		switch {
		case alive && w != nil && w.staged != nil:
		case alive && w != nil:
			w.adds = append(w.adds, i)
		case p.own && !p.written:
			a.dead = append(a.dead, p.body)
		}
	}
	for item := range a.b.removed {
		if err := a.touchItem(item); err != nil {
			return err
		}
	}
	return nil
}

// touchItem has the entries of an item looked at.
func (a *applier) touchItem(item ident) error {
	for _, p := range decodePlaces(a.items.get(keyItem(a.coll, item))) {
		w, err := a.workFor(p.dir)
		if err != nil {
			return err
		}
		if w != nil {
			w.touch(p.cookie)
		}
	}
	return nil
}

func (w *dirWork) touch(cookie uint64) {
	if w.listing != nil {
		return // all its entries are looked at anyway
	}
	if w.touched == nil {
		w.touched = map[uint64]bool{}
	}
	w.touched[cookie] = true
}

// workFor gives the work of a directory that is whole or will be; nil for others.
func (a *applier) workFor(n backends.NodeID) (*dirWork, error) {
	if w, ok := a.work[n]; ok || n == 0 {
		return w, nil
	}
	rec, err := loadDir(a.tx, n)
	if err != nil {
		return nil, err
	}
	if !a.c.whole(&rec) {
		return nil, nil
	}
	w := &dirWork{node: n, rec: rec, was: true}
	a.work[n] = w
	return w, nil
}

// inode gives the inode of an addition and what is known of it. The first of two identities that share a hash keeps it.
func (a *applier) inode(p *pending) (uint64, known, error) {
	id := p.ident
	if ino, ok := a.c.inos[id]; ok {
		k, err := lookupIno(a.tx, id, a.inos.get(key64(ino)))
		return ino, k, err
	}
	if ino, ok := a.state.inos[id]; ok {
		k, err := lookupIno(a.tx, id, a.inos.get(key64(ino)))
		return ino, k, err
	}
	ino := p.ino
	for n := 1; ; n++ {
		k, err := lookupIno(a.tx, id, a.inos.get(key64(ino)))
		if err != nil || !k.taken {
			if n > 1 {
				a.state.inos[id] = ino
			}
			return ino, k, err
		}
		d, err := p.packed.detail()
		if err != nil {
			return 0, known{}, err
		}
		ino = a.c.ino(a.s.scope, d.ID+"\x00"+strconv.Itoa(n))
	}
}

// firstSeen tells when an identity was first seen with a content, which may be now.
func (a *applier) firstSeen(id ident, content uint64) (time.Time, error) {
	if s, ok := a.state.times[id]; ok && s.hash == content {
		return s.at, nil
	}
	var s seen
	ok := false
	err := a.c.state.read(func(st stateTx) { s, ok = st.seen(id) })
	if err != nil {
		return time.Time{}, err
	}
	if !ok || s.hash != content {
		s = seen{at: a.now, hash: content}
		a.state.times[id] = s
	}
	return s.at, nil
}

// entryFor makes the stored entry of an addition, all but its name. Equal versions are equal nodes.
// k is what is known of its inode.
func (a *applier) entryFor(p *pending, ino uint64, k *known) (entry, error) {
	var err error
	e := entry{flags: p.flags, ino: ino, size: p.size, mtime: p.mtime, ctime: p.ctime, btime: p.btime, body: p.body}
	if !p.btime.IsZero() {
		e.flags |= hasBtime
	}
	if e.is(isDir) {
		err = a.fillDir(&e, p)
	} else {
		err = a.fillFile(&e, p, k)
	}
	if err != nil {
		return e, err
	}
	delete(a.loose, e.body)
	if e.body != 0 && !(p.own && e.body == p.body) {
		if err := a.tx.Bucket(bucketDead).Delete(key64(e.body)); err != nil {
			return e, err
		}
	}
	if err == nil && k.node != e.node {
		a.inos.put(key64(ino), inoValue(e.node, p.ident))
	}
	return e, err
}

func (a *applier) fillDir(e *entry, p *pending) error {
	d, err := p.packed.detail()
	if err != nil {
		return err
	}
	n, rec, err := makeDir(a.tx, a.s.no, backends.DirKey(d.Dir))
	if err != nil {
		return err
	}
	e.node = n
	if w, ok := a.work[n]; ok {
		rec = w.rec
	}
	if !p.mtime.IsZero() {
		if p.ctime.IsZero() {
			e.ctime = p.mtime
		}
		return nil
	}
	// The record has the time, because it moves when the directory changes.
	e.flags |= ownTime
	if rec.mtime.IsZero() || rec.ident != p.ident {
		at, err := a.firstSeen(p.ident, 0)
		if err != nil {
			return err
		}
		rec.mtime = at
	}
	e.mtime, e.ctime = time.Time{}, time.Time{}
	rec.ownTime, rec.ident = true, p.ident
	return a.putDir(n, &rec)
}

// putDir stores a directory's record, keeping that of its work the same.
func (a *applier) putDir(n backends.NodeID, r *dirRecord) error {
	if w, ok := a.work[n]; ok {
		w.rec = *r
	}
	return storeDir(a.tx, n, r)
}

func (a *applier) getDir(n backends.NodeID) (dirRecord, error) {
	if w, ok := a.work[n]; ok {
		return w.rec, nil
	}
	return loadDir(a.tx, n)
}

func (a *applier) fillFile(e *entry, p *pending, k *known) error {
	old := &k.entry
	same := old.size == p.size || old.size < 0 || p.size < 0 || old.is(learnt)
	if same = same && k.node != 0 && !old.is(isDir|lost); same {
		d, err := p.packed.detail()
		if err != nil {
			return err
		}
		same = k.det.Version == d.Version
	}
	if same {
		a.keepFile(e, p, old)
		e.node = k.node
	} else {
		n, err := nextNode(a.tx)
		if err != nil {
			return err
		}
		e.node = n
		if err := a.applyCopy(e, p); err != nil {
			return err
		}
	}
	if e.mtime.IsZero() {
		at, err := a.firstSeen(p.ident, p.content)
		if err != nil {
			return err
		}
		e.mtime = at
		e.flags |= ownTime
	}
	if e.ctime.IsZero() {
		d, err := p.packed.detail()
		if err != nil {
			return err
		}
		e.ctime = backends.Stamp(e.mtime, d.Version)
	}
	return nil
}

// keepFile carries over what is known of the same version.
func (a *applier) keepFile(e *entry, p *pending, old *entry) {
	if old.body != 0 && old.body != e.body && (e.body == 0 || a.c.bodies.has(old.body)) {
		if p.own {
			a.dead = append(a.dead, p.body)
		}
		e.body, e.size = old.body, old.size
	}
	if old.is(learnt) || e.size < 0 {
		e.size = old.size
		e.flags |= old.flags & learnt
	}
	if old.is(refetched) {
		e.ctime = old.ctime
		e.flags |= refetched
	}
	if e.mtime.IsZero() && old.is(ownTime) {
		e.mtime = old.mtime
		e.flags |= ownTime
	}
}

// applyCopy uses what an earlier fetch of the version has taught, perhaps before the cache was wiped.
func (a *applier) applyCopy(e *entry, p *pending) error {
	if p.hasBody {
		return nil
	}
	var c copyRecord
	ok := false
	err := a.c.state.read(func(st stateTx) { c, ok = st.copy(p.ident) })
	if err != nil || !ok || c.version != p.version {
		return err
	}
	e.size = c.size
	e.flags |= learnt
	if !c.at.IsZero() {
		e.ctime = c.at
		e.flags |= refetched
	}
	return nil
}
