package outlook

import (
	"context"
	"sync"
	"time"
)

// flight lets callers share runs of one piece of work. A caller never joins a run that has begun, because what it wants to
// see may have happened since; it shares the next one with all that came meanwhile.
type flight struct {
	mu            sync.Mutex
	running, next *run
}

// run belongs to nobody: each waiter leaves on its own, the last one out cancels it. It has the latest deadline of its
// waiters, by which the client knows which waits are hopeless.
type run struct {
	fn       func(context.Context) error
	ctx      context.Context // values of the first waiter's
	cancel   context.CancelFunc
	waiters  int
	deadline time.Time // the latest one
	endless  bool      // a waiter has none
	done     chan struct{}
	err      error
}

// do runs fn, or shares a run that begins after the call, and waits for it or for ctx.
func (f *flight) do(ctx context.Context, fn func(context.Context) error) error {
	f.mu.Lock()
	r := f.next
	if r == nil {
		r = &run{fn: fn, done: make(chan struct{})}
		r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	}
	r.waiters++
	if d, ok := ctx.Deadline(); !ok {
		r.endless = true
	} else if d.After(r.deadline) {
		r.deadline = d
	}
	if f.running == nil {
		f.start(r)
	} else {
		f.next = r
	}
	f.mu.Unlock()

	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		f.mu.Lock()
		if r.waiters--; r.waiters == 0 {
			r.cancel()
			if f.next == r {
				f.next = nil
			}
		}
		f.mu.Unlock()
		return context.Cause(ctx)
	}
}

// start begins a run. Needs mu.
func (f *flight) start(r *run) {
	f.running = r
	ctx, stop := r.ctx, context.CancelFunc(func() {})
	if !r.endless {
		ctx, stop = context.WithDeadline(ctx, r.deadline)
	}
	go func() {
		r.err = r.fn(ctx)
		stop()
		r.cancel()
		close(r.done)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running = nil
		if n := f.next; n != nil {
			f.next = nil
			f.start(n)
		}
	}()
}

// lock is a mutex whose waiters can leave.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

func (l lock) acquire(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l lock) release() { <-l }
