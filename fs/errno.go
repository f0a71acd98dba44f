package fs

import (
	"context"
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/workfs/workfs/backends"
)

// errInterrupted is the cause with which an operation's context ends when its caller was interrupted.
var errInterrupted = errors.New("interrupted")

// Errno is the one place where kinds of failure become errno values.
func Errno(err error) syscall.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		return syscall.EINTR
	case errors.Is(err, backends.ErrNotFound):
		return syscall.ENOENT
	case errors.Is(err, backends.ErrStale):
		return syscall.ESTALE
	case errors.Is(err, backends.ErrForbidden):
		return syscall.EACCES
	case errors.Is(err, backends.ErrNoSpace):
		return syscall.ENOSPC
	case errors.Is(err, backends.ErrThrottled), errors.Is(err, context.DeadlineExceeded):
		return syscall.ETIMEDOUT
	default:
		return syscall.EIO
	}
}

// status answers a request that failed with err, after op's context told whether the caller gave up. Only what the
// operator can act upon is logged: a name that is not there and an interrupted caller are everyday.
func (f *rawFS) status(op *operation, node uint64, err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	if op.interrupted() {
		err = errInterrupted
	}
	errno := Errno(err)
	switch errno {
	case syscall.ENOENT, syscall.EINTR:
	default:
		f.log.Warn("operation failed", "op", op.name, "node", node, "errno", errno.Error(), "error", err, "after", op.age())
	}
	return fuse.Status(errno)
}
