package order

import (
	"slices"
	"testing"
)

func collect(x *Index[string], after Key) (vals []string) {
	for _, v := range x.After(after) {
		vals = append(vals, v)
	}
	return vals
}

func TestIndexKeepsOrder(t *testing.T) {
	var x Index[string]
	x.Put(Key{N: 3}, "c")
	x.Put(Key{N: 1, S: "b"}, "b")
	x.Put(Key{N: 1, S: "a"}, "a")
	x.Put(Key{N: 3}, "C")
	if got := collect(&x, Key{}); !slices.Equal(got, []string{"a", "b", "C"}) {
		t.Fatalf("all: %q", got)
	}
	if got := collect(&x, Key{N: 1, S: "a"}); !slices.Equal(got, []string{"b", "C"}) {
		t.Fatalf("after a: %q", got)
	}
	var down []string
	for _, v := range x.Before(&Key{N: 3}) {
		down = append(down, v)
	}
	if !slices.Equal(down, []string{"b", "a"}) {
		t.Fatalf("before 3: %q", down)
	}
	x.Delete(Key{N: 1, S: "b"})
	x.Delete(Key{N: 9})
	if _, found := x.Get(Key{N: 1, S: "b"}); found || x.Len() != 2 {
		t.Fatalf("deleted entry still there, %d entries", x.Len())
	}
	if x.Last() != (Key{N: 3}) {
		t.Fatalf("last: %v", x.Last())
	}
}
