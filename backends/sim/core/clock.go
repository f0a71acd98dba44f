package core

import (
	"sync"
	"time"
)

// Clock is the virtual clock: it runs with real time plus an offset. All limits, expiries and dates of the simulator use it.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
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
}

// Set makes the clock show t now and run on from there.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = time.Until(t)
}
