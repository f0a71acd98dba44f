package cache

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// sink is where one backend writes.
type sink struct {
	c     *Cache
	scope string
	no    uint32 // of the scope
	// origin is how its commits were learnt.
	origin backends.Origin
}

var _ backends.Sink = (*sink)(nil)

// sinkFor gives the sink of a scope, which gets a number when it is new.
func (c *Cache) sinkFor(scope string) (*sink, error) {
	s := &sink{c: c, scope: scope, origin: backends.Origin{By: backends.ByListing}}
	err := c.meta.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketScopes).Get([]byte(scope)); len(v) == 4 {
			s.no = binary.BigEndian.Uint32(v)
		}
		return nil
	})
	if err != nil || s.no != 0 {
		return s, err
	}
	err = c.meta.Update(func(tx *bbolt.Tx) error {
		n, err := nextFact(tx, factScope)
		if err != nil {
			return err
		}
		s.no = uint32(n)
		return tx.Bucket(bucketScopes).Put([]byte(scope), binary.BigEndian.AppendUint32(nil, s.no))
	})
	return s, storeError("number a scope", err)
}

// nextFact counts one of the counters up.
func nextFact(tx *bbolt.Tx, fact []byte) (uint64, error) {
	b := tx.Bucket(bucketFacts)
	n := number(b.Get(fact)) + 1
	return n, b.Put(fact, key64(n))
}

// nextNode gives out a node id. Those up to backends.RootID are taken.
func nextNode(tx *bbolt.Tx) (backends.NodeID, error) {
	n, err := nextFact(tx, factNode)
	return backends.RootID + backends.NodeID(n), err
}

// Get implements backends.Memory.
func (s *sink) Get(key string) (value []byte, ok bool) {
	err := s.c.meta.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketMemory).Get(keyScoped(s.no, key)); v != nil {
			value, ok = append([]byte{}, v...), true
		}
		return nil
	})
	return value, ok && err == nil
}

// Put implements backends.Memory.
func (s *sink) Put(key string, value []byte) error {
	s.c.committing.Lock()
	defer s.c.committing.Unlock()
	if s.c.sealed {
		return errClosed
	}
	err := s.c.meta.Update(func(tx *bbolt.Tx) error { return s.remember(tx, key, value) })
	return storeError("remember", err)
}

func (s *sink) remember(tx *bbolt.Tx, key string, value []byte) error {
	if value == nil {
		return tx.Bucket(bucketMemory).Delete(keyScoped(s.no, key))
	}
	return tx.Bucket(bucketMemory).Put(keyScoped(s.no, key), value)
}

// Begin implements backends.Sink.
func (s *sink) Begin(collection string) backends.Batch {
	return newBatch(s, collection)
}

// Dir implements backends.Sink.
func (s *sink) Dir(dir backends.DirKey) (st backends.DirState) {
	err := s.c.meta.View(func(tx *bbolt.Tx) error {
		n := dirNode(tx, s.no, dir)
		if n == 0 {
			return nil
		}
		r, err := loadDir(tx, n)
		if err != nil {
			return err
		}
		if st.Whole = s.c.whole(&r); st.Whole {
			st.AsOf = rightAsOf(tx, &r)
			st.Empty = r.count == 0
		}
		return nil
	})
	if err != nil {
		return backends.DirState{}
	}
	return st
}

// Has implements backends.Sink.
func (s *sink) Has(collection, item string) (has bool) {
	err := s.c.meta.View(func(tx *bbolt.Tx) error {
		coll := number(tx.Bucket(bucketCollKeys).Get(keyScoped(s.no, collection)))
		if coll == 0 {
			return nil
		}
		for _, p := range decodePlaces(tx.Bucket(bucketItems).Get(keyItem(coll, itemHash(item)))) {
			r, err := loadDir(tx, p.dir)
			if err != nil {
				return err
			}
			if s.c.whole(&r) {
				has = true
			}
		}
		return nil
	})
	return has && err == nil
}

// Where implements backends.Sink.
func (s *sink) Where(id string) []backends.Shown {
	var all []backends.Shown
	err := s.c.meta.View(func(tx *bbolt.Tx) error {
		ident := identOf(s.scope, id)
		known, err := lookupIno(tx, ident, tx.Bucket(bucketInos).Get(key64(s.c.ino(s.scope, id))))
		if err == nil && known.taken {
			known, err = lookupIno(tx, ident, tx.Bucket(bucketInos).Get(key64(s.c.state.ino(ident))))
		}
		if err != nil || known.node == 0 {
			return err
		}
		places := known.places // none of a version that no directory shows any more
		if rec, err := loadDir(tx, known.node); err == nil {
			places = []place{{rec.parent, rec.cookie}}
		}
		for _, p := range places {
			if p.dir == 0 {
				continue
			}
			dir, err := loadDir(tx, p.dir)
			if err != nil {
				return err
			}
			if !s.c.whole(&dir) {
				continue
			}
			e, d, err := loadPlace(tx, p)
			if err != nil {
				return err
			}
			coll, err := decodeColl(tx.Bucket(bucketColls).Get(key64(e.coll)))
			if err != nil {
				return err
			}
			all = append(all, backends.Shown{
				Dir: backends.DirKey(dir.key), Collection: coll.name, Item: d.Item, Version: d.Version, Info: d.Info,
			})
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return all
}

// dirNode finds the directory of a key; 0 if there is none.
func dirNode(tx *bbolt.Tx, scope uint32, dir backends.DirKey) backends.NodeID {
	return backends.NodeID(number(tx.Bucket(bucketDirKeys).Get(keyScoped(scope, string(dir)))))
}

// loadDir reads the record of a directory; ErrNotFound if there is none.
func loadDir(tx *bbolt.Tx, n backends.NodeID) (dirRecord, error) {
	v := tx.Bucket(bucketDirs).Get(keyNode(n))
	if v == nil {
		return dirRecord{}, fmt.Errorf("directory %d: %w", n, backends.ErrNotFound)
	}
	r, err := decodeDir(v)
	if err != nil {
		return r, fmt.Errorf("directory %d: %w", n, err)
	}
	return r, nil
}

func storeDir(tx *bbolt.Tx, n backends.NodeID, r *dirRecord) error {
	dirs := tx.Bucket(bucketDirs)
	dirs.FillPercent = ascending
	return dirs.Put(keyNode(n), r.append(nil))
}

// whole tells whether the directory's listing counts. That of a directory that nothing lists any more does, and is kept
// up to date until it is swept: it may only be on its way to another place.
func (c *Cache) whole(r *dirRecord) bool {
	return r.epoch != 0 && r.epoch == c.epoch.Load()
}

// makeDir finds the directory of a key or makes one that is not listed.
func makeDir(tx *bbolt.Tx, scope uint32, dir backends.DirKey) (backends.NodeID, dirRecord, error) {
	if n := dirNode(tx, scope, dir); n != 0 {
		r, err := loadDir(tx, n)
		return n, r, err
	}
	n, err := nextNode(tx)
	if err != nil {
		return 0, dirRecord{}, err
	}
	r := dirRecord{scope: scope, key: string(dir), plain: true, next: 1}
	if err := tx.Bucket(bucketDirKeys).Put(keyScoped(scope, r.key), keyNode(n)); err != nil {
		return 0, r, err
	}
	return n, r, storeDir(tx, n, &r)
}
