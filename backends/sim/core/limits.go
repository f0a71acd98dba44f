package core

import (
	"sync"
	"time"
)

// Quota is one limit: so many units in a time, for one key.
type Quota struct {
	// Name says which limit it is, with the service that sets it first, as in "teams GET /chats per user". Use is told by it.
	Name string
	// Key tells apart who or what the limit counts for, within the name.
	Key   string
	Limit int
	Per   time.Duration
	// Bucket makes it a token bucket: it holds Limit units and gets as many back in Per, once a second, since Retry-After
	// counts in seconds. Otherwise it is a window of length Per that begins with the first unit.
	Bucket bool
	// Reserve are units that this request has to leave to more urgent ones.
	Reserve int
}

// Limits counts units per quota in virtual time. It never blocks: a caller that is over the limit is told how long to wait.
type Limits struct {
	clock *Clock
	mu    sync.Mutex
	m     map[quotaKey]*window
	use   map[string]*Use
}

type quotaKey struct{ name, key string }

// window is what is known of one key of a quota.
type window struct {
	end   time.Time // of a window; of a bucket, when it got units last
	used  float64
	total int // since the start or the last Reset
}

// Use is what was taken of the quotas of one name. How long an ideal client needs follows from Busiest: the units that the
// limit lets through at once, and Limit more in each Seconds.
type Use struct {
	Limit   int     `json:"limit"`
	Seconds float64 `json:"seconds"`
	Bucket  bool    `json:"bucket,omitempty"`
	Used    int     `json:"used"`    // units, over all keys
	Busiest int     `json:"busiest"` // units of the key that used most
	Refused int     `json:"refused"` // requests
}

func newLimits(c *Clock) *Limits {
	return &Limits{clock: c, m: map[quotaKey]*window{}, use: map[string]*Use{}}
}

// Take uses cost units of a quota. It reports how many are left, and the time until there are enough for this cost again (a
// bucket) or until all are back (a window). When ok is false nothing was taken.
func (l *Limits) Take(q Quota, cost int) (ok bool, left int, reset time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	k := quotaKey{q.Name, q.Key}
	w := l.m[k]
	if w == nil {
		if len(l.m) > 100000 {
			clear(l.m)
		}
		w = &window{}
		l.m[k] = w
	}
	use := l.use[q.Name]
	if use == nil {
		use = &Use{}
		l.use[q.Name] = use
	}
	use.Limit, use.Seconds, use.Bucket = q.Limit, q.Per.Seconds(), q.Bucket
	if q.Bucket {
		w.refill(q, now)
	} else {
		w.renew(q, now)
	}
	ok = w.used+float64(cost) <= float64(q.Limit-q.Reserve)
	if ok {
		w.used += float64(cost)
		w.total += cost
		use.Used += cost
		use.Busiest = max(use.Busiest, w.total)
	} else {
		use.Refused++
	}
	left = max(0, int(float64(q.Limit)-w.used))
	if q.Bucket {
		return ok, left, w.untilFree(q, cost, now)
	}
	return ok, left, min(q.Per, w.end.Sub(now))
}

// renew begins a new window where the old one has ended.
func (w *window) renew(q Quota, now time.Time) {
	// A clock that was set back far must not leave a window that ends in a distant future.
	if !now.Before(w.end) || w.end.Sub(now) > 2*q.Per {
		w.end, w.used = now.Add(q.Per), 0
	}
}

// refill gives a bucket what it got since the last time.
func (w *window) refill(q Quota, now time.Time) {
	since := now.Sub(w.end)
	if w.used == 0 || since < -2*q.Per {
		w.end, w.used = now, min(w.used, float64(q.Limit))
		return
	}
	if n := since / time.Second; n > 0 {
		w.end = w.end.Add(n * time.Second)
		w.used = max(0, w.used-float64(n)*q.rate())
	}
}

// untilFree gives the time until a bucket has room for cost, 0 if it has.
func (w *window) untilFree(q Quota, cost int, now time.Time) time.Duration {
	over := w.used + float64(cost) - float64(q.Limit-q.Reserve)
	if over <= 0 {
		return 0
	}
	ticks := time.Duration(over / q.rate())
	if float64(ticks)*q.rate() < over {
		ticks++
	}
	return max(0, w.end.Add(ticks*time.Second).Sub(now))
}

// rate is what a bucket gets back in a second.
func (q Quota) rate() float64 { return float64(q.Limit) / q.Per.Seconds() }

// Usage tells what was taken since the start or the last Reset, by the names of the quotas.
func (l *Limits) Usage() map[string]Use {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]Use, len(l.use))
	for name, u := range l.use {
		out[name] = *u
	}
	return out
}

// Reset forgets all that was taken.
func (l *Limits) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.m)
	clear(l.use)
}
