// Package kv opens bbolt databases for the cache: private to their owner, stamped with a format, set aside when damaged.
//
// A database that cannot be opened is renamed, never deleted, and replaced by an empty one. Damage that shows only later
// (a panic or a memory fault while pages are read) is turned into ErrDamaged, and the next Open sets the file aside.
package kv

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged says that the database has pages that cannot be read.
var ErrDamaged = errors.New("database is damaged")

// ErrFormat says that the database was written by another version of the program.
var ErrFormat = errors.New("database has another format")

// Options are the arguments of Open.
type Options struct {
	Format  string   // what the database must be stamped with
	Buckets []string // are created
	// Replace says that a database of another format is set aside like a damaged one instead of being an error.
	Replace bool
	// Mmap is the address space to reserve at first in bytes. A larger one saves remapping, which waits for readers.
	Mmap int
	// Resident bounds what is held of databases together; nil: nothing does.
	Resident *Resident
	Log      *slog.Logger
}

// DB is an open database.
type DB struct {
	bolt     *bbolt.DB
	path     string
	resident *Resident
	commits  atomic.Uint64
	log      *slog.Logger
}

const (
	stampBucket  = "format"
	damageSuffix = ".damaged"
)

// Open opens or makes the database at path. fresh tells that it is new and empty.
func Open(path string, o Options) (db *DB, fresh bool, err error) {
	if _, err := os.Stat(path + damageSuffix); err == nil {
		if err := setAside(path, errors.New("damage was found when it was last used"), o.Log); err != nil {
			return nil, false, err
		}
		if err := os.Remove(path + damageSuffix); err != nil {
			return nil, false, err
		}
	}
	for first := true; ; first = false {
		db, fresh, err = open(path, o)
		if err == nil {
			return db, fresh, nil
		}
		again := errors.Is(err, ErrDamaged) || o.Replace && errors.Is(err, ErrFormat)
		if !again || !first {
			return nil, false, err
		}
		if err := setAside(path, err, o.Log); err != nil {
			return nil, false, err
		}
	}
}

func setAside(path string, reason error, log *slog.Logger) error {
	aside := fmt.Sprintf("%s.%s.aside", path, time.Now().UTC().Format("20060102T150405.000000000"))
	err := os.Rename(path, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	log.Error("database set aside, starting with an empty one", "path", path, "kept", aside, "reason", reason)
	return nil
}

func open(path string, o Options) (db *DB, fresh bool, err error) {
	info, err := os.Stat(path)
	fresh = errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
	b, err := openBolt(path, o)
	if err != nil {
		return nil, false, err
	}
	db = &DB{bolt: b, path: path, resident: o.Resident, log: o.Log}
	err = db.check(o, fresh)
	if err != nil {
		b.Close()
		return nil, false, err
	}
	db.resident.add(db)
	return db, fresh, nil
}

// openBolt classifies what bbolt has to say: a file that is not a database is damaged, all else (permissions, no space)
// is nothing that setting it aside could help.
func openBolt(path string, o Options) (b *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v", ErrDamaged, path, p)
		}
	}()
	b, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         time.Second,
		InitialMmapSize: o.Mmap,
		FreelistType:    bbolt.FreelistMapType,
		NoFreelistSync:  false,
	})
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) || errors.Is(err, bolterrors.ErrTimeout) || errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		return nil, fmt.Errorf("%w: open %s: %w", ErrDamaged, path, err)
	}
	return b, nil
}

func (db *DB) check(o Options, fresh bool) error {
	info, err := os.Stat(db.path)
	if err != nil {
		return err
	}
	complete := true
	if !fresh {
		err = db.guarded(db.bolt.View, func(tx *bbolt.Tx) error {
			if tx.Size() > info.Size() {
				return fmt.Errorf("%w: %s is cut off at %d of %d bytes", ErrDamaged, db.path, info.Size(), tx.Size())
			}
			b := tx.Bucket([]byte(stampBucket))
			if b == nil {
				// A crash between making the file and stamping it.
				complete = false
				return nil
			}
			if have := string(b.Get([]byte(stampBucket))); have != o.Format {
				return fmt.Errorf("%w: %s has %q, this program wants %q", ErrFormat, db.path, have, o.Format)
			}
			for _, name := range o.Buckets {
				b := tx.Bucket([]byte(name))
				if b == nil {
					complete = false
					continue
				}
				b.Cursor().First()
				b.Cursor().Last()
			}
			return nil
		})
		if err != nil || complete {
			return err
		}
	}
	return db.guarded(db.bolt.Update, func(tx *bbolt.Tx) error {
		for _, name := range o.Buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		b, err := tx.CreateBucketIfNotExists([]byte(stampBucket))
		if err != nil {
			return err
		}
		return b.Put([]byte(stampBucket), []byte(o.Format))
	})
}

// View runs fn in a read transaction. Long ones stop the database from growing.
func (db *DB) View(fn func(*bbolt.Tx) error) error {
	defer db.resident.used(1)
	return db.marking(db.bolt.View, fn)
}

// Update runs fn in the one write transaction; what it did is on disk when Update returns nil.
func (db *DB) Update(fn func(*bbolt.Tx) error) error {
	defer db.resident.used(residentEvery) // it may have touched any number of pages
	defer db.commits.Add(1)
	return db.marking(db.bolt.Update, fn)
}

// Commits counts the write transactions that have ended. As long as it is what it was before a read transaction, that one
// has seen all that has been written.
func (db *DB) Commits() uint64 { return db.commits.Load() }

func (db *DB) marking(run func(func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) error {
	err := db.guarded(run, fn)
	if err != nil && errors.Is(err, ErrDamaged) {
		db.log.Error("database is damaged, it will be set aside at the next start", "path", db.path, "error", err)
		if mark, err := os.OpenFile(db.path+damageSuffix, os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			mark.Close()
		}
	}
	return err
}

// guarded turns the panics and memory faults of reading damaged pages into ErrDamaged.
func (db *DB) guarded(run func(func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			db.log.Error("panic in a database transaction", "path", db.path, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %s: %v", ErrDamaged, db.path, p)
		}
	}()
	return run(fn)
}

// Size is what the file takes on the disk in bytes, which is less than its length.
func (db *DB) Size() int64 {
	var st syscall.Stat_t
	if err := syscall.Stat(db.path, &st); err != nil {
		return 0
	}
	return st.Blocks * 512
}

// Used is Size without the pages that are free to be used again.
func (db *DB) Used() int64 {
	s := db.bolt.Stats()
	return max(db.Size()-int64(s.FreePageN+s.PendingPageN)*int64(os.Getpagesize()), 0)
}

// Close ends all use of the database.
func (db *DB) Close() error {
	db.resident.remove(db)
	return db.bolt.Close()
}
