package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/workfs/workfs/backends"
)

var (
	errClosed = fmt.Errorf("%w: the cache is closed", backends.ErrUnavailable)
	errEnded  = errors.New("the batch has ended")
)

// Bodies are written whenever this much has gathered, so that a batch may be larger than memory.
const (
	spillBytes = 4 << 20
	spillCount = 4096
)

// pending is an entry of a batch. What is only needed to be stored is kept encoded.
type pending struct {
	dir     int32 // index in batch.dirs
	flags   flags
	dead    bool // overtaken by a later call of the same batch
	hasBody bool
	own     bool // the body was written by this batch
	hasItem bool
	item    ident
	ident   ident
	version uint64 // hash of the version
	content uint64 // hash of the content, or of the version where the content is not known
	size    int64
	body    uint64 // number; 0: none, or still to be spilled
	mtime   time.Time
	ctime   time.Time
	btime   time.Time
	det     slice
	written bool // staged: the body is the store's, whatever becomes of the batch
}

// batch gathers changes of a collection.
type batch struct {
	s     *sink
	coll  string
	begun time.Time

	dirs    []backends.DirKey
	dirNo   map[backends.DirKey]int32
	adds    []pending
	byIdent map[ident]int32
	removed map[ident]int32 // item → how many adds came before the last removal

	next    *spill   // bodies that gather
	writing *spill   // bodies that are being encoded and written meanwhile
	chunks  []uint64 // chunks of bodies that were written
	details details
	staged  map[int32]*stagedDir // directories whose entries have been written ahead of the commit
	staging []backends.NodeID    // what it has in Cache.staging
	scratch []byte
	pinned  []uint64 // stored bodies that the batch relies on
	epoch   uint64   // when it began
	failed  error    // why bodies could not be written; the batch cannot be committed any more
	ended   bool
}

func newBatch(s *sink, collection string) *batch {
	return &batch{
		s: s, coll: collection, begun: s.c.o.Now(), epoch: s.c.epoch.Load(),
		dirNo: map[backends.DirKey]int32{}, byIdent: map[ident]int32{}, removed: map[ident]int32{}, staged: map[int32]*stagedDir{},
		details: details{c: s.c},
	}
}

func (b *batch) dir(dir backends.DirKey) int32 {
	n, ok := b.dirNo[dir]
	if !ok {
		n = int32(len(b.dirs))
		b.dirs = append(b.dirs, dir)
		b.dirNo[dir] = n
	}
	return n
}

func hash64(s string) uint64 {
	sum := sha256.Sum256([]byte(s))
	return binary.BigEndian.Uint64(sum[:])
}

// Add implements backends.Batch.
func (b *batch) Add(dir backends.DirKey, entries ...backends.Entry) error {
	if b.ended {
		return errEnded
	}
	no := b.dir(dir)
	for i := range entries {
		if err := b.add(no, &entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) add(dir int32, e *backends.Entry) error {
	version := e.Version
	p := pending{
		dir: dir, size: e.Size, mtime: e.Mtime, ctime: e.Ctime, btime: e.Btime,
		ident: identOf(b.s.scope, e.ID), hasItem: e.Item != "",
	}
	if p.hasItem {
		p.item = itemHash(e.Item)
	}
	switch {
	case e.IsDir:
		p.flags |= isDir
		p.size, version = 0, ""
	case e.Body != nil:
		p.hasBody = true
		p.size = int64(len(e.Body))
		sum := sha256.Sum256(e.Body)
		p.content = binary.BigEndian.Uint64(sum[:])
		if version == "" {
			version = "sha256:" + hex.EncodeToString(sum[:])
		}
	case p.size < 0:
		p.size = backends.SizeUnknown
	}
	if e.Ranged {
		p.flags |= ranged
	}
	if !e.IsDir {
		p.version = hash64(version)
		if !p.hasBody {
			p.content = p.version
		}
	}
	d := detail{
		ID: e.ID, Item: e.Item, Version: version, Ref: e.Ref, Name: e.Name, Dir: string(e.Dir), Stated: p.size, Info: e.Info,
		Content: e.Content,
	}
	b.scratch = d.append(b.scratch[:0])
	var err error
	if p.det, err = b.details.add(b.scratch); err != nil {
		b.failed = err
		return err
	}
	at := int32(len(b.adds))
	if prev, ok := b.byIdent[p.ident]; ok {
		// One identity is in one place of an item: the last word counts.
		if old := &b.adds[prev]; p.hasItem && old.hasItem && old.item == p.item || old.dir == p.dir {
			old.dead = true
		}
	}
	b.byIdent[p.ident] = at
	b.adds = append(b.adds, p)
	if p.hasBody {
		return b.keep(at, e.ID, version, e.Body)
	}
	return nil
}

// keep sees to it that the body of an entry is stored.
func (b *batch) keep(at int32, id, version string, body []byte) error {
	p := &b.adds[at]
	ino := b.s.c.ino(b.s.scope, id)
	if have := b.stored(p.ident, ino, version); have != 0 && b.s.c.pins.pin(have, b.s.c.bodies.has) {
		p.body = have
		b.pinned = append(b.pinned, have)
		return nil
	}
	if b.next == nil {
		b.next = &spill{done: make(chan struct{})}
	}
	b.next.add(at, ino, body)
	if b.next.bytes >= spillBytes || len(b.next.bodies) >= spillCount {
		return b.flush()
	}
	return nil
}

// stored finds the body that a version of an entry has already.
func (b *batch) stored(id ident, ino uint64, version string) (body uint64) {
	err := b.s.c.meta.View(func(tx *bbolt.Tx) error {
		known, err := lookupIno(tx, id, tx.Bucket(bucketInos).Get(key64(ino)))
		if err != nil || known.node == 0 || known.entry.body == 0 {
			return err
		}
		if known.det.Version == version {
			body = known.entry.body
		}
		return nil
	})
	if err != nil {
		return 0
	}
	return body
}

// spill is a chunk of bodies.
type spill struct {
	bodies [][]byte
	inos   []uint64
	adds   []int32 // whose they are
	bytes  int
	done   chan struct{} // closed when they are written, or not
	first  uint64        // number of the first
	err    error
}

// add takes a copy.
func (s *spill) add(at int32, ino uint64, body []byte) {
	s.bodies = append(s.bodies, bytes.Clone(body))
	s.inos = append(s.inos, ino)
	s.adds = append(s.adds, at)
	s.bytes += len(body)
}

func (s *spill) write(c *Cache) {
	defer close(s.done)
	size := 0
	var scratch []byte
	for i := range s.bodies {
		scratch = c.bodies.encode(scratch[:0], s.inos[i], s.bodies[i])
		s.bodies[i] = bytes.Clone(scratch)
		size += len(s.bodies[i])
	}
	if s.err = c.blobs.FreeFor(int64(size)); s.err == nil {
		s.first, s.err = c.bodies.put(s.bodies)
	}
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
	if s.err != nil {
		b.failed = s.err
		return s.err
	}
	for i, at := range s.adds {
		b.adds[at].body, b.adds[at].own = s.first+uint64(i), true
	}
	b.chunks = append(b.chunks, s.first)
	return nil
}

// Remove implements backends.Batch.
func (b *batch) Remove(item string) {
	if b.ended || item == "" {
		return
	}
	b.removed[itemHash(item)] = int32(len(b.adds))
}

// Discard implements backends.Batch.
func (b *batch) Discard() {
	if b.ended {
		return
	}
	b.ended = true
	defer b.release()
	_ = b.wait() // what could not be written needs no deletion
	var dead []uint64
	for i := range b.adds {
		if b.adds[i].own && !b.adds[i].written {
			dead = append(dead, b.adds[i].body)
		}
	}
	if len(dead) > 0 {
		if err := b.s.c.bodies.remove(dead); err != nil {
			b.s.c.log.Warn("bodies of a discarded batch stay until the next start", "error", err)
			return
		}
	}
	b.s.c.bodies.settle(b.chunks)
}

// release lets go of what an open batch keeps.
func (b *batch) release() {
	b.s.c.pins.unpin(b.pinned)
	if len(b.staging) > 0 {
		b.s.c.committing.Lock()
		b.s.c.unstaged(b)
		b.s.c.committing.Unlock()
	}
	b.details.close()
	b.adds, b.byIdent, b.next, b.staged = nil, nil, nil, nil
}

// detail gives the detail of an addition.
func (b *batch) detail(p *pending) (detail, error) {
	_, d, err := b.fullDetail(p)
	return d, err
}

// fullDetail gives the detail of an addition, encoded too.
func (b *batch) fullDetail(p *pending) (det []byte, d detail, err error) {
	if det, err = b.details.get(p.det); err == nil {
		d, err = decodeDetail(det)
	}
	return det, d, err
}

// newEntries makes what is to be named of additions.
func (b *batch) newEntries(adds []int32) ([]newEntry, error) {
	news := make([]newEntry, len(adds))
	for i, at := range adds {
		d, err := b.detail(&b.adds[at])
		if err != nil {
			return nil, err
		}
		news[i] = newEntry{want: cloned(d.Name), add: &b.adds[at]}
	}
	return news, nil
}

// alive tells whether an addition has not been overtaken by a later call.
func (b *batch) alive(i int32) bool {
	p := &b.adds[i]
	n, removed := b.removed[p.item]
	return !p.dead && !(removed && p.hasItem && i < n)
}

// Commit implements backends.Batch.
func (b *batch) Commit(how backends.Commit) error {
	if b.ended {
		return errEnded
	}
	if err := errors.Join(b.flush(), b.wait()); err != nil {
		return err
	}
	if err := b.s.c.commit(b, how); err != nil {
		return err
	}
	b.ended = true
	b.s.c.bodies.settle(b.chunks)
	b.release()
	return nil
}
