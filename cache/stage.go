package cache

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// bounds say when batches are written in parts.
type bounds struct {
	details    int // bytes of details that a batch keeps in memory
	stageFrom  int // entries in directories that are listed for the first time, from which on they are staged
	stageChunk int // how many of them are written in one transaction
}

var defaultBounds = bounds{details: detailBytes, stageFrom: 8192, stageChunk: 4096}

// stagedDir is a directory whose additions have been written ahead of the commit.
type stagedDir struct {
	node backends.NodeID
	// next and count are those of its record. When it has others, somebody else has written to it meanwhile.
	next, count uint64
	rest        []newEntry // additions that are left to the commit
}

func (s *stagedDir) same(n backends.NodeID, r *dirRecord) bool {
	return n == s.node && !r.listed && r.next == s.next && r.count == s.count
}

// part is what one transaction writes of a directory.
type part struct {
	no    int32 // of the directory, in batch.dirs
	news  []newEntry
	plain bool
	begun bool // an earlier part of the directory has been written

	state   *stagedDir // of the directory after the transaction; nil when it can't be staged any more
	written []*addition
}

// stage writes the entries of directories that are listed for the first time ahead of the commit when there are many, in
// transactions of bounded size between which others get their turn. Nobody can see them: their directory is not whole before
// the commit, and what others can see at other places already is left to it. Should the commit never come, then they are
// swept.
func (c *Cache) stage(b *batch, whole []backends.Listing) error {
	return c.stageFrom(c.bounds.stageFrom, b, whole)
}

// stageFrom is stage where from entries are many.
func (c *Cache) stageFrom(from int, b *batch, whole []backends.Listing) error {
	if b.adds.len() < from {
		return nil
	}
	adds, err := c.stageable(b, whole, from)
	if err != nil {
		return err
	}
	var parts []part
	room := c.bounds.stageChunk
	for no := range int32(len(b.dirs)) { // in their order: the nodes of a directory lie side by side
		if adds[no] == nil {
			continue
		}
		news, err := b.newEntries(adds[no])
		if err != nil {
			return err
		}
		plain := assign(news)
		for i := range news {
			news[i].want.Stem, news[i].want.Key = "", ""
		}
		for begun := false; len(news) > 0; begun = true {
			n := min(len(news), room)
			parts = append(parts, part{no: no, news: news[:n], plain: plain, begun: begun})
			news, room = news[n:], room-n
			if room > 0 {
				continue
			}
			if err := c.stageParts(b, parts); err != nil {
				return err
			}
			parts, room = nil, c.bounds.stageChunk
		}
	}
	return c.stageParts(b, parts)
}

// stageable gives the additions to directories that are listed for the first time, by the numbers of the directories. It
// gives none when they are less than from.
func (c *Cache) stageable(b *batch, whole []backends.Listing, from int) (adds map[int32][]int32, err error) {
	adds = map[int32][]int32{}
	var left []backends.NodeID // with what an interrupted commit has written
	err = c.meta.View(func(tx *bbolt.Tx) error {
		for i := range whole {
			no, ok := b.dirNo[whole[i].Dir]
			if !ok || b.staged[no] != nil {
				continue
			}
			n := dirNode(tx, b.s.no, whole[i].Dir)
			if n == 0 {
				adds[no] = []int32{}
				continue
			}
			rec, err := loadDir(tx, n)
			if err != nil {
				return err
			}
			if rec.listed {
				continue
			}
			adds[no] = []int32{}
			if rec.count > 0 {
				left = append(left, n)
			}
		}
		return nil
	})
	if err != nil || len(adds) == 0 {
		return nil, err
	}
	total := 0
	for i := range int32(b.adds.len()) {
		dir := b.adds.at(i).dir
		if list, ok := adds[dir]; ok && b.alive(i) {
			adds[dir] = append(list, i)
			total++
		}
	}
	if total < from {
		return nil, nil
	}
	for _, n := range left {
		if err := c.unstage(n); err != nil {
			return nil, err
		}
	}
	return adds, nil
}

func (c *Cache) stageParts(b *batch, parts []part) error {
	if len(parts) == 0 {
		return nil
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
		if err := a.openCollection(false); err != nil {
			return err
		}
		for i := range parts {
			if err := a.stage(&parts[i]); err != nil {
				return fmt.Errorf("directory %q: %w", b.dirs[parts[i].no], err)
			}
		}
		return a.finish()
	})
	if err != nil {
		for i := range parts {
			delete(b.staged, parts[i].no)
		}
		return err
	}
	c.committed(a)
	for i := range parts {
		p := &parts[i]
		if p.state == nil {
			delete(b.staged, p.no)
			continue
		}
		if b.staged[p.no] == nil {
			c.staging[p.state.node]++
			b.staging = append(b.staging, p.state.node)
		}
		b.staged[p.no] = p.state
		for _, add := range p.written {
			add.written = true
		}
	}
	return nil
}

// stage writes a part of a directory, unless somebody else has written to that.
func (a *applier) stage(p *part) error {
	n, rec, err := makeDir(a.tx, a.s.no, a.b.dirs[p.no])
	if err != nil {
		return err
	}
	before := a.b.staged[p.no]
	if !p.begun {
		before = &stagedDir{node: n, next: rec.next}
	}
	if before == nil || !before.same(n, &rec) {
		return nil
	}
	w := &dirWork{node: n, rec: rec}
	a.work[n] = w
	p.state = &stagedDir{node: n, rest: before.rest}
	for i := range p.news {
		e := &p.news[i]
		e.coll = a.coll
		add, err := a.b.load(e.add)
		if err != nil {
			return err
		}
		ino, k, err := a.inode(&add)
		if err != nil {
			return err
		}
		if seen, err := a.seenElsewhere(&add, &k); err != nil {
			return err
		} else if seen {
			p.state.rest = append(p.state.rest, *e)
			continue
		}
		if _, err := a.putAs(w, e, &add, ino, &k); err != nil {
			return err
		}
		p.written = append(p.written, e.add)
	}
	w.rec.plain = p.plain
	p.state.next, p.state.count = w.rec.next, w.rec.count
	if err := a.tx.Bucket(bucketStaging).Put(keyNode(n), nil); err != nil {
		return err
	}
	return storeDir(a.tx, n, &w.rec)
}

// seenElsewhere tells whether what an addition names has a place already.
func (a *applier) seenElsewhere(p *pending, k *known) (bool, error) {
	if p.flags&isDir != 0 {
		d, err := p.packed.detail()
		if err != nil {
			return false, err
		}
		n := dirNode(a.tx, a.s.no, backends.DirKey(d.Dir))
		if n == 0 {
			return false, nil
		}
		rec, err := a.getDir(n)
		return rec.parent != 0 || rec.listed, err
	}
	return len(k.places) > 0, nil
}

// unstaged forgets which directories a batch is staging.
func (c *Cache) unstaged(b *batch) {
	for _, n := range b.staging {
		if c.staging[n]--; c.staging[n] == 0 {
			delete(c.staging, n)
		}
	}
	b.staging = nil
}

// unstage drops what an interrupted commit has written to a directory.
func (c *Cache) unstage(n backends.NodeID) error {
	for done := false; !done; {
		err := c.update(func(a *applier) (err error) {
			if done = c.staging[n] > 0; !done {
				done, _, err = a.unstage(n, sweepCount)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepStaged drops what interrupted commits have written ahead.
func (c *Cache) sweepStaged() (more bool, err error) {
	err = c.update(func(a *applier) error {
		left := sweepCount
		var dirs []backends.NodeID
		cur := a.tx.Bucket(bucketStaging).Cursor()
		for k, _ := cur.First(); k != nil && len(dirs) < sweepCount; k, _ = cur.Next() {
			if n := backends.NodeID(number(k)); c.staging[n] == 0 {
				dirs = append(dirs, n)
			}
		}
		more = len(dirs) == sweepCount
		for _, n := range dirs {
			done, dropped, err := a.unstage(n, left)
			if err != nil {
				return err
			}
			if left -= dropped; !done || left <= 0 {
				more = true
				break
			}
		}
		return nil
	})
	return more, err
}

// unstage drops up to most entries of a directory that has been staged and never listed.
func (a *applier) unstage(n backends.NodeID, most int) (done bool, dropped int, err error) {
	rec, err := loadDir(a.tx, n)
	switch {
	case errors.Is(err, backends.ErrNotFound), err == nil && rec.listed:
		return true, 0, a.tx.Bucket(bucketStaging).Delete(keyNode(n))
	case err != nil:
		return false, 0, err
	}
	w := &dirWork{node: n, rec: rec}
	if dropped, err = a.dropSome(w, most); err != nil {
		return false, dropped, err
	}
	if dropped == most {
		return false, dropped, storeDir(a.tx, n, &w.rec)
	}
	if w.rec.parent == 0 && w.rec.gone.IsZero() && w.rec.key != "" {
		w.rec.gone = a.now
		if err := a.tx.Bucket(bucketOrphans).Put(timeKey(a.now, n), nil); err != nil {
			return false, dropped, err
		}
	}
	if err := storeDir(a.tx, n, &w.rec); err != nil {
		return false, dropped, err
	}
	return true, dropped, a.tx.Bucket(bucketStaging).Delete(keyNode(n))
}
