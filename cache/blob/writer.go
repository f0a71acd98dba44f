package blob

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/backends"
)

// Writer makes one blob. Write, Commit and Abort belong to one goroutine; ReadAt and Written may be called by others
// meanwhile.
type Writer struct {
	s    *Store
	key  string
	file *os.File
	sum  uint32
	size int64 // as expected, negative if that is not known
	room int64 // bytes that are counted and not written yet

	mu      sync.Mutex
	written int64
	ended   bool
	kept    *handle // since Commit
}

// roomStep is how much room is made at once for what is expected: asking the disk what is free costs some system calls.
const roomStep = 1 << 20

// Create begins a blob, of size bytes if that is not negative. One of that key which is there stays until Commit. The
// caller ends it with Abort, also after Commit.
func (s *Store) Create(key string, size int64) (*Writer, error) {
	s.mu.Lock()
	s.next++
	name := strconv.FormatUint(s.next, 36)
	s.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(s.dir, tmpDir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", spaceError(err))
	}
	return &Writer{s: s, key: key, file: f, size: size}, nil
}

// Write appends p. ErrNoSpace when the budget or the disk has no room even after eviction.
func (w *Writer) Write(p []byte) (int, error) {
	if lack := int64(len(p)) - w.room; lack > 0 {
		more := max(lack, min(roomStep, w.size-w.written-w.room))
		if err := w.s.reserve(more); err != nil {
			return 0, err
		}
		w.room += more
	}
	n, err := w.file.Write(p)
	w.room -= int64(n)
	w.sum = crc32.Update(w.sum, crcTable, p[:n])
	w.mu.Lock()
	w.written += int64(n)
	w.mu.Unlock()
	if err != nil {
		return n, fmt.Errorf("write blob: %w", spaceError(err))
	}
	return n, nil
}

// Written tells how many bytes there are so far.
func (w *Writer) Written() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written
}

// ReadAt reads what has been written, before Commit, while it goes on and after it. It must not be called after Abort, or
// after Commit has failed.
func (w *Writer) ReadAt(p []byte, off int64) (int, error) {
	rest := w.Written() - off
	if rest <= 0 {
		return 0, nil
	}
	if int64(len(p)) > rest {
		p = p[:rest]
	}
	return w.file.ReadAt(p, off)
}

// Commit makes the blob visible in place of an older one. It takes as long as the disk needs for what is not small.
func (w *Writer) Commit() error {
	w.s.commits(1)
	defer w.s.commits(-1)
	if err := w.finish(); err != nil {
		return fmt.Errorf("commit blob: %w", spaceError(err))
	}
	return nil
}

func (w *Writer) finish() error {
	w.giveBack()
	foot := footer(w.written, w.sum)
	if _, err := w.file.Write(foot); err != nil {
		return err
	}
	if w.written >= syncFrom {
		if err := w.s.sync(w.file); err != nil {
			return err
		}
	}
	w.s.placing.Lock()
	defer w.s.placing.Unlock()
	path := w.s.path(w.key)
	var gone, files int64
	if old, err := os.Stat(path); err == nil {
		gone, files = old.Size(), 1
	}
	err := os.Rename(w.file.Name(), path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		err = os.Rename(w.file.Name(), path)
	}
	if err != nil {
		return err
	}
	// Who has just been waiting for the blob reads it next, from the file that is open.
	w.kept = &handle{key: w.key, file: w.file, size: w.written, refs: 2}
	w.s.mu.Lock()
	old := w.s.hold(w.kept)
	w.s.mu.Unlock()
	w.s.releaseAll(old)
	if w.s.counts(w.key) {
		w.s.add(footerLen-gone, 1-files)
	} else {
		w.s.add(-w.written, 0) // will be counted with its shard
	}
	return nil
}

// giveBack counts no more than has been written.
func (w *Writer) giveBack() {
	w.s.add(-w.room, 0)
	w.room = 0
}

// commits notes that a commit begins (1) or has ended (-1).
func (s *Store) commits(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committing += n
	if n < 0 {
		close(s.committed)
		s.committed = make(chan struct{})
	}
}

// coming is closed when the next commit has ended. It is nil when none is under way.
func (s *Store) coming() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committing == 0 {
		return nil
	}
	return s.committed
}

// sync brings a file to the disk, at most syncsAtOnce at a time: more would take the disk from who reads.
func (s *Store) sync(f *os.File) error {
	s.syncs <- struct{}{}
	defer func() { <-s.syncs }()
	return unix.Fdatasync(int(f.Fd()))
}

// Abort ends the writer. It forgets the blob unless Commit has made it visible, so that it can be deferred.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	if w.kept != nil {
		w.s.release(w.kept)
		return
	}
	w.giveBack()
	os.Remove(w.file.Name())
	w.file.Close()
	w.s.add(-w.Written(), 0)
}

// victim is a blob that may be evicted.
type victim struct {
	key  string
	size int64
	used int64 // nanoseconds
}

// maxVictims bounds the memory of one round of eviction.
const maxVictims = 20_000

// reserve makes room for n more bytes, evicting what was used least recently, and counts them. ErrNoSpace when that was not
// enough.
func (s *Store) reserve(n int64) error {
	for {
		if err := s.makeRoom(n, s.lack); err != nil {
			return err
		}
		beside := s.o.Beside()
		s.mu.Lock()
		free := s.o.MaxSize <= 0 || s.total+beside+n <= s.o.MaxSize // unless another writer has taken the room
		if free {
			s.total += n
		}
		s.mu.Unlock()
		if free {
			return nil
		}
	}
}

// FreeFor sees to it that the disk has room for n bytes that are kept beside the blobs, evicting blobs. ErrNoSpace when
// that was not enough. The budget does not matter.
func (s *Store) FreeFor(n int64) error { return s.makeRoom(n, s.lackFree) }

func (s *Store) makeRoom(n int64, lacks func(int64) (int64, error)) error {
	lack, err := lacks(n)
	if err != nil || lack <= 0 {
		return err
	}
	s.evicting.Lock()
	defer s.evicting.Unlock()
	for {
		lack, err = lacks(n)
		if err != nil || lack <= 0 {
			return err
		}
		coming := s.coming()
		freed, err := s.evict(lack)
		if err != nil {
			return err
		}
		if freed == 0 && coming != nil {
			<-coming // whose readers may be done with it
			continue
		}
		if freed == 0 {
			return fmt.Errorf("%w: %d bytes more are needed", backends.ErrNoSpace, lack)
		}
	}
}

// lack tells how many bytes have to go before n more can be written.
func (s *Store) lack(n int64) (int64, error) {
	lack, err := s.lackFree(n)
	if err == nil && s.o.MaxSize > 0 {
		bytes, _ := s.Size()
		lack = max(lack, bytes+s.o.Beside()+n-s.o.MaxSize)
	}
	return lack, err
}

// lackFree is lack by what the disk has free alone.
func (s *Store) lackFree(n int64) (int64, error) {
	if s.o.MinFree <= 0 {
		return 0, nil
	}
	free, err := s.o.Free()
	return s.o.MinFree + n - free, err
}

// evict removes the oldest blobs until lack and a tenth of the budget are free, so that not every write has to.
func (s *Store) evict(lack int64) (freed int64, err error) {
	<-s.scanned
	var found []victim
	oldest := func(a, b victim) int { return int(min(max(a.used-b.used, -1), 1)) }
	err = s.walk(func(key string, info fs.FileInfo) {
		found = append(found, victim{key: key, size: info.Size(), used: info.ModTime().UnixNano()})
		if len(found) >= 2*maxVictims {
			slices.SortFunc(found, oldest)
			found = found[:maxVictims]
		}
	})
	if err != nil {
		return 0, err
	}
	slices.SortFunc(found, oldest)
	target := lack + s.o.MaxSize/10
	for _, v := range found {
		if freed >= target {
			break
		}
		s.Remove(v.key)
		freed += v.size
	}
	s.o.Log.Info("evicted contents from the cache", "bytes", freed)
	return freed, nil
}
