package cache

import (
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// learn records what a fetch of the whole content told: its size and SHA-256 (zero when only the size is known).
//
// The first copy of a content whose size nobody stated gives the file its size. A copy that differs from the first, or
// from the size that the service stated, is a new version from now on: another node with the time of the fetch as ctime.
// stale says that the size is another than the reader was promised.
func (c *contents) learn(f *file, size int64, sum [32]byte) (stale bool, err error) {
	e := &f.k.entry
	if f.k.det.Stated >= 0 && size == e.size {
		return false, nil
	}
	db := c.t.c
	db.committing.Lock()
	defer db.committing.Unlock()
	if db.sealed {
		return false, errClosed
	}
	s := c.t.services[f.k.scope]
	id := identOf(s.sink.scope, f.k.det.ID)
	version := hash64(f.k.det.Version)
	var first copyRecord
	known := false
	if err := db.state.read(func(st stateTx) { first, known = st.copy(id) }); err != nil {
		return false, err
	}
	known = known && first.version == version
	write := false
	same := known && first.size == size && (first.sum == sum || first.sum == [32]byte{} || sum == [32]byte{})
	if !same || first.sum == [32]byte{} && sum != first.sum {
		rec := copyRecord{version: version, size: size, sum: sum}
		switch {
		case same:
			rec.at = first.at
		case known || f.k.det.Stated >= 0:
			rec.at = db.o.Now()
		}
		first = rec
		write = true
	}
	stale = e.size >= 0 && e.size != size
	var a *applier
	err = db.meta.Update(func(tx *bbolt.Tx) error {
		a = newApplier(db, tx, s.sink)
		if write {
			a.state.copies[id] = first
		}
		return a.learnt(f.k.node, id, first, same, stale)
	})
	if err != nil {
		return false, storeError("record a content", err)
	}
	db.committed(a)
	return stale, nil
}

// learnt gives the node's entries their size, or a node of their own where the content is not the promised one.
func (a *applier) learnt(n backends.NodeID, id ident, rec copyRecord, same, stale bool) error {
	k, err := loadNode(a.tx, n)
	if err != nil {
		return err
	}
	if k.node == 0 {
		return nil
	}
	if k.retired() {
		// The state has room for one version, the current one.
		return a.learntRetired(&k, rec, stale)
	}
	fresh := stale || !same && !rec.at.IsZero()
	node := n
	if fresh {
		if node, err = nextNode(a.tx); err != nil {
			return err
		}
		a.inos.put(key64(k.entry.ino), inoValue(node, id))
	}
	for _, p := range k.places {
		if err := a.learntAt(p, node, rec, stale); err != nil {
			return fmt.Errorf("entry %d of directory %d: %w", p.cookie, p.dir, err)
		}
	}
	return a.finish()
}

func (a *applier) learntAt(p place, node backends.NodeID, rec copyRecord, stale bool) error {
	entries := a.tx.Bucket(bucketEntries)
	raw := entries.Get(p.key())
	e, err := decodeEntry(raw)
	if err != nil {
		return err
	}
	was := e
	e.size = rec.size
	e.flags |= learnt
	if !rec.at.IsZero() {
		e.ctime = rec.at.UTC()
		e.flags |= refetched
	}
	a.bytes += max(e.size, 0) - max(was.size, 0)
	if node != e.node {
		e.node = node
		if stale {
			was.flags |= lost
		} else {
			was.size = rec.size
		}
		det := a.tx.Bucket(bucketDetails).Get(p.key())
		old := retired{since: a.now, scope: a.s.no, entry: was.append(nil), det: det}
		if err := dropPlace(a.tx, was.node, p, old); err != nil {
			return err
		}
		if err := addPlace(a.tx, node, p); err != nil {
			return err
		}
		a.events = append(a.events, backends.Event{Kind: backends.EventReplaced, Dir: p.dir, Name: e.name, Node: node})
	}
	return entries.Put(p.key(), e.append(nil))
}

// learntRetired notes what became of a version that nobody lists.
func (a *applier) learntRetired(k *known, rec copyRecord, stale bool) error {
	e := k.entry
	if stale {
		e.flags |= lost
	} else {
		e.size = rec.size
	}
	r := retired{since: k.since, scope: k.scope, entry: e.append(nil), det: k.det.append(nil)}
	return a.tx.Bucket(bucketNodes).Put(keyNode(k.node), r.append(nil))
}

// firstCopy tells the SHA-256 and size of the first copy of a content; not ok when there was none.
func (c *Cache) firstCopy(id ident, version string) (rec copyRecord, ok bool) {
	err := c.state.read(func(st stateTx) { rec, ok = st.copy(id) })
	return rec, err == nil && ok && rec.version == hash64(version)
}
