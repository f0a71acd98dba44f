package cache

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

const (
	// window is what a large file is fetched and kept in; windows are aligned to it. Smaller files are fetched whole.
	window = 8 << 20
	// aheadFrom is how far a sequential reader has to be in a window before the next one is fetched.
	aheadFrom = 1 << 20
	// maxAhead bounds the windows that are fetched ahead of a sequential reader.
	maxAhead = 3
	// retiredValid is how long the kernel may keep the attributes of a replaced version.
	retiredValid = time.Minute
)

// file is a version of a file, and where it is shown.
type file struct {
	k     known
	left  time.Duration // of the listing that shows it
	whole bool          // that listing counts
	key   string        // of its content in the blob store
}

// file reads what a node is. The zero file when it is no file's.
func (t *Tree) file(tx *bbolt.Tx, n backends.NodeID) (f file, err error) {
	if f.k, err = loadNode(tx, n); err != nil || f.k.node == 0 {
		return file{}, err
	}
	if t.service(f.k.scope) == nil {
		return file{}, fmt.Errorf("node %d belongs to no connection: %w", n, backends.ErrNotFound)
	}
	f.left = retiredValid
	if !f.k.retired() {
		l, err := t.listing(tx, f.k.places[0].dir)
		switch {
		case err == nil:
			f.left, f.whole = l.valid(false), l.whole
		case !errors.Is(err, backends.ErrNotFound):
			return f, err
		}
	}
	f.key = t.blobKey(&f.k)
	return f, nil
}

// loadFile reads what a node is; ErrStale when it is nothing any more.
func (t *Tree) loadFile(n backends.NodeID) (f file, err error) {
	err = t.c.meta.View(func(tx *bbolt.Tx) error {
		f, err = t.file(tx, n)
		return err
	})
	if err == nil && f.k.node == 0 || err == nil && f.k.entry.is(lost) {
		err = fmt.Errorf("node %d: %w", n, backends.ErrStale)
	}
	return f, err
}

// blobKey names a content for ever: by scope, id (or what stands for it) and version.
func (t *Tree) blobKey(k *known) string {
	scope := strconv.FormatUint(uint64(k.scope), 10)
	if s := t.service(k.scope); s != nil {
		scope = s.sink.scope
	}
	h := sha256.New()
	for _, part := range []string{scope, cmp.Or(k.det.Content, k.det.ID), k.det.Version} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// windowKey names a window of a large content. The size is part of it, because a service may have stated a wrong one.
func windowKey(key string, size int64, n int64) string {
	return key + "-" + strconv.FormatInt(size, 36) + "-" + strconv.FormatInt(n, 36)
}

// fileAttr gives exact attributes, fetching the content if only that tells the size.
func (t *Tree) fileAttr(ctx context.Context, f *file) (backends.Attr, error) {
	e := &f.k.entry
	if e.is(lost) {
		return backends.Attr{}, fmt.Errorf("node %d: %w", f.k.node, backends.ErrStale)
	}
	t.contents.ahead.asked(f, e.size < 0)
	if e.size < 0 {
		n := f.k.node
		ctx, cancel := context.WithTimeout(ctx, t.c.o.OpTimeout)
		defer cancel()
		if err := t.contents.hydrate(ctx, f); err != nil {
			return backends.Attr{}, err
		}
		g, err := t.loadFile(n)
		if err != nil {
			return backends.Attr{}, err
		}
		f, e = &g, &g.k.entry
	}
	return backends.Attr{
		Ino: e.ino, Size: e.size, Mtime: e.mtime, Ctime: e.ctime, Btime: e.btime, Valid: f.left,
	}, nil
}

// ReadAt implements backends.Tree.
func (t *Tree) ReadAt(ctx context.Context, n backends.NodeID, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("negative offset %d", off)
	}
	done, err := t.readAt(ctx, n, p, off)
	if !errors.Is(err, backends.ErrNotFound) {
		return done, err
	}
	// A content that came with a listing can't be fetched. The kernel may read a file that it knows after what was stored
	// has been evicted, cleared or found damaged: the listing brings it again.
	f, lost := t.loadFile(n)
	if lost != nil || f.whole || f.k.retired() {
		return done, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.c.o.ReadTimeout)
	defer cancel()
	if err := t.look(ctx, f.k.places[0].dir, true, func(*bbolt.Tx, *listing) error { return nil }); err != nil {
		return 0, err
	}
	return t.readAt(ctx, n, p, off)
}

func (t *Tree) readAt(ctx context.Context, n backends.NodeID, p []byte, off int64) (int, error) {
	f, err := t.loadFile(n)
	if err != nil {
		return 0, err
	}
	t.contents.ahead.asked(&f, f.k.entry.size < 0)
	if f.k.entry.size < 0 {
		ctx, cancel := context.WithTimeout(ctx, t.c.o.ReadTimeout)
		defer cancel()
		if err := t.contents.hydrate(ctx, &f); err != nil {
			return 0, err
		}
		if f, err = t.loadFile(n); err != nil {
			return 0, err
		}
	}
	size := f.k.entry.size
	if off >= size || len(p) == 0 {
		return 0, nil
	}
	p = p[:min(int64(len(p)), size-off)]
	if f.k.entry.body != 0 {
		body, err := t.c.bodies.get(f.k.entry.body)
		if err == nil && int64(len(body)) == size {
			return copy(p, body[off:]), nil
		}
		if err != nil && !errors.Is(err, errNoBody) {
			if err := t.c.dropBodies(err); err != nil {
				return 0, err
			}
		}
	}
	if f.k.entry.is(ranged) && size > window {
		return t.contents.readWindows(ctx, &f, p, off)
	}
	return t.contents.read(ctx, &f, wholeContent, p, off)
}

// readWindows reads from a large content, window by window.
func (c *contents) readWindows(ctx context.Context, f *file, p []byte, off int64) (done int, err error) {
	for done < len(p) {
		at := off + int64(done)
		w, in := at/window, at%window
		part := p[done:min(int64(len(p)), int64(done)+window-in)]
		n, err := c.read(ctx, f, w, part, in)
		if err != nil {
			return 0, err
		}
		if n < len(part) {
			return 0, fmt.Errorf("%w: a window ended early", backends.ErrUnavailable)
		}
		done += n
	}
	row := c.seq.at(f.k.node, off, int64(done))
	end := off + int64(done)
	last := (f.k.entry.size - 1) / window
	if row > 0 && (row > window || end%window >= aheadFrom) {
		for w := end/window + 1; w <= min(last, end/window+windowsAhead(row)); w++ {
			c.prefetch(f, w)
		}
	}
	return done, nil
}

// windowsAhead is how many windows are fetched ahead of somebody who has read so many bytes in sequence: who has read
// much goes on, and a connection alone may be slower than the way.
func windowsAhead(row int64) int64 { return min(1+row/window, maxAhead) }
