package cache

import (
	"bytes"
	"strings"
	"testing"
)

// TestBodyForms stores bodies of all sizes and gets them back, and takes no damaged one for a body.
func TestBodyForms(t *testing.T) {
	b := newBench(t).c.bodies
	text := []byte(strings.Repeat("Many words of a long message, ", 1000))
	noise := []byte{7, 1, 200, 9}
	for body, kind := range map[string]byte{
		"": bodyRaw, string(noise): bodyRaw, string(text[:200]): bodyS2, string(text[:smallBody]): bodyS2, string(text[:smallBody+1]): bodyZstd,
		string(text): bodyZstd,
	} {
		stored := b.encode(nil, 5, []byte(body))
		if stored[bodyHead-1] != kind || number(stored) != 5 {
			t.Errorf("%d bytes have the head %v, not the kind %d", len(body), stored[:bodyHead], kind)
		}
		got, err := b.decode(stored)
		if err != nil || got == nil || string(got) != body {
			t.Errorf("%d bytes come back as %d: %v", len(body), len(got), err)
		}
		for at := bodyHead + 1; kind != bodyRaw && at < len(stored); at++ {
			damaged := bytes.Clone(stored)
			damaged[at] ^= 4
			if got, err := b.decode(damaged); err == nil && string(got) != body {
				t.Errorf("%d bytes damaged at %d are taken for a body", len(body), at)
			}
			if got, err := b.decode(stored[:at]); err == nil && string(got) != body {
				t.Errorf("the first %d of %d bytes are taken for a body", at, len(stored))
			}
		}
	}
}
