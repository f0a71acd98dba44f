package cache

import (
	"slices"

	"go.etcd.io/bbolt"
)

// buffer gathers the writes of a transaction to a bucket whose keys come in no order, and makes them in that of the keys:
// bbolt keeps what a transaction has put beside a key in one slice until commit, so that a hundred thousand keys in
// random order would move that slice as often.
type buffer struct {
	bucket *bbolt.Bucket
	writes map[string][]byte // nil: deleted
}

func newBuffer(tx *bbolt.Tx, bucket []byte) *buffer {
	return &buffer{bucket: tx.Bucket(bucket), writes: map[string][]byte{}}
}

// get gives the value that the key has by now, nil if none.
func (b *buffer) get(key []byte) []byte {
	if v, ok := b.writes[string(key)]; ok {
		return v
	}
	return b.bucket.Get(key)
}

// put takes value over.
func (b *buffer) put(key, value []byte) { b.writes[string(key)] = value }

func (b *buffer) delete(key []byte) { b.writes[string(key)] = nil }

func (b *buffer) flush() error {
	keys := make([]string, 0, len(b.writes))
	for k := range b.writes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		var err error
		if v := b.writes[k]; v == nil {
			err = b.bucket.Delete([]byte(k))
		} else {
			err = b.bucket.Put([]byte(k), v)
		}
		if err != nil {
			return err
		}
	}
	clear(b.writes)
	return nil
}
