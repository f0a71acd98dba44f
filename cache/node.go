package cache

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// known is what is stored of a node.
type known struct {
	node   backends.NodeID // 0: nothing is known
	taken  bool            // the inode belongs to another identity
	scope  uint32
	places []place // none for a retired version
	since  time.Time
	entry  entry
	det    detail
}

// retired tells whether the node is a version that no directory shows any more.
func (k *known) retired() bool { return k.node != 0 && len(k.places) == 0 }

// lookupIno finds the current node of an identity by what bucketInos has for its inode. For a directory only the node is
// set.
func lookupIno(tx *bbolt.Tx, id ident, v []byte) (known, error) {
	if len(v) != 8+len(id) {
		return known{}, nil
	}
	if ident(v[8:]) != id {
		return known{taken: true}, nil
	}
	k, err := loadNode(tx, backends.NodeID(number(v)))
	if err != nil || k.node != 0 {
		return k, err
	}
	return known{node: backends.NodeID(number(v))}, nil
}

func inoValue(node backends.NodeID, id ident) []byte {
	return append(key64(uint64(node)), id[:]...)
}

// loadNode reads what a file's node is. It gives a zero known when there is none.
func loadNode(tx *bbolt.Tx, node backends.NodeID) (k known, err error) {
	v := tx.Bucket(bucketNodes).Get(keyNode(node))
	if len(v) == 0 {
		return known{}, nil
	}
	if v[0] == nodeRetired {
		r, err := decodeRetired(v)
		if err != nil {
			return known{}, err
		}
		k = known{node: node, since: r.since, scope: r.scope}
		if k.entry, err = decodeEntry(r.entry); err == nil {
			k.det, err = decodeDetail(r.det)
		}
		return k, err
	}
	k = known{node: node, places: decodePlaces(v[1:])}
	if len(k.places) == 0 {
		return known{}, nil
	}
	k.entry, k.det, err = loadPlace(tx, k.places[0])
	if err != nil {
		return known{}, err
	}
	d, err := loadDir(tx, k.places[0].dir)
	k.scope = d.scope
	return k, err
}

// loadPlace reads an entry and its detail.
func loadPlace(tx *bbolt.Tx, p place) (e entry, d detail, err error) {
	key := p.key()
	if e, err = decodeEntry(tx.Bucket(bucketEntries).Get(key)); err == nil {
		d, err = decodeDetail(tx.Bucket(bucketDetails).Get(key))
	}
	if err != nil {
		err = fmt.Errorf("entry %d of directory %d: %w", p.cookie, p.dir, err)
	}
	return e, d, err
}

// timeKey sorts by time, then by node.
func timeKey(t time.Time, n backends.NodeID) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano()))
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

// addPlace notes that a node is shown at p, and brings a retired one back.
func addPlace(tx *bbolt.Tx, node backends.NodeID, p place) error {
	nodes := tx.Bucket(bucketNodes)
	v := nodes.Get(keyNode(node))
	places := []place{p}
	if len(v) > 0 && v[0] == nodeRetired {
		r, err := decodeRetired(v)
		if err != nil {
			return err
		}
		if err := tx.Bucket(bucketRetired).Delete(timeKey(r.since, node)); err != nil {
			return err
		}
	} else if len(v) > 0 {
		// The newest place comes first: it has the newest attributes.
		for _, q := range decodePlaces(v[1:]) {
			if q != p {
				places = append(places, q)
			}
		}
	}
	nodes.FillPercent = ascending
	return nodes.Put(keyNode(node), appendPlaces([]byte{nodePlaces}, places))
}

// newPlace is addPlace for a node that has just been given out.
func newPlace(tx *bbolt.Tx, node backends.NodeID, p place) error {
	nodes := tx.Bucket(bucketNodes)
	nodes.FillPercent = ascending
	return nodes.Put(keyNode(node), p.append(append(make([]byte, 0, 1+placeLen), nodePlaces)))
}

// dropPlace notes that a node is not shown at p any more. Where that was the last place, it is retired with what the
// entry there was.
func dropPlace(tx *bbolt.Tx, node backends.NodeID, p place, r retired) error {
	nodes := tx.Bucket(bucketNodes)
	v := nodes.Get(keyNode(node))
	if len(v) == 0 || v[0] == nodeRetired {
		return nil
	}
	places := slices.DeleteFunc(decodePlaces(v[1:]), func(q place) bool { return q == p })
	if len(places) > 0 {
		return nodes.Put(keyNode(node), appendPlaces([]byte{nodePlaces}, places))
	}
	if err := nodes.Put(keyNode(node), r.append(nil)); err != nil {
		return err
	}
	return tx.Bucket(bucketRetired).Put(timeKey(r.since, node), nil)
}

// addItem notes that an item has an entry at p.
func (a *applier) addItem(coll uint64, item ident, p place) {
	key := keyItem(coll, item)
	a.items.put(key, p.append(slices.Clone(a.items.get(key))))
}

// dropItem notes that an item has no entry at p any more.
func (a *applier) dropItem(coll uint64, item ident, p place) {
	key := keyItem(coll, item)
	places := slices.DeleteFunc(decodePlaces(a.items.get(key)), func(q place) bool { return q == p })
	if len(places) == 0 {
		a.items.delete(key)
		return
	}
	a.items.put(key, appendPlaces(nil, places))
}
