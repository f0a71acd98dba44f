package cache

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

const (
	// lapseChunk is how many directories, and entries of one, are looked through in one transaction.
	lapseChunk = 1024
	// lapsePace is the pause per event: about what the kernel takes for a notice, so that they don't pile up before it.
	lapsePace = 5 * time.Microsecond
)

// served knows the directories whose entries the kernel may keep for ever. Should their listings not be good for ever any
// more, because nothing tells of changes or because they have been forgotten, then it has the kernel drop them.
type served struct {
	t    *Tree
	wake chan struct{}
	// turn counts what may have ended the validity of a listing, so that who has read one before notices.
	turn atomic.Uint64

	mu     sync.Mutex
	dirs   map[backends.NodeID]uint32 // the scope of each
	scopes map[uint32]bool            // that are to be looked through
	single map[backends.NodeID]bool   // that are to be looked at
}

func newServed(t *Tree) *served {
	return &served{t: t, wake: make(chan struct{}, 1), dirs: map[backends.NodeID]uint32{}, scopes: map[uint32]bool{},
		single: map[backends.NodeID]bool{}}
}

// add notes that somebody was given entries of a directory for ever, by a listing that was read at a turn.
func (s *served) add(dir backends.NodeID, scope uint32, turn uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs[dir] = scope
	if s.turn.Load() != turn {
		s.single[dir] = true
		s.signal()
	}
}

// lapse says that listings of a scope may not be good for ever any more.
func (s *served) lapse(scope uint32) {
	s.turn.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scopes[scope] = true
	s.signal()
}

// lapseAll says the same of all listings.
func (s *served) lapseAll() {
	for no := range s.t.shape().services {
		s.lapse(no)
	}
}

// lapseDir says that a listing is not good for ever any more. It tells whether anybody was given its entries so; then
// they hear of it.
func (s *served) lapseDir(dir backends.NodeID) bool {
	s.turn.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.dirs[dir]; !ok {
		return false
	}
	s.single[dir] = true
	s.signal()
	return true
}

// signal wakes run. The caller holds mu.
func (s *served) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends what lapses until the tree ends.
func (s *served) run() {
	defer s.t.running.Done()
	for {
		select {
		case <-s.wake:
		case <-s.t.ctx.Done():
			return
		}
		for dirs := s.take(); len(dirs) > 0; dirs = dirs[min(lapseChunk, len(dirs)):] {
			if !s.check(dirs[:min(lapseChunk, len(dirs))]) {
				return
			}
		}
	}
}

// dirIn is a directory of a scope.
type dirIn struct {
	dir   backends.NodeID
	scope uint32
}

// take gives the directories that are to be looked at. They are not known any more: who is given one of them from now on
// adds it again, and so does check when it is still good.
func (s *served) take() []dirIn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []dirIn
	take := func(dir backends.NodeID, scope uint32) {
		delete(s.dirs, dir)
		out = append(out, dirIn{dir, scope})
	}
	if len(s.scopes) > 0 {
		for dir, scope := range s.dirs {
			if s.scopes[scope] {
				take(dir, scope)
			}
		}
	}
	for dir := range s.single {
		if scope, ok := s.dirs[dir]; ok {
			take(dir, scope)
		}
	}
	clear(s.scopes)
	clear(s.single)
	return out
}

// check looks which listings are still good for ever and has the others dropped. It tells whether to go on.
func (s *served) check(dirs []dirIn) (goOn bool) {
	var lapsed []backends.NodeID
	turn := s.turn.Load()
	err := s.t.c.meta.View(func(tx *bbolt.Tx) error {
		for _, d := range dirs {
			l, err := s.t.listing(tx, d.dir)
			switch {
			case errors.Is(err, backends.ErrNotFound): // its names have been removed
			case err == nil && l.whole && l.left == backends.Forever:
				s.add(d.dir, d.scope, turn)
			default:
				lapsed = append(lapsed, d.dir)
			}
		}
		return nil
	})
	if err != nil {
		s.t.c.log.Error("listings that have run out can't be looked at", "error", err)
		return true
	}
	for _, dir := range lapsed {
		if !s.drop(dir) {
			return false
		}
	}
	return true
}

// drop has the kernel ask again for a directory and for each of its files. Directories in it are not for ever with anybody.
func (s *served) drop(dir backends.NodeID) (goOn bool) {
	events := []backends.Event{{Kind: backends.EventExpired, Dir: dir, IsDir: true}}
	for after, more := uint64(0), true; more; {
		n := 0
		err := s.t.c.meta.View(func(tx *bbolt.Tx) error {
			return scan(tx, dir, after, func(at place, v []byte) (bool, error) {
				after = at.cookie
				e, err := decodeEntry(v)
				if err == nil && !e.is(isDir) {
					events = append(events, backends.Event{Kind: backends.EventReplaced, Dir: dir, Name: e.name, Node: e.node})
				}
				n++
				return n < lapseChunk, err
			})
		})
		if err != nil {
			s.t.c.log.Error("the names in a listing that has run out can't be read", "directory", dir, "error", err)
		}
		more = err == nil && n == lapseChunk
		s.t.events.push(events)
		select {
		case <-s.t.ctx.Done():
			return false
		case <-time.After(time.Duration(len(events)) * lapsePace):
		}
		events = nil
	}
	return true
}
