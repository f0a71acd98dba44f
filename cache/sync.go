package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

const (
	// syncAtOnce is how many directories, and how many contents, Sync works on at the same time: what a mailbox allows.
	syncAtOnce = 4
	// syncErrors is how many errors Sync tells in full.
	syncErrors = 100
	// syncReport is how often Sync tells how far it is.
	syncReport = 100 * time.Millisecond
)

// Progress is how far a Sync has come. What is known grows as directories are listed.
type Progress struct {
	Directories      int   `json:"directories"` // that are right
	DirectoriesKnown int   `json:"directories_known"`
	Files            int64 `json:"files"` // whose content is at hand, or that were listed when no contents were asked for
	FilesKnown       int64 `json:"files_known"`
	Bytes            int64 `json:"bytes"` // in them
	BytesKnown       int64 `json:"bytes_known"`
	Errors           int   `json:"errors"`
}

// Sync brings the directories at and below a path to now, which takes no request for those that are live or that the service
// makes once and for all. With contents it also fetches every content that is not at hand, whereby all sizes become exact;
// those that the cache has no room for push out others. For a file it is the directory that shows it, and its content.
//
// progress is called now and then from one goroutine, and once at the end. What could not be had does not stop the rest: the
// errors are joined, each with its path, up to a bound. A directory that fails in a way that may pass is tried twice.
func (t *Tree) Sync(ctx context.Context, path string, contents bool, progress func(Progress)) error {
	if t.c.o.Offline {
		return errOffline
	}
	if !t.begin() {
		return errClosed
	}
	defer t.running.Done()
	ctx, cancel := context.WithCancel(backends.WithPriority(ctx, backends.Bulk))
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	s := &syncer{t: t, ctx: ctx, contents: contents, started: t.c.o.Now(), files: make(chan syncFile), seen: map[backends.NodeID]bool{}}
	s.changed = sync.NewCond(&s.mu)
	defer context.AfterFunc(ctx, s.wake)()
	defer s.report(progress)()
	if err := s.begin(path); err != nil {
		return err
	}
	s.walk()
	if len(s.again) > 0 && ctx.Err() == nil {
		s.todo, s.again, s.last = s.again, nil, true
		s.walk()
	}
	if t.ctx.Err() != nil {
		return errClosed
	}
	return s.err()
}

// syncer is a Sync under way.
type syncer struct {
	t        *Tree
	ctx      context.Context
	contents bool
	started  time.Time
	files    chan syncFile // whose contents are wanted

	mu      sync.Mutex
	changed *sync.Cond               // todo or working changed, or ctx ended
	todo    []syncDir                // the last one is next
	working int                      // directories that are being worked on
	seen    map[backends.NodeID]bool // that were in todo: a directory that moves meanwhile is not done twice
	again   []syncDir                // failed in a way that may pass
	last    bool                     // they have been tried before
	done    Progress
	errs    []error
}

type syncDir struct {
	node backends.NodeID
	path string
}

type syncFile struct {
	node backends.NodeID
	path string
	size int64
}

// report has progress called now and then until stop.
func (s *syncer) report(progress func(Progress)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(syncReport)
		defer tick.Stop()
		for last := (Progress{}); ; {
			select {
			case <-tick.C:
				if now := s.progress(); now != last {
					last = now
					progress(now)
				}
			case <-end:
				progress(s.progress())
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

func (s *syncer) progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

func (s *syncer) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// begin finds what to begin with.
func (s *syncer) begin(path string) error {
	path = strings.Trim(path, "/")
	d, err := s.t.resolve(s.ctx, path)
	if err != nil {
		return err
	}
	if d.Attr.Dir {
		s.push(syncDir{d.Node, path})
		return nil
	}
	up, err := s.t.resolve(s.ctx, parent(path))
	if err == nil {
		err = s.list(up.Node)
	}
	if err == nil {
		d, err = s.t.resolve(s.ctx, path)
	}
	if err != nil {
		return err
	}
	s.know(d.Attr.Size)
	s.file(syncFile{d.Node, path, d.Attr.Size})
	return nil
}

// push adds a directory to those to do, unless it is among them already.
func (s *syncer) push(dirs ...syncDir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(dirs) - 1; i >= 0; i-- { // the first one is to be next
		if d := dirs[i]; !s.seen[d.node] {
			s.seen[d.node] = true
			s.todo = append(s.todo, d)
			s.done.DirectoriesKnown++
		}
	}
	s.changed.Broadcast()
}

// walk works on all that is to do.
func (s *syncer) walk() {
	var listers, fetchers sync.WaitGroup
	for range syncAtOnce {
		listers.Go(s.lister)
		fetchers.Go(func() {
			for f := range s.files {
				s.file(f)
			}
		})
	}
	listers.Wait()
	close(s.files)
	fetchers.Wait()
	s.files = make(chan syncFile)
}

// lister works on one directory after another until there are none.
func (s *syncer) lister() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.todo) == 0 && s.working > 0 && s.ctx.Err() == nil {
			s.changed.Wait()
		}
		if len(s.todo) == 0 || s.ctx.Err() != nil {
			return
		}
		d := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		s.working++
		s.mu.Unlock()
		s.dir(d)
		s.mu.Lock()
		s.working--
		s.changed.Broadcast()
	}
}

// dir brings a directory to now and goes through what is in it.
func (s *syncer) dir(d syncDir) {
	if static, ok := s.t.shape().static[d.node]; ok {
		var dirs []syncDir
		for _, e := range static.entries {
			dirs = append(dirs, syncDir{e.node, strings.TrimPrefix(d.path+"/"+e.name, "/")})
		}
		s.push(dirs...)
		s.count(func(p *Progress) { p.Directories++ })
		return
	}
	err := s.list(d.node)
	switch {
	case errors.Is(err, backends.ErrNotFound):
		s.count(func(p *Progress) { p.DirectoriesKnown-- }) // it has been removed meanwhile
		return
	case err != nil && !s.last && backends.Temporary(err):
		s.mu.Lock()
		s.again = append(s.again, d)
		s.mu.Unlock()
		return
	case err != nil:
		s.fail(d.path, err) // what an older listing has is gone through all the same
	default:
		s.count(func(p *Progress) { p.Directories++ })
	}
	if err := s.entries(d); err != nil {
		s.fail(d.path, err)
	}
}

// list has a directory listed unless its listing is right as of the start.
func (s *syncer) list(dir backends.NodeID) error {
	// A listing that was under way already says nothing of what came since: then another one does.
	for range 2 {
		var l listing
		err := s.t.c.meta.View(func(tx *bbolt.Tx) (err error) {
			l, err = s.t.listing(tx, dir)
			return err
		})
		if err != nil {
			return err
		}
		made := l.rec.maxAge < 0 && !l.rec.covered && l.left > 0
		if l.whole && (l.live || made || l.left > 0 && !l.asOf.Before(s.started)) {
			s.t.noteLook(&l, s.t.c.o.Now())
			return nil
		}
		if err := s.t.listings.list(s.ctx, dir, &l.rec); err != nil {
			return err
		}
	}
	return nil
}

// entries goes through the entries of a directory, the files before the directories.
func (s *syncer) entries(d syncDir) error {
	var dirs []syncDir
	var files []syncFile
	for after, more := uint64(0), true; more; {
		files = files[:0]
		n := 0
		err := s.t.c.meta.View(func(tx *bbolt.Tx) error {
			return scan(tx, d.node, after, func(at place, v []byte) (bool, error) {
				e, err := decodeEntry(v)
				after = at.cookie
				n++
				if path := d.path + "/" + e.name; e.is(isDir) {
					dirs = append(dirs, syncDir{e.node, path})
				} else {
					files = append(files, syncFile{e.node, path, e.size})
				}
				return n < readChunk, err
			})
		})
		if err != nil {
			return err
		}
		for _, f := range files {
			s.know(f.size)
		}
		for _, f := range files {
			if !s.contents {
				s.has(f.size, 0)
				continue
			}
			select {
			case s.files <- f:
			case <-s.ctx.Done():
				return nil
			}
		}
		more = n == readChunk
	}
	s.push(dirs...)
	return nil
}

// count changes the progress.
func (s *syncer) count(fn func(*Progress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.done)
}

// know counts a file that was found.
func (s *syncer) know(size int64) {
	s.count(func(p *Progress) { p.FilesKnown++; p.BytesKnown += max(size, 0) })
}

// has counts a file that is done, of which some bytes have been counted already.
func (s *syncer) has(size, counted int64) {
	s.count(func(p *Progress) { p.Files++; p.Bytes += max(size, 0) - counted })
}

// fail notes what could not be had.
func (s *syncer) fail(path string, err error) {
	if s.ctx.Err() != nil {
		return // the end is the reason
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done.Errors++
	if len(s.errs) < syncErrors {
		s.errs = append(s.errs, fmt.Errorf("%s: %w", path, err))
	}
}

// err gives what became of it all.
func (s *syncer) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := s.errs
	if more := s.done.Errors - len(errs); more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(append(errs, context.Cause(s.ctx))...)
}
