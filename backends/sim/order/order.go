// Package order keeps values sorted by a key, so that the simulated services can page through large
// collections with a cost that depends on the page alone.
package order

import (
	"cmp"
	"iter"
	"slices"
)

// Key is a position in an Index: first by number, then by text. The zero Key lies before every other one
// whose number is not negative.
type Key struct {
	N int64
	S string
}

// Compare orders keys as Index does.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.N, o.N), cmp.Compare(k.S, o.S))
}

type entry[T any] struct {
	key Key
	val T
}

// Index is a set of values in ascending order of their keys. It does no locking. Adding at the end is
// O(1), elsewhere a memory move; finding a position is O(log n).
type Index[T any] struct {
	entries []entry[T]
}

// Len gives the number of values.
func (x *Index[T]) Len() int { return len(x.entries) }

// find gives the position of the first entry at or after k, and whether it is k itself.
func (x *Index[T]) find(k Key) (int, bool) {
	return slices.BinarySearchFunc(x.entries, k, func(e entry[T], k Key) int { return e.key.Compare(k) })
}

// Put adds a value, or replaces the one with the same key.
func (x *Index[T]) Put(k Key, v T) {
	if n := len(x.entries); n == 0 || x.entries[n-1].key.Compare(k) < 0 {
		x.entries = append(x.entries, entry[T]{k, v})
		return
	}
	i, found := x.find(k)
	if found {
		x.entries[i].val = v
		return
	}
	x.entries = slices.Insert(x.entries, i, entry[T]{k, v})
}

// Delete removes the value with that key, if there is one.
func (x *Index[T]) Delete(k Key) {
	if i, found := x.find(k); found {
		x.entries = slices.Delete(x.entries, i, i+1)
	}
}

// Get gives the value with that key.
func (x *Index[T]) Get(k Key) (v T, found bool) {
	if i, ok := x.find(k); ok {
		return x.entries[i].val, true
	}
	return v, false
}

// Last gives the greatest key, the zero Key when the index is empty.
func (x *Index[T]) Last() Key {
	if len(x.entries) == 0 {
		return Key{}
	}
	return x.entries[len(x.entries)-1].key
}

// After gives the entries whose keys are greater than k, in ascending order.
func (x *Index[T]) After(k Key) iter.Seq2[Key, T] {
	return func(yield func(Key, T) bool) {
		i, found := x.find(k)
		if found {
			i++
		}
		for ; i < len(x.entries); i++ {
			if !yield(x.entries[i].key, x.entries[i].val) {
				return
			}
		}
	}
}

// Before gives the entries whose keys are less than k, in descending order; a nil k means from the end.
func (x *Index[T]) Before(k *Key) iter.Seq2[Key, T] {
	return func(yield func(Key, T) bool) {
		i := len(x.entries)
		if k != nil {
			i, _ = x.find(*k)
		}
		for i--; i >= 0; i-- {
			if !yield(x.entries[i].key, x.entries[i].val) {
				return
			}
		}
	}
}
