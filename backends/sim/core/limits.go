package core

import (
	"sync"
	"time"
)

// Limits counts units per key in fixed windows of virtual time. It never blocks: a caller that is over the limit is told
// when the window ends.
type Limits struct {
	clock *Clock
	mu    sync.Mutex
	m     map[string]*window
}

type window struct {
	end  time.Time
	used int
}

func newLimits(c *Clock) *Limits { return &Limits{clock: c, m: map[string]*window{}} }

// Take uses cost units of key, of which there are limit in each window of length per. It reports how many are left, and
// the time until the window ends. When ok is false nothing was taken.
func (l *Limits) Take(key string, limit int, per time.Duration, cost int) (ok bool, left int, reset time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	w := l.m[key]
	// A clock that was set back far must not leave a window that ends in a distant future.
	if w == nil || !now.Before(w.end) || w.end.Sub(now) > 2*per {
		if len(l.m) > 100000 {
			clear(l.m)
		}
		w = &window{end: now.Add(per)}
		l.m[key] = w
	}
	reset = min(per, w.end.Sub(now))
	if w.used+cost > limit {
		return false, max(0, limit-w.used), reset
	}
	w.used += cost
	return true, limit - w.used, reset
}

// Reset forgets all windows.
func (l *Limits) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.m)
}
