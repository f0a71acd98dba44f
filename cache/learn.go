package cache

import (
	"fmt"

	"github.com/workfs/workfs/backends"
)

// learning is what a fetch of a whole content told: its size and SHA-256 (zero when only the size is known).
type learning struct {
	f     *file
	s     *sink
	size  int64
	sum   [32]byte
	stale bool
	err   error
	done  chan struct{}
}

// learn records what a fetch told, together with what others have to record at the time.
//
// The first copy of a content whose size nobody stated gives the file its size. A copy that differs from the first, or
// from the size that the service stated, is a new version from now on: another node with the time of the fetch as ctime.
// stale says that the size is another than the reader was promised.
func (c *contents) learn(f *file, size int64, sum [32]byte) (stale bool, err error) {
	if f.k.det.Stated >= 0 && size == f.k.entry.size {
		return false, nil
	}
	s := c.t.service(f.k.scope)
	if s == nil {
		return false, fmt.Errorf("%w: the connection of node %d has been taken away", backends.ErrNotFound, f.k.node)
	}
	l := &learning{f: f, s: s.sink, size: size, sum: sum, done: make(chan struct{})}
	c.mu.Lock()
	c.toLearn = append(c.toLearn, l)
	if !c.learning {
		if !c.t.begin() {
			c.mu.Unlock()
			return false, errClosed
		}
		c.learning = true
		go c.learnQueued()
	}
	c.mu.Unlock()
	<-l.done
	return l.stale, l.err
}

// learnQueued records what is queued until nothing is.
func (c *contents) learnQueued() {
	defer c.t.running.Done()
	for {
		c.mu.Lock()
		queued := c.toLearn
		c.toLearn = nil
		c.learning = len(queued) > 0
		c.mu.Unlock()
		if len(queued) == 0 {
			return
		}
		err := c.t.c.update(func(a *applier) error {
			for _, l := range queued {
				if err := a.learn(l); err != nil {
					return err
				}
			}
			return nil
		})
		for _, l := range queued {
			l.err = err
			close(l.done)
		}
	}
}

func (a *applier) learn(l *learning) error {
	a.s = l.s
	e, d := &l.f.k.entry, &l.f.k.det
	l.stale = e.size >= 0 && e.size != l.size
	id, version := identOf(l.s.scope, d.ID), hash64(d.Version)
	first, known := a.state.copies[id]
	if !known {
		if err := a.c.state.read(func(st stateTx) { first, known = st.copy(id) }); err != nil {
			return err
		}
	}
	known = known && first.version == version
	unknown := [32]byte{}
	same := known && first.size == l.size && (first.sum == l.sum || first.sum == unknown || l.sum == unknown)
	rec := first
	if !same || first.sum == unknown {
		rec = copyRecord{version: version, size: l.size, sum: l.sum}
		switch {
		case same:
			rec.at = first.at
		case known || d.Stated >= 0:
			rec.at = a.now
		}
	}
	k, err := loadNode(a.tx, l.f.k.node)
	if err != nil || k.node == 0 {
		return err
	}
	if k.retired() {
		// The state has room for one version, the current one.
		return a.learntRetired(&k, rec, l.stale)
	}
	if rec != first || !known {
		a.state.copies[id] = rec
	}
	return a.learnt(&k, id, rec, l.stale || !same && !rec.at.IsZero(), l.stale)
}

// learnt gives the node's entries their size, and a node of their own where the content is not the promised one.
func (a *applier) learnt(k *known, id ident, rec copyRecord, other, stale bool) error {
	node := k.node
	if other {
		n, err := nextNode(a.tx)
		if err != nil {
			return err
		}
		node = n
		a.inos.put(key64(k.entry.ino), inoValue(node, id))
	}
	for _, p := range k.places {
		if err := a.learntAt(p, node, rec, stale); err != nil {
			return fmt.Errorf("entry %d of directory %d: %w", p.cookie, p.dir, err)
		}
	}
	return nil
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
		a.events = append(a.events, backends.Event{Kind: backends.EventReplaced, Dir: p.dir, Name: e.name, Node: node, Was: was.node})
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
