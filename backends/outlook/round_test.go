package outlook

import (
	"testing"
	"time"
)

// TestRoundTime: a round over the largest folder that Exchange supports ends, although it takes its time between the pages and
// the service a second for each.
func TestRoundTime(t *testing.T) {
	l := defaultLimits
	for _, messages := range []int64{0, 500, 100_000, 1_000_000} {
		pages := messages/int64(l.deltaPage) + 1
		if needs, has := time.Duration(pages)*(l.pace+time.Second), l.round(messages); has < needs || has > needs+2*time.Hour {
			t.Errorf("a round over %d messages needs %v and may take %v", messages, needs, has)
		}
	}
}
