package cache

import (
	"container/list"
	"sync"

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
}

// maxSequences bounds the files that are watched.
const maxSequences = 256

// slack is how far apart reads may be that still are a sequence: the kernel reads ahead in parallel.
const slack = 1 << 20

func newSequences() *sequences {
	return &sequences{ends: map[backends.NodeID]*list.Element{}, order: list.New()}
}

// at notes a read and tells whether it goes on where the last one ended.
func (s *sequences) at(n backends.NodeID, off, size int64) bool {
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
		return false
	}
	s.order.MoveToFront(e)
	seq := e.Value.(*sequence)
	goesOn := off >= seq.end-slack && off <= seq.end+slack
	seq.end = off + size
	return goesOn
}

// ahead fetches the contents that a reader of a directory is about to ask for.
type ahead struct{ c *contents }

func newAhead(c *contents) *ahead { return &ahead{c: c} }

func (a *ahead) asked(*file) {}
