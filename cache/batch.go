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

// addition is what a batch keeps in memory of each of its entries, of which there may be a million: without a pointer, so that
// the garbage collector need not look at them.
type addition struct {
	item    ident
	det     slice  // head and detail
	body    uint64 // number; 0: none, or still to be spilled
	dir     int32  // index in batch.dirs
	dead    bool   // overtaken by a later call of the same batch
	hasItem bool
	own     bool // the body was written by this batch
	written bool // staged: the body is the store's, whatever becomes of the batch
}

// pending is an addition with all that is known of it.
type pending struct {
	*addition
	head
	packed packed
}

// head is what is written before an entry's detail.
type head struct {
	flags   flags
	hasBody bool
	ident   ident
	ino     uint64 // what its identity hashes to
	version uint64 // hash of the version
	content uint64 // hash of the content, or of the version where the content is not known
	size    int64
	mtime   time.Time
	ctime   time.Time
	btime   time.Time
}

// withBody stands in the flags of a stored head.
const withBody = 1 << 16

func (h *head) append(b []byte) []byte {
	kind := uint64(h.flags)
	if h.hasBody {
		kind |= withBody
	}
	b = binary.AppendUvarint(b, kind)
	b = append(b, h.ident[:]...)
	b = binary.BigEndian.AppendUint64(b, h.ino)
	b = binary.BigEndian.AppendUint64(b, h.version)
	b = binary.BigEndian.AppendUint64(b, h.content)
	b = binary.AppendVarint(b, h.size)
	b = appendTime(b, h.mtime)
	b = appendTime(b, h.ctime)
	return appendTime(b, h.btime)
}

// decode reads what append wrote and gives what comes after it.
func (h *head) decode(b []byte) (rest []byte, err error) {
	d := decoder{b: b}
	kind := d.uvarint()
	h.flags, h.hasBody = flags(kind), kind&withBody != 0
	copy(h.ident[:], d.bytes(uint64(len(h.ident))))
	h.ino, h.version, h.content = d.fixed64(), d.fixed64(), d.fixed64()
	h.size = d.varint()
	h.mtime, h.ctime, h.btime = d.time(), d.time(), d.time()
	return d.b, d.err()
}

// batch gathers changes of a collection.
type batch struct {
	s     *sink
	coll  string
	begun time.Time

	dirs    []backends.DirKey
	dirNo   map[backends.DirKey]int32
	adds    pieces[addition]
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
	p := addition{dir: dir, hasItem: e.Item != ""}
	h := head{
		size: e.Size, mtime: e.Mtime, ctime: e.Ctime, btime: e.Btime, ident: identOf(b.s.scope, e.ID), ino: b.s.c.ino(b.s.scope, e.ID),
	}
	if p.hasItem {
		p.item = itemHash(e.Item)
	}
	switch {
	case e.IsDir:
		h.flags |= isDir
		h.size, version = 0, ""
	case e.Body != nil:
		h.hasBody = true
		h.size = int64(len(e.Body))
		sum := sha256.Sum256(e.Body)
		h.content = binary.BigEndian.Uint64(sum[:])
		if version == "" {
			version = "sha256:" + hex.EncodeToString(sum[:])
		}
	case h.size < 0:
		h.size = backends.SizeUnknown
	}
	if e.Ranged {
		h.flags |= ranged
	}
	if !e.IsDir {
		h.version = hash64(version)
		if !h.hasBody {
			h.content = h.version
		}
	}
	d := detail{
		ID: e.ID, Item: e.Item, Version: version, Ref: e.Ref, Name: e.Name, Dir: string(e.Dir), Stated: h.size, Info: e.Info,
		Content: e.Content,
	}
	b.scratch = d.append(h.append(b.scratch[:0]))
	var err error
	if p.det, err = b.details.add(b.scratch); err != nil {
		b.failed = err
		return err
	}
	at := int32(b.adds.len())
	if prev, ok := b.byIdent[h.ident]; ok {
		// One identity is in one place of an item: the last word counts.
		if old := b.adds.at(prev); p.hasItem && old.hasItem && old.item == p.item || old.dir == p.dir {
			old.dead = true
		}
	}
	b.byIdent[h.ident] = at
	b.adds.add(p)
	if h.hasBody {
		return b.keep(spilled{at: at, ident: h.ident, ino: h.ino, version: version, body: e.Body})
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
	b.adds, b.byIdent, b.next, b.spare, b.staged = pieces[addition]{}, nil, nil, nil, nil
}

// load reads an addition whole. It is good as long as the batch.
func (b *batch) load(add *addition) (pending, error) {
	p := pending{addition: add}
	raw, err := b.details.get(add.det)
	if err == nil {
		p.packed.raw, err = p.head.decode(raw)
	}
	return p, err
}

// packed is the detail of an addition. Most are stored as they are: unpacking one costs more than to find what it replaces.
type packed struct {
	raw  []byte
	d    detail
	open bool
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
		p, err := b.load(b.adds.at(at))
		if err != nil {
			return nil, err
		}
		var d detail
		if d, scratch, err = decodeDetailIn(scratch, p.packed.raw); err != nil {
			return nil, err
		}
		news[i] = newEntry{want: cloned(d.Name), add: p.addition}
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
