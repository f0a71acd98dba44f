package cache

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cache/blob"
)

const (
	// neighbourFirst entries are looked at first for Neighbours; neighbourFiles and neighbourBytes bound what is loaded at once.
	neighbourFirst = 32
	neighbourFiles = 256
	neighbourBytes = 2 << 20
	// neighbourBlob is the largest fetched content that Neighbours gives.
	neighbourBlob = 1 << 20
)

// neighbour is a file whose content is at hand: a stored body or a blob.
type neighbour struct {
	backends.Neighbour
	body uint64
	key  string
}

// Place implements backends.Tree.
func (t *Tree) Place(_ context.Context, n backends.NodeID) (p backends.Place, err error) {
	err = t.c.meta.View(func(tx *bbolt.Tx) error {
		k, err := loadNode(tx, n)
		if err != nil {
			return err
		}
		if k.node == 0 || k.retired() {
			return fmt.Errorf("node %d: %w", n, backends.ErrStale)
		}
		p = backends.Place{Dir: k.places[0].dir, Cookie: k.places[0].cookie, Name: k.entry.name}
		return nil
	})
	return p, err
}

// Neighbours implements backends.Tree.
func (t *Tree) Neighbours(ctx context.Context, dir backends.NodeID, from uint64, backward bool, fn func(backends.Neighbour) bool) error {
	at := place{dir, from}
	var scratch []byte
	// A caller that only wants few must not cost a look at hundreds of files.
	for limit := neighbourFirst; ; limit = min(4*limit, neighbourFiles) {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, last, more, err := t.neighbours(at, backward, limit)
		if err != nil {
			return err
		}
		if len(found) == 0 {
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
		for i := range found {
			nb := &found[i]
			if nb.body == 0 {
				nb.Read = func() ([]byte, error) { return t.readBlob(nb) }
			} else if stored[i] == nil {
				continue
			} else {
				nb.Read = func() (body []byte, err error) {
					if body, err = t.c.bodies.decodeIn(scratch, stored[i]); err == nil {
						scratch = body
					}
					return body, err
				}
			}
			if !fn(nb.Neighbour) {
				return nil
			}
		}
		if !more {
			return nil
		}
		at.cookie = last
	}
}

// neighbours looks at the next entries beside a place, at most limit, for files whose contents are at hand.
func (t *Tree) neighbours(from place, backward bool, limit int) (found []neighbour, last uint64, more bool, err error) {
	walk := scan
	if backward {
		walk = scanBack
	}
	looked, bytes := 0, int64(0)
	err = t.c.meta.View(func(tx *bbolt.Tx) error {
		return walk(tx, from.dir, from.cookie, func(at place, v []byte) (bool, error) {
			e, err := decodeEntry(v)
			if err != nil {
				return false, fmt.Errorf("entry %d of directory %d: %w", at.cookie, at.dir, err)
			}
			looked++
			last = at.cookie
			if nb, ok, err := t.atHand(tx, &e); err != nil {
				return false, err
			} else if ok {
				nb.Cookie = at.cookie
				found = append(found, nb)
				bytes += nb.Size
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
	nb = neighbour{Neighbour: backends.Neighbour{Name: e.name, Node: e.node, Size: e.size}, body: e.body}
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
	p := make([]byte, nb.Size)
	n, size, err := t.c.blobs.ReadAt(nb.key, p, 0)
	if err == nil && (size != nb.Size || n != len(p)) {
		err = blob.ErrMissing
	}
	return p, err
}
