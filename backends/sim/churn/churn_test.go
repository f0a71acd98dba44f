package churn

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/core"
)

func start(t *testing.T) *sim.Sim {
	t.Helper()
	s, err := sim.New(sim.Options{Now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// run makes n changes and gives them.
func run(t *testing.T, s *sim.Sim, o Options, n int) (changes []Change) {
	t.Helper()
	o.OnChange = func(c Change) { changes = append(changes, c) }
	o.MaxWait = 10 * time.Millisecond
	c, err := New(s.Ready(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context(), n); err != nil {
		t.Fatalf("after %d changes: %v", len(changes), err)
	}
	if len(changes) != n {
		t.Fatalf("told of %d changes of %d", len(changes), n)
	}
	return changes
}

func TestEveryOperation(t *testing.T) {
	s := start(t)
	for _, area := range Areas {
		c, err := New(s.Ready(), Options{Areas: []string{area}})
		if err != nil {
			t.Fatal(err)
		}
		done := map[string]int{}
		for _, change := range run(t, s, Options{Seed: 1, Areas: []string{area}}, 250) {
			if change.Area != area || change.Sent.IsZero() {
				t.Fatalf("%+v in %s", change, area)
			}
			done[change.Op]++
		}
		for _, op := range c.areas[0].ops {
			if done[op.name] == 0 {
				t.Errorf("%s: 250 changes and no %q: %v", area, op.name, done)
			}
		}
	}
}

func TestReproducible(t *testing.T) {
	lines := func(seed int64) (out []string) {
		for _, c := range run(t, start(t), Options{Seed: seed}, 150) {
			out = append(out, c.String())
		}
		return out
	}
	one, same, other := lines(5), lines(5), lines(6)
	for i := range one {
		if one[i] != same[i] {
			t.Fatalf("change %d is %q and %q", i+1, one[i], same[i])
		}
	}
	if slices.Equal(one, other) {
		t.Error("two seeds make the same changes")
	}
}

func TestUnderFaults(t *testing.T) {
	s := start(t)
	s.World().Faults.Set(core.FaultRule{Status: 429, Probability: 0.15}, core.FaultRule{Status: 503, Probability: 0.05})
	changes := run(t, s, Options{Seed: 2}, 150)
	areas := map[string]int{}
	for _, c := range changes {
		areas[c.Area]++
	}
	if len(areas) != len(Areas) {
		t.Errorf("areas changed: %v", areas)
	}
	// A token that expired is no reason to stop.
	s.World().Faults.Set()
	s.World().Clock.Advance(30 * 24 * time.Hour)
	run(t, s, Options{Seed: 3}, 20)
}

func TestTwoAtOnce(t *testing.T) {
	s := start(t)
	failed := make(chan error, 2)
	for i := range 2 {
		go func() {
			c, err := New(s.Ready(), Options{Seed: int64(i), MaxWait: 10 * time.Millisecond})
			if err == nil {
				err = c.Run(context.Background(), 150)
			}
			failed <- err
		}()
	}
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

func TestUnknownArea(t *testing.T) {
	if _, err := New(start(t).Ready(), Options{Areas: []string{"mail", "weather"}}); err == nil || fmt.Sprint(err) != `churn: no area "weather"` {
		t.Errorf("got %v", err)
	}
}
