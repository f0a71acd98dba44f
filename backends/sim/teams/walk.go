package teams

import (
	"iter"
	"time"

	"github.com/workfs/workfs/backends/sim/order"
	"github.com/workfs/workfs/backends/sim/outlook/query"
)

// bounds are the keys that a walk over times stays between: from is excluded, to as well; nil is open.
type bounds struct{ from, to *order.Key }

// within turns a span of times into bounds. All keys of a millisecond have texts that are not empty, so the key of
// (n, "") lies before all of them.
func within(span query.Span) (b bounds) {
	ceil := func(t time.Time) *order.Key {
		n := ms(t)
		if t.Nanosecond()%int(time.Millisecond) != 0 {
			n++ // stored times are whole milliseconds
		}
		return &order.Key{N: n}
	}
	if !span.From.IsZero() {
		b.from = ceil(span.From)
	}
	if !span.To.IsZero() {
		b.to = ceil(span.To)
	}
	return b
}

// down walks an index newest first from below the position at (nil: the end), within bounds.
func down(x *order.Index[*Message], at *order.Key, b bounds) iter.Seq2[order.Key, *Message] {
	if b.to != nil && (at == nil || b.to.Compare(*at) < 0) {
		at = b.to
	}
	return func(yield func(order.Key, *Message) bool) {
		for k, m := range x.Before(at) {
			if b.from != nil && k.Compare(*b.from) < 0 {
				return
			}
			if !yield(k, m) {
				return
			}
		}
	}
}

// take reads up to n messages from a walk. more is false when the walk has ended; last is the position reached.
func take(walk iter.Seq2[order.Key, *Message], n int) (got []*Message, last order.Key, more bool) {
	for k, m := range walk {
		if len(got) == n {
			return got, last, true
		}
		got, last = append(got, m), k
	}
	return got, last, false
}

// spot is a position in the merged order of several conversations.
type spot struct {
	Key   order.Key
	Index int // number of the conversation's index in the merge
}

// merge walks several indexes together: newest first, or oldest first when up is set. It starts beyond at, if that is not
// nil.
func merge(indexes []*order.Index[*Message], at *spot, b bounds, up bool) iter.Seq2[spot, *Message] {
	return func(yield func(spot, *Message) bool) {
		type head struct {
			key  order.Key
			msg  *Message
			next func() (order.Key, *Message, bool)
		}
		var heads []*head
		index := map[*head]int{}
		for i, x := range indexes {
			next, stop := iter.Pull2(from(x, i, at, b, up))
			defer stop()
			h := &head{next: next}
			var ok bool
			if h.key, h.msg, ok = next(); ok {
				heads = append(heads, h)
				index[h] = i
			}
		}
		for len(heads) > 0 {
			best := 0
			for i, h := range heads {
				if cmp := h.key.Compare(heads[best].key); cmp < 0 && up || cmp > 0 && !up {
					best = i
				}
			}
			h := heads[best]
			if !yield(spot{h.key, index[h]}, h.msg) {
				return
			}
			var ok bool
			if h.key, h.msg, ok = h.next(); !ok {
				heads = append(heads[:best], heads[best+1:]...)
			}
		}
	}
}

// from walks one index of a merge beyond a spot. Where keys are equal, indexes come in the order of their numbers.
func from(x *order.Index[*Message], i int, at *spot, b bounds, up bool) iter.Seq2[order.Key, *Message] {
	var start *order.Key
	if at != nil {
		k := at.Key
		if i > at.Index {
			// The equal key of a later index is still to come.
			if up {
				k = order.Key{N: k.N, S: before(k.S)}
			} else {
				k.S += "\x00"
			}
		}
		start = &k
	}
	if !up {
		return down(x, start, b)
	}
	begin := order.Key{}
	if b.from != nil {
		begin = *b.from
	}
	if start != nil && start.Compare(begin) > 0 {
		begin = *start
	}
	return x.After(begin)
}

// before gives a text that sorts before s and after every other id in use: ids are digits and slashes.
func before(s string) string {
	if s == "" {
		return ""
	}
	return s[:len(s)-1] + string(s[len(s)-1]-1) + "~"
}
