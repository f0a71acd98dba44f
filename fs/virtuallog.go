package fs

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// Log is a file that only grows, until it is begun anew.
type Log interface {
	// ReadAt is that of io.ReaderAt, of a generation: the present one or the one before.
	ReadAt(generation uint64, p []byte, off int64) (int, error)
	// Size gives its bytes, and a generation that is the next one when it was begun anew.
	Size() (size int64, generation uint64, modified time.Time)
	// Grown gives a channel that is closed when Size has changed.
	Grown() <-chan struct{}
}

// shownLog is what the kernel may know of a Log. The file keeps its node, so that who holds it open sees it grow. Its pages
// stay in the page cache, the last of them with nothing behind the end; that page has to go before a size is shown that
// reaches further into it.
type shownLog struct {
	node uint64
	log  Log

	mu         sync.Mutex
	size       int64
	generation uint64
	modified   time.Time
	switching  bool // to another generation: neither that nor the one before can be read
}

func newShownLog(node uint64, log Log) *shownLog {
	s := &shownLog{node: node, log: log}
	s.size, s.generation, s.modified = log.Size()
	return s
}

func (s *shownLog) attr(ino uint64) backends.Attr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return backends.Attr{Ino: ino, Size: s.size, Mtime: s.modified, Ctime: s.modified}
}

// readAt reads beyond the size that is shown, too: a page that is read after its removal has to hold all that the next
// size promises. While the kernel has the size of one generation it gets nothing of another, which would show with zeros
// behind its end or mixed with what the kernel has kept: for the moment that the switch takes it fails with ErrStale.
func (s *shownLog) readAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	generation, switching := s.generation, s.switching
	s.mu.Unlock()
	if switching {
		return 0, backends.ErrStale
	}
	n, err := s.log.ReadAt(generation, p, off)
	switch {
	case errors.Is(err, io.EOF):
		err = nil
	case errors.Is(err, os.ErrNotExist): // begun anew twice before it could be shown
		err = backends.ErrStale
	}
	return n, err
}

func (s *shownLog) follow(k kernel, done <-chan struct{}) {
	for {
		grown := s.log.Grown()
		s.show(k)
		select {
		case <-grown:
		case <-done:
			return
		}
	}
}

// show removes the pages that are no longer right, then shows the size. A removal waits for the reads of a page that are
// under way, so that none of them can bring back what it was like before.
func (s *shownLog) show(k kernel) {
	size, generation, modified := s.log.Size()
	s.mu.Lock()
	from, same := s.size&^(blockSize-1), generation == s.generation
	if !same {
		from = 0
	}
	changed := size != s.size || !same
	s.switching = !same
	s.mu.Unlock()
	if !changed {
		return
	}
	// The answer is of no interest: without pages there is nothing to remove.
	_ = k.InodeNotify(s.node, from, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size, s.generation, s.modified, s.switching = size, generation, modified, false
}
