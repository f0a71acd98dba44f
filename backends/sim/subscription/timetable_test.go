package subscription

import (
	"context"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

func TestTimetable(t *testing.T) {
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	table := &timetable{clock: core.NewClock(start)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		table.serve(ctx)
	}()
	ran := make(chan string, 10)
	add := func(name string, after time.Duration) { table.at(start.Add(after), func() { ran <- name }) }
	add("hour", time.Hour)
	add("now", 0)
	if got := <-ran; got != "now" {
		t.Errorf("first %q", got)
	}
	add("half", 30*time.Minute)
	add("hour too", time.Hour)
	add("day", 24*time.Hour)
	table.clock.Advance(2 * time.Hour)
	for _, want := range []string{"half", "hour", "hour too"} {
		if got := <-ran; got != want {
			t.Errorf("ran %q, want %q", got, want)
		}
	}
	cancel()
	<-done
	if len(ran) != 0 {
		t.Errorf("ran %q before its time", <-ran)
	}
}
