package rest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workfs/workfs/backends"
)

func TestLimiterInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(4, 0, 0)
		var mu sync.Mutex
		now, peak, total := 0, 0, 0
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				release, err := l.Acquire(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				now++
				total++
				peak = max(peak, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				release()
				release() // giving back twice must not make room
			})
		}
		wg.Wait()
		if peak != 4 || total != 30 {
			t.Errorf("peak %d, total %d", peak, total)
		}
	})
}

func TestLimiterRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(0, 3, time.Second)
		start := time.Now()
		var got []time.Duration
		for range 6 {
			release, err := l.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, time.Since(start))
			release()
		}
		want := []time.Duration{0, 0, 0, time.Second, 2 * time.Second, 3 * time.Second}
		if !slices.Equal(got, want) {
			t.Errorf("starts at %v, want %v", got, want)
		}
		time.Sleep(time.Minute)
		start, got = time.Now(), nil
		for range 4 {
			release, _ := l.Acquire(t.Context())
			got = append(got, time.Since(start))
			release()
		}
		if !slices.Equal(got, want[:4]) {
			t.Errorf("after a pause starts at %v, want %v", got, want[:4])
		}
	})
}

func TestLimiterPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 0, 0)
		first, _ := l.Acquire(t.Context())
		var order []string
		var wg sync.WaitGroup
		wait := func(name string, p backends.Priority) {
			wg.Go(func() {
				release, err := l.Acquire(backends.WithPriority(t.Context(), p))
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, name)
				release()
			})
			synctest.Wait()
		}
		wait("bulk 1", backends.Bulk)
		wait("bulk 2", backends.Bulk)
		wait("interactive", backends.Interactive)
		first()
		wg.Wait()
		if fmt.Sprint(order) != "[interactive bulk 1 bulk 2]" {
			t.Error(order)
		}
	})
}

func TestLimiterPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 0, 0)
		held, _ := l.Acquire(t.Context())
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		waiting := make(chan error)
		go func() { _, err := l.Acquire(short); waiting <- err }()
		synctest.Wait()
		start := time.Now()
		l.Pause(10 * time.Second)
		l.Pause(time.Second) // a shorter pause does not end a longer one
		if err := <-waiting; !errors.Is(err, backends.ErrThrottled) || time.Since(start) != 0 {
			t.Errorf("a waiter with a near deadline got %v after %v", err, time.Since(start))
		}
		if _, err := l.Acquire(short); !errors.Is(err, backends.ErrThrottled) {
			t.Errorf("a new one got %v", err)
		}
		held()
		release, err := l.Acquire(t.Context())
		if err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		release()
	})
}

func TestLimiterInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 0, 0)
		held, _ := l.Acquire(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := l.Acquire(ctx); done <- err }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		held()
		release, err := l.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release()
	})
}

func TestLimiterPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewPacedLimiter(0, 100*time.Millisecond)
		starts := func(n int) time.Duration {
			start := time.Now()
			for range n {
				release, err := l.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				release()
			}
			return time.Since(start)
		}
		if d := starts(100); d != 0 {
			t.Errorf("unthrottled, 100 starts took %v", d)
		}
		l.Pause(time.Second)
		if d := starts(11); d != 2*time.Second {
			t.Errorf("throttled, 11 starts took %v", d)
		}
		time.Sleep(2 * paceLasts)
		if d := starts(100); d != 0 {
			t.Errorf("later, 100 starts took %v", d)
		}
	})
}

func TestShortPauseKeepsALongPace(t *testing.T) {
	l := NewPacedLimiter(0, time.Second)
	l.Pause(time.Hour)
	before := l.paced
	l.Pause(time.Second)
	if l.paced.Before(before) {
		t.Errorf("the pace ends %v earlier after a short pause", before.Sub(l.paced))
	}
}
