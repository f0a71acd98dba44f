package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// How long a failed listing is not tried again while an older one serves: doubled with every failure.
const (
	firstPause = 2 * time.Second
	lastPause  = time.Minute
	// maxFailures bounds the failures that are remembered.
	maxFailures = 10_000
	// offlinePause is how long a listing is good for when nobody may be asked.
	offlinePause = time.Minute
)

// errOffline is the answer to all that would take a request.
var errOffline = fmt.Errorf("%w: offline", backends.ErrUnavailable)

// listings runs List, once at a time for each directory, on a context that belongs to no waiter.
type listings struct {
	t *Tree

	mu      sync.Mutex
	flights map[backends.NodeID]*flight
	failed  map[backends.NodeID]failure
	// forced are to be listed anew, however young, by a listing that begins after this.
	forced map[backends.NodeID]time.Time
}

// failure is the last failure of a directory.
type failure struct {
	err   error
	at    time.Time
	pause time.Duration
}

// left is how much of the pause is left.
func (f failure) left(now time.Time) time.Duration {
	if f.pause == 0 {
		return 0
	}
	return f.at.Add(f.pause).Sub(now)
}

// flight is one call of List.
type flight struct {
	ctx    *flightContext
	cancel context.CancelFunc
	s      *service
	done   chan struct{}
	before *flight // a cancelled one, or one of a backend that has been replaced,
	// of the same directory that may not have ended yet
	waiters int   // guarded by listings.mu
	left    bool  // all waiters have; guarded by listings.mu
	err     error // set before done is closed
}

func newListings(t *Tree) *listings {
	return &listings{t: t, flights: map[backends.NodeID]*flight{}, failed: map[backends.NodeID]failure{},
		forced: map[backends.NodeID]time.Time{}}
}

// list has a directory listed, or joins who does.
func (l *listings) list(ctx context.Context, dir backends.NodeID, rec *dirRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := l.t.service(rec.scope)
	if s == nil {
		return fmt.Errorf("%w: directory %d belongs to no connection", backends.ErrNotFound, dir)
	}
	if l.t.c.o.Offline {
		return errOffline
	}
	l.mu.Lock()
	f := l.flights[dir]
	if f == nil || f.left || f.s != s {
		if !l.t.begin() {
			l.mu.Unlock()
			return errClosed
		}
		fctx, cancel := context.WithTimeout(l.t.ctx, l.t.c.o.OpTimeout)
		f = &flight{ctx: newFlightContext(fctx, backends.PriorityOf(ctx)), cancel: cancel, s: s, done: make(chan struct{}), before: f}
		l.flights[dir] = f
		go l.run(f, dir, backends.DirKey(rec.key))
	}
	f.waiters++
	l.mu.Unlock()
	if backends.PriorityOf(ctx) == backends.Interactive {
		f.ctx.raise()
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.waiters--
	if f.waiters == 0 {
		f.left = true
		f.cancel()
	}
	return ctx.Err()
}

func (l *listings) run(f *flight, dir backends.NodeID, key backends.DirKey) {
	s := f.s
	defer l.t.running.Done()
	defer f.cancel()
	if f.before != nil {
		<-f.before.done
		f.before = nil
	}
	l.t.c.counts.lists.Add(1)
	start, begun := time.Now(), l.t.c.o.Now()
	err := callList(f.ctx, s, key)
	if err != nil && f.ctx.Err() != nil && !errors.Is(err, f.ctx.Err()) {
		err = fmt.Errorf("%w: %w", err, f.ctx.Err())
	}
	l.mu.Lock()
	if l.flights[dir] == f {
		delete(l.flights, dir)
	}
	// Of a backend that has been replaced only what it has committed counts.
	given := f.left || l.t.service(s.sink.no) != s
	if err != nil && !given {
		l.fail(dir, err)
	} else if err == nil {
		delete(l.failed, dir)
		l.relent(dir, begun)
	}
	l.mu.Unlock()
	if err != nil && !given {
		l.t.c.log.Warn("listing failed", "service", s.prefix(), "dir", string(key), "after", time.Since(start), "error", err)
	}
	f.err = err
	close(f.done)
}

// callList turns a panic over what a service sent into an error.
func callList(ctx context.Context, s *service, key backends.DirKey) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.sink.c.log.Error("panic in a listing", "service", s.prefix(), "dir", string(key), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: listing %q panicked", backends.ErrUnavailable, key)
		}
	}()
	return s.backend.List(ctx, key, s.sink)
}

func (l *listings) fail(dir backends.NodeID, err error) {
	old := l.failed[dir]
	pause := time.Duration(0)
	if backends.Temporary(err) {
		pause = min(max(2*old.pause, firstPause), lastPause)
	}
	if len(l.failed) >= maxFailures {
		for other := range l.failed {
			delete(l.failed, other)
			break
		}
	}
	l.failed[dir] = failure{err: err, at: l.t.c.o.Now(), pause: pause}
}

// forgive forgets all failures.
func (l *listings) forgive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.failed)
}

// succeeded forgets the failures of a directory that a batch has made whole which began then.
func (l *listings) succeeded(dir backends.NodeID, begun time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failed, dir)
	l.relent(dir, begun)
}

// relent takes a directory as listed anew, unless the listing began before that was asked for. Needs the mutex.
func (l *listings) relent(dir backends.NodeID, begun time.Time) {
	if at, ok := l.forced[dir]; ok && !begun.Before(at) {
		delete(l.forced, dir)
	}
}

// force has the directory listed anew at the next look.
func (l *listings) force(dir backends.NodeID) {
	l.mu.Lock()
	l.forced[dir] = l.t.c.o.Now()
	l.mu.Unlock()
	if !l.t.served.lapseDir(dir) {
		l.t.events.push([]backends.Event{{Kind: backends.EventExpired, Dir: dir, IsDir: true}})
	}
}

func (l *listings) isForced(dir backends.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.forced[dir]
	return ok
}

// paused tells how long an old listing of the directory is to be served without asking again.
func (l *listings) paused(dir backends.NodeID) time.Duration {
	if l.t.c.o.Offline {
		return offlinePause
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.failed[dir]
	if !ok {
		return 0
	}
	return f.left(l.t.c.o.Now())
}

// failure tells how the last listing of a directory failed, if it did.
func (l *listings) failure(dir backends.NodeID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed[dir].err
}

// failures tells the failures of all directories.
func (l *listings) failures() map[backends.NodeID]failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.failed)
}

// flightContext is a context whose priority can be raised when somebody more urgent joins.
type flightContext struct {
	context.Context
	mu   sync.Mutex
	prio context.Context // carries the priority
}

func newFlightContext(ctx context.Context, p backends.Priority) *flightContext {
	return &flightContext{Context: ctx, prio: backends.WithPriority(context.Background(), p)}
}

func (f *flightContext) raise() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if backends.PriorityOf(f.prio) != backends.Interactive {
		f.prio = backends.WithPriority(context.Background(), backends.Interactive)
	}
}

// Value implements context.Context.
func (f *flightContext) Value(key any) any {
	f.mu.Lock()
	prio := f.prio
	f.mu.Unlock()
	if v := prio.Value(key); v != nil {
		return v
	}
	return f.Context.Value(key)
}
