package fs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// operation is the context of one kernel request: it ends at the deadline or when the kernel cancels the request.
// Most requests are answered from memory and never ask for Done, so the goroutine that joins the two starts only then.
type operation struct {
	name     string
	start    time.Time
	deadline time.Time
	cancel   <-chan struct{}

	once  sync.Once
	done  chan struct{}
	over  chan struct{}
	cause atomic.Pointer[error]
}

func newOperation(name string, cancel <-chan struct{}, timeout time.Duration) *operation {
	now := time.Now()
	return &operation{name: name, start: now, deadline: now.Add(timeout), cancel: cancel, over: make(chan struct{})}
}

// end releases what waits for the operation. The handler calls it last.
func (o *operation) end() { close(o.over) }

func (o *operation) age() time.Duration { return time.Since(o.start).Round(time.Millisecond) }

func (o *operation) interrupted() bool {
	select {
	case <-o.cancel:
		return true
	default:
		return false
	}
}

// Deadline implements context.Context.
func (o *operation) Deadline() (time.Time, bool) { return o.deadline, true }

// Value implements context.Context.
func (o *operation) Value(any) any { return nil }

// Err implements context.Context.
func (o *operation) Err() error {
	if p := o.cause.Load(); p != nil {
		return *p
	}
	if o.interrupted() {
		return context.Canceled
	}
	if !time.Now().Before(o.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Done implements context.Context.
func (o *operation) Done() <-chan struct{} {
	o.once.Do(func() {
		o.done = make(chan struct{})
		go o.wait()
	})
	return o.done
}

func (o *operation) wait() {
	timer := time.NewTimer(time.Until(o.deadline))
	defer timer.Stop()
	cause := context.Canceled
	select {
	case <-o.cancel:
	case <-o.over:
	case <-timer.C:
		cause = context.DeadlineExceeded
	}
	o.cause.Store(&cause)
	close(o.done)
}
