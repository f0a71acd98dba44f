package cache

import (
	"container/list"
	"context"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

// sequences remembers where the readers of large files are, to tell sequential ones from others.
type sequences struct {
	mu    sync.Mutex
	ends  map[backends.NodeID]*list.Element
	order *list.List // front: used last
}

type sequence struct {
	node backends.NodeID
	end  int64
	row  int64 // bytes read without a gap
}

// maxSequences bounds the files that are watched.
const maxSequences = 256

// slack is how far apart reads may be that still are a sequence: the kernel reads ahead in parallel.
const slack = 1 << 20

func newSequences() *sequences {
	return &sequences{ends: map[backends.NodeID]*list.Element{}, order: list.New()}
}

// at notes a read and tells how many bytes have been read in sequence, 0 when it does not go on where the last one ended.
func (s *sequences) at(n backends.NodeID, off, size int64) (row int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.ends[n]
	if !ok {
		s.ends[n] = s.order.PushFront(&sequence{node: n, end: off + size})
		if s.order.Len() > maxSequences {
			last := s.order.Back()
			delete(s.ends, last.Value.(*sequence).node)
			s.order.Remove(last)
		}
		return 0
	}
	s.order.MoveToFront(e)
	seq := e.Value.(*sequence)
	if off+size < seq.end-slack || off > seq.end+slack {
		seq.end, seq.row = off+size, 0
		return 0
	}
	seq.end = max(seq.end, off+size)
	seq.row += size
	return seq.row
}

const (
	// aheadAfter is how many contents have to be asked for in a row before their neighbours are fetched too.
	aheadAfter = 3
	// aheadLimit bounds what is fetched but not asked for yet, in bytes and in contents; aheadShare by the part of the cache
	// that it may take, or it would push out what it has fetched itself.
	aheadLimit = 32 << 20
	aheadFiles = 64
	aheadShare = 16
	// aheadAtOnce is how many contents are fetched at the same time.
	aheadAtOnce = 2
	// aheadGap is how many entries apart contents of known size may be asked for that still are in a row: who reads here and
	// there fetches nothing for the others.
	aheadGap = 16
	// aheadIdle is how long nobody has to ask for anything until what is under way is given up.
	aheadIdle = 5 * time.Second
	// maxWalks bounds the directories that are watched.
	maxWalks = 64
)

// ahead fetches the contents that somebody who walks through a directory is about to ask for. One is for those that only a
// fetch gives a size, whatever is asked about them; another for those whose size the service states and that are read in one
// piece, of which it fetches no more than twice as many as have been read.
type ahead struct {
	c      *contents
	stated bool
	idle   time.Duration // aheadIdle, but for tests

	mu    sync.Mutex
	walks map[backends.NodeID]*walk
	order []*walk // oldest first
}

// walk is somebody's way through a directory. Guarded by ahead.mu.
type walk struct {
	a       *ahead
	dir     backends.NodeID
	last    uint64 // cookie asked for last
	row     int    // how many in a row
	running bool
	cancel  context.CancelFunc
	idle    *time.Timer
	asked   chan struct{}
	pos     uint64        // cookie of the last file given to a fetcher
	flying  int           // being fetched
	coming  int64         // bytes of those, where their size is known
	done    []aheadResult // fetched, not asked for yet
}

type aheadResult struct {
	cookie uint64
	size   int64
}

func newAhead(c *contents, stated bool) *ahead {
	return &ahead{c: c, stated: stated, idle: aheadIdle, walks: map[backends.NodeID]*walk{}}
}

// asked notes that somebody wants to know a file's size or bytes, and whether they are missing.
func (a *ahead) asked(f *file, missing bool) {
	if (f.k.det.Stated >= 0) != a.stated || f.k.retired() {
		return
	}
	at := f.k.places[0]
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.walks[at.dir]
	if w == nil {
		w = &walk{a: a, dir: at.dir, asked: make(chan struct{}, 1)}
		a.walks[at.dir] = w
		a.order = append(a.order, w)
		if len(a.order) > maxWalks {
			old := a.order[0]
			a.order = a.order[1:]
			delete(a.walks, old.dir)
			old.stop()
		}
	}
	w.note(at.cookie, missing)
	if w.running {
		w.idle.Reset(a.idle)
		w.again()
		return
	}
	if w.row >= aheadAfter {
		w.start()
	}
}

// again has the room for more looked at again.
func (w *walk) again() {
	select {
	case w.asked <- struct{}{}:
	default:
	}
}

// note moves the reader on. The caller holds ahead.mu.
func (w *walk) note(cookie uint64, missing bool) {
	gap := int64(cookie - w.last)
	switch {
	case w.a.stated && gap < 0 && gap > -aheadGap:
		return // it reads several at once
	case gap < 0, w.a.stated && gap > aheadGap:
		w.row = 1
	case gap > 0 && (missing || w.a.stated && w.running):
		w.row++
	}
	w.last = cookie
}

func (w *walk) start() {
	a := w.a
	if !a.c.t.begin() {
		return
	}
	ctx, cancel := context.WithCancel(backends.WithPriority(a.c.t.ctx, backends.Bulk))
	w.running, w.cancel = true, cancel
	w.pos, w.done, w.flying, w.coming = w.last, nil, 0, 0
	w.idle = time.AfterFunc(a.idle, cancel)
	go w.run(ctx)
}

// stop gives up what is under way. The caller holds ahead.mu.
func (w *walk) stop() {
	if w.running {
		w.cancel()
	}
}

func (w *walk) run(ctx context.Context) {
	var fetchers sync.WaitGroup
	defer w.a.c.t.running.Done()
	defer func() {
		w.cancel()
		fetchers.Wait()
		w.a.mu.Lock()
		w.idle.Stop()
		w.running, w.row = false, 0
		w.a.mu.Unlock()
	}()
	slots := make(chan struct{}, aheadAtOnce)
	for {
		f, ok, err := w.next()
		if err != nil {
			return
		}
		if !ok { // the end of the directory
			fetchers.Wait()
			return
		}
		for !w.room() {
			select {
			case <-w.asked:
			case <-ctx.Done():
				return
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		w.a.mu.Lock()
		w.flying++
		w.coming += max(f.k.entry.size, 0)
		w.a.mu.Unlock()
		fetchers.Add(1)
		go func() {
			defer fetchers.Done()
			defer func() { <-slots }()
			w.fetch(ctx, &f)
		}()
	}
}

func (w *walk) fetch(ctx context.Context, f *file) {
	at := f.k.places[0]
	err := w.a.c.hydrate(ctx, f)
	var g file
	if err == nil {
		g, err = w.a.c.t.loadFile(f.k.node)
	}
	w.a.mu.Lock()
	w.flying--
	w.coming -= max(f.k.entry.size, 0)
	if err == nil {
		w.done = append(w.done, aheadResult{at.cookie, g.k.entry.size})
	}
	w.a.mu.Unlock()
	w.again()
	if err != nil && backends.Temporary(err) {
		w.cancel() // the service has no time for guesses
	}
}

// room tells whether more may be fetched than has been asked for.
func (w *walk) room() bool {
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	left := w.done[:0]
	var bytes int64
	for _, r := range w.done {
		if r.cookie > w.last {
			left = append(left, r)
			bytes += r.size
		}
	}
	w.done = left
	most := aheadFiles
	if w.a.stated {
		most = min(most, 2*w.row)
	}
	limit := int64(aheadLimit)
	if budget := w.a.c.t.c.o.MaxSize; budget > 0 {
		limit = min(limit, budget/aheadShare)
	}
	return bytes+w.coming < limit && len(left)+w.flying < most
}

// lacks tells whether an entry is one whose content would be fetched.
func (a *ahead) lacks(e *entry) bool {
	switch {
	case e.is(isDir):
		return false
	case !a.stated:
		return e.size < 0
	}
	return e.size > 0 && e.size <= window && e.body == 0
}

// next finds the next file whose content is missing.
func (w *walk) next() (f file, ok bool, err error) {
	w.a.mu.Lock()
	pos := max(w.pos, w.last)
	w.a.mu.Unlock()
	t := w.a.c.t
	err = t.c.meta.View(func(tx *bbolt.Tx) error {
		return scan(tx, w.dir, pos, func(at place, v []byte) (bool, error) {
			e, err := decodeEntry(v)
			pos = at.cookie
			if err != nil || !w.a.lacks(&e) {
				return true, err
			}
			f, err = t.file(tx, e.node)
			ok = err == nil && f.k.node != 0 && !f.k.retired() && (f.k.det.Stated >= 0) == w.a.stated
			return !ok, err
		})
	})
	w.a.mu.Lock()
	w.pos = pos
	w.a.mu.Unlock()
	return f, ok, err
}
