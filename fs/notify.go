package fs

import (
	"log/slog"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/workfs/workfs/backends"
)

const (
	// notifyWorkers bounds the goroutines that may wait for the kernel at once, each for a directory of its own.
	notifyWorkers = 16
	// settle is how long after its last request's handler a directory is left alone: the handler has returned, and
	// go-fuse is writing the answer. A notice sent before that answer would be undone by it.
	settle = 2 * time.Millisecond
	// suspicious is how long after its last handler's end an answer may not have been written where the machine is so busy
	// that settle was too short; then the notices are sent once more after again.
	suspicious = 50 * time.Millisecond
	again      = 250 * time.Millisecond
	// maxLeft bounds the directories whose last request is remembered.
	maxLeft = 4096
	// busyPatience is how long a directory in steady use may put notices off.
	busyPatience = time.Second
)

// kernel is the part of *fuse.Server that tells the kernel something.
type kernel interface {
	InodeNotify(node uint64, off, length int64) fuse.Status
	EntryNotify(parent uint64, name string) fuse.Status
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
	left    map[backends.NodeID]time.Time // when a directory's last request left its handler, of the recent ones
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
		left:  map[backends.NodeID]time.Time{},
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
		if len(n.left) >= maxLeft {
			clear(n.left) // a repetition is for luck that is bad already
		}
		n.left[dir] = time.Now()
	}
	n.mu.Unlock()
}

// drop forgets an unused queue; n.mu is held.
func (n *notifier) drop(dir backends.NodeID, q *dirQueue) {
	if q.inflight == 0 && !q.running && len(q.events) == 0 {
		delete(n.dirs, dir)
	}
}

// send queues an event. It never blocks for long and may be called from anywhere.
func (n *notifier) send(e backends.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return
	}
	dir := e.Dir
	if e.Kind == backends.EventAttr {
		dir = e.Node
	}
	q := n.queue(dir)
	q.events = append(q.events, e)
	if !q.running {
		q.running = true
		n.wg.Add(1)
		go n.run(dir, q)
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
		doubtful := q.inflight > 0 || time.Since(n.left[dir]) < suspicious
		q.events = nil
		if len(events) == 0 || n.stopped {
			q.running = false
			q.events = nil
			n.drop(dir, q)
			n.mu.Unlock()
			return
		}
		if doubtful {
			n.wg.Add(1)
			go n.repeat(dir, events)
		}
		n.mu.Unlock()
		n.slots <- struct{}{}
		n.deliver(dir, events)
		<-n.slots
	}
}

// repeat sends notices once more: an answer from before the change that came after the first ones would stand for ever.
func (n *notifier) repeat(dir backends.NodeID, events []backends.Event) {
	defer n.wg.Done()
	time.Sleep(again)
	n.mu.Lock()
	stopped := n.stopped
	n.mu.Unlock()
	if stopped {
		return
	}
	n.slots <- struct{}{}
	n.deliver(dir, events)
	<-n.slots
}

func (n *notifier) awaitIdle(q *dirQueue) {
	n.mu.Lock()
	if q.inflight == 0 {
		n.mu.Unlock()
		time.Sleep(settle)
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
		time.Sleep(settle)
	case <-timer.C:
	}
}

// deliver sends the notices that a run of events amounts to: one for the directory's listing, one for its attributes,
// one per name.
func (n *notifier) deliver(dir backends.NodeID, events []backends.Event) {
	listing, attr := false, false
	names := make(map[string]bool, len(events))
	for _, e := range events {
		switch e.Kind {
		case backends.EventExpired:
			listing = true
		case backends.EventAttr:
			attr = true
		case backends.EventAdded:
			listing = true
			names[e.Name] = true
		case backends.EventReplaced:
			names[e.Name] = true
		case backends.EventRemoved:
			listing = true
			if !e.IsDir || n.gone(e.Node) {
				names[e.Name] = true
			}
		}
	}
	switch {
	case listing:
		n.check("inode", dir, n.kernel.InodeNotify(uint64(dir), 0, 0))
	case attr:
		n.check("attr", dir, n.kernel.InodeNotify(uint64(dir), -1, 0))
	}
	for name := range names {
		n.check("entry", dir, n.kernel.EntryNotify(uint64(dir), name))
	}
}

// check logs what is neither success nor "the kernel does not have it", which is as good.
func (n *notifier) check(what string, dir backends.NodeID, st fuse.Status) {
	if st != fuse.OK && st != fuse.ENOENT && st != fuse.ENODEV && st != fuse.EBADF {
		n.log.Debug("kernel refused a notice", "notice", what, "node", dir, "status", st.String())
	}
}
