package cache

import (
	"bytes"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

const (
	// keepRetired is how long a replaced version stays readable, and a removed directory's entries stay known.
	keepRetired = time.Hour
	sweepEvery  = 10 * time.Minute
	// sweepCount bounds what one transaction of the sweeper touches, because commits wait for it.
	sweepCount = 2000
)

// pins keeps bodies that an open batch relies on from being swept.
type pins struct {
	mu     sync.Mutex
	counts map[uint64]int
}

// pin keeps bodies until unpin. Numbers of those that are not there any more become 0.
func (p *pins) pin(ns []uint64, in *bodies) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in.filter(ns)
	for _, n := range ns {
		if n != 0 {
			p.counts[n]++
		}
	}
}

func (p *pins) unpin(ns []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range ns {
		if p.counts[n]--; p.counts[n] <= 0 {
			delete(p.counts, n)
		}
	}
}

func (p *pins) pinned(n uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[n] > 0
}

// sweeper forgets what nobody can ask for any more.
func (c *Cache) sweeper() {
	defer c.stopped.Done()
	if err := c.recover(); err != nil {
		c.log.Warn("bodies of an interrupted batch stay until the next start", "error", err)
	}
	if err := c.untilDone(c.sweepStaged); err != nil {
		c.log.Warn("what interrupted commits have written stays until the next sweep", "error", err)
	}
	timer := time.NewTicker(sweepEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if err := c.sweep(); err != nil {
				c.log.Warn("sweeping the cache failed", "error", err)
			}
		case <-c.stop:
			return
		}
	}
}

// recover deletes the bodies of batches that an earlier run did not come to commit.
func (c *Cache) recover() error {
	left, chunks, err := c.bodies.leftovers(c.bodiesAtOpen)
	if err != nil || len(chunks) == 0 {
		return err
	}
	var dead []uint64
	err = c.meta.View(func(tx *bbolt.Tx) error {
		for _, b := range left {
			v := tx.Bucket(bucketInos).Get(key64(b.ino))
			k, err := loadNode(tx, backends.NodeID(number(v)))
			if err != nil {
				return err
			}
			if k.entry.body != b.n {
				dead = append(dead, b.n)
			}
		}
		return nil
	})
	if err == nil && len(dead) > 0 {
		c.log.Info("dropping bodies of interrupted batches", "count", len(dead))
		err = c.bodies.remove(dead)
	}
	if err == nil {
		c.bodies.settle(chunks)
	}
	return err
}

// sweep forgets retired versions, removed directories and dead bodies whose time has come.
func (c *Cache) sweep() error {
	before := c.o.Now().Add(-keepRetired)
	if err := c.evictBodies(); err != nil {
		return err
	}
	for _, step := range []func() (bool, error){
		c.sweepStaged,
		func() (bool, error) { return c.sweepRetired(before) },
		func() (bool, error) { return c.sweepOrphans(before) },
		c.sweepDead,
	} {
		if err := c.untilDone(step); err != nil {
			return err
		}
	}
	return nil
}

// untilDone calls a step of the sweeper until it has no more to do or the cache closes.
func (c *Cache) untilDone(step func() (more bool, err error)) error {
	for {
		select {
		case <-c.stop:
			return nil
		default:
		}
		if more, err := step(); err != nil || !more {
			return err
		}
	}
}

// update is a transaction on metadata like a commit's.
func (c *Cache) update(fn func(*applier) error) error {
	c.committing.Lock()
	defer c.committing.Unlock()
	if c.sealed {
		return errClosed
	}
	var a *applier
	err := c.meta.Update(func(tx *bbolt.Tx) error {
		a = newApplier(c, tx, nil)
		if err := fn(a); err != nil {
			return err
		}
		return a.finish()
	})
	if err != nil {
		return storeError("update", err)
	}
	c.committed(a)
	return nil
}

// due gives the nodes in a bucket of timeKeys that are older than before, and their keys.
func dueNodes(tx *bbolt.Tx, bucket []byte, before time.Time) (keys [][]byte, more bool) {
	limit := timeKey(before, 0)
	c := tx.Bucket(bucket).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, limit) < 0; k, _ = c.Next() {
		if len(keys) == sweepCount {
			return keys, true
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys, false
}

func (c *Cache) sweepRetired(before time.Time) (more bool, err error) {
	swept := 0
	err = c.update(func(a *applier) error {
		var keys [][]byte
		keys, more = dueNodes(a.tx, bucketRetired, before)
		for _, key := range keys {
			node := backends.NodeID(number(key[8:]))
			k, err := loadNode(a.tx, node)
			if err != nil {
				return err
			}
			if k.entry.body != 0 && c.pins.pinned(k.entry.body) {
				continue
			}
			swept++
			if err := a.tx.Bucket(bucketRetired).Delete(key); err != nil {
				return err
			}
			if !k.retired() {
				continue
			}
			if k.entry.body != 0 {
				a.dead = append(a.dead, k.entry.body)
			}
			if ino := key64(k.entry.ino); number(a.inos.get(ino)) == uint64(node) {
				a.inos.delete(ino)
			}
			if err := a.tx.Bucket(bucketNodes).Delete(keyNode(node)); err != nil {
				return err
			}
		}
		return nil
	})
	return more && swept > 0, err
}

func (c *Cache) sweepOrphans(before time.Time) (more bool, err error) {
	err = c.update(func(a *applier) error {
		var keys [][]byte
		keys, more = dueNodes(a.tx, bucketOrphans, before)
		left := sweepCount
		for _, key := range keys {
			if left <= 0 {
				more = true
				break
			}
			done, n, err := a.sweepOrphan(backends.NodeID(number(key[8:])), before, left)
			if err != nil {
				return err
			}
			left -= n
			if !done {
				more = true
				break
			}
			if err := a.tx.Bucket(bucketOrphans).Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
	return more, err
}

// sweepOrphan drops up to max entries of a removed directory, and then the directory.
func (a *applier) sweepOrphan(n backends.NodeID, before time.Time, max int) (done bool, dropped int, err error) {
	v := a.tx.Bucket(bucketDirs).Get(keyNode(n))
	if v == nil {
		return true, 0, nil
	}
	rec, err := decodeDir(v)
	if err != nil {
		return false, 0, err
	}
	if rec.gone.IsZero() || rec.gone.After(before) {
		return true, 0, nil
	}
	w := &dirWork{node: n, rec: rec}
	if dropped, err = a.dropSome(w, max); err != nil {
		return false, 0, err
	}
	if dropped == max {
		w.rec.epoch = 0
		return false, dropped, storeDir(a.tx, n, &w.rec)
	}
	if err := a.tx.Bucket(bucketDirKeys).Delete(keyScoped(rec.scope, rec.key)); err != nil {
		return false, 0, err
	}
	return true, dropped, a.tx.Bucket(bucketDirs).Delete(keyNode(n))
}

// dropSome drops up to most entries of a directory.
func (a *applier) dropSome(w *dirWork, most int) (dropped int, err error) {
	a.s = &sink{c: a.c, no: w.rec.scope}
	var olds []oldEntry
	err = scan(a.tx, w.node, 0, func(at place, v []byte) (bool, error) {
		if len(olds) == most {
			return false, nil
		}
		e, err := decodeEntry(v)
		olds = append(olds, oldEntry{cookie: at.cookie, raw: v, rawDet: a.tx.Bucket(bucketDetails).Get(at.key()), entry: e})
		return true, err
	})
	if err != nil {
		return 0, err
	}
	for i := range olds {
		if err := a.drop(w, &olds[i]); err != nil {
			return 0, err
		}
	}
	return len(olds), nil
}

// sweepDead deletes bodies that nothing refers to.
func (c *Cache) sweepDead() (more bool, err error) {
	var dead []uint64
	c.committing.Lock() // no batch may begin to rely on one of them
	defer c.committing.Unlock()
	if c.sealed {
		return false, errClosed
	}
	err = c.meta.View(func(tx *bbolt.Tx) error {
		cur := tx.Bucket(bucketDead).Cursor()
		for k, _ := cur.First(); k != nil; k, _ = cur.Next() {
			if n := number(k); !c.pins.pinned(n) {
				dead = append(dead, n)
			}
			if len(dead) == sweepCount {
				more = true
				break
			}
		}
		return nil
	})
	if err != nil || len(dead) == 0 {
		return false, err
	}
	c.pins.mu.Lock()
	defer c.pins.mu.Unlock()
	for _, n := range dead {
		if c.pins.counts[n] > 0 {
			return true, nil // pinned this moment; look again
		}
	}
	if err := c.bodies.remove(dead); err != nil {
		return false, err
	}
	err = c.meta.Update(func(tx *bbolt.Tx) error {
		for _, n := range dead {
			if err := tx.Bucket(bucketDead).Delete(key64(n)); err != nil {
				return err
			}
		}
		return nil
	})
	return more, storeError("sweep", err)
}
