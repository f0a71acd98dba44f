package cache

import (
	"container/heap"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// expiry tells when listings that somebody looked at run out.
type expiry struct {
	t    *Tree
	wake chan struct{}
	done chan struct{}

	mu   sync.Mutex
	due  dueHeap
	when map[backends.NodeID]*due
}

// due is when a directory's listing runs out.
type due struct {
	dir   backends.NodeID
	at    time.Time
	index int
}

type dueHeap []*due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *dueHeap) Push(x any)        { d := x.(*due); d.index = len(*h); *h = append(*h, d) }
func (h *dueHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return d
}

func newExpiry(t *Tree) *expiry {
	return &expiry{t: t, wake: make(chan struct{}, 1), done: make(chan struct{}), when: map[backends.NodeID]*due{}}
}

// looked notes that somebody has seen a listing that is good until at. Only the first look after an event counts: a
// listing that is renewed meanwhile is found out when its time comes.
func (e *expiry) looked(dir backends.NodeID, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.when[dir]; ok {
		return
	}
	d := &due{dir: dir, at: at}
	e.when[dir] = d
	heap.Push(&e.due, d)
	if d.index == 0 {
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
}

func (e *expiry) run(running *sync.WaitGroup) {
	defer running.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(e.fire())
		select {
		case <-timer.C:
		case <-e.wake:
		case <-e.done:
			return
		}
	}
}

// fire sends what is due and tells how long to wait for the next.
func (e *expiry) fire() time.Duration {
	for {
		now := e.t.c.o.Now()
		e.mu.Lock()
		if len(e.due) == 0 {
			e.mu.Unlock()
			return time.Hour
		}
		d := e.due[0]
		if wait := d.at.Sub(now); wait > 0 {
			e.mu.Unlock()
			return wait
		}
		e.mu.Unlock()

		l, left, ok := e.left(d.dir)
		if ok && left == backends.Forever {
			// It became so meanwhile. Who has seen it before has to hear when that ends, too.
			e.t.served.add(d.dir, l.rec.scope, l.turn)
		}
		e.mu.Lock()
		if ok && left > 0 && left != backends.Forever {
			d.at = now.Add(left)
			heap.Fix(&e.due, d.index)
			e.mu.Unlock()
			continue
		}
		heap.Remove(&e.due, d.index)
		delete(e.when, d.dir)
		e.mu.Unlock()
		if ok && left <= 0 {
			e.t.events.push([]backends.Event{{Kind: backends.EventExpired, Dir: d.dir, IsDir: true}})
		}
	}
}

// left tells how long the listing is good for by now; not ok when the directory is gone.
func (e *expiry) left(dir backends.NodeID) (l listing, left time.Duration, ok bool) {
	err := e.t.c.meta.View(func(tx *bbolt.Tx) (err error) {
		l, err = e.t.listing(tx, dir)
		return err
	})
	left = l.left
	if err == nil && left <= 0 {
		left = e.t.listings.paused(dir)
	}
	return l, left, err == nil
}

func (e *expiry) close() { close(e.done) }
