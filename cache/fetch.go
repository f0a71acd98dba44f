package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cache/blob"
)

const (
	// wholeContent stands for the number of a window where a content is fetched in one piece.
	wholeContent int64 = -1
	// attempts is how often a content is begun or gone on with when its stream breaks off.
	attempts = 3
	// brokenFor is how long a broken item is not asked for again.
	brokenFor = 15 * time.Minute
	// maxBroken bounds the broken items that are remembered.
	maxBroken = 10_000
	copyChunk = 64 << 10
)

// errBrokeOff says that a stream ended before its content did.
var errBrokeOff = fmt.Errorf("%w: the content broke off", backends.ErrUnavailable)

// errOther says that a content is not what its node promised: there is a new node for what it is.
var errOther = fmt.Errorf("%w: the content is another than was promised", backends.ErrStale)

// contents fetches what is not kept. A fetch is shared by all who want it and belongs to none of them.
type contents struct {
	t     *Tree
	ahead *ahead
	seq   *sequences

	mu      sync.Mutex
	fetches map[string]*fetch
	broken  map[string]brokenContent

	toLearn  []*learning
	learning bool // somebody is recording
}

type brokenContent struct {
	until time.Time
	err   error
	node  backends.NodeID
}

func newContents(t *Tree) *contents {
	c := &contents{t: t, seq: newSequences(), fetches: map[string]*fetch{}, broken: map[string]brokenContent{}}
	c.ahead = newAhead(c)
	return c
}

// fetch is one download: of a whole content or of a window.
type fetch struct {
	c      *contents
	f      file
	win    int64
	key    string
	ctx    *flightContext
	cancel context.CancelFunc
	before *fetch // a cancelled one of the same key that may not have ended yet
	done   chan struct{}
	err    error // set before done is closed

	waiters int  // guarded by contents.mu
	left    bool // all waiters have given up; guarded by contents.mu

	mu       sync.Mutex
	early    bool          // what is written can be read before the end
	progress chan struct{} // closed and replaced whenever more is written
	w        *blob.Writer
}

// join gives the fetch of a content, beginning it if there is none. The caller leaves it. It gives nil when the content
// has come meanwhile.
func (c *contents) join(f *file, win int64, p backends.Priority) (*fetch, error) {
	key := f.key
	if win != wholeContent {
		key = windowKey(f.key, f.k.entry.size, win)
	}
	s := c.t.service(f.k.scope)
	switch {
	case s == nil:
		return nil, fmt.Errorf("%w: node %d belongs to no connection", backends.ErrNotFound, f.k.node)
	case c.t.c.o.Offline:
		return nil, errOffline
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.broken[f.key]; ok {
		if c.t.c.o.Now().Before(b.until) {
			return nil, b.err
		}
		delete(c.broken, f.key)
	}
	x := c.fetches[key]
	if x == nil || x.left {
		if _, ok := c.t.c.blobs.Stat(key); ok {
			return nil, nil
		}
		if !c.t.begin() {
			return nil, errClosed
		}
		ctx, cancel := context.WithCancel(c.t.ctx)
		x = &fetch{
			c: c, f: *f, win: win, key: key, ctx: newFlightContext(ctx, p), cancel: cancel, before: x,
			done: make(chan struct{}), progress: make(chan struct{}),
		}
		c.fetches[key] = x
		go x.run(s)
	}
	x.waiters++
	if p == backends.Interactive {
		x.ctx.raise()
	}
	return x, nil
}

// leave ends the caller's interest. The last one who leaves without having got anything ends the fetch.
func (x *fetch) leave(served bool) {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	x.waiters--
	if x.waiters == 0 && !served {
		x.left = true
		x.cancel()
	}
}

// wait waits for the end of the fetch.
func (x *fetch) wait(ctx context.Context) error {
	select {
	case <-x.done:
		x.leave(true)
		return x.err
	case <-ctx.Done():
		x.leave(false)
		return ctx.Err()
	}
}

// hydrate fetches a content whose size is not known.
func (c *contents) hydrate(ctx context.Context, f *file) error {
	for {
		x, err := c.join(f, wholeContent, backends.PriorityOf(ctx))
		if err != nil {
			return err
		}
		if x != nil {
			return x.wait(ctx)
		}
		g, err := c.t.loadFile(f.k.node)
		if err != nil || g.k.entry.size >= 0 {
			return err
		}
		// A content without a record of its size: kept by a run that was killed, or of a node before.
		c.t.c.blobs.Remove(f.key)
	}
}

// have sees to it that a content or window is kept. It waits as long as something comes.
func (c *contents) have(ctx context.Context, f *file, win int64) error {
	key := f.key
	if win != wholeContent {
		key = windowKey(f.key, f.k.entry.size, win)
	}
	if _, ok := c.t.c.blobs.Stat(key); ok {
		return nil
	}
	x, err := c.join(f, win, backends.PriorityOf(ctx))
	if err != nil || x == nil {
		return err
	}
	patience := time.NewTimer(c.t.c.o.ReadTimeout)
	defer patience.Stop()
	for {
		x.mu.Lock()
		progress := x.progress
		x.mu.Unlock()
		select {
		case <-x.done:
			x.leave(true)
			return x.err
		case <-progress:
			patience.Reset(c.t.c.o.ReadTimeout)
		case <-patience.C:
			x.leave(false)
			return context.DeadlineExceeded
		case <-ctx.Done():
			x.leave(false)
			return ctx.Err()
		}
	}
}

// read reads from a content or window that is not kept yet, as soon as the bytes are there.
func (c *contents) read(ctx context.Context, f *file, win int64, p []byte, off int64) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.t.c.o.ReadTimeout)
	defer cancel()
	x, err := c.join(f, win, backends.PriorityOf(ctx))
	if err != nil {
		return 0, err
	}
	if x == nil {
		return c.kept(f, win, p, off)
	}
	for {
		n, ok, progress, err := x.tryRead(p, off)
		if ok || err != nil {
			x.leave(true)
			return n, err
		}
		select {
		case <-progress:
		case <-x.done:
			x.leave(true)
			if x.err != nil {
				return 0, x.err
			}
			return c.kept(f, win, p, off)
		case <-ctx.Done():
			x.leave(false)
			return 0, ctx.Err()
		}
	}
}

// kept reads from a content that has just come.
func (c *contents) kept(f *file, win int64, p []byte, off int64) (int, error) {
	key, want := f.key, f.k.entry.size
	if win != wholeContent {
		key, want = windowKey(f.key, want, win), min(window, want-win*window)
	}
	n, size, err := c.t.c.blobs.ReadAt(key, p, off)
	if errors.Is(err, blob.ErrMissing) {
		err = fmt.Errorf("%w: a content was evicted as soon as it was there", backends.ErrNoSpace)
	}
	if err == nil && size != want {
		err = fmt.Errorf("node %d: %w", f.k.node, backends.ErrStale)
	}
	return n, err
}

// tryRead reads if all of p has been written by now.
func (x *fetch) tryRead(p []byte, off int64) (n int, ok bool, progress <-chan struct{}, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.w == nil || !x.early || x.w.Written() < off+int64(len(p)) {
		return 0, false, x.progress, nil
	}
	n, err = x.w.ReadAt(p, off)
	return n, err == nil, nil, err
}

func (x *fetch) run(s *service) {
	defer x.c.t.running.Done()
	defer x.cancel()
	var err error
	if !x.afterAll() {
		x.c.t.c.counts.fetches.Add(1)
		err = x.download(s)
	}
	x.c.mu.Lock()
	if x.c.fetches[x.key] == x {
		delete(x.c.fetches, x.key)
	}
	if errors.Is(err, backends.ErrBroken) && len(x.c.broken) < maxBroken {
		x.c.broken[x.f.key] = brokenContent{until: x.c.t.c.o.Now().Add(brokenFor), err: err, node: x.f.k.node}
	}
	given := x.left
	x.c.mu.Unlock()
	if err != nil {
		err = x.explain(err)
		if !given {
			x.c.t.c.log.Warn("fetching a content failed", "service", s.prefix(), "node", x.f.k.node, "error", err)
		}
	}
	x.err = err
	close(x.done)
}

// afterAll waits for the fetch before, and tells whether it got the content after all: one that is given up near its end
// may still come to it. Then fetching again would not only be in vain. Not every service gives the same bytes again, and
// a copy that differs is a new version.
func (x *fetch) afterAll() bool {
	before := x.before
	if before == nil {
		return false
	}
	<-before.done
	x.before = nil
	if before.err != nil {
		return false
	}
	_, ok := x.c.t.c.blobs.Stat(x.key)
	return ok
}

// explain turns what a fetch says of a version into what its reader has to know.
func (x *fetch) explain(err error) error {
	live := !x.f.k.retired()
	switch {
	case errors.Is(err, errOther):
	case !live && errors.Is(err, backends.ErrNotFound):
		return fmt.Errorf("%w: %w", backends.ErrStale, err)
	case live && (errors.Is(err, backends.ErrStale) || errors.Is(err, backends.ErrNotFound)):
		// The listing is behind the service.
		x.c.t.listings.force(x.f.k.places[0].dir)
	}
	return err
}

// download fetches, keeps and checks.
func (x *fetch) download(s *service) (err error) {
	defer func() {
		if p := recover(); p != nil {
			x.c.t.c.log.Error("panic in a fetch", "service", s.prefix(), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: fetching node %d panicked", backends.ErrUnavailable, x.f.k.node)
		}
	}()
	size := x.f.k.entry.size
	start, n := int64(0), int64(-1)
	if x.win != wholeContent {
		start = x.win * window
		n = min(window, size-start)
	}
	w, err := x.c.t.c.blobs.Create(x.key)
	if err != nil {
		return err
	}
	defer w.Abort()
	defer x.hide()
	x.mu.Lock()
	x.w = w
	x.mu.Unlock()
	sum := sha256.New()
	total := size
	for try := 1; ; try++ {
		var got int64
		got, err = x.stream(s, w, sum, start, n, &total)
		x.c.t.c.counts.fetched.Add(got)
		if err == nil || !errors.Is(err, errBrokeOff) || try >= attempts || x.ctx.Err() != nil {
			break
		}
		if w.Written() > 0 && !x.f.k.entry.is(ranged) {
			break // it would have to begin again, and not every service gives the same bytes again
		}
	}
	if err != nil {
		if cause := context.Cause(x.ctx.Context); cause != nil && !errors.Is(err, backends.ErrNoSpace) {
			return fmt.Errorf("%w: %w", cause, err)
		}
		return err
	}
	x.hide()
	if x.win != wholeContent {
		return w.Commit()
	}
	stale, err := x.c.learn(&x.f, w.Written(), [32]byte(sum.Sum(nil)))
	if err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	if stale {
		return fmt.Errorf("%w: node %d has %d bytes, not %d", errOther, x.f.k.node, w.Written(), size)
	}
	return nil
}

// hide sends the readers of what is written so far to the blob, or to the error.
func (x *fetch) hide() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.w, x.early = nil, false
}

// stream copies one answer into the blob, going on where the one before broke off.
func (x *fetch) stream(s *service, w *blob.Writer, sum hash.Hash, start, n int64, total *int64) (got int64, err error) {
	k := &x.f.k
	stall := time.AfterFunc(x.c.t.c.o.ReadTimeout, x.cancel)
	defer stall.Stop()
	have := w.Written()
	off, want := start+have, n
	if n >= 0 {
		want = n - have
	}
	// A size that the service did not state is ours alone.
	known := backends.File{ID: k.det.ID, Version: k.det.Version, Ref: k.det.Ref, Size: k.entry.size}
	content, err := s.backend.Fetch(x.ctx, known, off, want)
	if err != nil {
		return 0, err
	}
	defer content.Close()
	size := k.entry.size
	if content.Total >= 0 {
		*total = content.Total
		if x.win != wholeContent && content.Total != size {
			if _, err := x.c.learn(&x.f, content.Total, [32]byte{}); err != nil {
				return 0, err
			}
			return 0, fmt.Errorf("%w: node %d has %d bytes, not %d", errOther, k.node, content.Total, size)
		}
	}
	if content.Off > off || content.Off < 0 {
		return 0, fmt.Errorf("%w: asked for bytes from %d, got them from %d", backends.ErrUnavailable, off, content.Off)
	}
	skip := off - content.Off
	if skip > 0 {
		if _, err := io.CopyN(io.Discard, content, skip); err != nil {
			return skip, fmt.Errorf("%w: %w", errBrokeOff, err)
		}
	}
	x.mu.Lock()
	x.early = size >= 0 && *total == size && k.det.Stated >= 0
	x.mu.Unlock()
	var in io.Reader = content
	if want >= 0 {
		in = io.LimitReader(content, want)
	}
	buf := make([]byte, copyChunk)
	for {
		m, rerr := in.Read(buf)
		if m > 0 {
			stall.Reset(x.c.t.c.o.ReadTimeout)
			sum.Write(buf[:m])
			if _, err := w.Write(buf[:m]); err != nil {
				return got, err
			}
			got += int64(m)
			x.moved()
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return got, fmt.Errorf("%w: %w", errBrokeOff, rerr)
		}
	}
	end := w.Written()
	if n >= 0 && end < n || n < 0 && content.Total >= 0 && end < content.Total {
		return got, fmt.Errorf("%w after %d bytes", errBrokeOff, end)
	}
	return got, nil
}

// moved wakes the readers that wait for more.
func (x *fetch) moved() {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.progress)
	x.progress = make(chan struct{})
}

// prefetch begins a window that a sequential reader will want.
func (c *contents) prefetch(f *file, win int64) {
	if _, ok := c.t.c.blobs.Stat(windowKey(f.key, f.k.entry.size, win)); ok {
		return
	}
	x, err := c.join(f, win, backends.Bulk)
	if err == nil && x != nil {
		x.leave(true)
	}
}

// brokenNow lists the items that are known to be broken.
func (c *contents) brokenNow() []brokenContent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []brokenContent
	for key, b := range c.broken {
		if c.t.c.o.Now().After(b.until) {
			delete(c.broken, key)
			continue
		}
		out = append(out, b)
	}
	return out
}
