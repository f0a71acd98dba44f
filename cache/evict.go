package cache

import (
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// evictable is a directory whose listing may be forgotten.
type evictable struct {
	dir  backends.NodeID
	asOf time.Time
}

// evictBodies forgets the listings that are right since longest ago, with the bodies that came with them, until bodies
// take no more than their half of the budget. The next look brings them back.
func (c *Cache) evictBodies() error {
	excess := c.bodies.used() - c.o.MaxSize/2
	if c.o.MaxSize <= 0 || excess <= 0 {
		return nil
	}
	var dirs []evictable
	err := c.meta.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketDirs).ForEach(func(k, v []byte) error {
			r, err := decodeDir(v)
			if err == nil && r.count > 0 && c.whole(&r) {
				dirs = append(dirs, evictable{dir: backends.NodeID(number(k)), asOf: rightAsOf(tx, &r)})
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	slices.SortFunc(dirs, func(a, b evictable) int { return a.asOf.Compare(b.asOf) })
	target := excess + c.o.MaxSize/20 // so that it does not have to be done again at once
	var freed int64
	for i := 0; i < len(dirs) && freed < target; i++ {
		n, err := c.forgetListing(dirs[i].dir)
		if err != nil {
			return err
		}
		freed += n
	}
	c.log.Info("forgot old listings to keep contents within their bound", "bytes", freed)
	return nil
}

// forgetListing makes a directory count as not listed when it has bodies, and drops those. It tells their size as stored.
func (c *Cache) forgetListing(dir backends.NodeID) (freed int64, err error) {
	err = c.update(func(a *applier) error {
		var places []place
		var entries []entry
		err := scan(a.tx, dir, 0, func(at place, v []byte) (bool, error) {
			e, err := decodeEntry(v)
			if err == nil && e.body != 0 && !c.pins.pinned(e.body) {
				places, entries = append(places, at), append(entries, e)
			}
			return true, err
		})
		if err != nil || len(places) == 0 {
			return err
		}
		numbers := make([]uint64, len(entries))
		for i := range entries {
			numbers[i] = entries[i].body
			entries[i].body = 0
			if err := a.tx.Bucket(bucketEntries).Put(places[i].key(), entries[i].append(nil)); err != nil {
				return err
			}
		}
		if freed, err = c.bodies.storedSize(numbers); err != nil {
			return err
		}
		a.dead = numbers
		rec, err := loadDir(a.tx, dir)
		if err != nil {
			return err
		}
		rec.epoch = 0
		return storeDir(a.tx, dir, &rec)
	})
	if t := c.tree.Load(); t != nil && err == nil && freed > 0 {
		t.served.lapseDir(dir) // it is not kept up to date any more
	}
	return freed, err
}

// storedSize sums up what bodies take.
func (b *bodies) storedSize(ns []uint64) (size int64, err error) {
	err = b.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketBodies)
		for _, n := range ns {
			size += int64(len(bucket.Get(key64(n))))
		}
		return nil
	})
	return size, err
}
