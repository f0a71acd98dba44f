package main

import (
	"context"
	"encoding/json"
	"io"
	iofs "io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/backends/sim/churn"
)

// soakLine is what BenchmarkSoak prints once a second.
type soakLine struct {
	Seconds int    `json:"seconds"`
	Looks   uint64 `json:"looks"` // stats, listings and reads on the mount
	Changes uint64 `json:"changes"`
	*memoryStatus
}

// BenchmarkSoak presses long use into a short time: changes of all services without a pause, eight readers all over the mount,
// a cache so small that contents come and go, and a kernel that forgets what it knows every half a minute. It prints a
// line of JSON a second, and fails where memory, goroutines or open files rise over the second half. -benchtime 600x is ten
// minutes.
func BenchmarkSoak(b *testing.B) {
	e := newEnv(b, sim.Options{Scale: 2000})
	m := e.mount(append(liveFlags(b), "--formats", "md,json", "--cache-max-size", "64Mi", "--cache-min-free", "0",
		"--max-age", "10s", "--teams-refresh", "10s", "--poll-interval", "5s")...)
	c, err := churn.New(e.sim.Ready(), churn.Options{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	var looks, changes atomic.Uint64
	work.Go(func() {
		for ctx.Err() == nil {
			if _, err := c.Step(ctx); err != nil && ctx.Err() == nil {
				b.Error(err)
				return
			}
			changes.Add(1)
		}
	})
	for seed := range uint64(8) {
		work.Go(func() { wander(ctx, m.point, rand.New(rand.NewPCG(seed, 0)), &looks) })
	}
	var lines []soakLine
	out := json.NewEncoder(os.Stdout)
	start := time.Now()
	for n := range b.N {
		time.Sleep(time.Until(start.Add(time.Duration(n+1) * time.Second)))
		if n%30 == 29 {
			_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0) // for root only
		}
		line := soakLine{n + 1, looks.Load(), changes.Load(), m.status().Memory}
		lines = append(lines, line)
		if err := out.Encode(line); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(looks.Load())/float64(b.N), "looks/s")
	b.ReportMetric(float64(changes.Load())/float64(b.N), "changes/s")
	half := lines[len(lines)/2:]
	for _, f := range []struct {
		name  string
		of    func(soakLine) float64
		slack float64 // rise that may be chance
	}{
		{"anonymous-MB", func(l soakLine) float64 { return float64(l.Anonymous) / 1e6 }, 8},
		{"files-MB", func(l soakLine) float64 { return float64(l.Resident-l.Anonymous) / 1e6 }, 16},
		{"goroutines", func(l soakLine) float64 { return float64(l.Goroutines) }, 30},
		{"open-files", func(l soakLine) float64 { return float64(l.Files) }, 300}, // they come and go by hundreds, idle connections probably
	} {
		level, rise := trend(half, f.of)
		b.ReportMetric(level, f.name)
		b.ReportMetric(rise, f.name+"-rise")
		if b.N >= 60 && rise > f.slack+level/10 {
			b.Errorf("%s rise by %.1f, from about %.1f, over the second half", f.name, rise, level)
		}
	}
}

// trend gives the mean of values and how much the straight line through them rises from the first to the last.
func trend(lines []soakLine, of func(soakLine) float64) (mean, rise float64) {
	n := float64(len(lines))
	var sum, weighted, squares float64
	for i := range lines {
		x := float64(i) - (n-1)/2
		sum += of(lines[i])
		weighted += x * of(lines[i])
		squares += x * x
	}
	if squares > 0 {
		rise = weighted / squares * (n - 1)
	}
	return sum / n, rise
}

// wander walks down from the top by chance, again and again, and reads where it ends.
func wander(ctx context.Context, top string, r *rand.Rand, looks *atomic.Uint64) {
	for ctx.Err() == nil {
		for dir := top; ctx.Err() == nil; {
			list, err := os.ReadDir(dir)
			looks.Add(1)
			if err != nil || len(list) == 0 {
				break // it has gone meanwhile
			}
			for range 20 {
				_, _ = os.Lstat(filepath.Join(dir, list[r.IntN(len(list))].Name()))
				looks.Add(1)
			}
			pick := list[r.IntN(len(list))]
			path := filepath.Join(dir, pick.Name())
			if pick.IsDir() {
				dir = path
				continue
			}
			for i := 0; i < 5 && ctx.Err() == nil; i++ {
				readOne(filepath.Join(dir, list[r.IntN(len(list))].Name()))
				looks.Add(1)
			}
			break
		}
	}
}

func readOne(path string) {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode()&iofs.ModeDir == 0 {
		_, _ = io.Copy(io.Discard, f) // a version may end while it is read
	}
}
