package fs

import (
	"context"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/workfs/workfs/backends"
)

const (
	// pushAfter is how many files of a directory must have been read in sequence before the next ones are pushed
	// into the page cache: less would fill it for somebody who reads one file.
	pushAfter = 3
	pushFirst = 16      // files pushed the first time; doubles while the reader follows
	pushMost  = 1024    // files
	pushBytes = 8 << 20 // of one push
	pushFile  = 1 << 20 // larger files are left to the kernel's own read-ahead
	// pushTimeout bounds one push.
	pushTimeout = 10 * time.Second
)

// storer is the part of *fuse.Server that fills the page cache.
type storer interface {
	InodeNotifyStoreCache(node uint64, offset int64, data []byte) fuse.Status
}

// pusher watches reads for somebody who reads a directory in sequence and puts the contents of the files to come into
// the page cache, where reading them costs no request. Only what is at hand is pushed.
type pusher struct {
	tree   backends.Tree
	kernel storer

	mu      sync.Mutex
	streaks map[backends.NodeID]streak // by the node whose read would continue it
	order   []backends.NodeID          // oldest first
	wg      sync.WaitGroup
	stopped bool
}

// streak is a reader's way through a directory: every file, or every second one where a message is listed in two formats
// and only one of them is read.
type streak struct {
	length int
	stride int // distance of the files it reads, in files
	window int
}

const (
	// maxStride is the largest distance that is followed: the formats of a message and one more.
	maxStride = 4
	// maxStreaks bounds the readers that are followed at once.
	maxStreaks = 32
)

func newPusher(tree backends.Tree, k storer) *pusher {
	return &pusher{tree: tree, kernel: k, streaks: map[backends.NodeID]streak{}}
}

// read notes that the first page of a file was read.
func (p *pusher) read(n backends.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	s := p.streaks[n]
	delete(p.streaks, n)
	s.length++
	p.wg.Add(1)
	go p.follow(n, s)
}

// follow pushes what the streak will read next, if it is long enough, and notes which files would continue it then.
func (p *pusher) follow(n backends.NodeID, s streak) {
	defer p.wg.Done()
	ctx, cancel := context.WithTimeout(backends.WithPriority(context.Background(), backends.Bulk), pushTimeout)
	defer cancel()
	window := 0
	if s.length >= pushAfter {
		s.window = min(max(s.window*2, pushFirst), pushMost)
		window = s.window
	}
	files, bytes, seen := 0, int64(0), 0
	var next []backends.NodeID // what follows the last file that was read or pushed
	// An error ends the push, which nobody waits for; the reader meets it, if it matters, in a read of its own.
	_ = p.tree.Neighbours(ctx, n, func(node backends.NodeID, size int64, read func() ([]byte, error)) bool {
		seen++
		next = append(next, node)
		if files >= window || bytes >= pushBytes || size > pushFile {
			window = 0
			return len(next) < maxStride
		}
		if seen%s.stride != 0 {
			return true
		}
		if size > 0 {
			data, err := read()
			if err != nil || int64(len(data)) != size {
				return false
			}
			bytes += size
			if st := p.kernel.InodeNotifyStoreCache(uint64(node), 0, data); st != fuse.OK && st != fuse.ENOENT {
				return false
			}
		}
		files++
		next = next[:0]
		return true
	})
	p.expect(next, s)
}

// expect notes which reads would continue a streak, and at which stride.
func (p *pusher) expect(next []backends.NodeID, s streak) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, node := range next {
		if _, known := p.streaks[node]; known {
			continue // another reader's, which is as good
		}
		follow := s
		if s.length > 1 && s.stride != i+1 {
			follow = streak{length: 1} // it began to read at another distance
		}
		follow.stride = i + 1
		p.streaks[node] = follow
		p.order = append(p.order, node)
	}
	for len(p.order) > maxStreaks*maxStride {
		delete(p.streaks, p.order[0])
		p.order = p.order[1:]
	}
}

func (p *pusher) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wg.Wait()
}
