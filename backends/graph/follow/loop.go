package follow

import (
	"cmp"
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// loop follows one service. It is the Listener of all subscriptions of it.
type loop struct {
	service Service
	feed    backends.Feed
	manager *subscription.Manager
	now     func() time.Time
	tick    time.Duration
	usual   time.Duration // interval of polls, 0 for none
	log     *slog.Logger

	ctx  context.Context // of run
	wake chan struct{}
	wg   sync.WaitGroup // of syncs

	// mu guards what follows. Neither the service, nor the feed, nor the manager is called with it held.
	mu          sync.Mutex
	closed      bool
	collections map[string]*collection
	resources   map[string]*resource
	timed       byDue
	queues      [wants][]*collection
	running     int
	background  bool      // one of those that run is routine
	paced       time.Time // when the last of those began
	todo        []func()  // calls that wait until mu is free, in order
}

func newLoop(s Service, feed backends.Feed, m *subscription.Manager, o backends.Options) *loop {
	l := &loop{
		service: s, feed: feed, manager: m, now: o.Now, tick: cmp.Or(o.Tick, defaultTick), usual: o.PollInterval, log: o.Log,
		wake: make(chan struct{}, 1), collections: map[string]*collection{}, resources: map[string]*resource{},
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	return l
}

func (l *loop) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	l.ctx = ctx
	if l.manager != nil {
		for _, w := range l.service.Standing() {
			l.mu.Lock()
			l.share(w).standing = true
			l.mu.Unlock()
		}
	}
	var looks sync.WaitGroup
	looks.Go(l.look)
	for ctx.Err() == nil {
		t := time.NewTimer(l.step())
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-t.C:
		}
		t.Stop()
	}
	cancel()
	looks.Wait()
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wg.Wait()
}

// look takes in what is looked at.
func (l *loop) look() {
	for {
		names, err := l.feed.Looks(l.ctx)
		if err != nil {
			return
		}
		for _, name := range names {
			l.looked(name)
		}
		l.rouse()
	}
}

// rouse has run take a step.
func (l *loop) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// step does what is due and tells how long there is nothing to do, by the real clock: the virtual one may jump meanwhile.
func (l *loop) step() time.Duration {
	l.mu.Lock()
	now := l.now()
	for len(l.timed) > 0 && !l.timed[0].due.After(now) {
		l.settle(l.timed[0], now)
	}
	l.dispatch(now)
	wait := l.tick
	if len(l.timed) > 0 {
		wait = min(wait, l.timed[0].due.Sub(now))
	}
	if len(l.queues[routine]) > 0 && !l.background {
		wait = min(wait, l.paced.Add(pace).Sub(now))
	}
	todo := l.todo
	l.todo = nil
	l.mu.Unlock()
	for _, f := range todo {
		f()
	}
	return max(wait, time.Millisecond)
}

// looked notes a look at a collection, and begins to follow one that is new.
func (l *loop) looked(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if c := l.collections[name]; c != nil {
		idle := now.Sub(c.looked) > memory
		c.looked = now
		if l.polls(c) && (idle || c.interval > l.usual) {
			c.interval = l.usual
			c.next = earlier(c.next, c.last.Add(c.interval))
			l.settle(c, now)
			l.dispatch(now)
		}
		return
	}
	l.mu.Unlock()
	w, ok := l.service.Watch(name)
	l.mu.Lock()
	if !ok || l.collections[name] != nil {
		return
	}
	now = l.now()
	c := &collection{name: name, poll: w.Poll, known: now, looked: now, last: now, interval: l.usual, index: -1}
	l.collections[name] = c
	if w.Wish.Resource != "" && l.manager != nil {
		c.resource = l.share(w.Wish)
		c.resource.collections[c] = true
	}
	switch {
	case c.live():
		// Notifications that came before were not kept for it.
		c.ask(catchUp, backends.Origin{By: backends.ByDelta})
	case l.polls(c):
		c.next = now.Add(jitter(c.interval))
	}
	l.settle(c, now)
	l.dispatch(now)
}

// share gives the resource of a wish, which is wished for the first time. mu is held.
func (l *loop) share(w subscription.Wish) *resource {
	r := l.resources[w.Resource]
	if r == nil {
		r = &resource{wish: w, collections: map[*collection]bool{}}
		l.resources[w.Resource] = r
		l.todo = append(l.todo, func() { l.manager.Want(w, l) })
	}
	return r
}

// polls tells whether a collection is asked for at an interval as things are. mu is held.
func (l *loop) polls(c *collection) bool { return c.poll && l.usual > 0 && !c.live() }

// Notified implements subscription.Listener.
func (l *loop) Notified(all []subscription.Notification) {
	concerned := make([][]*collection, len(all))
	for i, n := range all {
		concerned[i] = l.concerned(n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for i, n := range all {
		for _, c := range concerned[i] {
			if n.Change == "" {
				c.ask(news, originOf(all[i:i+1]))
			} else {
				c.notify(n)
			}
		}
	}
	for _, some := range concerned {
		for _, c := range some {
			if l.collections[c.name] == c {
				l.settle(c, now)
			}
		}
	}
	l.dispatch(now)
	l.rouse()
}

// concerned gives the collections that a notification is about.
func (l *loop) concerned(n subscription.Notification) []*collection {
	l.mu.Lock()
	var all []*collection
	if r := l.resources[n.Resource]; r != nil {
		for c := range r.collections {
			all = append(all, c)
		}
	}
	l.mu.Unlock()
	if n.Change == "" {
		return all
	}
	some := all[:0]
	for _, c := range all {
		if l.service.Concerns(n, c.name) {
			some = append(some, c)
		}
	}
	return some
}

// Changed implements subscription.Listener.
func (l *loop) Changed(name string, s subscription.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.resources[name]
	if r == nil {
		return
	}
	old := r.state
	r.state = s
	now := l.now()
	for c := range r.collections {
		switch {
		case s.Live && (!old.Live || s.Since.After(old.Since)):
			c.ask(catchUp, backends.Origin{By: backends.ByDelta})
		case s.Live && !s.Renewal.Equal(old.Renewal):
			c.ask(routine, backends.Origin{By: backends.ByDelta})
		case old.Live && l.polls(c):
			c.interval = l.usual
			c.next = now.Add(jitter(c.interval / 5))
		}
		l.settle(c, now)
	}
	l.dispatch(now)
	l.rouse()
}

// settle puts a collection where it belongs after something about it changed, and tells the feed how it is kept. mu is
// held.
func (l *loop) settle(c *collection, now time.Time) {
	c.ripen(now, l.polls(c))
	if w := c.wanted(); w > c.queued && !c.running && !c.hold.After(now) {
		c.queued = w
		l.queues[w] = append(l.queues[w], c)
	}
	c.due = c.earliest(now)
	switch {
	case c.due.IsZero() && c.index >= 0:
		heap.Remove(&l.timed, c.index)
	case c.due.IsZero():
	case c.index >= 0:
		heap.Fix(&l.timed, c.index)
	default:
		heap.Push(&l.timed, c)
	}
	if is := l.liveness(c, now); is != c.said {
		c.said = is
		name := c.name
		l.todo = append(l.todo, func() { l.feed.Live(name, is) })
	}
}

// liveness tells how a collection is kept right. mu is held.
func (l *loop) liveness(c *collection, now time.Time) backends.Liveness {
	is := backends.Liveness{Problem: c.problem}
	switch {
	case c.problem != "":
	case c.live():
		s := c.resource.state
		return backends.Liveness{By: backends.ByWebhook, Since: c.since(), Renewal: s.Renewal, Subscription: s.ID}
	case c.resource != nil:
		is.Problem = c.resource.state.Problem
	}
	if l.polls(c) && now.Sub(c.looked) <= memory {
		is.Interval = c.interval
	}
	return is
}

// forget ends following a collection that is gone. mu is held.
func (l *loop) forget(c *collection) {
	delete(l.collections, c.name)
	c.queued = nothing
	if c.index >= 0 {
		heap.Remove(&l.timed, c.index)
	}
	l.todo = append(l.todo, func() { l.feed.Live(c.name, backends.Liveness{}) })
	r := c.resource
	if r == nil {
		return
	}
	delete(r.collections, c)
	if len(r.collections) == 0 && !r.standing {
		delete(l.resources, r.wish.Resource)
		l.todo = append(l.todo, func() { l.manager.Drop(r.wish.Resource) })
	}
}
