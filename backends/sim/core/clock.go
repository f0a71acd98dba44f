package core

import (
	"context"
	"sync"
	"time"
)

// Clock is the virtual clock: it runs with real time plus an offset. All limits, expiries and dates of the simulator use it.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
	jumped chan struct{} // closed by the next change of offset; made by the first who waits
}

// NewClock makes a clock that shows start now; a zero start is the real time.
func NewClock(start time.Time) *Clock {
	c := &Clock{}
	if !start.IsZero() {
		c.Set(start)
	}
	return c
}

// Now gives the virtual time in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Round strips the monotonic reading, which knows nothing of the offset.
	return time.Now().Add(c.offset).Round(0).UTC()
}

// Advance moves the clock forward by d (backward if negative).
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	c.wake()
}

// Set makes the clock show t now and run on from there.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = time.Until(t)
	c.wake()
}

// wake tells those who wait that the clock jumped. c.mu is held.
func (c *Clock) wake() {
	if c.jumped != nil {
		close(c.jumped)
		c.jumped = nil
	}
}

// Sleep waits until the clock shows the given time, be it by running or by a jump, and gives nil, also when that time is
// past already. It returns ctx's error when ctx ends first.
func (c *Clock) Sleep(ctx context.Context, until time.Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		left, jumped := c.left(until)
		if left <= 0 {
			return nil
		}
		t := time.NewTimer(left)
		select {
		case <-ctx.Done():
		case <-jumped:
		case <-t.C:
		}
		t.Stop()
	}
}

// left gives the time until the clock shows until, and a channel that is closed when that ceases to be true.
func (c *Clock) left(until time.Time) (time.Duration, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jumped == nil {
		c.jumped = make(chan struct{})
	}
	return until.Sub(time.Now().Add(c.offset).Round(0)), c.jumped
}
