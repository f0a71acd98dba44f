package box

// recent remembers the last values that were put into it. It is not safe for concurrent use.
type recent[V any] struct {
	values map[string]V
	keys   []string // in the order in which they came, as a ring
	next   int      // the oldest, once the ring is full
	max    int
}

func newRecent[V any](max int) *recent[V] {
	return &recent[V]{values: map[string]V{}, max: max}
}

// put remembers a value, perhaps instead of the oldest, and tells whether that was forgotten.
func (r *recent[V]) put(key string, v V) (forgot bool) {
	if _, ok := r.values[key]; ok {
		r.values[key] = v
		return false
	}
	r.values[key] = v
	if len(r.keys) < r.max {
		r.keys = append(r.keys, key)
		return false
	}
	delete(r.values, r.keys[r.next])
	r.keys[r.next] = key
	r.next = (r.next + 1) % r.max
	return true
}

func (r *recent[V]) get(key string) (v V, ok bool) {
	v, ok = r.values[key]
	return v, ok
}

// clear forgets everything.
func (r *recent[V]) clear() {
	clear(r.values)
	r.keys, r.next = nil, 0
}
