package cache

import (
	"context"

	"github.com/workfs/workfs/backends"
)

// file sees to it that a content is at hand.
func (s *syncer) file(f syncFile) {
	if !s.contents {
		s.has(f.size, 0)
		return
	}
	size, got, err := s.content(f.node)
	if err == nil {
		if f.size < 0 {
			s.count(func(p *Progress) { p.BytesKnown += size })
		}
		s.has(size, got)
		return
	}
	if now, gone := s.t.loadFile(f.node); gone == nil && !now.k.retired() {
		s.fail(f.path, err)
	} else {
		s.count(func(p *Progress) { p.FilesKnown--; p.BytesKnown -= max(f.size, 0) + got; p.Bytes -= got }) // it has been replaced
	}
}

// content fetches a content. It tells its size, and how much of that has been counted.
func (s *syncer) content(n backends.NodeID) (size, counted int64, err error) {
	f, err := s.t.loadFile(n)
	if err != nil {
		return 0, 0, err
	}
	c, e := s.t.contents, &f.k.entry
	switch {
	case e.size < 0:
		ctx, cancel := context.WithTimeout(s.ctx, s.t.c.o.ReadTimeout)
		defer cancel()
		if err := c.hydrate(ctx, &f); err != nil {
			return 0, 0, err
		}
		if f, err = s.t.loadFile(n); err != nil {
			return 0, 0, err
		}
		return f.k.entry.size, 0, nil
	case e.body != 0 || e.size == 0:
		return e.size, 0, nil
	case !e.is(ranged) || e.size <= window:
		return e.size, 0, c.have(s.ctx, &f, wholeContent)
	}
	for w := int64(0); w*window < e.size; w++ {
		if err := c.have(s.ctx, &f, w); err != nil {
			return e.size, counted, err
		}
		part := min(window, e.size-w*window)
		counted += part
		s.count(func(p *Progress) { p.Bytes += part })
	}
	return e.size, counted, nil
}
