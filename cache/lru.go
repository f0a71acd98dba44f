package cache

import (
	"container/list"
	"sync"
)

// byteLRU keeps values up to a number of bytes; what was used least recently goes first.
type byteLRU[K comparable] struct {
	mu    sync.Mutex
	max   int
	used  int
	items map[K]*list.Element
	order *list.List // front: used last
}

type lruItem[K comparable] struct {
	key   K
	value []byte
}

func newByteLRU[K comparable](maxBytes int) *byteLRU[K] {
	return &byteLRU[K]{max: maxBytes, items: map[K]*list.Element{}, order: list.New()}
}

// get returns the value, which must not be changed.
func (l *byteLRU[K]) get(key K) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.items[key]
	if !ok {
		return nil, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*lruItem[K]).value, true
}

// lruOverhead is what an item costs beside its value, about.
const lruOverhead = 128

// add keeps value unless it alone would take more than a quarter of the room.
func (l *byteLRU[K]) add(key K, value []byte) {
	if len(value) > l.max/4 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.items[key]; ok {
		l.order.MoveToFront(e)
		return
	}
	l.items[key] = l.order.PushFront(&lruItem[K]{key, value})
	l.used += len(value) + lruOverhead
	for l.used > l.max {
		e := l.order.Back()
		it := e.Value.(*lruItem[K])
		l.order.Remove(e)
		delete(l.items, it.key)
		l.used -= len(it.value) + lruOverhead
	}
}

func (l *byteLRU[K]) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = map[K]*list.Element{}
	l.order.Init()
	l.used = 0
}
