package cache

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cache/kv"
)

// Buckets of the state database, which outlives the cache.
var (
	bucketTimes    = []byte("times")    // ident → time and hash of the content then
	bucketCopies   = []byte("copies")   // ident → copyRecord
	bucketStateIno = []byte("inos")     // ident → inode, where another identity has the hash
	bucketAccounts = []byte("accounts") // connection, NUL, key → value
)

// state is what cannot be had again from the services: when something without a time was first seen, what a content was
// when it was first fetched, which inodes collided, and the remembered accounts.
type state struct {
	db *kv.DB
}

func openState(path string, held *kv.Resident, log *slog.Logger) (*state, error) {
	db, _, err := kv.Open(path, kv.Options{
		Format: stateFormat, Buckets: []string{"times", "copies", "inos", "accounts"}, Resident: held, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return &state{db: db}, nil
}

// seen is when an identity was first seen with a content.
type seen struct {
	at   time.Time
	hash uint64 // of the content; 0 for directories
}

func (s seen) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(appendTime(b, s.at), s.hash)
}

func decodeSeen(b []byte) (s seen, ok bool) {
	d := decoder{b: b}
	s.at = d.time()
	s.hash = d.fixed64()
	return s, !d.bad
}

// copyRecord is what the first copy of a version was.
type copyRecord struct {
	version uint64 // hash of Entry.Version
	size    int64
	sum     [32]byte  // SHA-256 of the content; zero where only the size is known
	at      time.Time // of the fetch that differed from the first; zero for the first copy
}

func (c copyRecord) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, c.version)
	b = binary.AppendVarint(b, c.size)
	b = append(b, c.sum[:]...)
	if !c.at.IsZero() {
		b = appendTime(b, c.at)
	}
	return b
}

func decodeCopy(b []byte) (c copyRecord, ok bool) {
	d := decoder{b: b}
	c.version = d.fixed64()
	c.size = d.varint()
	copy(c.sum[:], d.bytes(uint64(len(c.sum))))
	if len(d.b) > 0 {
		c.at = d.time()
	}
	return c, !d.bad
}

// read looks up several things in one transaction.
func (s *state) read(fn func(stateTx)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		fn(stateTx{tx})
		return nil
	})
}

type stateTx struct{ tx *bbolt.Tx }

func (s stateTx) seen(i ident) (seen, bool) { return decodeSeen(s.tx.Bucket(bucketTimes).Get(i[:])) }

func (s stateTx) copy(i ident) (copyRecord, bool) {
	return decodeCopy(s.tx.Bucket(bucketCopies).Get(i[:]))
}

// stateChange is written at once.
type stateChange struct {
	times  map[ident]seen
	copies map[ident]copyRecord
	inos   map[ident]uint64
}

func (c *stateChange) empty() bool { return len(c.times)+len(c.copies)+len(c.inos) == 0 }

func (s *state) write(c *stateChange) error {
	if c.empty() {
		return nil
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i, v := range c.times {
			if err := tx.Bucket(bucketTimes).Put(i[:], v.append(nil)); err != nil {
				return err
			}
		}
		for i, v := range c.copies {
			if err := tx.Bucket(bucketCopies).Put(i[:], v.append(nil)); err != nil {
				return err
			}
		}
		for i, v := range c.inos {
			if err := tx.Bucket(bucketStateIno).Put(i[:], key64(v)); err != nil {
				return err
			}
		}
		return nil
	})
	return storeError("write state", err)
}

// inos gives all stored collisions.
func (s *state) inos() (map[ident]uint64, error) {
	m := map[ident]uint64{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketStateIno).ForEach(func(k, v []byte) error {
			if len(k) == len(ident{}) {
				m[ident(k)] = number(v)
			}
			return nil
		})
	})
	return m, err
}

// ino gives the inode of an identity whose own is another's; 0 when there is none.
func (s *state) ino(i ident) (ino uint64) {
	err := s.db.View(func(tx *bbolt.Tx) error {
		ino = number(tx.Bucket(bucketStateIno).Get(i[:]))
		return nil
	})
	if err != nil {
		return 0
	}
	return ino
}

// accountMemory is what a connection keeps in the state directory.
type accountMemory struct {
	s          *state
	connection string
}

func (m accountMemory) key(key string) []byte { return []byte(m.connection + "\x00" + key) }

// Get implements backends.Memory.
func (m accountMemory) Get(key string) (value []byte, ok bool) {
	err := m.s.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketAccounts).Get(m.key(key)); v != nil {
			value, ok = append([]byte{}, v...), true
		}
		return nil
	})
	return value, ok && err == nil
}

// Put implements backends.Memory.
func (m accountMemory) Put(key string, value []byte) error {
	err := m.s.db.Update(func(tx *bbolt.Tx) error {
		if value == nil {
			return tx.Bucket(bucketAccounts).Delete(m.key(key))
		}
		return tx.Bucket(bucketAccounts).Put(m.key(key), value)
	})
	return storeError("write state", err)
}

var _ backends.Memory = accountMemory{}
