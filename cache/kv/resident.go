package kv

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	// residentEvery is after how many reads it is looked how much of files the process holds: seldom enough to cost
	// nothing, and often enough where each reads some hundred entries.
	residentEvery = 256
	// residentPause is the least time between two rounds of letting go. Pages that are needed again come back from the
	// page cache, sixteen in a fault of a microsecond.
	residentPause = 100 * time.Millisecond
)

// Resident bounds how much of mapped databases the process holds. Whatever was read stays mapped else, so that the
// process seems to grow to the size of its databases, and the kernel takes their pages for in use. Letting go of a page
// does not take it from the page cache.
type Resident struct {
	most  int64
	statm *os.File // nil: nothing is known, and nothing let go
	uses  atomic.Uint64

	mu      sync.Mutex
	dbs     map[*DB]bool
	last    time.Time
	waiting bool
}

// NewResident makes a bound in bytes for all files that the process has mapped, its program included.
func NewResident(most int64) *Resident {
	statm, err := os.Open("/proc/self/statm")
	if err != nil {
		statm = nil // an old container; the kernel takes the pages when it needs them
	}
	return &Resident{most: most, statm: statm, dbs: map[*DB]bool{}}
}

// used counts transactions, and looks now and then what the process holds.
func (r *Resident) used(n uint64) {
	if r == nil {
		return
	}
	if sum := r.uses.Add(n); sum/residentEvery == (sum-n)/residentEvery || r.mapped() <= r.most {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.waiting {
		r.waiting = true
		time.AfterFunc(residentPause-min(time.Since(r.last), residentPause), r.release)
	}
}

// mapped tells how many bytes of files the process holds, 0 where that can't be known.
func (r *Resident) mapped() int64 {
	if r.statm == nil {
		return 0
	}
	var b [128]byte
	n, _ := r.statm.ReadAt(b[:], 0) // it always ends before the buffer
	fields := bytes.Fields(b[:n])
	if len(fields) < 3 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[2]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// release lets go of all pages of the databases.
func (r *Resident) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting, r.last = false, time.Now()
	for db := range r.dbs {
		db.release()
	}
}

// release lets go of what is mapped. Within a transaction the mapping stays where it is. bbolt never writes to it, so there
// is nothing to lose, and whoever reads meanwhile gets the pages back.
func (db *DB) release() {
	_ = db.bolt.View(func(tx *bbolt.Tx) error { // fails where the database has been closed
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, db.bolt.Info().Data, uintptr(tx.Size()), unix.MADV_DONTNEED) // it is only advice
		return nil
	})
}

func (r *Resident) add(db *DB) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dbs[db] = true
}

func (r *Resident) remove(db *DB) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.dbs, db)
}

// Close ends the watch.
func (r *Resident) Close() error {
	if r == nil || r.statm == nil {
		return nil
	}
	return r.statm.Close()
}
