package outlook

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/graph"
)

// round is an unfiltered delta round under way. It belongs to nobody and serves all who walk through the folder.
type round struct {
	started time.Time
	total   int64        // messages to expect
	read    atomic.Int64 // messages so far
	done    chan struct{}
	err     error

	wanted sync.Once
	hurry  chan struct{} // closed once somebody waits; until then the round takes its time
	since  time.Time     // when that was; readable once hurry is closed
}

func newRound(total int64) *round {
	return &round{started: time.Now(), total: total, done: make(chan struct{}), hurry: make(chan struct{})}
}

// want says that somebody waits for the round, and tells since when somebody does.
func (r *round) want() time.Time {
	r.wanted.Do(func() {
		r.since = time.Now()
		close(r.hurry)
	})
	return r.since
}

// rest lets time pass between two pages that nobody waits for.
func (r *round) rest(ctx context.Context, pace time.Duration) error {
	select {
	case <-r.hurry:
		return nil
	default:
	}
	pause := time.NewTimer(pace)
	defer pause.Stop()
	select {
	case <-r.hurry:
	case <-pause.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// remaining guesses how long the round will take from now on.
func (r *round) remaining() time.Duration {
	read := r.read.Load()
	if read == 0 || r.total == 0 {
		return time.Hour
	}
	return time.Duration(float64(time.Since(r.started)) * max(0, float64(r.total-read)) / float64(read))
}

// round is the longest that a round over so many messages may take: one that is given up has read all of it for nothing.
func (l *limits) round(total int64) time.Duration {
	return l.roundMax + time.Duration(total)*l.roundEach
}

// rounding tells whether a round is under way.
func (s *service) rounding(f *folder) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.round != nil
}

// awaitRound starts the folder's unfiltered round, unless one is under way, and waits for it. It gives false when the round
// takes too long, or failed in a way that a listing may not.
func (s *service) awaitRound(ctx context.Context, f *folder, sink backends.Sink) (bool, error) {
	f.mu.Lock()
	r := f.round
	if r == nil {
		if time.Since(f.failed) < s.limits.retry {
			f.mu.Unlock()
			return false, nil
		}
		r = s.startRound(ctx, f, sink)
	}
	f.mu.Unlock()
	patience := time.NewTimer(time.Until(r.want().Add(s.limits.roundWait)))
	defer patience.Stop()
	for {
		select {
		case <-r.done:
			if errors.Is(r.err, backends.ErrNotFound) || errors.Is(r.err, backends.ErrForbidden) || errors.Is(r.err, backends.ErrNoSpace) {
				return false, r.err
			}
			return r.err == nil, nil
		case <-patience.C:
			// A listing of its own is for a caller who would not see the round's end in time.
			deadline, ok := ctx.Deadline()
			if !ok || r.remaining() > time.Until(deadline)-s.limits.listTime {
				return false, nil
			}
			patience.Reset(time.Second)
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// startRound begins the folder's round. Needs the folder's mutex.
func (s *service) startRound(ctx context.Context, f *folder, sink backends.Sink) *round {
	total, _ := s.tree(f.mailbox).total(f.id, time.Time{})
	f.round = newRound(total)
	// A walk waits for it, and yet it must not stand in the way of somebody who reads one file.
	go s.runRound(backends.WithPriority(context.WithoutCancel(ctx), backends.Bulk), f, f.round, sink)
	return f.round
}

func (s *service) runRound(ctx context.Context, f *folder, r *round, sink backends.Sink) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.round(r.total))
	defer cancel()
	for range maxTries {
		r.read.Store(0)
		if r.err = s.readWhole(ctx, f, r, sink); !graph.IsResync(r.err) {
			break
		}
	}
	r.err = graph.Spent(r.err)
	if r.err != nil {
		s.log.Warn("reading a whole folder failed", "folder", f.id, "error", r.err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.round = nil
	if r.err != nil {
		f.failed = time.Now()
	}
	close(r.done)
}

// readWhole reads the folder by an unfiltered delta round, bodies included, and makes all of it whole and covered.
func (s *service) readWhole(ctx context.Context, f *folder, r *round, sink backends.Sink) error {
	f.mu.Lock()
	turns := f.turns
	f.mu.Unlock()
	w := newWriter(f, sink)
	defer w.Discard()
	d := newDelta()
	d.round = r
	link, err := s.read(ctx, s.path(f)+"/delta", s.messageQuery(f.mailbox), w, d)
	if err != nil {
		return err
	}
	if err := f.ops.acquire(ctx); err != nil {
		return err
	}
	defer f.ops.release()
	f.mu.Lock()
	overtaken := f.turns != turns
	f.mu.Unlock()
	if overtaken {
		// Pages of the round may be older than what others committed meanwhile, or than a change whose notification came.
		if link, err = s.read(ctx, link, graph.Query{}, w, d); err != nil {
			return err
		}
	}
	st := s.snapshot(f, sink)
	before, _ := st.months()
	st.Extent, st.Link = everything, link
	filled := d.filled()
	c, err := s.replaceMonths(&st, shown(filled), filled[0], w)
	if err != nil {
		return err
	}
	c.Whole = s.wholeMonths(f, &st, before, sink)
	c.Fresh = true
	return w.commit(c, st)
}

// idle sees to it that a folder of which months were looked at becomes complete when nobody has asked for anything for some
// minutes. Nothing else runs in the background.
func (s *service) idle(f *folder, sink backends.Sink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Extent == everything && f.state.Link != "" || s.limits.idle == 0 {
		return
	}
	if f.timer == nil {
		f.timer = time.AfterFunc(s.limits.idle, func() { s.idleRound(f, sink) })
		return
	}
	f.timer.Reset(s.limits.idle)
}

func (s *service) idleRound(f *folder, sink backends.Sink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	quiet := time.Since(time.Unix(0, s.asked.Load()))
	switch {
	case f.round != nil, f.state.Extent == everything && f.state.Link != "", !f.state.Listed:
	case quiet < s.limits.idle:
		f.timer.Reset(s.limits.idle - quiet)
	case !s.idling.CompareAndSwap(false, true):
		f.timer.Reset(s.limits.idle)
	default:
		r := s.startRound(context.Background(), f, sink)
		go func() {
			<-r.done
			s.idling.Store(false)
		}()
	}
}
