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
	// pushAfter is how many files of a directory must have been read one near the other before those beside them are pushed
	// into the page cache: less would fill it for somebody who reads one file.
	pushAfter = 3
	pushFirst = 16      // files pushed the first time; doubles while the reader follows
	pushMost  = 1024    // files
	pushBytes = 8 << 20 // of one push
	pushFile  = 1 << 20 // larger files are left to the kernel's own read-ahead
	// pushTimeout bounds one push.
	pushTimeout = 10 * time.Second
	// maxQueue bounds the reads that are to be looked at. Those that come when it is full are not missed.
	maxQueue = 256
)

// storer is the part of *fuse.Server that fills the page cache.
type storer interface {
	InodeNotifyStoreCache(node uint64, offset int64, data []byte) fuse.Status
}

// pusher watches reads for somebody who reads a directory in its order, forward or backward, and puts the contents of the
// files to come into the page cache, where reading them costs no request. Only what is at hand is pushed.
//
// One goroutine takes the reads in their order: a reader who is faster is followed all the same, and what it has read by the
// time it would be pushed is passed over.
type pusher struct {
	tree   backends.Tree
	kernel storer
	runs   runs // of the goroutine

	mu      sync.Mutex
	queue   []backends.NodeID // reads to look at
	running bool              // a goroutine does
	wg      sync.WaitGroup
	stopped bool
}

func newPusher(tree backends.Tree, k storer) *pusher {
	return &pusher{tree: tree, kernel: k}
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
		p.mu.Unlock()
		p.look(n)
	}
}

// look pushes what will be read after a file, if it is clear what that is and time for it.
func (p *pusher) look(n backends.NodeID) {
	ctx, cancel := context.WithTimeout(backends.WithPriority(context.Background(), backends.Bulk), pushTimeout)
	defer cancel()
	at, err := p.tree.Place(ctx, n)
	if err != nil {
		return // nobody waits; the reader meets the error, if it matters, in a read of its own
	}
	if r := p.runs.of(at); r.read(at) {
		p.push(ctx, at.Dir, r)
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

// push pushes the next window of a run. A file in the middle is left out: its read tells that it is time to push more, and
// while that is done there is still something to read.
func (p *pusher) push(ctx context.Context, dir backends.NodeID, r *run) {
	r.window = min(max(r.window*2, pushFirst), pushMost)
	files, bytes := 0, int64(0)
	// An error ends the push: see look.
	_ = p.tree.Neighbours(ctx, dir, r.end, r.back, func(f backends.Neighbour) bool {
		switch {
		case f.Size > pushFile || !r.wants(f.Name):
			return true
		case f.Size <= 0 || p.passed(f.Node):
		case r.mark == 0 && files >= r.window/2:
			r.mark = f.Cookie
		default:
			data, err := f.Read()
			if err != nil || int64(len(data)) != f.Size {
				return false
			}
			bytes += f.Size
			if st := p.kernel.InodeNotifyStoreCache(uint64(f.Node), 0, data); st != fuse.OK && st != fuse.ENOENT {
				return false
			}
		}
		files++
		r.end = f.Cookie
		return files < r.window && bytes < pushBytes
	})
	if files == 0 {
		r.window = 0 // it begins anew with what will be at hand
	}
}

func (p *pusher) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wg.Wait()
}
