package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

var clockStart = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// asleep starts a Sleep and gives the channel of its result.
func asleep(ctx context.Context, c *core.Clock, until time.Time) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Sleep(ctx, until) }()
	return done
}

func TestSleepEndsByJumpOfTheClock(t *testing.T) {
	for name, jump := range map[string]func(*core.Clock){
		"advance": func(c *core.Clock) { c.Advance(time.Hour); c.Advance(4 * time.Hour) },
		"set":     func(c *core.Clock) { c.Set(clockStart.Add(5 * time.Hour)) },
	} {
		c := core.NewClock(clockStart)
		done := asleep(t.Context(), c, clockStart.Add(4*time.Hour))
		select {
		case err := <-done:
			t.Fatalf("%s: woke before the jump: %v", name, err)
		case <-time.After(20 * time.Millisecond):
		}
		jump(c)
		if err := <-done; err != nil {
			t.Errorf("%s: Sleep gave %v", name, err)
		}
	}
}

func TestSleepEndsByTheRunningClockAndForThePast(t *testing.T) {
	c := core.NewClock(clockStart)
	until := c.Now().Add(30 * time.Millisecond)
	if err := c.Sleep(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	if now := c.Now(); now.Before(until) {
		t.Errorf("woke at %v, before %v", now, until)
	}
	if err := c.Sleep(t.Context(), clockStart.Add(-time.Hour)); err != nil {
		t.Error(err)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	c := core.NewClock(clockStart)
	ctx, cancel := context.WithCancel(t.Context())
	done := asleep(ctx, c, clockStart.Add(time.Hour))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep gave %v, want the context's error", err)
	}
	if err := c.Sleep(ctx, clockStart); !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep with an ended context gave %v", err)
	}
}
