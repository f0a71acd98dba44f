package blob

import (
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/backends"
)

// ErrMissing says that the store does not have the blob (any more).
var ErrMissing = errors.New("no such blob")

const (
	footerLen   = 24
	footerMagic = "wfsblob1"
	// syncFrom is the size from which a blob is on disk before it is renamed; smaller ones are checked when read.
	syncFrom = 1 << 20
	// maxHandles bounds the open files. Who reads here and there in a file of 1 GiB needs one for each of its 128 windows.
	maxHandles = 256
	// syncsAtOnce is how many files are brought to the disk at the same time. Some together cost no more than one: the
	// filesystem's journal is written once for all that wait for it.
	syncsAtOnce = 4
	tmpDir      = "tmp"
)

// Options are the arguments of Open.
type Options struct {
	MaxSize int64 // bytes that blobs may take together; 0: no bound
	MinFree int64 // bytes that must stay free on the disk
	// Beside tells how many bytes count against MaxSize that are kept elsewhere. May be nil.
	Beside func() int64
	// Free tells the bytes free on the disk, for tests. Nil asks the disk.
	Free func() (int64, error)
	Log  *slog.Logger
}

// Store is a directory of blobs. All methods may be called concurrently.
type Store struct {
	dir string
	o   Options

	syncs    chan struct{} // a place for each file on its way to the disk
	evicting sync.Mutex    // held by the one goroutine that evicts; before placing
	placing  sync.Mutex    // held over the change of a file and of the sums; before mu
	// Guarded by placing:
	counted    map[string]bool // shards of an earlier run that the sums have
	allCounted bool

	mu      sync.Mutex
	total   int64
	count   int64
	handles map[string]*list.Element // of *handle, by key
	recent  *list.List               // front: used last
	next    uint64                   // number of the next temporary file
	// committing counts the commits under way, whose files can't be evicted yet; committed is closed and replaced when one ends.
	committing int
	committed  chan struct{}
	scanned    chan struct{}
}

// handle is an open blob. It is closed when it is out of the table and nobody reads it.
type handle struct {
	key  string
	file *os.File
	size int64
	refs int // readers, plus one for the table
}

// Open opens or makes the store in dir. Counting what is there goes on in the background.
func Open(dir string, o Options) (*Store, error) {
	if err := os.RemoveAll(filepath.Join(dir, tmpDir)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, tmpDir), 0o700); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, o: o, handles: map[string]*list.Element{}, recent: list.New(), scanned: make(chan struct{}),
		counted: map[string]bool{}, syncs: make(chan struct{}, syncsAtOnce),
		committed: make(chan struct{})}
	if s.o.Free == nil {
		s.o.Free = s.free
	}
	if s.o.Beside == nil {
		s.o.Beside = func() int64 { return 0 }
	}
	go s.countOld()
	return s, nil
}

// countOld adds up what an earlier run left, shard by shard. Until a shard has been counted, what is placed in it or
// removed from it does not change the sums.
func (s *Store) countOld() {
	defer close(s.scanned)
	shards, _ := s.shards()
	for _, shard := range shards {
		s.placing.Lock()
		s.countShard(shard)
		s.placing.Unlock()
	}
	s.placing.Lock()
	defer s.placing.Unlock()
	shards, _ = s.shards() // with those that came meanwhile
	for _, shard := range shards {
		if !s.counted[shard] {
			s.countShard(shard)
		}
	}
	s.allCounted, s.counted = true, nil
}

func (s *Store) countShard(shard string) {
	s.walkShard(shard, func(_ string, info fs.FileInfo) { s.add(info.Size(), 1) })
	s.counted[shard] = true
}

// counts tells whether the sums have what is in a key's shard. The caller holds placing.
func (s *Store) counts(key string) bool { return s.allCounted || s.counted[key[:2]] }

func (s *Store) shards() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	var out []string
	for _, e := range entries {
		if len(e.Name()) == 2 {
			out = append(out, e.Name())
		}
	}
	return out, err
}

func (s *Store) walk(fn func(key string, info fs.FileInfo)) error {
	shards, err := s.shards()
	for _, shard := range shards {
		s.walkShard(shard, fn)
	}
	return err
}

// walkShard shows the blobs of a shard. What cannot be looked at is as good as not there.
func (s *Store) walkShard(shard string, fn func(key string, info fs.FileInfo)) {
	d, err := os.Open(filepath.Join(s.dir, shard))
	if err != nil {
		return
	}
	defer d.Close()
	for err == nil {
		var entries []fs.DirEntry
		entries, err = d.ReadDir(512)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				fn(e.Name(), info)
			}
		}
	}
}

func (s *Store) path(key string) string {
	return filepath.Join(s.dir, key[:2], key)
}

func (s *Store) free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

func (s *Store) add(bytes, count int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += bytes
	s.count += count
}

// Size tells the bytes and the number of blobs.
func (s *Store) Size() (bytes, count int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total, s.count
}

// Stat tells the size of a blob, and whether the store has it.
func (s *Store) Stat(key string) (size int64, ok bool) {
	h, err := s.acquire(key)
	if err != nil {
		return 0, false
	}
	defer s.release(h)
	return h.size, true
}

// ReadAt reads from a blob, short only at its end, and tells the blob's size. ErrMissing when it is not there.
func (s *Store) ReadAt(key string, p []byte, off int64) (n int, size int64, err error) {
	h, err := s.acquire(key)
	if err != nil {
		return 0, 0, err
	}
	defer s.release(h)
	if off >= h.size {
		return 0, h.size, nil
	}
	if rest := h.size - off; int64(len(p)) > rest {
		p = p[:rest]
	}
	n, err = h.file.ReadAt(p, off)
	if err != nil && n < len(p) {
		return n, h.size, fmt.Errorf("read blob %s: %w", key, err)
	}
	return n, h.size, nil
}

// acquire gives the open blob, which the caller releases.
func (s *Store) acquire(key string) (*handle, error) {
	s.mu.Lock()
	if e, ok := s.handles[key]; ok {
		h := e.Value.(*handle)
		h.refs++
		s.recent.MoveToFront(e)
		s.mu.Unlock()
		return h, nil
	}
	s.mu.Unlock()

	f, size, err := s.open(key)
	if err != nil {
		return nil, err
	}
	h := &handle{key: key, file: f, size: size, refs: 2}
	s.mu.Lock()
	if e, ok := s.handles[key]; ok { // somebody was faster
		h = e.Value.(*handle)
		h.refs++
		s.mu.Unlock()
		f.Close()
		return h, nil
	}
	out := s.hold(h)
	s.mu.Unlock()
	s.releaseAll(out)
	return h, nil
}

// hold puts an open blob into the table, which has one of its references. What it gives has left the table and is to be
// released without mu, which the caller holds.
func (s *Store) hold(h *handle) (out []*handle) {
	if e, ok := s.handles[h.key]; ok {
		out = append(out, s.recent.Remove(e).(*handle))
	}
	s.handles[h.key] = s.recent.PushFront(h)
	if s.recent.Len() > maxHandles {
		old := s.recent.Remove(s.recent.Back()).(*handle)
		delete(s.handles, old.key)
		out = append(out, old)
	}
	return out
}

func (s *Store) releaseAll(hs []*handle) {
	for _, h := range hs {
		s.release(h)
	}
}

func (s *Store) release(h *handle) {
	s.mu.Lock()
	h.refs--
	last := h.refs == 0
	s.mu.Unlock()
	if last {
		h.file.Close()
	}
}

// forget drops a blob's open file from the table.
func (s *Store) forget(key string) {
	s.mu.Lock()
	e, ok := s.handles[key]
	if ok {
		s.recent.Remove(e)
		delete(s.handles, key)
	}
	s.mu.Unlock()
	if ok {
		s.release(e.Value.(*handle))
	}
}

// open opens and checks a blob's file. One that lies is removed.
func (s *Store) open(key string) (*os.File, int64, error) {
	path := s.path(key)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, ErrMissing
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open blob: %w", err)
	}
	size, err := check(f)
	if err != nil {
		f.Close()
		s.o.Log.Warn("cached content is damaged, it will be fetched again", "blob", key, "error", err)
		s.Remove(key)
		return nil, 0, ErrMissing
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // the order of eviction; a failure only makes it less good
	return f, size, nil
}

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func footer(size int64, sum uint32) []byte {
	b := make([]byte, 0, footerLen)
	b = append(b, footerMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	b = binary.BigEndian.AppendUint32(b, sum)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
}

func check(f *os.File) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size = info.Size() - footerLen
	if size < 0 {
		return 0, errors.New("too short")
	}
	foot := make([]byte, footerLen)
	if _, err := f.ReadAt(foot, size); err != nil {
		return 0, err
	}
	sum := binary.BigEndian.Uint32(foot[16:])
	if string(foot) != string(footer(size, sum)) {
		return 0, errors.New("bad footer")
	}
	if size >= syncFrom {
		return size, nil
	}
	h := crc32.New(crcTable)
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, size)); err != nil {
		return 0, err
	}
	if h.Sum32() != sum {
		return 0, errors.New("bad checksum")
	}
	return size, nil
}

// Remove deletes a blob. Readers that have it open go on.
func (s *Store) Remove(key string) {
	s.placing.Lock()
	defer s.placing.Unlock()
	defer s.forget(key)
	path := s.path(key)
	info, err := os.Stat(path)
	if err != nil || os.Remove(path) != nil {
		return
	}
	if s.counts(key) {
		s.add(-info.Size(), -1)
	}
}

// Clear deletes all blobs.
func (s *Store) Clear() error {
	<-s.scanned
	var keys []string
	err := s.walk(func(key string, _ fs.FileInfo) { keys = append(keys, key) })
	for _, key := range keys {
		s.Remove(key)
	}
	return err
}

// Close closes the open files.
func (s *Store) Close() {
	<-s.scanned
	s.mu.Lock()
	var keys []string
	for key := range s.handles {
		keys = append(keys, key)
	}
	s.mu.Unlock()
	for _, key := range keys {
		s.forget(key)
	}
}

// spaceError gives a full disk its kind.
func spaceError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", backends.ErrNoSpace, err)
	}
	return err
}
