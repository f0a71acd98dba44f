package cache

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/klauspost/compress/s2"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/names"
)

// errRecord says that a stored record cannot be decoded.
var errRecord = errors.New("cache record is malformed")

type flags uint16

const (
	isDir   flags = 1 << iota
	ranged        // Fetch serves ranges
	learnt        // the size was learnt by fetching and differs from, or adds to, what the service states
	ownTime       // the service gives no time; a directory's is in its own record
	hasBtime
	refetched // the content differed when it was fetched again: ctime is the time of that
	lost      // retired because its bytes turned out to be others: they cannot be had any more
)

// entry is the part of a directory entry that listing and stat need.
type entry struct {
	flags flags
	node  backends.NodeID
	ino   uint64
	size  int64
	mtime time.Time
	ctime time.Time
	btime time.Time
	body  uint64 // number of the stored body; 0: none
	coll  uint64 // the collection that its item belongs to
	name  string
}

func (e *entry) is(f flags) bool { return e.flags&f != 0 }

var zeroTime time.Time

func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

func (e *entry) append(b []byte) []byte {
	b = slices.Grow(b, 96+len(e.name))
	b = binary.AppendUvarint(b, uint64(e.flags))
	b = binary.AppendUvarint(b, uint64(e.node))
	b = binary.BigEndian.AppendUint64(b, e.ino)
	b = binary.AppendVarint(b, e.size)
	b = binary.AppendUvarint(b, e.body)
	b = binary.AppendUvarint(b, e.coll)
	b = appendTime(b, e.mtime)
	b = appendTime(b, e.ctime)
	if e.is(hasBtime) {
		b = appendTime(b, e.btime)
	}
	return append(b, e.name...)
}

// decoder reads what the append functions wrote; the first malformed field makes it fail for good.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) fixed64() uint64 {
	if len(d.b) < 8 {
		d.bad, d.b = true, nil
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if uint64(len(d.b)) < n {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) time() time.Time {
	sec := d.varint()
	nsec := d.uvarint()
	return time.Unix(sec, int64(nsec)).UTC()
}

func (d *decoder) err() error {
	if d.bad {
		return errRecord
	}
	return nil
}

// decodeEntry decodes a copy: the entry does not alias b.
func decodeEntry(b []byte) (e entry, err error) {
	d := decoder{b: b}
	e.flags = flags(d.uvarint())
	e.node = backends.NodeID(d.uvarint())
	e.ino = d.fixed64()
	e.size = d.varint()
	e.body = d.uvarint()
	e.coll = d.uvarint()
	e.mtime = d.time()
	e.ctime = d.time()
	if e.is(hasBtime) {
		e.btime = d.time()
	}
	e.name = string(d.b)
	return e, d.err()
}

// detail is the rest of a directory entry: what fetching, updating and `info` need.
type detail struct {
	ID      string
	Item    string
	Version string
	Ref     string
	Name    names.Wanted
	Dir     string // DirKey of a directory
	Stated  int64  // the size that the service stated
	Info    backends.Info
	Content string // what names the content, "" for ID
}

// The first number of a detail.
const (
	nameUser = 1 << iota
	nameFixed
	hasContent // Content is among the strings
)

// maxDetail bounds what a stored detail may say that it unpacks to.
const maxDetail = 1 << 26

// append encodes d. Its strings are mostly one item's id with something around it, so that packing halves them; it costs a
// microsecond, and unpacking a third of one.
func (d *detail) append(b []byte) []byte {
	kind := uint64(0)
	if d.Name.User {
		kind |= nameUser
	}
	if d.Name.Fixed {
		kind |= nameFixed
	}
	if d.Content != "" {
		kind |= hasContent
	}
	b = binary.AppendUvarint(b, kind)
	b = binary.AppendVarint(b, d.Stated)
	all := d.strings(kind)
	size := 0
	for _, p := range all {
		size += binary.MaxVarintLen32 + len(*p)
	}
	// What is to be packed is put together behind the room for the packed form, so that who brings the same b again and
	// again allocates nothing.
	room := s2.MaxEncodedLen(size)
	b = slices.Grow(b, room+size)
	plain := b[len(b)+room : len(b)+room]
	for _, p := range all {
		plain = binary.AppendUvarint(plain, uint64(len(*p)))
		plain = append(plain, *p...)
	}
	block := s2.Encode(b[len(b):len(b)+room], plain)
	return b[:len(b)+len(block)]
}

func (d *detail) strings(kind uint64) []*string {
	all := [...]*string{
		&d.ID, &d.Item, &d.Name.Key, &d.Ref, &d.Version, &d.Name.Stem, &d.Name.Ext, &d.Dir,
		&d.Info.ServiceID, &d.Info.ETag, &d.Info.WebURL, &d.Info.From, &d.Info.Hash, &d.Content,
	}
	if kind&hasContent == 0 {
		return all[:len(all)-1]
	}
	return all[:]
}

// decodeDetail decodes a copy. Its strings lie in one piece of memory: who keeps one of them for long clones it.
func decodeDetail(b []byte) (detail, error) {
	d, _, err := decodeDetailIn(nil, b)
	return d, err
}

// decodeDetailIn is decodeDetail for who goes through many: the strings lie in scratch, and are good until that is used again.
func decodeDetailIn(scratch, b []byte) (d detail, plain []byte, err error) {
	r := decoder{b: b}
	kind := r.uvarint()
	d.Name.User = kind&nameUser != 0
	d.Name.Fixed = kind&nameFixed != 0
	d.Stated = r.varint()
	if r.bad {
		return d, scratch, errRecord
	}
	if n, err := s2.DecodedLen(r.b); err != nil || n > maxDetail {
		return d, scratch, errRecord
	}
	if plain, err = s2.Decode(scratch[:cap(scratch)], r.b); err != nil {
		return d, scratch, errRecord
	}
	r.b = plain
	rest := unsafe.String(unsafe.SliceData(plain), len(plain)) // without a copy: nobody writes to plain any more
	for _, p := range d.strings(kind) {
		n := r.uvarint()
		if r.bytes(n); r.bad {
			return detail{}, plain, errRecord
		}
		end := len(rest) - len(r.b)
		*p = rest[end-int(n) : end]
	}
	return d, plain, nil
}

// cloned gives a wish that does not keep a whole detail in memory.
func cloned(w names.Wanted) names.Wanted {
	w.Stem, w.Key, w.Ext = strings.Clone(w.Stem), strings.Clone(w.Key), strings.Clone(w.Ext)
	return w
}

// dirRecord is what is remembered of a directory. Its number is its node id.
type dirRecord struct {
	scope   uint32
	key     string
	coll    uint64 // the collection that made it whole; 0: none yet
	epoch   uint64 // of the listing; the directory is whole when it is the store's
	listed  bool   // it has been whole, in whatever epoch: somebody may know its entries
	covered bool
	plain   bool // no name depends on another entry
	ownTime bool
	asOf    time.Time
	maxAge  time.Duration
	next    uint64 // the next cookie
	count   uint64
	parent  backends.NodeID // the directory that lists it, and where
	cookie  uint64
	ident   ident // of the entry that names it
	mtime   time.Time
	gone    time.Time // since nothing lists it any more; zero: something does
}

const (
	dirListed = 1 << iota
	dirCovered
	dirPlain
	dirOwnTime
	dirGone
)

func (r *dirRecord) append(b []byte) []byte {
	var f uint64
	for i, set := range []bool{r.listed, r.covered, r.plain, r.ownTime, !r.gone.IsZero()} {
		if set {
			f |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, f)
	b = binary.AppendUvarint(b, uint64(r.scope))
	b = binary.AppendUvarint(b, r.coll)
	b = binary.AppendUvarint(b, r.epoch)
	b = appendTime(b, r.asOf)
	b = binary.AppendVarint(b, int64(r.maxAge))
	b = binary.AppendUvarint(b, r.next)
	b = binary.AppendUvarint(b, r.count)
	b = binary.AppendUvarint(b, uint64(r.parent))
	b = binary.AppendUvarint(b, r.cookie)
	b = append(b, r.ident[:]...)
	b = appendTime(b, r.mtime)
	if !r.gone.IsZero() {
		b = appendTime(b, r.gone)
	}
	return append(b, r.key...)
}

func decodeDir(b []byte) (r dirRecord, err error) {
	d := decoder{b: b}
	f := d.uvarint()
	r.listed = f&dirListed != 0
	r.covered = f&dirCovered != 0
	r.plain = f&dirPlain != 0
	r.ownTime = f&dirOwnTime != 0
	r.scope = uint32(d.uvarint())
	r.coll = d.uvarint()
	r.epoch = d.uvarint()
	r.asOf = d.time()
	r.maxAge = time.Duration(d.varint())
	r.next = d.uvarint()
	r.count = d.uvarint()
	r.parent = backends.NodeID(d.uvarint())
	r.cookie = d.uvarint()
	copy(r.ident[:], d.bytes(uint64(len(r.ident))))
	r.mtime = d.time()
	if f&dirGone != 0 {
		r.gone = d.time()
	}
	r.key = string(d.b)
	return r, d.err()
}

// collRecord is what is remembered of a collection.
type collRecord struct {
	scope uint32
	name  string
	fresh time.Time // covered listings are right as of this time
}

func (r *collRecord) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.scope))
	b = appendTime(b, r.fresh)
	return append(b, r.name...)
}

func decodeColl(b []byte) (r collRecord, err error) {
	d := decoder{b: b}
	r.scope = uint32(d.uvarint())
	r.fresh = d.time()
	r.name = string(d.b)
	return r, d.err()
}

// place is where an entry stands.
type place struct {
	dir    backends.NodeID
	cookie uint64
}

const placeLen = 16

func (p place) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.dir))
	return binary.BigEndian.AppendUint64(b, p.cookie)
}

func (p place) key() []byte { return p.append(make([]byte, 0, placeLen)) }

func placeAt(b []byte) place {
	return place{dir: backends.NodeID(binary.BigEndian.Uint64(b)), cookie: binary.BigEndian.Uint64(b[8:])}
}

// decodePlaces decodes a list of places; a partial one at the end is ignored.
func decodePlaces(b []byte) []place {
	ps := make([]place, 0, len(b)/placeLen)
	for ; len(b) >= placeLen; b = b[placeLen:] {
		ps = append(ps, placeAt(b))
	}
	return ps
}

func appendPlaces(b []byte, ps []place) []byte {
	for _, p := range ps {
		b = p.append(b)
	}
	return b
}

// retired is a version of a file that is in no directory any more.
type retired struct {
	since time.Time
	scope uint32
	entry []byte
	det   []byte
}

// The first byte of a node's record.
const (
	nodePlaces  = 'f' // followed by the places that show it
	nodeRetired = 'r'
)

func (r *retired) append(b []byte) []byte {
	b = append(b, nodeRetired)
	b = appendTime(b, r.since)
	b = binary.AppendUvarint(b, uint64(r.scope))
	b = binary.AppendUvarint(b, uint64(len(r.entry)))
	b = append(b, r.entry...)
	return append(b, r.det...)
}

func decodeRetired(b []byte) (r retired, err error) {
	if len(b) == 0 || b[0] != nodeRetired {
		return r, errRecord
	}
	d := decoder{b: b[1:]}
	r.since = d.time()
	r.scope = uint32(d.uvarint())
	r.entry = d.bytes(d.uvarint())
	r.det = d.b
	return r, d.err()
}
