package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/cache/kv"
)

// Buckets of the bodies database.
var (
	bucketBodies  = []byte("bodies")  // number → inode, kind, content
	bucketPending = []byte("pending") // first number of a chunk → how many; until its batch is known to be committed
	bucketOrigin  = []byte("origin")  // the name of this database
)

const (
	bodyRaw  = 0
	bodyZstd = 1
	bodyS2   = 2 // four bytes of checksum of the content, and an S2 block
	// smallBody is how many bytes a body has at most that is stored as S2: a zstd encoder takes ten times as long for it,
	// most of that for tables that save a fifth of the space.
	smallBody = 4 << 10
	// bodyHead is the inode of the entry and the kind.
	bodyHead = 9
	// maxBody bounds what a stored body may say that it decodes to.
	maxBody = 1 << 30
	// decodedBytes bounds the decoded bodies that are kept.
	decodedBytes = 16 << 20
)

// errNoBody says that a body is not stored (any more).
var errNoBody = errors.New("body is not stored")

// bodies are the contents that came with listings. Each has a number that is never used again: bodies of one batch lie
// side by side, so that reading a directory in sequence reads the file in sequence.
type bodies struct {
	path   string
	held   *kv.Resident
	log    *slog.Logger
	origin string // tells one bodies database from its successor
	next   atomic.Uint64
	enc    *zstd.Encoder
	dec    *zstd.Decoder
	cached *byteLRU[uint64]

	swap sync.RWMutex // held for writing while the database is replaced; before mu
	db   *kv.DB

	mu      sync.Mutex
	settled []uint64 // chunks whose batch has ended, to be taken off the pending list with the next write
}

func openBodies(path string, held *kv.Resident, log *slog.Logger) (b *bodies, err error) {
	b = &bodies{path: path, held: held, log: log, cached: newByteLRU[uint64](decodedBytes)}
	if err := b.open(); err != nil {
		return nil, err
	}
	b.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<18), zstd.WithEncoderCRC(true))
	if err == nil {
		b.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxBody))
	}
	if err != nil {
		b.db.Close()
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return b, nil
}

func (b *bodies) open() (err error) {
	b.db, _, err = kv.Open(b.path, kv.Options{
		Format: format, Buckets: []string{"bodies", "pending", "origin"}, Replace: true, Mmap: reserveMmap, Resident: b.held, Log: b.log,
	})
	if err != nil {
		return err
	}
	if err := b.number(); err != nil {
		b.db.Close()
		return fmt.Errorf("open %s: %w", b.path, err)
	}
	return nil
}

func (b *bodies) view(fn func(*bbolt.Tx) error) error {
	b.swap.RLock()
	defer b.swap.RUnlock()
	return b.db.View(fn)
}

func (b *bodies) update(fn func(*bbolt.Tx) error) error {
	b.swap.RLock()
	defer b.swap.RUnlock()
	return b.db.Update(fn)
}

// clear replaces the database by an empty one.
func (b *bodies) clear() error {
	b.swap.Lock()
	defer b.swap.Unlock()
	b.takeSettled()
	b.cached.clear()
	if err := b.db.Close(); err != nil {
		return err
	}
	if err := os.Remove(b.path); err != nil {
		return err
	}
	return b.open()
}

// used is how many bytes the bodies take.
func (b *bodies) used() int64 {
	b.swap.RLock()
	defer b.swap.RUnlock()
	return b.db.Used()
}

// size is the size of the database in bytes.
func (b *bodies) size() int64 {
	b.swap.RLock()
	defer b.swap.RUnlock()
	return b.db.Size()
}

// number finds out where numbering goes on. A new database starts at the time of day, far above all that a lost one
// can have given out.
func (b *bodies) number() error {
	var last uint64
	err := b.db.View(func(tx *bbolt.Tx) error {
		b.origin = string(tx.Bucket(bucketOrigin).Get(bucketOrigin))
		k, _ := tx.Bucket(bucketBodies).Cursor().Last()
		last = number(k)
		return nil
	})
	if err != nil {
		return err
	}
	start := uint64(time.Now().UnixMilli()) << 20
	if b.origin == "" {
		b.origin = strconv.FormatUint(start, 36)
		err = b.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketOrigin).Put(bucketOrigin, []byte(b.origin))
		})
	}
	b.next.Store(max(last, start, b.next.Load()))
	return err
}

// encode appends the stored form of a body to out.
func (b *bodies) encode(out []byte, ino uint64, body []byte) []byte {
	out = binary.BigEndian.AppendUint64(out, ino)
	out = append(out, bodyZstd)
	head := len(out)
	if len(body) <= smallBody {
		out[head-1] = bodyS2
		out = appendS2(out, body)
	} else {
		out = b.enc.EncodeAll(body, out)
	}
	if len(out)-head >= len(body) {
		out[head-1] = bodyRaw
		out = append(out[:head], body...)
	}
	return out
}

// castagnoli is the polynomial that processors compute.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendS2 appends what follows the head of a bodyS2.
func appendS2(out, body []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(body, castagnoli))
	room := s2.MaxEncodedLen(len(body))
	out = slices.Grow(out, room)
	block := s2.Encode(out[len(out):len(out)+room], body)
	return out[:len(out)+len(block)]
}

// decodeS2 undoes appendS2.
func decodeS2(scratch, stored []byte) ([]byte, error) {
	if len(stored) < crc32.Size {
		return nil, errRecord
	}
	block := stored[crc32.Size:]
	if n, err := s2.DecodedLen(block); err != nil || n > smallBody {
		return nil, errRecord
	}
	body, err := s2.Decode(scratch[:cap(scratch)], block)
	if err != nil || crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(stored) {
		return nil, errRecord
	}
	return body, nil
}

// decode gives the content of a stored form; the result does not alias it.
func (b *bodies) decode(stored []byte) ([]byte, error) { return b.decodeIn([]byte{}, stored) }

// decodeIn is decode for who goes through many: the content lies in scratch, if that is large enough.
func (b *bodies) decodeIn(scratch, stored []byte) ([]byte, error) {
	if len(stored) < bodyHead {
		return nil, errRecord
	}
	switch stored[8] {
	case bodyRaw:
		return append(scratch[:0], stored[bodyHead:]...), nil
	case bodyZstd:
		return b.dec.DecodeAll(stored[bodyHead:], scratch[:0])
	case bodyS2:
		return decodeS2(scratch, stored[bodyHead:])
	}
	return nil, errRecord
}

// put stores a chunk of encoded bodies and tells the number of the first. It is pending until settle.
func (b *bodies) put(chunk [][]byte) (first uint64, err error) {
	n := uint64(len(chunk))
	first = b.next.Add(n) - n + 1
	settled := b.takeSettled()
	err = b.update(func(tx *bbolt.Tx) error {
		pending := tx.Bucket(bucketPending)
		for _, s := range settled {
			if err := pending.Delete(key64(s)); err != nil {
				return err
			}
		}
		if err := pending.Put(key64(first), key64(n)); err != nil {
			return err
		}
		bucket := tx.Bucket(bucketBodies)
		bucket.FillPercent = 0.95
		for i, v := range chunk {
			if err := bucket.Put(key64(first+uint64(i)), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.settle(settled)
		return 0, storeError("store bodies", err)
	}
	return first, nil
}

func (b *bodies) takeSettled() []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.settled
	b.settled = nil
	return s
}

// settle says that the batches of these chunks have ended, and what nothing refers to is on the dead list.
func (b *bodies) settle(chunks []uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled = append(b.settled, chunks...)
}

// remove deletes bodies.
func (b *bodies) remove(dead []uint64) error {
	err := b.update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketBodies)
		for _, n := range dead {
			if err := bucket.Delete(key64(n)); err != nil {
				return err
			}
		}
		return nil
	})
	return storeError("delete bodies", err)
}

// has tells whether the body is stored.
func (b *bodies) has(n uint64) bool {
	found := false
	err := b.view(func(tx *bbolt.Tx) error {
		found = tx.Bucket(bucketBodies).Get(key64(n)) != nil
		return nil
	})
	return err == nil && found
}

// filter replaces the numbers of bodies that are not stored by 0.
func (b *bodies) filter(ns []uint64) {
	err := b.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketBodies)
		for i, n := range ns {
			if n != 0 && bucket.Get(key64(n)) == nil {
				ns[i] = 0
			}
		}
		return nil
	})
	if err != nil {
		clear(ns)
	}
}

// aheadBodies and aheadBytes bound how much is decoded at once when a directory is read in sequence.
const (
	aheadBodies = 16
	aheadBytes  = 256 << 10
)

// get gives a body, which must not be changed. When the one before it was read lately, those behind it are decoded too.
func (b *bodies) get(n uint64) ([]byte, error) {
	if body, ok := b.cached.get(n); ok {
		return body, nil
	}
	_, sequential := b.cached.get(n - 1)
	var body []byte
	err := b.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketBodies).Cursor()
		k, v := c.Seek(key64(n))
		if k == nil || number(k) != n {
			return errNoBody
		}
		var err error
		if body, err = b.decode(v); err != nil {
			return fmt.Errorf("decode body %d: %w", n, err)
		}
		b.cached.add(n, body)
		bytes := 0
		for i := 0; sequential && i < aheadBodies && bytes < aheadBytes; i++ {
			k, v := c.Next()
			if k == nil || len(v) > aheadBytes {
				break
			}
			next, err := b.decode(v)
			if err != nil {
				break // reported when it is asked for
			}
			b.cached.add(number(k), next)
			bytes += len(next)
		}
		return nil
	})
	return body, err
}

// stored gives copies of the stored forms of several bodies, nil for those that are missing. Those of one directory mostly
// lie side by side, which spares looking for each.
func (b *bodies) stored(ns []uint64) ([][]byte, error) {
	out := make([][]byte, len(ns))
	err := b.view(func(tx *bbolt.Tx) error {
		var all, k, v []byte
		c := tx.Bucket(bucketBodies).Cursor()
		for i, n := range ns {
			if n == 0 {
				continue
			}
			switch {
			case k == nil:
			case number(k) < n:
				k, v = c.Next()
			default:
				k, v = c.Prev()
			}
			if k == nil || number(k) != n {
				if k, v = c.Seek(key64(n)); k == nil || number(k) != n {
					continue
				}
			}
			all = append(all, v...)
			out[i] = all[len(all)-len(v) : len(all) : len(all)]
		}
		return nil
	})
	return out, err
}

// pendingBody is a body of a batch that had not been committed when the database was closed, or so it seems.
type pendingBody struct {
	chunk uint64
	n     uint64
	ino   uint64
}

// leftovers lists the pending bodies up to a number, where an earlier run ended, and their chunks.
func (b *bodies) leftovers(before uint64) (left []pendingBody, chunks []uint64, err error) {
	err = b.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketBodies)
		return tx.Bucket(bucketPending).ForEach(func(k, v []byte) error {
			first, n := number(k), number(v)
			if first > before {
				return nil // of this run
			}
			chunks = append(chunks, first)
			c := bucket.Cursor()
			for k, v := c.Seek(key64(first)); k != nil && number(k) < first+n; k, v = c.Next() {
				left = append(left, pendingBody{chunk: first, n: number(k), ino: number(v)})
			}
			return nil
		})
	})
	return left, chunks, err
}

func (b *bodies) close() error {
	if settled := b.takeSettled(); len(settled) > 0 {
		err := b.db.Update(func(tx *bbolt.Tx) error {
			for _, s := range settled {
				if err := tx.Bucket(bucketPending).Delete(key64(s)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.log.Warn("the next start looks through bodies again", "error", err)
		}
	}
	b.enc.Close()
	b.dec.Close()
	return b.db.Close()
}
