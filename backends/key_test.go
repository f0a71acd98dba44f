package backends

import (
	"slices"
	"testing"
)

func TestKeys(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{""}, {"", ""}, {"a"}, {"a", "b"}, {"a|b"}, {"a%7Cb"}, {"a%257Cb"}, {"%"}, {"a", ""}, {"", "a"}, {"19:x@thread.v2", "2026-11"},
	} {
		key := JoinKey(parts...)
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q both make %q", parts, other, key)
		}
		seen[key] = parts
		if got := SplitKey(key); !slices.Equal(got, parts) {
			t.Errorf("%q becomes %q", parts, got)
		}
	}
}
