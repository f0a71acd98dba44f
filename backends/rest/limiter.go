package rest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// Limiter bounds the requests of one scope: a mailbox, a channel, an acting user. Waiters are served in order, interactive
// ones before bulk ones. A scope that was throttled waits as a whole.
type Limiter struct {
	inflight int
	burst    int
	every    time.Duration
	pace     time.Duration // every, after the scope was throttled

	mu    sync.Mutex
	paced time.Time // until when pace counts
	used  int
	full  time.Time // when the burst will be whole again (the "theoretical arrival time" of GCRA)
	until time.Time // throttled until then
	queue [2][]*waiter
	timer *time.Timer
}

type waiter struct {
	ready    chan error
	deadline time.Time // zero for none
}

// NewLimiter makes a Limiter of inflight requests at a time (0: any number), of which burst may start at once (at least
// 1) and one more every interval (0: any number).
func NewLimiter(inflight, burst int, every time.Duration) *Limiter {
	return &Limiter{inflight: inflight, burst: max(1, burst), every: every}
}

// paceLasts is how long a limiter that was throttled keeps its pace.
const paceLasts = 10 * time.Minute

// NewPacedLimiter makes a Limiter of inflight requests at a time that starts them as they come until the scope is
// throttled; from then on it starts one every pace, until it has not been throttled for 10 minutes.
func NewPacedLimiter(inflight int, pace time.Duration) *Limiter {
	l := NewLimiter(inflight, 1, 0)
	l.pace = pace
	return l
}

// interval is the time between two starts; mu is held.
func (l *Limiter) interval(now time.Time) time.Duration {
	if now.Before(l.paced) {
		return max(l.every, l.pace)
	}
	return l.every
}

// Acquire waits for a place, to be given back by release. It fails at once with ErrThrottled when the scope is throttled
// beyond the deadline of ctx.
func (l *Limiter) Acquire(ctx context.Context) (release func(), err error) {
	w := &waiter{ready: make(chan error, 1)}
	w.deadline, _ = ctx.Deadline()
	l.mu.Lock()
	if err := w.hopeless(l.until); err != nil {
		l.mu.Unlock()
		return nil, err
	}
	p := min(int(backends.PriorityOf(ctx)), len(l.queue)-1)
	l.queue[p] = append(l.queue[p], w)
	l.dispatch()
	l.mu.Unlock()

	select {
	case err := <-w.ready:
		if err != nil {
			return nil, err
		}
		return sync.OnceFunc(l.release), nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	i := slices.Index(l.queue[p], w)
	if i >= 0 {
		l.queue[p] = slices.Delete(l.queue[p], i, i+1)
	}
	l.mu.Unlock()
	if i < 0 && <-w.ready == nil {
		l.release()
	}
	return nil, ctx.Err()
}

// hopeless gives the error of a waiter that a pause outlasts.
func (w *waiter) hopeless(until time.Time) error {
	if w.deadline.IsZero() || !until.After(w.deadline) {
		return nil
	}
	return fmt.Errorf("%w: it asks to wait until %s", backends.ErrThrottled, until.UTC().Format(time.TimeOnly))
}

func (l *Limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used--
	l.dispatch()
}

// Pause makes the whole scope wait. Waiters whose deadline lies before its end fail now.
func (l *Limiter) Pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := time.Now().Add(d)
	if paced := until.Add(paceLasts); paced.After(l.paced) {
		l.paced = paced
	}
	if !until.After(l.until) {
		return
	}
	l.until = until
	for p := range l.queue {
		l.queue[p] = slices.DeleteFunc(l.queue[p], func(w *waiter) bool {
			err := w.hopeless(until)
			if err != nil {
				w.ready <- err
			}
			return err != nil
		})
	}
	l.dispatch()
}

// dispatch lets waiters go while there are places; mu is held.
func (l *Limiter) dispatch() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	for p := 0; p < len(l.queue); {
		if len(l.queue[p]) == 0 {
			p++
			continue
		}
		if l.inflight > 0 && l.used >= l.inflight {
			return
		}
		now := time.Now()
		at, every := l.until, l.interval(now)
		if every > 0 {
			if earliest := l.full.Add(-time.Duration(l.burst-1) * every); earliest.After(at) {
				at = earliest
			}
		}
		if now.Before(at) {
			l.timer = time.AfterFunc(at.Sub(now), func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.dispatch()
			})
			return
		}
		if l.full.Before(now) {
			l.full = now
		}
		l.full = l.full.Add(every)
		l.used++
		w := l.queue[p][0]
		l.queue[p] = l.queue[p][1:]
		w.ready <- nil
	}
}

// acquireAll takes places in several limiters, always in the order given, which callers keep the same for all requests.
func acquireAll(ctx context.Context, limiters []*Limiter) (release func(), err error) {
	releases := make([]func(), 0, len(limiters))
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	for _, l := range limiters {
		r, err := l.Acquire(ctx)
		if err != nil {
			release()
			return nil, err
		}
		releases = append(releases, r)
	}
	return release, nil
}

// Limiters makes Limiters by key as they are needed.
type Limiters struct {
	mu  sync.Mutex
	all map[string]*Limiter
}

// Get gives the Limiter of a key, made by make the first time.
func (ls *Limiters) Get(key string, make func() *Limiter) *Limiter {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l, ok := ls.all[key]
	if !ok {
		l = make()
		if ls.all == nil {
			ls.all = map[string]*Limiter{}
		}
		ls.all[key] = l
	}
	return l
}

// All gives a copy of the Limiters made so far, by key.
func (ls *Limiters) All() map[string]*Limiter {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return maps.Clone(ls.all)
}

// jitter spreads a wait over 50 % to 150 % of d.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + rand.Float64()))
}
