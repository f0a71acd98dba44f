package cache

import (
	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

const (
	// stageFrom is how many entries a first listing must have to be staged.
	stageFrom = 8192
	// stageChunk is how many of them are written in one transaction.
	stageChunk = 4096
)

// stage writes the entries of large first listings ahead of the commit, in transactions of bounded size. Nobody can see
// them: their directory is not whole before the commit, and should that never come, then they are merely what the next
// listing finds there already. The caller holds committing.
func (c *Cache) stage(b *batch, whole []backends.Listing) error {
	for _, l := range whole {
		no, ok := b.dirNo[l.Dir]
		if !ok {
			continue
		}
		var alive []int32
		for i := range b.adds {
			if b.adds[i].dir == no && b.alive(int32(i)) {
				alive = append(alive, int32(i))
			}
		}
		if len(alive) < stageFrom {
			continue
		}
		if err := c.stageDir(b, no, l.Dir, alive); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cache) stageDir(b *batch, no int32, dir backends.DirKey, alive []int32) error {
	empty := false
	err := c.meta.View(func(tx *bbolt.Tx) error {
		n := dirNode(tx, b.s.no, dir)
		if n == 0 {
			empty = true
			return nil
		}
		rec, err := loadDir(tx, n)
		empty = !rec.listed && rec.count == 0
		return err
	})
	if err != nil || !empty {
		return err
	}
	news := make([]newEntry, len(alive))
	for i, at := range alive {
		d, err := decodeDetail(b.adds[at].det)
		if err != nil {
			return err
		}
		news[i] = newEntry{want: d.Name, add: &b.adds[at]}
	}
	allPlain := assign(news)
	for len(news) > 0 {
		n := min(len(news), stageChunk)
		if err := c.stageEntries(b, dir, news[:n], allPlain); err != nil {
			return err
		}
		news = news[n:]
	}
	b.staged[no] = true
	return nil
}

func (c *Cache) stageEntries(b *batch, dir backends.DirKey, news []newEntry, plain bool) error {
	var a *applier
	err := c.meta.Update(func(tx *bbolt.Tx) error {
		a = newApplier(c, tx, b.s)
		a.b = b
		if err := a.openCollection(false); err != nil {
			return err
		}
		n, rec, err := makeDir(tx, b.s.no, dir)
		if err != nil {
			return err
		}
		w := &dirWork{node: n, rec: rec}
		a.work[n] = w
		for i := range news {
			news[i].coll = a.coll
			if _, err := a.put(w, &news[i]); err != nil {
				return err
			}
		}
		w.rec.plain = plain
		if err := storeDir(tx, n, &w.rec); err != nil {
			return err
		}
		return a.finish()
	})
	if err != nil {
		return err
	}
	c.committed(a)
	return nil
}
