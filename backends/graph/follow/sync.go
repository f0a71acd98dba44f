package follow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph/subscription"
)

// job is one call of Sync.
type job struct {
	c      *collection
	why    want
	n      []subscription.Notification
	origin backends.Origin
	began  time.Time
}

// dispatch starts what may start, the most urgent first. mu is held.
func (l *loop) dispatch(now time.Time) {
	for l.start(news, slots, now) {
	}
	for l.start(catchUp, slots-spared, now) {
	}
	// The other bound is for a clock that was set back.
	if wait := l.paced.Add(pace).Sub(now); !l.background && (wait <= 0 || wait > pace) {
		l.start(routine, slots-spared, now)
	}
}

// start starts the next of a queue if fewer than most run. mu is held.
func (l *loop) start(why want, most int, now time.Time) bool {
	for !l.closed && l.running < most && len(l.queues[why]) > 0 {
		c := l.queues[why][0]
		l.queues[why] = l.queues[why][1:]
		if c.queued != why {
			continue // it is in a more urgent one, or gone
		}
		c.queued = nothing
		j := job{c: c, why: why, n: c.pending, began: now}
		if len(j.n) > 0 {
			j.origin = originOf(j.n)
			c.pending = nil
		} else {
			j.origin = c.origin
			c.whole = nothing
		}
		c.running = true
		l.running++
		if why == routine {
			l.background, l.paced = true, now
		}
		l.wg.Go(func() { l.sync(j) })
		return true
	}
	return false
}

// sync does a job and takes in what came of it.
func (l *loop) sync(j job) {
	sink := &watched{Sink: l.feed.Sink(j.origin)}
	unaccounted, err := l.call(j, sink)
	if l.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, c := l.now(), j.c
	c.running = false
	l.running--
	if j.why == routine {
		l.background = false
	}
	switch {
	case l.collections[c.name] != c:
	case err == nil:
		l.succeeded(j, unaccounted, sink.changed.Load(), now)
		l.settle(c, now)
	case errors.Is(err, backends.ErrNotFound) && c.fails > 0:
		// Twice, for services have answered so by mistake.
		l.log.Debug("a collection is gone", "collection", c.name, "error", err)
		l.forget(c)
	default:
		l.failed(j, err, now)
		l.settle(c, now)
	}
	l.dispatch(now)
	l.rouse()
}

// call calls the service. What it panics of is an error of one collection, not the end of the mount.
func (l *loop) call(j job, sink backends.Sink) (unaccounted []subscription.Notification, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	if j.why != news {
		ctx = backends.WithPriority(ctx, backends.Bulk)
	}
	defer func() {
		if v := recover(); v != nil {
			l.log.Error("panic", "collection", j.c.name, "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: a defect of this program, see its log", backends.ErrBroken)
		}
	}()
	return l.service.Sync(ctx, j.c.name, j.n, sink)
}

// succeeded takes in what came of a job. mu is held.
func (l *loop) succeeded(j job, unaccounted []subscription.Notification, changed bool, now time.Time) {
	c := j.c
	if c.problem != "" {
		l.log.Info("a collection can be followed again", "collection", c.name)
	}
	c.fails, c.problem, c.hold = 0, "", time.Time{}
	c.resume(j.n, unaccounted, now)
	looked := c.looked.After(c.last)
	c.last = now
	switch {
	case c.live():
		c.next = now.Add(jitter(safety))
	case !l.polls(c):
		c.next = time.Time{}
	case len(j.n) == 0:
		c.interval = adapt(c.interval, l.usual, changed, looked)
		c.next = now.Add(jitter(c.interval))
	}
}

// resume has notifications that were not accounted for come again later, or everything asked for when they came often
// enough.
func (c *collection) resume(n, unaccounted []subscription.Notification, now time.Time) {
	before := c.tries
	again := map[key]int{}
	for k, tried := range before {
		again[k] = tried
	}
	for _, n := range n {
		delete(again, keyOf(n))
	}
	for _, n := range unaccounted {
		k := keyOf(n)
		tried := before[k]
		if tried == len(delays) {
			c.ask(catchUp, backends.Origin{By: backends.ByDelta})
			continue
		}
		again[k] = tried + 1
		c.open = append(c.open, open{n, now.Add(delays[tried])})
	}
	c.tries = again
}

// enough is the number of failures in a row after which a collection is not called live any more.
const enough = 3

// failed has a job done again. mu is held.
func (l *loop) failed(j job, err error, now time.Time) {
	c := j.c
	c.fails++
	if c.fails == enough {
		c.problem = "asking for changes failed: " + err.Error()
		l.log.Warn("a collection can't be followed", "collection", c.name, "error", err)
	}
	wait := backoff(c.fails)
	if !backends.Temporary(err) {
		wait = max(wait, time.Minute)
	}
	if j.why == routine && !c.live() {
		wait = max(wait, c.interval)
	}
	c.hold = now.Add(wait)
	later := c.pending
	c.pending = j.n
	for _, n := range later {
		c.notify(n)
	}
	if len(j.n) == 0 {
		c.ask(j.why, j.origin)
	}
}
