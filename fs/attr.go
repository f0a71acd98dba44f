package fs

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/backends"
)

const (
	blockSize = 4096
	// dirSize is what every directory says of itself: a constant, since a real one would move with each listing.
	dirSize = 4096
	// dirBlockSize is what the C library reads of a directory at once, and with it newer kernels: some hundred entries a
	// request.
	dirBlockSize = 128 << 10
	// maxValid stands for "until told otherwise": the kernel adds it to its clock, so it must not overflow.
	maxValid = 365 * 24 * time.Hour
	// maxDirValid bounds directories: a renamed one is found out only when its old dentry expires.
	maxDirValid = time.Hour
	// maxNegative bounds the absence of names: nothing can drop it where a listing turns out not to have been right.
	maxNegative = time.Minute
)

// owner is how entries present themselves: who owns them and with which permissions.
type owner struct {
	uid, gid          uint32
	fileMode, dirMode uint32
}

func (o owner) fill(a *backends.Attr, out *fuse.Attr) {
	*out = fuse.Attr{
		Ino:     a.Ino,
		Nlink:   1,
		Blksize: blockSize,
		Owner:   fuse.Owner{Uid: o.uid, Gid: o.gid},
	}
	if a.Dir {
		out.Mode = syscall.S_IFDIR | o.dirMode
		out.Nlink = 2
		out.Size = dirSize
		out.Blksize = dirBlockSize
	} else {
		out.Mode = syscall.S_IFREG | o.fileMode
		out.Size = uint64(max(a.Size, 0))
	}
	out.Blocks = (out.Size + 511) / 512
	out.Mtime, out.Mtimensec = unixTime(a.Mtime)
	out.Atime, out.Atimensec = out.Mtime, out.Mtimensec
	out.Ctime, out.Ctimensec = unixTime(a.Ctime)
}

func (o owner) fillStatx(a *backends.Attr, out *fuse.Statx) {
	var at fuse.Attr
	o.fill(a, &at)
	*out = fuse.Statx{
		Mask:    unix.STATX_BASIC_STATS,
		Blksize: at.Blksize, Nlink: at.Nlink, Uid: at.Uid, Gid: at.Gid, Mode: uint16(at.Mode),
		Ino: at.Ino, Size: at.Size, Blocks: at.Blocks,
		Atime: fuse.SxTime{Sec: at.Atime, Nsec: at.Atimensec},
		Mtime: fuse.SxTime{Sec: at.Mtime, Nsec: at.Mtimensec},
		Ctime: fuse.SxTime{Sec: at.Ctime, Nsec: at.Ctimensec},
	}
	if !a.Btime.IsZero() {
		sec, nsec := unixTime(a.Btime)
		out.Btime = fuse.SxTime{Sec: sec, Nsec: nsec}
		out.Mask |= unix.STATX_BTIME
	}
}

// unixTime gives a time as the kernel wants it. The seconds wrap for times before 1970, which is what the kernel expects.
func unixTime(t time.Time) (sec uint64, nsec uint32) {
	if t.IsZero() {
		return 0, 0
	}
	return uint64(t.Unix()), uint32(t.Nanosecond())
}

// entryValid is how long the kernel may keep the name.
func entryValid(a *backends.Attr) time.Duration {
	v := min(max(a.Valid, 0), maxValid)
	if a.Dir {
		v = min(v, maxDirValid)
	}
	return v
}

// attrValid is how long the kernel may keep the attributes.
func attrValid(a *backends.Attr) time.Duration {
	if !a.Dir && a.Size == backends.SizeUnknown {
		return 0
	}
	return entryValid(a)
}
