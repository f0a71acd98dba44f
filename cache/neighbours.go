package cache

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cache/blob"
)

const (
	// neighbourFiles and neighbourBytes bound what is loaded at once for Neighbours.
	neighbourFiles = 256
	neighbourBytes = 2 << 20
	// neighbourBlob is the largest fetched content that Neighbours gives.
	neighbourBlob = 1 << 20
)

// neighbour is a file whose content is at hand: a stored body or a blob.
type neighbour struct {
	node backends.NodeID
	size int64
	body uint64
	key  string
}

// Neighbours implements backends.Tree.
func (t *Tree) Neighbours(ctx context.Context, n backends.NodeID, fn func(n backends.NodeID, size int64, read func() ([]byte, error)) bool) error {
	f, err := t.loadFile(n)
	if err != nil || f.k.retired() {
		return err
	}
	at := f.k.places[0]
	var scratch []byte
	// A caller that only wants to know who is next must not cost a look at hundreds of files.
	for limit := 1; ; limit = min(8*limit, neighbourFiles) {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, last, more, err := t.neighbours(at, limit)
		if err != nil {
			return err
		}
		if len(found) == 0 && limit > 1 {
			return nil // nothing near is at hand: a first read of the directory must not look through all of it each time
		}
		numbers := make([]uint64, len(found))
		for i := range found {
			numbers[i] = found[i].body
		}
		stored, err := t.c.bodies.stored(numbers)
		if err != nil {
			return err
		}
		for i, nb := range found {
			read := func() (body []byte, err error) {
				if body, err = t.c.bodies.decodeIn(scratch, stored[i]); err == nil {
					scratch = body
				}
				return body, err
			}
			if nb.body == 0 {
				read = func() ([]byte, error) { return t.readBlob(&nb) }
			} else if stored[i] == nil {
				continue
			}
			if !fn(nb.node, nb.size, read) {
				return nil
			}
		}
		if !more {
			return nil
		}
		at.cookie = last
	}
}

// neighbours looks at the next entries after a place, at most limit, for files whose contents are at hand.
func (t *Tree) neighbours(after place, limit int) (found []neighbour, last uint64, more bool, err error) {
	looked, bytes := 0, int64(0)
	err = t.c.meta.View(func(tx *bbolt.Tx) error {
		return scan(tx, after.dir, after.cookie, func(at place, v []byte) (bool, error) {
			e, err := decodeEntry(v)
			if err != nil {
				return false, fmt.Errorf("entry %d of directory %d: %w", at.cookie, at.dir, err)
			}
			looked++
			last = at.cookie
			if nb, ok, err := t.atHand(tx, &e); err != nil {
				return false, err
			} else if ok {
				found = append(found, nb)
				bytes += nb.size
			}
			more = looked == limit || bytes >= neighbourBytes
			return !more, nil
		})
	})
	return found, last, more, err
}

func (t *Tree) atHand(tx *bbolt.Tx, e *entry) (nb neighbour, ok bool, err error) {
	if e.is(isDir) || e.size < 0 {
		return nb, false, nil
	}
	nb = neighbour{node: e.node, size: e.size, body: e.body}
	if e.body != 0 {
		return nb, true, nil
	}
	if e.size > neighbourBlob {
		return nb, false, nil
	}
	k, err := loadNode(tx, e.node)
	if err != nil || k.node == 0 {
		return nb, false, err
	}
	nb.key = t.blobKey(&k)
	size, ok := t.c.blobs.Stat(nb.key)
	return nb, ok && size == e.size, nil
}

func (t *Tree) readBlob(nb *neighbour) ([]byte, error) {
	p := make([]byte, nb.size)
	n, size, err := t.c.blobs.ReadAt(nb.key, p, 0)
	if err == nil && (size != nb.size || n != len(p)) {
		err = blob.ErrMissing
	}
	return p, err
}
