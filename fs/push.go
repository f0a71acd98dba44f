package fs

import (
	"context"
	"slices"
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
//
// One goroutine takes the reads in their order: a reader who is faster is followed all the same, and what it has read by the
// time it would be pushed is passed over.
type pusher struct {
	tree   backends.Tree
	kernel storer

	mu      sync.Mutex
	queue   []backends.NodeID          // reads to look at
	running bool                       // a goroutine does
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
	end    backends.NodeID // the last file that was pushed; 0: none is that has not been read
}

const (
	// maxStride is the largest distance that is followed: the formats of a message and one more.
	maxStride = 4
	// maxStreaks bounds the readers that are followed at once.
	maxStreaks = 32
	// maxQueue bounds the reads that are to be looked at. Those that come when it is full are not missed.
	maxQueue = 256
)

func newPusher(tree backends.Tree, k storer) *pusher {
	return &pusher{tree: tree, kernel: k, streaks: map[backends.NodeID]streak{}}
}

// read notes that the first page of a file was read.
func (p *pusher) read(n backends.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || len(p.queue) == maxQueue {
		return
	}
	p.queue = append(p.queue, n)
	if !p.running {
		p.running = true
		p.wg.Add(1)
		go p.work()
	}
}

// work looks at reads until there are no more.
func (p *pusher) work() {
	defer p.wg.Done()
	for {
		p.mu.Lock()
		if p.stopped || len(p.queue) == 0 {
			p.running, p.queue = false, nil
			p.mu.Unlock()
			return
		}
		n := p.queue[0]
		p.queue = p.queue[1:]
		s := p.streaks[n]
		delete(p.streaks, n)
		p.mu.Unlock()
		s.length++
		p.follow(n, s)
	}
}

// passed takes a read off the queue, and tells whether it was there.
func (p *pusher) passed(n backends.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, n)
	if i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
	}
	return i >= 0
}

// follow pushes what the streak will read next, if it is long enough, and notes which files would continue it then. A file in
// the middle is left out: its read tells that it is time to push more, and while that is done there is still something to read.
func (p *pusher) follow(n backends.NodeID, s streak) {
	ctx, cancel := context.WithTimeout(backends.WithPriority(context.Background(), backends.Bulk), pushTimeout)
	defer cancel()
	window := 0
	if s.length >= pushAfter {
		s.window = min(max(s.window*2, pushFirst), pushMost)
		window = s.window
	}
	if s.end != 0 {
		n = s.end
	}
	files, bytes, seen := 0, int64(0), 0
	var mark, last backends.NodeID
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
		switch {
		case size <= 0 || p.passed(node):
		case mark == 0 && files >= window/2:
			mark = node
		default:
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
		last = node
		next = next[:0]
		return true
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if mark != 0 {
		p.expect(mark, streak{length: s.length, stride: s.stride, window: s.window, end: last})
	}
	for i, node := range next {
		if s.length > 1 && s.stride != i+1 {
			p.expect(node, streak{length: 1, stride: i + 1}) // it began to read at another distance
		} else {
			p.expect(node, streak{length: s.length, stride: i + 1, window: s.window})
		}
	}
}

// expect notes which read would continue a streak. A longer one that it would continue, too, is the likelier. The caller
// holds mu.
func (p *pusher) expect(node backends.NodeID, s streak) {
	old, known := p.streaks[node]
	if known && old.length > s.length {
		return
	}
	p.streaks[node] = s
	if known {
		return
	}
	p.order = append(p.order, node)
	for len(p.order) > maxStreaks*(maxStride+1) {
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
