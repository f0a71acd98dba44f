package subscription

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/workfs/workfs/backends/sim/core"
)

// timetable runs functions when the virtual clock shows their time, one after the other in that order. They must be quick.
type timetable struct {
	clock *core.Clock

	mu        sync.Mutex
	tasks     tasks
	count     int
	interrupt context.CancelFunc // of the sleep until the first task
}

type task struct {
	due time.Time
	n   int // tasks of the same time run in the order in which they came
	run func()
}

// at adds a function.
func (t *timetable) at(due time.Time, run func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	heap.Push(&t.tasks, task{due, t.count, run})
	if t.interrupt != nil {
		t.interrupt()
	}
}

// serve runs what is due until ctx ends.
func (t *timetable) serve(ctx context.Context) {
	for ctx.Err() == nil {
		run, sleep, due := t.next(ctx)
		if run != nil {
			run()
			continue
		}
		_ = t.clock.Sleep(sleep, due)
		t.mu.Lock()
		t.interrupt()
		t.interrupt = nil
		t.mu.Unlock()
	}
}

// next gives a function that is due, or a context to sleep under until the first one is, which a new task ends.
func (t *timetable) next(ctx context.Context) (run func(), sleep context.Context, due time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	due = now.Add(24 * time.Hour)
	if len(t.tasks) > 0 {
		if due = t.tasks[0].due; !due.After(now) {
			return heap.Pop(&t.tasks).(task).run, nil, due
		}
	}
	sleep, t.interrupt = context.WithCancel(ctx)
	return nil, sleep, due
}

// tasks is a heap, the earliest first.
type tasks []task

func (t tasks) Len() int { return len(t) }
func (t tasks) Less(i, j int) bool {
	if c := t[i].due.Compare(t[j].due); c != 0 {
		return c < 0
	}
	return t[i].n < t[j].n
}
func (t tasks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tasks) Push(x any)   { *t = append(*t, x.(task)) }
func (t *tasks) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = task{}
	*t = old[:len(old)-1]
	return last
}
