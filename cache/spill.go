package cache

import (
	"go.etcd.io/bbolt"
)

// Bodies are written whenever this much has gathered, so that a batch may be larger than memory.
const (
	spillBytes = 4 << 20
	spillCount = 4096
)

// spill is a chunk of the bodies of a batch.
type spill struct {
	bodies []spilled
	size   int    // of the bodies together
	out    []byte // encoded
	chunk  [][]byte

	done  chan struct{} // closed when they are stored, or not
	first uint64        // number of the first that was written
	err   error
}

// spilled is one of them.
type spilled struct {
	at      int32 // the addition whose it is
	ident   ident
	ino     uint64
	version string
	body    []byte
	have    uint64 // number of the body where it was stored already, and is pinned now
}

// keep sees to it that the body of an addition is stored.
func (b *batch) keep(new spilled) error {
	if b.next == nil {
		b.next = &spill{}
		if n := len(b.spare); n > 0 {
			b.next, b.spare = b.spare[n-1], b.spare[:n-1]
		}
		b.next.done = make(chan struct{})
	}
	s := b.next
	s.size += len(new.body)
	s.bodies = append(s.bodies, new)
	if s.size >= spillBytes || len(s.bodies) >= spillCount {
		return b.flush()
	}
	return nil
}

// flush begins to write what has gathered, while the service makes the next bodies.
func (b *batch) flush() error {
	if err := b.wait(); err != nil || b.next == nil {
		return err
	}
	b.writing, b.next = b.next, nil
	go b.writing.write(b.s.c)
	return nil
}

// wait waits for the bodies that are being written and gives them their numbers.
func (b *batch) wait() error {
	s := b.writing
	if s == nil {
		return b.failed
	}
	b.writing = nil
	<-s.done
	n := s.first
	for i := range s.bodies {
		p := b.adds.at(s.bodies[i].at)
		switch have := s.bodies[i].have; {
		case have != 0:
			p.body = have
			b.pinned = append(b.pinned, have)
		case s.err == nil:
			p.body, p.own = n, true
			n++
		}
	}
	if s.err != nil {
		b.failed = s.err
		return s.err
	}
	if n > s.first {
		b.chunks = append(b.chunks, s.first)
	}
	clear(s.bodies)
	clear(s.chunk)
	*s = spill{bodies: s.bodies[:0], out: s.out[:0], chunk: s.chunk[:0]}
	b.spare = append(b.spare, s)
	return nil
}

// write stores the bodies that are not stored yet.
func (s *spill) write(c *Cache) {
	defer close(s.done)
	s.find(c)
	if room := s.size + s.size/8; cap(s.out) < room { // growing it step by step would take several times as much
		s.out = make([]byte, 0, room)
	}
	ends := make([]int, 0, len(s.bodies)) // in out, which moves while it grows
	for i := range s.bodies {
		if p := &s.bodies[i]; p.have == 0 {
			s.out = c.bodies.encode(s.out, p.ino, p.body)
			ends = append(ends, len(s.out))
		}
	}
	if len(ends) == 0 {
		return
	}
	begin := 0
	for _, end := range ends {
		s.chunk = append(s.chunk, s.out[begin:end:end])
		begin = end
	}
	if s.err = c.blobs.FreeFor(int64(len(s.out))); s.err == nil {
		s.first, s.err = c.bodies.put(s.chunk)
	}
}

// find finds and pins the bodies that versions of entries have already.
func (s *spill) find(c *Cache) {
	have := make([]uint64, len(s.bodies))
	err := c.meta.View(func(tx *bbolt.Tx) error {
		inos := tx.Bucket(bucketInos)
		for i := range s.bodies {
			p := &s.bodies[i]
			known, err := lookupIno(tx, p.ident, inos.Get(key64(p.ino)))
			if err == nil && known.node != 0 && known.entry.body != 0 && known.det.Version == p.version {
				have[i] = known.entry.body
			}
		}
		return nil
	})
	if err != nil {
		return // all are stored again
	}
	c.pins.pin(have, c.bodies)
	for i, n := range have {
		s.bodies[i].have = n
	}
}
