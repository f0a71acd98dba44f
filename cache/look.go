package cache

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// listing is a directory's state as a look finds it.
type listing struct {
	rec   dirRecord
	whole bool
	asOf  time.Time
	live  bool // its collection tells of all changes since
	// behind is the time from which every change is told of, where the listing is older and changes before that may be
	// missing in it; zero otherwise.
	behind time.Time
	left   time.Duration // until it must be asked again; Forever, or ≤ 0 when that is now
	turn   uint64        // of served when it was read
}

// catchUpTime is how long a follower has, from when a collection becomes live, to bring what is listed to that time. What
// is older then was under way when the follower did, and is asked for at the next look: it would be right for its age
// only although it can be live.
const catchUpTime = 3 * time.Second

// covering gives the collection that renews a listing, if one does.
func covering(tx *bbolt.Tx, r *dirRecord) (rec collRecord, ok bool) {
	if !r.covered || r.coll == 0 {
		return collRecord{}, false
	}
	rec, err := decodeColl(tx.Bucket(bucketColls).Get(key64(r.coll)))
	return rec, err == nil
}

// rightAsOf tells when a listing was last known to be right, whether its collection renewed it or not.
func rightAsOf(tx *bbolt.Tx, r *dirRecord) time.Time {
	if coll, ok := covering(tx, r); ok && coll.fresh.After(r.asOf) {
		return coll.fresh
	}
	return r.asOf
}

// listing reads a directory's state.
func (t *Tree) listing(tx *bbolt.Tx, dir backends.NodeID) (l listing, err error) {
	if l.rec, err = loadDir(tx, dir); err != nil {
		return l, err
	}
	if !l.rec.gone.IsZero() {
		return l, fmt.Errorf("directory %d has been removed: %w", dir, backends.ErrNotFound)
	}
	s := t.service(l.rec.scope)
	if s == nil {
		return l, fmt.Errorf("directory %d belongs to no connection: %w", dir, backends.ErrNotFound)
	}
	l.turn = t.served.turn.Load()
	l.whole = t.c.whole(&l.rec)
	l.asOf = l.rec.asOf
	if coll, ok := covering(tx, &l.rec); ok {
		if coll.fresh.After(l.asOf) {
			l.asOf = coll.fresh
		}
		if s.feed != nil {
			said := s.feed.liveness.of(coll.name)
			if l.live = isLive(said) && !l.asOf.Before(said.Since); isLive(said) && !l.live {
				l.behind = said.Since
			}
		}
	}
	if l.left = t.left(&l); t.listings.isForced(dir) {
		l.left, l.live = min(l.left, 0), false
	}
	return l, nil
}

// left tells how long a listing is still good.
func (t *Tree) left(l *listing) time.Duration {
	maxAge := l.rec.maxAge
	switch {
	case maxAge < 0 || l.live:
		return backends.Forever
	case maxAge == 0:
		maxAge = t.c.o.DefaultMaxAge
	}
	until := l.asOf.Add(maxAge)
	if !l.behind.IsZero() {
		until = earlier(until, l.behind.Add(catchUpTime))
	}
	return until.Sub(t.c.o.Now())
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// look runs fn on the whole listing of a directory, having it listed when it is not or is too old. anyAge says that any
// whole listing will do, for who goes on in one that was fresh when they began.
func (t *Tree) look(ctx context.Context, dir backends.NodeID, anyAge bool, fn func(*bbolt.Tx, *listing) error) error {
	for asked := false; ; asked = true {
		var l listing
		ready := false
		err := t.c.meta.View(func(tx *bbolt.Tx) (err error) {
			if l, err = t.listing(tx, dir); err != nil {
				return err
			}
			if l.left <= 0 && l.whole {
				l.left = max(t.listings.paused(dir), 0)
			}
			ready = l.whole && (l.left > 0 || anyAge || asked)
			if !ready {
				return nil
			}
			return fn(tx, &l)
		})
		if ready || err != nil {
			if ready {
				t.looked(dir, &l)
			}
			return err
		}
		if asked {
			return fmt.Errorf("%w: the service listed directory %q without making it whole", backends.ErrUnavailable, l.rec.key)
		}
		err = t.listings.list(ctx, dir, &l.rec)
		if err != nil && !(l.whole && backends.Temporary(err) && ctx.Err() == nil) {
			return err
		}
	}
}

// looked notes that somebody has seen a listing.
func (t *Tree) looked(dir backends.NodeID, l *listing) {
	now := t.c.o.Now()
	if l.left == backends.Forever {
		t.served.add(dir, l.rec.scope, l.turn)
	} else {
		t.expiry.looked(dir, now.Add(l.left))
	}
	t.noteLook(l, now)
}

// noteLook tells a follower of a look at a collection, unless nothing changes in the directory.
func (t *Tree) noteLook(l *listing, now time.Time) {
	if s := t.service(l.rec.scope); s != nil && s.feed != nil && l.rec.maxAge >= 0 {
		s.feed.looks.note(l.rec.coll, now)
	}
}

// valid is how long the kernel may keep an entry of the listing.
func (l *listing) valid(dir bool) time.Duration {
	if dir {
		return min(max(l.left, 0), dirValid)
	}
	return max(l.left, 0)
}

// attr makes what stat shows of an entry in a listing.
func (t *Tree) attr(tx *bbolt.Tx, e *entry, l *listing) (backends.Attr, error) {
	a := backends.Attr{
		Ino: e.ino, Dir: e.is(isDir), Size: e.size, Mtime: e.mtime, Ctime: e.ctime, Btime: e.btime, Valid: l.valid(e.is(isDir)),
	}
	if e.is(isDir) && e.is(ownTime) {
		rec, err := loadDir(tx, e.node)
		if err != nil {
			return a, err
		}
		a.Mtime, a.Ctime = rec.mtime, rec.mtime
	}
	return a, nil
}

func (t *Tree) dirent(tx *bbolt.Tx, e *entry, cookie uint64, l *listing) (backends.Dirent, error) {
	attr, err := t.attr(tx, e, l)
	return backends.Dirent{Name: e.name, Cookie: cookie, Node: e.node, Attr: attr}, err
}

// Lookup implements backends.Tree.
func (t *Tree) Lookup(ctx context.Context, dir backends.NodeID, name string) (d backends.Dirent, negative time.Duration, err error) {
	if s, ok := t.shape().static[dir]; ok {
		return t.lookupStatic(s, name)
	}
	err = t.look(ctx, dir, false, func(tx *bbolt.Tx, l *listing) error {
		cookie := tx.Bucket(bucketNames).Get(keyIn(dir, name))
		if cookie == nil {
			negative = max(l.left, 0)
			return fmt.Errorf("%w: no such name in directory %d", backends.ErrNotFound, dir)
		}
		at := place{dir, number(cookie)}
		e, err := decodeEntry(tx.Bucket(bucketEntries).Get(at.key()))
		if err != nil {
			return fmt.Errorf("entry %d of directory %d: %w", at.cookie, dir, err)
		}
		d, err = t.dirent(tx, &e, at.cookie, l)
		return err
	})
	return d, negative, err
}

func (t *Tree) lookupStatic(s *staticDir, name string) (backends.Dirent, time.Duration, error) {
	if e, ok := s.find(name); ok {
		d, err := t.staticDirent(&e)
		return d, 0, err
	}
	return backends.Dirent{}, dirValid, fmt.Errorf("%w: no such connection or service", backends.ErrNotFound)
}

// How many entries are read in one transaction: fn may block, and a transaction must not. The first ones are few, because
// many readers ask for what fits into 4 or 8 KiB.
const (
	firstReadChunk = 64
	readChunk      = 256
)

// ReadDir implements backends.Tree.
func (t *Tree) ReadDir(ctx context.Context, dir backends.NodeID, after uint64, fn func(backends.Dirent) bool) error {
	if s, ok := t.shape().static[dir]; ok {
		for i := range s.entries {
			if s.entries[i].cookie <= after {
				continue
			}
			d, err := t.staticDirent(&s.entries[i])
			if err != nil || !fn(d) {
				return err
			}
		}
		return nil
	}
	commits := t.c.meta.Commits()
	if t.ends.at(dir, after, commits) {
		return nil
	}
	chunk := direntChunks.Get().(*[]backends.Dirent)
	defer func() {
		clear(*chunk)
		direntChunks.Put(chunk)
	}()
	for resumed, most := after > 0, firstReadChunk; ; resumed, most = true, readChunk {
		*chunk = (*chunk)[:0]
		err := t.look(ctx, dir, resumed, func(tx *bbolt.Tx, l *listing) error {
			return scan(tx, dir, after, func(at place, v []byte) (bool, error) {
				e, err := decodeEntry(v)
				if err != nil {
					return false, fmt.Errorf("entry %d of directory %d: %w", at.cookie, dir, err)
				}
				d, err := t.dirent(tx, &e, at.cookie, l)
				*chunk = append(*chunk, d)
				return len(*chunk) < most, err
			})
		})
		if err != nil {
			return err
		}
		for i := range *chunk {
			if !fn((*chunk)[i]) {
				return nil
			}
			after = (*chunk)[i].Cookie
		}
		if len(*chunk) < most {
			t.ends.note(dir, after, commits)
			return nil
		}
	}
}

// direntChunks are for ReadDir.
var direntChunks = sync.Pool{New: func() any {
	chunk := make([]backends.Dirent, 0, readChunk)
	return &chunk
}}

// ends knows where readers of directories have lately been told all. The kernel asks once more, of every directory, and is
// told that there is nothing left without a look into the store.
type ends struct {
	mu  sync.Mutex
	all [64]end
}

// end is the end of a directory.
type end struct {
	dir     backends.NodeID
	after   uint64
	commits uint64 // of the database, before it was looked at
}

// note says that nothing follows a cookie, by what had been committed at a count.
func (e *ends) note(dir backends.NodeID, after, commits uint64) {
	e.mu.Lock()
	e.all[dir%backends.NodeID(len(e.all))] = end{dir, after, commits}
	e.mu.Unlock()
}

// at tells whether nothing follows a cookie, as far as is known. Nobody who begins is at the end: they look at the listing.
func (e *ends) at(dir backends.NodeID, after, commits uint64) bool {
	if after == 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[dir%backends.NodeID(len(e.all))] == end{dir, after, commits}
}

// scan calls fn for the stored entries of a directory after a cookie until it returns false.
func scan(tx *bbolt.Tx, dir backends.NodeID, after uint64, fn func(at place, v []byte) (bool, error)) error {
	if after+1 == 0 {
		return nil
	}
	prefix := keyNode(dir)
	c := tx.Bucket(bucketEntries).Cursor()
	for k, v := c.Seek(place{dir, after + 1}.key()); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if more, err := fn(placeAt(k), v); err != nil || !more {
			return err
		}
	}
	return nil
}

// scanBack is scan the other way: entries before a cookie, in descending order.
func scanBack(tx *bbolt.Tx, dir backends.NodeID, before uint64, fn func(at place, v []byte) (bool, error)) error {
	prefix := keyNode(dir)
	c := tx.Bucket(bucketEntries).Cursor()
	step := c.Prev
	if k, _ := c.Seek(place{dir, before}.key()); k == nil {
		step = c.Last
	}
	for k, v := step(); bytes.HasPrefix(k, prefix); k, v = c.Prev() {
		if more, err := fn(placeAt(k), v); err != nil || !more {
			return err
		}
	}
	return nil
}

// Attr implements backends.Tree.
func (t *Tree) Attr(ctx context.Context, n backends.NodeID) (a backends.Attr, err error) {
	if e, ok := t.shape().byRoot[n]; ok {
		return t.rootAttr(&e)
	}
	if s, ok := t.shape().static[n]; ok && s.gone {
		return a, fmt.Errorf("directory %d has been removed: %w", n, backends.ErrNotFound)
	}
	var f file
	err = t.c.meta.View(func(tx *bbolt.Tx) error {
		if f, err = t.file(tx, n); err != nil || f.k.node != 0 {
			return err
		}
		a, err = t.dirAttr(tx, n)
		return err
	})
	if err != nil || f.k.node == 0 {
		return a, err
	}
	return t.fileAttr(ctx, &f)
}

// dirAttr gives the attributes of a directory as its parent lists it.
func (t *Tree) dirAttr(tx *bbolt.Tx, n backends.NodeID) (a backends.Attr, err error) {
	if tx.Bucket(bucketDirs).Get(keyNode(n)) == nil {
		return a, fmt.Errorf("node %d: %w", n, backends.ErrStale)
	}
	rec, err := loadDir(tx, n)
	if err != nil {
		return a, err
	}
	if rec.parent == 0 {
		return a, fmt.Errorf("directory %d has been removed: %w", n, backends.ErrNotFound)
	}
	l, err := t.listing(tx, rec.parent)
	if err != nil {
		return a, err
	}
	e, err := decodeEntry(tx.Bucket(bucketEntries).Get(place{rec.parent, rec.cookie}.key()))
	if err != nil {
		return a, fmt.Errorf("entry of directory %d: %w", n, err)
	}
	return t.attr(tx, &e, &l)
}

// rootAttr gives the attributes of a directory that the configuration makes. A service's root has its own time.
func (t *Tree) rootAttr(e *staticEntry) (backends.Attr, error) {
	a := e.attr
	if t.shape().static[e.node] != nil {
		return a, nil
	}
	err := t.c.meta.View(func(tx *bbolt.Tx) error {
		rec, err := loadDir(tx, e.node)
		a.Mtime, a.Ctime = rec.mtime, rec.mtime
		return err
	})
	return a, err
}

func (t *Tree) staticDirent(e *staticEntry) (backends.Dirent, error) {
	attr, err := t.rootAttr(e)
	return backends.Dirent{Name: e.name, Cookie: e.cookie, Node: e.node, Attr: attr}, err
}
