package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/workfs/workfs/backends"
)

var (
	errClosed = fmt.Errorf("%w: the cache is closed", backends.ErrUnavailable)
	errEnded  = errors.New("the batch has ended")
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
	ino     uint64 // what its identity hashes to
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
	adds    pieces[pending]
	byIdent map[ident]int32
	removed map[ident]int32 // item → how many adds came before the last removal

	next    *spill   // bodies that gather
	writing *spill   // bodies that are being encoded and written meanwhile
	spare   []*spill // have been written; their memory is used again
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
		ident: identOf(b.s.scope, e.ID), ino: b.s.c.ino(b.s.scope, e.ID), hasItem: e.Item != "",
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
	at := int32(b.adds.len())
	if prev, ok := b.byIdent[p.ident]; ok {
		// One identity is in one place of an item: the last word counts.
		if old := b.adds.at(prev); p.hasItem && old.hasItem && old.item == p.item || old.dir == p.dir {
			old.dead = true
		}
	}
	b.byIdent[p.ident] = at
	b.adds.add(p)
	if p.hasBody {
		return b.keep(at, version, e.Body)
	}
	return nil
}

// Remove implements backends.Batch.
func (b *batch) Remove(item string) {
	if b.ended || item == "" {
		return
	}
	b.removed[itemHash(item)] = int32(b.adds.len())
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
	for i := range int32(b.adds.len()) {
		if p := b.adds.at(i); p.own && !p.written {
			dead = append(dead, p.body)
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
	b.adds, b.byIdent, b.next, b.spare, b.staged = pieces[pending]{}, nil, nil, nil, nil
}

// packed is the detail of an addition. Most are stored as they are: unpacking one costs more than to find what it replaces.
type packed struct {
	raw  []byte
	d    detail
	open bool
}

func (b *batch) packed(p *pending) (packed, error) {
	raw, err := b.details.get(p.det)
	return packed{raw: raw}, err
}

// detail unpacks.
func (k *packed) detail() (d *detail, err error) {
	if !k.open {
		if k.d, err = decodeDetail(k.raw); err != nil {
			return nil, err
		}
		k.open = true
	}
	return &k.d, nil
}

// newEntries makes what is to be named of additions.
func (b *batch) newEntries(adds []int32) ([]newEntry, error) {
	news := make([]newEntry, len(adds))
	var scratch []byte
	for i, at := range adds {
		add := b.adds.at(at)
		det, err := b.details.get(add.det)
		if err != nil {
			return nil, err
		}
		var d detail
		if d, scratch, err = decodeDetailIn(scratch, det); err != nil {
			return nil, err
		}
		news[i] = newEntry{want: cloned(d.Name), add: add}
	}
	return news, nil
}

// alive tells whether an addition has not been overtaken by a later call.
func (b *batch) alive(i int32) bool {
	p := b.adds.at(i)
	n, removed := b.removed[p.item]
	return !p.dead && !(removed && p.hasItem && i < n)
}

// Stage implements backends.Stager.
func (b *batch) Stage(dirs []backends.DirKey) error {
	if b.ended {
		return errEnded
	}
	if err := errors.Join(b.flush(), b.wait()); err != nil {
		return err
	}
	whole := make([]backends.Listing, len(dirs))
	for i, dir := range dirs {
		whole[i].Dir = dir
	}
	if err := b.s.c.stageFrom(b.s.c.bounds.stageChunk/4, b, whole); err != nil { // fewer are not worth a transaction
		return storeError("stage", err)
	}
	for no, st := range b.staged {
		if len(st.rest) > 0 { // their commit or another call begins anew with them
			delete(b.staged, no)
		}
	}
	return nil
}

// unstageChanged leaves those staged directories to the commit that were added to or lost something after they were staged.
// It finds there what was written as what an interrupted batch has left.
func (b *batch) unstageChanged() {
	if len(b.staged) == 0 {
		return
	}
	for i := range int32(b.adds.len()) {
		p := b.adds.at(i)
		if b.staged[p.dir] != nil && p.written != b.alive(i) {
			delete(b.staged, p.dir)
		}
	}
}

// Commit implements backends.Batch.
func (b *batch) Commit(how backends.Commit) error {
	if b.ended {
		return errEnded
	}
	if err := errors.Join(b.flush(), b.wait()); err != nil {
		return err
	}
	b.unstageChanged()
	if err := b.s.c.commit(b, how); err != nil {
		return err
	}
	b.ended = true
	b.s.c.bodies.settle(b.chunks)
	b.release()
	return nil
}
