package cache

import "sync"

// broadcast carries values to watchers: in order, from one goroutine that holds no lock.
type broadcast[T any] struct {
	most     int           // how many may wait; 0: any number
	collapse func([]T) []T // makes few of them where more do
	mu       sync.Mutex
	queue    []T
	watchers map[int]func([]T)
	next     int
	closed   bool
	wake     *sync.Cond
}

func newBroadcast[T any]() *broadcast[T] {
	b := &broadcast[T]{watchers: map[int]func([]T){}}
	b.wake = sync.NewCond(&b.mu)
	return b
}

// push queues values. It never blocks: who commits holds locks.
func (b *broadcast[T]) push(vs []T) {
	if len(vs) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.watchers) == 0 || b.closed {
		return
	}
	b.queue = append(b.queue, vs...)
	if b.most > 0 && len(b.queue) > b.most {
		b.queue = b.collapse(b.queue)
	}
	b.wake.Signal()
}

// watched tells whether anybody wants values.
func (b *broadcast[T]) watched() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.watchers) > 0
}

// watch has fn called with what was queued since it was called last. fn is not called any more when stop has returned,
// unless it was running.
func (b *broadcast[T]) watch(fn func([]T)) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.next
	b.next++
	b.watchers[id] = fn
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, id)
	}
}

func (b *broadcast[T]) run(running *sync.WaitGroup) {
	defer running.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for len(b.queue) == 0 && !b.closed {
			b.wake.Wait()
		}
		if b.closed {
			return
		}
		batch := b.queue
		b.queue = nil
		for id := 0; id < b.next; id++ {
			fn, ok := b.watchers[id]
			if !ok {
				continue
			}
			b.mu.Unlock()
			fn(batch)
			b.mu.Lock()
		}
	}
}

func (b *broadcast[T]) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.wake.Broadcast()
}
