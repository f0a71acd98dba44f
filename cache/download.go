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

// copyChunk is how much of a stream is taken at once: as much as a connection has when it is fast, so that neither the
// system calls nor the readers who are woken weigh much.
const copyChunk = 256 << 10

// chunks are buffers of copyChunk bytes.
var chunks = sync.Pool{New: func() any { p := make([]byte, copyChunk); return &p }}

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
		select {
		case x.c.windows <- struct{}{}:
			defer func() { <-x.c.windows }()
		case <-x.ctx.Done():
			return context.Cause(x.ctx.Context)
		}
	}
	expected := n
	if x.win == wholeContent {
		expected = size
	}
	w, err := x.c.t.c.blobs.Create(x.key, expected)
	if err != nil {
		return err
	}
	defer w.Abort()
	defer x.show(nil, false)
	x.show(w, false)
	var sum hash.Hash // where only the first copy tells what the content is
	if x.win == wholeContent && x.f.k.det.Stated < 0 {
		sum = sha256.New()
	}
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
	// While the blob goes to the disk, its readers have it from the writer.
	if x.win != wholeContent {
		return w.Commit()
	}
	if sum == nil && w.Written() != size {
		sum = sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(w, 0, w.Written())); err != nil {
			return err
		}
	}
	var digest [32]byte
	if sum != nil {
		sum.Sum(digest[:0])
	}
	stale, err := x.c.learn(&x.f, w.Written(), digest)
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

// show lets readers have what is written so far, if early, before all of it is there. No writer sends them to the blob or
// to the error.
func (x *fetch) show(w *blob.Writer, early bool) {
	x.reading.Lock()
	defer x.reading.Unlock()
	x.w, x.early = w, early
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
	x.show(w, size >= 0 && *total == size && k.det.Stated >= 0)
	var in io.Reader = content
	if want >= 0 {
		in = io.LimitReader(content, want)
	}
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	for {
		m, rerr := in.Read(*buf)
		if m > 0 {
			stall.Reset(x.c.t.c.o.ReadTimeout)
			if sum != nil {
				sum.Write((*buf)[:m])
			}
			if _, err := w.Write((*buf)[:m]); err != nil {
				return got, err
			}
			got += int64(m)
			x.moved(w.Written())
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
