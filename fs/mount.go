package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/workfs/workfs/backends"
)

// Options says how a Tree is shown.
type Options struct {
	Tree backends.Tree
	// FSName is the source that mount(8) and df show; the type is fuse.workfs.
	FSName string
	// AllowOther lets other users in as far as the permissions do.
	AllowOther bool
	// UID and GID own everything.
	UID, GID uint32
	// Umask is taken from 0777; the result is masked to 0444 for files and 0555 for directories.
	Umask uint32
	// OpTimeout bounds stat and listing, ReadTimeout reads; 0 means 60 and 120 seconds.
	OpTimeout, ReadTimeout time.Duration
	// Virtual are the files in VirtualDirName.
	Virtual []VirtualFile
	// XAttrs, if set, serves user.workfs.* extended attributes; it costs `ls -l` two requests for each file.
	XAttrs func(context.Context, backends.NodeID) (map[string]string, error)
	Log    *slog.Logger
	// Debug logs every FUSE request.
	Debug bool
}

// DefaultUmask gives files 0400 and directories 0500.
const DefaultUmask = 0o277

// Server is a mounted filesystem.
type Server struct {
	server *fuse.Server
	raw    *rawFS
	unhook func()
	done   chan struct{}
}

// Mount mounts the tree read-only on dir and serves it. It returns when the kernel accepts requests. Errors tell what
// to do where /dev/fuse or fusermount3 is missing.
func Mount(dir string, o Options) (*Server, error) {
	if o.OpTimeout == 0 {
		o.OpTimeout = 60 * time.Second
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 120 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := CheckFUSE(); err != nil {
		return nil, err
	}
	f := &rawFS{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		tree:          o.Tree,
		owner:         owner{uid: o.UID, gid: o.GID, fileMode: 0o444 &^ o.Umask, dirMode: 0o555 &^ o.Umask},
		log:           o.Log,
		opTimeout:     o.OpTimeout,
		readTimeout:   o.ReadTimeout,
		xattrs:        o.XAttrs,
		virtual:       newVirtualDir(o.Virtual),
	}
	options := &fuse.MountOptions{
		FsName:                   o.FSName,
		Name:                     "workfs",
		AllowOther:               o.AllowOther,
		Options:                  []string{"default_permissions"},
		DirectMount:              os.Geteuid() == 0,
		DirectMountFlags:         syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_RDONLY,
		MaxWrite:                 maxRead,
		MaxBackground:            64,
		DisableXAttrs:            o.XAttrs == nil,
		ExplicitDataCacheControl: true,
		DisableSplice:            true,
		ExtraCapabilities:        fuse.CAP_NO_OPENDIR_SUPPORT,
		Logger:                   log.New(io.Discard, "", 0),
	}
	if !options.DirectMount {
		options.Options = append(options.Options, "ro")
	}
	if o.Debug {
		options.Debug = true
		options.Logger = slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)
	}
	server, err := newServer(f, dir, options)
	if err != nil {
		return nil, fmt.Errorf("mounting on %s: %w", dir, err)
	}
	// go-fuse leaves the descriptor of a direct mount open in children, where it would keep a dead mount hanging. All others
	// are closed on exec anyway. Kernels before 5.11 can't do it.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	// Requests are answered only from Serve on, so these can still be set.
	f.notify = newNotifier(server, f.isGone, o.Log)
	f.push = newPusher(o.Tree, server)
	s := &Server{server: server, raw: f, done: make(chan struct{})}
	s.unhook = o.Tree.Watch(f.notify.send)
	f.virtual.follow(server, s.done)
	go func() {
		server.Serve()
		s.unhook()
		f.notify.stop()
		f.push.stop()
		close(s.done)
	}()
	if err := server.WaitMount(); err != nil {
		return nil, errors.Join(fmt.Errorf("mounting on %s: %w", dir, err), s.Unmount())
	}
	if os.Geteuid() == 0 {
		if err := widenReadAhead(dir); err != nil {
			o.Log.Debug("the kernel's read-ahead stays as it is", "error", err)
		}
	}
	return s, nil
}

// CheckFUSE tells why nothing can be mounted here, nil if it can. It gives the reasons that people meet most a line that says what to do.
func CheckFUSE() error {
	fd, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return errors.New("/dev/fuse is missing: load the kernel module (modprobe fuse), or give the container --device /dev/fuse --cap-add SYS_ADMIN")
	case err != nil:
		return fmt.Errorf("/dev/fuse can't be opened (%w): its mode has to be 0666, as udev makes it, or you in the group that owns it", err)
	}
	_ = fd.Close() // it was only a probe
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("fusermount3"); err != nil {
			return errors.New("fusermount3 is missing: install the package fuse3 (apt install fuse3)")
		}
	}
	return nil
}

// isGone tells whether a directory that lost a name has none any more.
func (f *rawFS) isGone(n backends.NodeID) bool {
	ctx, cancel := context.WithTimeout(context.Background(), f.opTimeout)
	defer cancel()
	_, err := f.tree.Attr(ctx, n)
	return errors.Is(err, backends.ErrNotFound)
}

// Wait blocks until the filesystem is unmounted, by Unmount or by anybody else.
func (s *Server) Wait() { <-s.done }

// Unmount unmounts; it fails with EBUSY while files are open or somebody's working directory is inside.
func (s *Server) Unmount() error {
	if err := s.server.Unmount(); err != nil {
		return fmt.Errorf("unmounting: %w", err)
	}
	<-s.done
	return nil
}

// Requests tells how many requests of each kind the kernel has sent: what a warm tree must not cost.
func (s *Server) Requests() map[string]uint64 {
	m := make(map[string]uint64, opCount)
	for i := range s.raw.counts {
		m[opNames[i]] = s.raw.counts[i].Load()
	}
	return m
}
