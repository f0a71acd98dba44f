package fs

import (
	"context"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/workfs/workfs/backends"
)

// rawFS answers the kernel. Every method may run many times at once; what it holds is made once in Mount.
type rawFS struct {
	fuse.RawFileSystem // ENOSYS for all that is not written here
	tree               backends.Tree
	owner              owner
	log                *slog.Logger
	opTimeout          time.Duration
	readTimeout        time.Duration
	xattrs             func(context.Context, backends.NodeID) (map[string]string, error)

	virtual *virtualDir
	notify  *notifier
	push    *pusher
	counts  [opCount]atomic.Uint64
}

// op numbers the kinds of request that Requests counts.
type op int

const (
	opLookup op = iota
	opGetAttr
	opStatx
	opOpen
	opOpenDir
	opReadDir
	opReadDirPlus
	opRead
	opFlush
	opStatFS
	opXAttr
	opCount
)

var opNames = [opCount]string{"LOOKUP", "GETATTR", "STATX", "OPEN", "OPENDIR", "READDIR", "READDIRPLUS", "READ", "FLUSH", "STATFS", "XATTR"}

// slowOp is when an operation is worth a line although it succeeded.
const slowOp = 10 * time.Second

func (f *rawFS) begin(kind op, cancel <-chan struct{}) *operation {
	f.counts[kind].Add(1)
	timeout := f.opTimeout
	if kind == opRead {
		timeout = f.readTimeout
	}
	return newOperation(opNames[kind], cancel, timeout)
}

func (f *rawFS) finish(o *operation, node uint64) {
	o.end()
	if age := o.age(); age > slowOp {
		f.log.Info("slow operation", "op", o.name, "node", node, "after", age)
	}
}

// String implements fuse.RawFileSystem.
func (f *rawFS) String() string { return "workfs" }

// Lookup implements fuse.RawFileSystem.
func (f *rawFS) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	op := f.begin(opLookup, cancel)
	defer f.finish(op, h.NodeId)
	if f.virtual.lookup(h.NodeId, name, f.owner, out) {
		if out.NodeId == 0 {
			return fuse.ENOENT
		}
		return fuse.OK
	}
	dir := backends.NodeID(h.NodeId)
	f.notify.enter(dir)
	defer f.notify.leave(dir)
	d, negative, err := f.tree.Lookup(op, dir, name)
	if err != nil {
		if Errno(err) == syscall.ENOENT && negative > 0 {
			// A node id of 0 is how the kernel is told that it may remember the absence.
			out.SetEntryTimeout(min(negative, maxNegative))
			return fuse.OK
		}
		return f.status(op, h.NodeId, err)
	}
	f.fillEntry(&d, out)
	return fuse.OK
}

func (f *rawFS) fillEntry(d *backends.Dirent, out *fuse.EntryOut) {
	out.NodeId = uint64(d.Node)
	out.Generation = 1 // node ids are never reused
	f.owner.fill(&d.Attr, &out.Attr)
	out.SetEntryTimeout(entryValid(&d.Attr))
	out.SetAttrTimeout(attrValid(&d.Attr))
}

// Forget implements fuse.RawFileSystem. Nothing is kept per inode.
func (f *rawFS) Forget(uint64, uint64) {}

// GetAttr implements fuse.RawFileSystem. It is where contents of unknown size are fetched.
func (f *rawFS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	op := f.begin(opGetAttr, cancel)
	defer f.finish(op, in.NodeId)
	a, err := f.attr(op, in.NodeId)
	if err != nil {
		return f.status(op, in.NodeId, err)
	}
	f.owner.fill(&a, &out.Attr)
	out.SetTimeout(attrValid(&a))
	return fuse.OK
}

// Statx implements fuse.RawFileSystem. It is GetAttr with the birth time.
func (f *rawFS) Statx(cancel <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	op := f.begin(opStatx, cancel)
	defer f.finish(op, in.NodeId)
	a, err := f.attr(op, in.NodeId)
	if err != nil {
		return f.status(op, in.NodeId, err)
	}
	f.owner.fillStatx(&a, &out.Statx)
	out.SetTimeout(attrValid(&a))
	return fuse.OK
}

func (f *rawFS) attr(ctx context.Context, node uint64) (backends.Attr, error) {
	if isVirtual(node) {
		return f.virtual.attr(node)
	}
	return f.tree.Attr(ctx, backends.NodeID(node))
}

// Open implements fuse.RawFileSystem: never again, please.
func (f *rawFS) Open(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	f.counts[opOpen].Add(1)
	return fuse.ENOSYS
}

// OpenDir implements fuse.RawFileSystem.
func (f *rawFS) OpenDir(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	f.counts[opOpenDir].Add(1)
	return fuse.ENOSYS
}

// Read implements fuse.RawFileSystem.
func (f *rawFS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	op := f.begin(opRead, cancel)
	defer f.finish(op, in.NodeId)
	if isVirtual(in.NodeId) {
		n, err := f.virtual.readAt(in.NodeId, buf, int64(in.Offset))
		if err != nil {
			return nil, f.status(op, in.NodeId, err)
		}
		return fuse.ReadResultData(buf[:n]), fuse.OK
	}
	n, err := f.tree.ReadAt(op, backends.NodeID(in.NodeId), buf, int64(in.Offset))
	if err != nil {
		return nil, f.status(op, in.NodeId, err)
	}
	if in.Offset == 0 {
		f.push.read(backends.NodeID(in.NodeId))
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// Flush implements fuse.RawFileSystem: there is nothing to flush. The answer ENOSYS keeps the kernel from asking at every
// close of every file, which OK would not.
func (f *rawFS) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status {
	f.counts[opFlush].Add(1)
	return fuse.ENOSYS
}

// ReadDir implements fuse.RawFileSystem.
func (f *rawFS) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(opReadDir, cancel, in, func(d *backends.Dirent) bool {
		return out.AddDirEntry(dirEntry(d))
	})
}

// ReadDirPlus implements fuse.RawFileSystem.
func (f *rawFS) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(opReadDirPlus, cancel, in, func(d *backends.Dirent) bool {
		entry := out.AddDirLookupEntry(dirEntry(d))
		if entry == nil {
			return false
		}
		if d.Node != 0 {
			f.fillEntry(d, entry)
		}
		return true
	})
}

func dirEntry(d *backends.Dirent) fuse.DirEntry {
	mode := uint32(syscall.S_IFREG)
	if d.Attr.Dir {
		mode = syscall.S_IFDIR
	}
	return fuse.DirEntry{Name: d.Name, Ino: d.Attr.Ino, Mode: mode, Off: d.Cookie}
}

// Cookies of the two names that come first in every directory. Those of the tree count up from 1 and never get here.
const (
	cookieDot    = 1<<62 + 1
	cookieDotDot = 1<<62 + 2
)

// addDots adds "." and "..", of which the kernel only passes the names on, unless a reader is past them. Without them an
// empty directory would stay empty for ever: the kernel keeps listings in pages, looks at how long they are before it
// misses one that was invalidated, and takes no length for the end. after is where the reader goes on in the tree.
func addDots(offset uint64, add func(*backends.Dirent) bool) (after uint64, room bool) {
	dots := []backends.Dirent{{Name: ".", Cookie: cookieDot}, {Name: "..", Cookie: cookieDotDot}}
	switch offset {
	case 0:
	case cookieDot:
		dots = dots[1:]
	case cookieDotDot:
		return 0, true
	default:
		return offset, true
	}
	for i := range dots {
		dots[i].Attr.Dir = true
		if !add(&dots[i]) {
			return 0, false
		}
	}
	return 0, true
}

func (f *rawFS) readDir(kind op, cancel <-chan struct{}, in *fuse.ReadIn, add func(*backends.Dirent) bool) fuse.Status {
	op := f.begin(kind, cancel)
	defer f.finish(op, in.NodeId)
	after, room := addDots(in.Offset, add)
	if !room {
		return fuse.OK
	}
	if isVirtual(in.NodeId) {
		f.virtual.readDir(after, add)
		return fuse.OK
	}
	dir := backends.NodeID(in.NodeId)
	f.notify.enter(dir)
	defer f.notify.leave(dir)
	err := f.tree.ReadDir(op, dir, after, func(d backends.Dirent) bool { return add(&d) })
	return f.status(op, in.NodeId, err)
}

// StatFs implements fuse.RawFileSystem.
func (f *rawFS) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	f.counts[opStatFS].Add(1)
	bytes, entries := f.tree.Usage()
	*out = fuse.StatfsOut{
		Bsize:   blockSize,
		Frsize:  blockSize,
		Blocks:  (bytes + blockSize - 1) / blockSize,
		Files:   entries,
		NameLen: 255,
	}
	return fuse.OK
}

// Access implements fuse.RawFileSystem: the kernel checks permissions itself (default_permissions).
func (f *rawFS) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

const xattrPrefix = "user.workfs."

func (f *rawFS) xattrsOf(cancel <-chan struct{}, node uint64) (map[string]string, fuse.Status) {
	op := f.begin(opXAttr, cancel)
	defer f.finish(op, node)
	if isVirtual(node) {
		return nil, fuse.OK
	}
	m, err := f.xattrs(op, backends.NodeID(node))
	return m, f.status(op, node, err)
}

// GetXAttr implements fuse.RawFileSystem for mounts that asked for xattrs.
func (f *rawFS) GetXAttr(cancel <-chan struct{}, h *fuse.InHeader, attr string, dest []byte) (uint32, fuse.Status) {
	if len(attr) <= len(xattrPrefix) || attr[:len(xattrPrefix)] != xattrPrefix {
		return 0, fuse.ENOATTR
	}
	m, st := f.xattrsOf(cancel, h.NodeId)
	if st != fuse.OK {
		return 0, st
	}
	value, ok := m[attr[len(xattrPrefix):]]
	if !ok {
		return 0, fuse.ENOATTR
	}
	return copyOut(dest, []byte(value))
}

// ListXAttr implements fuse.RawFileSystem for mounts that asked for xattrs.
func (f *rawFS) ListXAttr(cancel <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	m, st := f.xattrsOf(cancel, h.NodeId)
	if st != fuse.OK {
		return 0, st
	}
	var list []byte
	for name := range m {
		list = append(list, xattrPrefix+name+"\x00"...)
	}
	return copyOut(dest, list)
}

// copyOut follows getxattr(2): with no room it tells how much is needed.
func copyOut(dest, value []byte) (uint32, fuse.Status) {
	if len(dest) < len(value) {
		return uint32(len(value)), fuse.ERANGE
	}
	return uint32(copy(dest, value)), fuse.OK
}
