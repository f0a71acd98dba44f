package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// lookAgain is how long after a collection was looked at another look is noted.
	lookAgain = 5 * time.Second
	// maxLooks bounds what is noted. What does not fit is noted at a later look.
	maxLooks = 100_000
)

// looks gathers the collections of a service that somebody looks at. Every look passes here, so that noting one again
// costs a lock and a lookup.
type looks struct {
	on    atomic.Bool   // somebody wants to know
	ready chan struct{} // has one element when there is something to take

	mu      sync.Mutex
	pending map[uint64]bool
	// recent has what was looked at since turned, older what was in the time before that.
	recent, older map[uint64]time.Time
	turned        time.Time
}

func newLooks() *looks {
	return &looks{ready: make(chan struct{}, 1), pending: map[uint64]bool{}, recent: map[uint64]time.Time{}}
}

// note says that somebody has looked at a collection.
func (l *looks) note(collection uint64, now time.Time) {
	if collection == 0 || !l.on.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !within(now, l.turned, lookAgain) {
		l.older, l.recent, l.turned = l.recent, make(map[uint64]time.Time, len(l.recent)), now
	}
	if _, ok := l.recent[collection]; ok || l.pending[collection] {
		return
	}
	if at, ok := l.older[collection]; ok && within(now, at, lookAgain) {
		return
	}
	if len(l.recent) >= maxLooks || len(l.pending) >= maxLooks {
		return
	}
	l.recent[collection] = now
	l.pending[collection] = true
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// within tells whether now is less than d after a time, by a clock that may have been turned back.
func within(now, at time.Time, d time.Duration) bool {
	since := now.Sub(at)
	return since >= 0 && since < d
}

// take gives what was noted since the last time, waiting for something.
func (l *looks) take(ctx context.Context) ([]uint64, error) {
	select {
	case <-l.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	numbers := make([]uint64, 0, len(l.pending))
	for n := range l.pending {
		numbers = append(numbers, n)
	}
	l.pending = map[uint64]bool{}
	return numbers, nil
}

// collectionNames gives the names of collections. Those that nobody can read are left out.
func (c *Cache) collectionNames(numbers []uint64) []string {
	names := make([]string, 0, len(numbers))
	err := c.meta.View(func(tx *bbolt.Tx) error {
		for _, n := range numbers {
			if name := c.collectionName(tx, n); name != "" {
				names = append(names, name)
			}
		}
		return nil
	})
	if err != nil {
		c.log.Error("collections that were looked at can't be named", "error", err)
	}
	return names
}

// collectionName gives the name of a collection; "" for none.
func (c *Cache) collectionName(tx *bbolt.Tx, number uint64) string {
	if number == 0 {
		return ""
	}
	rec, err := decodeColl(tx.Bucket(bucketColls).Get(key64(number)))
	if err != nil {
		c.log.Error("a collection can't be named", "collection", number, "error", err)
	}
	return rec.name
}
