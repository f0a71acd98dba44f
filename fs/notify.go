package fs

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/workfs/workfs/backends"
)

const (
	// notifyWorkers bounds the goroutines that may wait for the kernel at once, each for a directory of its own.
	notifyWorkers = 16
	// busyPatience is how long a directory in steady use may put notices off.
	busyPatience = time.Second
	// pruneFrom is how many files have to go at once before it pays to have the kernel take them away unasked first.
	pruneFrom = 32
	// nobody is a name that no entry has: names hold no control characters.
	nobody = "\x01"
)

// kernel is the part of *fuse.Server that tells the kernel something.
type kernel interface {
	InodeNotify(node uint64, off, length int64) fuse.Status
	EntryNotify(parent uint64, name string) fuse.Status
	PruneNotify(nodes []uint64) fuse.Status
}

// notifier carries the Tree's events to the kernel. It is never called by a handler of a request but for enter and
// leave, which only count.
type notifier struct {
	kernel kernel
	gone   func(backends.NodeID) bool // whether a removed directory is gone altogether
	log    *slog.Logger
	slots  chan struct{}

	mu      sync.Mutex
	dirs    map[backends.NodeID]*dirQueue
	stopped bool
	wg      sync.WaitGroup
}

// dirQueue is what concerns one directory. It exists while the directory has requests in flight or notices to send.
type dirQueue struct {
	inflight int
	idle     chan struct{} // closed when inflight falls to 0; nil when nobody waits
	events   []backends.Event
	running  bool
}

func newNotifier(k kernel, gone func(backends.NodeID) bool, log *slog.Logger) *notifier {
	return &notifier{
		kernel: k, gone: gone, log: log,
		slots: make(chan struct{}, notifyWorkers),
		dirs:  map[backends.NodeID]*dirQueue{},
	}
}

func (n *notifier) queue(dir backends.NodeID) *dirQueue {
	q := n.dirs[dir]
	if q == nil {
		q = &dirQueue{}
		n.dirs[dir] = q
	}
	return q
}

// enter says that a LOOKUP or READDIR of dir is in a handler.
func (n *notifier) enter(dir backends.NodeID) {
	n.mu.Lock()
	n.queue(dir).inflight++
	n.mu.Unlock()
}

func (n *notifier) leave(dir backends.NodeID) {
	n.mu.Lock()
	q := n.dirs[dir]
	q.inflight--
	if q.inflight == 0 {
		if q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		n.drop(dir, q)
	}
	n.mu.Unlock()
}

// drop forgets an unused queue; n.mu is held.
func (n *notifier) drop(dir backends.NodeID, q *dirQueue) {
	if q.inflight == 0 && !q.running && len(q.events) == 0 {
		delete(n.dirs, dir)
	}
}

// send queues events. It never blocks for long and may be called from anywhere.
func (n *notifier) send(events []backends.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return
	}
	for _, e := range events {
		q := n.queue(e.Dir)
		q.events = append(q.events, e)
		if !q.running {
			q.running = true
			n.wg.Add(1)
			go n.run(e.Dir, q)
		}
	}
}

// stop ends the notifier and waits for what is under way. The mount must be gone or going: a notice may be waiting
// for an answer that only the end of the connection brings.
func (n *notifier) stop() {
	n.mu.Lock()
	n.stopped = true
	n.mu.Unlock()
	n.wg.Wait()
}

// run sends what dir's queue holds until it is empty.
func (n *notifier) run(dir backends.NodeID, q *dirQueue) {
	defer n.wg.Done()
	for {
		n.awaitIdle(q)
		n.mu.Lock()
		events := q.events
		q.events = nil
		if len(events) == 0 || n.stopped {
			q.running = false
			q.events = nil
			n.drop(dir, q)
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		n.slots <- struct{}{}
		n.deliver(dir, events)
		<-n.slots
	}
}

// awaitIdle waits until no request of the directory is in a handler, so that its notices don't take a slot for as long as
// a slow listing takes.
func (n *notifier) awaitIdle(q *dirQueue) {
	n.mu.Lock()
	if q.inflight == 0 {
		n.mu.Unlock()
		return
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	n.mu.Unlock()
	timer := time.NewTimer(busyPatience)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// deliver sends the notices that a run of events amounts to: one per name, one for the directory's listing, one per node
// with other attributes.
//
// The first is about a name, whether any has changed or not. The kernel holds a directory's lock from before it sends a
// LOOKUP or READDIR until it has taken the answer in, and takes it for a notice about a name. So once that one returns, no
// answer is under way any more that was made before the events, and none can undo the notices that follow. (The LOOKUP
// that makes sure of a name goes without the lock, but the notice takes that name away from under it.)
//
// Where many files go, kernels from 6.18 on drop those that nobody uses at a quarter of what a notice for each costs, in
// one call. It may pass over some and does not tell which, so that the notices follow all the same.
func (n *notifier) deliver(dir backends.NodeID, events []backends.Event) {
	listing := false
	var names []string
	var nodes []backends.NodeID
	var files []uint64 // nodes that names don't lead to any more
	for _, e := range events {
		switch e.Kind {
		case backends.EventExpired:
			listing = true
		case backends.EventAttr:
			nodes = append(nodes, e.Node)
		case backends.EventAdded:
			listing = true
			names = append(names, e.Name)
		case backends.EventReplaced:
			names = append(names, e.Name)
			if e.Was != 0 {
				files = append(files, uint64(e.Was))
			}
		case backends.EventRemoved:
			listing = true
			if !e.IsDir || n.gone(e.Node) {
				names = append(names, e.Name)
			}
			if !e.IsDir {
				files = append(files, uint64(e.Node))
			}
		}
	}
	if len(names) == 0 {
		names = append(names, nobody)
	}
	n.check("entry", dir, n.kernel.EntryNotify(uint64(dir), names[0]))
	if listing {
		n.check("inode", dir, n.kernel.InodeNotify(uint64(dir), 0, 0))
	}
	if len(files) >= pruneFrom {
		n.check("prune", dir, n.kernel.PruneNotify(files))
	}
	for _, node := range unique(nodes) {
		n.check("attr", node, n.kernel.InodeNotify(uint64(node), -1, 0))
	}
	for _, name := range unique(names)[1:] {
		n.check("entry", dir, n.kernel.EntryNotify(uint64(dir), name))
	}
}

// unique leaves the first of equal values, in order.
func unique[T comparable](list []T) []T {
	if len(list) < 2 {
		return list
	}
	seen := make(map[T]bool, len(list))
	return slices.DeleteFunc(list, func(v T) bool {
		again := seen[v]
		seen[v] = true
		return again
	})
}

// check logs what is neither success nor "the kernel does not have it", which is as good.
func (n *notifier) check(what string, node backends.NodeID, st fuse.Status) {
	if st != fuse.OK && st != fuse.ENOENT && st != fuse.ENODEV && st != fuse.EBADF && st != fuse.ENOSYS {
		n.log.Debug("kernel refused a notice", "notice", what, "node", node, "status", st.String())
	}
}
