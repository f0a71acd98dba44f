package cache

import (
	"slices"
	"strings"
	"sync"

	"github.com/workfs/workfs/backends"
)

// liveness is what a follower says of its collections.
type liveness struct {
	mu       sync.RWMutex
	names    map[string]backends.Liveness
	prefixes map[string]backends.Liveness
	lengths  []int       // of the prefixes, each once, the longest first
	count    map[int]int // how many prefixes have a length
}

func newLiveness() *liveness {
	return &liveness{names: map[string]backends.Liveness{}, prefixes: map[string]backends.Liveness{}, count: map[int]int{}}
}

// set says how collections are kept right: one, or those that begin with what precedes a final "*". It tells whether
// listings that were good for ever may not be any more.
func (l *liveness) set(collections string, v backends.Liveness) (worse bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, isPrefix := strings.CutSuffix(collections, "*")
	before, _ := l.find(name, isPrefix)
	said := l.names
	if isPrefix {
		said = l.prefixes
	}
	had := len(said)
	if v == (backends.Liveness{}) {
		delete(said, name)
	} else {
		said[name] = v
	}
	if isPrefix {
		l.measure(len(name), len(said)-had)
	}
	after, _ := l.find(name, isPrefix)
	return isLive(before) && (!isLive(after) || after.Since.After(before.Since))
}

// measure counts prefixes of a length.
func (l *liveness) measure(length, more int) {
	if more == 0 {
		return
	}
	l.count[length] += more
	at, had := slices.BinarySearchFunc(l.lengths, length, func(a, b int) int { return b - a })
	switch {
	case l.count[length] == 0:
		delete(l.count, length)
		l.lengths = slices.Delete(l.lengths, at, at+1)
	case !had:
		l.lengths = slices.Insert(l.lengths, at, length)
	}
}

// clear takes back all that was said.
func (l *liveness) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.names)
	clear(l.prefixes)
	clear(l.count)
	l.lengths = nil
}

// of tells how a collection is kept right; the zero value when nobody said.
func (l *liveness) of(collection string) backends.Liveness {
	said, _ := l.saidOf(collection)
	return said
}

// saidOf tells that with the name for which it was said, which may end in "*".
func (l *liveness) saidOf(collection string) (backends.Liveness, string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.find(collection, false)
}

// find gives what counts for a name, or for most of the names that begin with it, and for which it was said. The caller
// holds mu.
func (l *liveness) find(name string, onlyPrefixes bool) (backends.Liveness, string) {
	if !onlyPrefixes {
		if v, ok := l.names[name]; ok {
			return v, name
		}
	}
	for _, n := range l.lengths {
		if n > len(name) {
			continue
		}
		if v, ok := l.prefixes[name[:n]]; ok {
			return v, name[:n] + "*"
		}
	}
	return backends.Liveness{}, name
}

// isLive tells whether changes are told of at all.
func isLive(l backends.Liveness) bool { return l.By != "" && !l.Since.IsZero() }
