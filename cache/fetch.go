package cache

import (
	"context"
	"errors"
	"fmt"
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
	// maxWindows bounds the windows that are fetched or on their way to the disk, so that who reads faster than the disk
	// writes has to wait for it in the end.
	maxWindows = 128
)

// errBrokeOff says that a stream ended before its content did.
var errBrokeOff = fmt.Errorf("%w: the content broke off", backends.ErrUnavailable)

// errOther says that a content is not what its node promised: there is a new node for what it is.
var errOther = fmt.Errorf("%w: the content is another than was promised", backends.ErrStale)

// contents fetches what is not kept. A fetch is shared by all who want it and belongs to none of them.
type contents struct {
	t     *Tree
	ahead *ahead // of contents that only a fetch gives a size
	known *ahead // of those of known size
	seq   *sequences
	// windows has a place for each window that is under way.
	windows chan struct{}

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
	c := &contents{t: t, seq: newSequences(), windows: make(chan struct{}, maxWindows),
		fetches: map[string]*fetch{}, broken: map[string]brokenContent{}}
	c.ahead, c.known = newAhead(c, false), newAhead(c, true)
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
	progress chan struct{} // closed and replaced when as much is written as somebody waits for
	wanted   int64         // how much that is, 0 when nobody waits

	reading sync.RWMutex // held while somebody reads what is written; after contents.mu
	w       *blob.Writer
	early   bool // what is written can be read before the end
}

// join gives the fetch of a content, beginning it if there is none. The caller leaves it. It gives nil when the content
// has come meanwhile.
func (c *contents) join(f *file, win int64, p backends.Priority) (*fetch, error) {
	key, _ := f.part(win)
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
	x.enter(p)
	return x, nil
}

// underWay gives the fetch of a content or window if there is one, for the caller to leave.
func (c *contents) underWay(key string, p backends.Priority) *fetch {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.fetches[key]
	if x == nil || x.left {
		return nil
	}
	x.enter(p)
	return x
}

// enter notes one more who waits. The caller holds contents.mu.
func (x *fetch) enter(p backends.Priority) {
	x.waiters++
	if p == backends.Interactive {
		x.ctx.raise()
	}
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
	key, _ := f.part(win)
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
		select {
		case <-x.done:
			x.leave(true)
			return x.err
		case <-x.await(1):
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

// read reads from a content or window: what is being fetched as soon as the bytes are there, what is kept, or else what it
// has fetched.
func (c *contents) read(ctx context.Context, f *file, win int64, p []byte, off int64) (int, error) {
	key, want := f.part(win)
	x := c.underWay(key, backends.PriorityOf(ctx))
	var n int
	var size int64
	err := blob.ErrMissing
	if x == nil {
		n, size, err = c.t.c.blobs.ReadAt(key, p, off)
	}
	missing := errors.Is(err, blob.ErrMissing)
	if win == wholeContent {
		c.known.asked(f, missing)
	}
	if !missing {
		c.t.c.counts.hits.Add(1)
		return n, f.checked(size, want, err)
	}
	for try := 1; ; try++ {
		if x == nil {
			if x, err = c.join(f, win, backends.PriorityOf(ctx)); err != nil {
				return 0, err
			}
		}
		if x != nil {
			if n, ok, err := x.read(ctx, p, off); ok || err != nil {
				return n, err
			}
		}
		n, size, err = c.t.c.blobs.ReadAt(key, p, off)
		if !errors.Is(err, blob.ErrMissing) {
			break
		}
		if try == attempts {
			err = fmt.Errorf("%w: a content was evicted as soon as it was there", backends.ErrNoSpace)
			break
		}
		x = nil
	}
	return n, f.checked(size, want, err)
}

// part names a content or a window of it in the blob store, and tells its size.
func (f *file) part(win int64) (key string, size int64) {
	size = f.k.entry.size
	if win == wholeContent {
		return f.key, size
	}
	return windowKey(f.key, size, win), min(window, size-win*window)
}

// checked says whether a blob has the size that it should have, unless reading it has failed.
func (f *file) checked(size, want int64, err error) error {
	if err == nil && size != want {
		return fmt.Errorf("node %d: %w", f.k.node, backends.ErrStale)
	}
	return err
}

// read reads as soon as the bytes are there, and leaves. Not ok when the fetch has come to its end before.
func (x *fetch) read(ctx context.Context, p []byte, off int64) (n int, ok bool, err error) {
	if n, ok, err = x.tryRead(p, off); ok || err != nil { // needs no timer
		x.leave(true)
		return n, ok, err
	}
	timeout := time.NewTimer(x.c.t.c.o.ReadTimeout)
	defer timeout.Stop()
	for {
		progress := x.await(off + int64(len(p)))
		if n, ok, err = x.tryRead(p, off); ok || err != nil {
			x.leave(true)
			return n, ok, err
		}
		select {
		case <-progress:
		case <-x.done:
			x.leave(true)
			return 0, false, x.err
		case <-timeout.C:
			x.leave(false)
			return 0, false, context.DeadlineExceeded
		case <-ctx.Done():
			x.leave(false)
			return 0, false, ctx.Err()
		}
	}
}

// tryRead reads if all of p has been written by now.
func (x *fetch) tryRead(p []byte, off int64) (n int, ok bool, err error) {
	x.reading.RLock()
	defer x.reading.RUnlock()
	if x.w == nil || !x.early || x.w.Written() < off+int64(len(p)) {
		return 0, false, nil
	}
	n, err = x.w.ReadAt(p, off)
	return n, err == nil, err
}

// await gives what is closed when n bytes have been written from now on, or some others wait for fewer.
func (x *fetch) await(n int64) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wanted == 0 || n < x.wanted {
		x.wanted = n
	}
	return x.progress
}

// moved wakes those who wait for what is written by now.
func (x *fetch) moved(written int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wanted == 0 || written < x.wanted {
		return
	}
	x.wanted = 0
	close(x.progress)
	x.progress = make(chan struct{})
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

// prefetch begins a window that a sequential reader will want.
func (c *contents) prefetch(f *file, win int64) {
	key := windowKey(f.key, f.k.entry.size, win)
	if x := c.underWay(key, backends.Bulk); x != nil { // without asking the disk for it
		x.leave(true)
		return
	}
	if _, ok := c.t.c.blobs.Stat(key); ok {
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
