package cache

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// factEdition is the key of a service's edition among the facts.
func factEdition(scope uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte("edition/"), scope)
}

// heedEdition makes the listings of a service count as not taken when its edition is another one than they were taken with,
// as newEpoch does for those of all services. Identities and contents stay. Offline they stay, too: there is nothing else.
func (c *Cache) heedEdition(s *service) error {
	b, ok := s.backend.(backends.Editioned)
	if !ok || c.o.Offline {
		return nil
	}
	edition, key := []byte(b.Edition()), factEdition(s.sink.no)
	same := false
	err := c.meta.View(func(tx *bbolt.Tx) error {
		same = bytes.Equal(tx.Bucket(bucketFacts).Get(key), edition)
		return nil
	})
	if err != nil || same {
		return err
	}
	err = c.meta.Update(func(tx *bbolt.Tx) error {
		if err := unlist(tx, s.sink.no); err != nil {
			return err
		}
		return tx.Bucket(bucketFacts).Put(key, edition)
	})
	return storeError("note another edition of a service", err)
}

// unlist makes all listings of a scope count as not taken.
func unlist(tx *bbolt.Tx, scope uint32) error {
	prefix := keyScoped(scope, "")
	cursor := tx.Bucket(bucketDirKeys).Cursor()
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		n := backends.NodeID(number(v))
		rec, err := loadDir(tx, n)
		if err != nil {
			return err
		}
		if rec.epoch == 0 {
			continue
		}
		rec.epoch = 0
		if err := storeDir(tx, n, &rec); err != nil {
			return err
		}
	}
	return nil
}
