package cache

import (
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
)

// maxLatest bounds the collections whose last change is remembered.
const maxLatest = 100_000

// latest remembers how the last change of each collection was learnt.
type latest struct {
	mu     sync.Mutex
	byColl map[uint64]LastChange
}

func newLatest() *latest { return &latest{byColl: map[uint64]LastChange{}} }

// changed notes a change that was committed.
func (l *latest) changed(collection uint64, at time.Time, o backends.Origin) {
	c := LastChange{At: at, By: o.By, Subscription: o.Subscription}
	if !o.At.IsZero() {
		c.Lag = max(at.Sub(o.At), 0)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.byColl[collection]; !ok && len(l.byColl) >= maxLatest {
		for other := range l.byColl {
			delete(l.byColl, other)
			break
		}
	}
	l.byColl[collection] = c
}

// of gives the last change of a collection; nil when there was none.
func (l *latest) of(collection uint64) *LastChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.byColl[collection]
	if !ok {
		return nil
	}
	return &c
}
