package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/activity"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/render"
	"github.com/workfs/workfs/backends/webhook"
	"github.com/workfs/workfs/cache"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/cmd/workfs/internal/control"
	"github.com/workfs/workfs/cmd/workfs/internal/mounts"
	"github.com/workfs/workfs/fs"
)

// session is a mount from its wiring to its end.
type session struct {
	mountpoint string
	cacheDir   string
	offline    bool
	started    time.Time
	options    *mountOptions
	log        *slog.Logger

	changing sync.Mutex // held by who opens connections while the mount serves; before mu
	mu       sync.Mutex
	links    []*link         // in the order of their names; guarded by mu, as are their states
	dead     map[string]bool // connections of which it was told that their sign-in is dead; guarded by mu

	activity *activity.Log
	ending   context.Context // done when the session ends: what runs beside the mount stops
	end      context.CancelFunc
	beside   sync.WaitGroup    // what keeps subscriptions and sign-ins
	receiver *webhook.Receiver // nil where services can't reach this machine

	cache   *cache.Cache
	tree    *cache.Tree
	server  *fs.Server
	mount   mounts.Mount // of server, to tell it from a later mount on the same directory
	control *control.Server

	closing  atomic.Bool
	stopOnce sync.Once
	stop     chan struct{} // closed when a command asks for the end
}

// startSession opens the cache and the connections, lists the root, mounts, and opens the control socket. What it
// opened is closed again when it fails.
func startSession(ctx context.Context, g *global, o *mountOptions, connections []backends.Connection, dir string, log *slog.Logger) (s *session, err error) {
	runtimeDir, err := config.RuntimeDir()
	if err != nil {
		return nil, err
	}
	reserved := []string{g.cacheDir, g.stateDir, runtimeDir, g.logFile}
	for _, c := range connections {
		reserved = append(reserved, c.Credentials)
	}
	mountpoint, err := mounts.Prepare(dir, o.allowNonEmpty, reserved...)
	if errors.Is(err, mounts.ErrMounted) {
		return nil, err
	}
	if err != nil {
		return nil, withCode(codeUsage, err)
	}
	if o.allowOther && os.Geteuid() != 0 && !mounts.OthersAllowed() {
		return nil, withCode(codeUsage, errors.New("--allow-other is for root only, unless /etc/fuse.conf has a line user_allow_other"))
	}
	s = &session{
		mountpoint: mountpoint, cacheDir: g.cacheDir, offline: o.offline, started: time.Now(), options: o,
		dead: map[string]bool{}, log: log, stop: make(chan struct{}),
	}
	s.ending, s.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.cache, err = openCache(g, o, log); err != nil {
		return s, err
	}
	if !o.offline {
		if s.receiver, err = o.webhook.receiver(g.stateDir, o.now, o.tick, log); err != nil {
			return s, err
		}
		renewSignIns(ctx, connections)
	}
	opened, err := s.openConnections(ctx, connections)
	if err != nil {
		return s, err
	}
	if !o.offline {
		s.checkSignIns(ctx)
	}
	if s.tree, err = s.cache.Mount(opened); err != nil {
		return s, err
	}
	if s.activity, err = activity.Open(g.stateDir, 0); err != nil {
		return s, err
	}
	s.tree.Changes(s.noteChanges)
	options := fs.Options{
		Tree:        s.tree,
		FSName:      "workfs#" + connectionNames(s.links),
		AllowOther:  o.allowOther,
		UID:         uint32(o.uid),
		GID:         uint32(o.gid),
		Umask:       uint32(o.umask),
		OpTimeout:   time.Duration(o.opTimeout),
		ReadTimeout: time.Duration(o.readTimeout),
		Virtual:     s.virtualFiles(),
		Log:         log,
		Debug:       o.debugFUSE,
	}
	if o.xattrs {
		options.XAttrs = s.xattrs
	}
	if s.server, err = fs.Mount(mountpoint, options); err != nil {
		return s, err
	}
	s.mount, _ = mounts.At(mountpoint)
	if s.control, err = control.Listen(control.SocketPath(runtimeDir, mountpoint), s.handler()); err != nil {
		return s, err
	}
	s.follow()
	return s, nil
}

// follow has the mount kept right by what the services tell.
func (s *session) follow() {
	if s.offline {
		return
	}
	for _, l := range s.linked() {
		s.keep(l)
	}
	s.tree.Follow()
	s.beside.Go(s.tend)
}

// openCache opens the cache and state directories that the settings name.
func openCache(g *global, o *mountOptions, log *slog.Logger) (*cache.Cache, error) {
	c, err := cache.Open(cache.Options{
		CacheDir:      g.cacheDir,
		StateDir:      g.stateDir,
		MaxSize:       int64(o.cacheMaxSize),
		MinFree:       int64(o.cacheMinFree),
		Schema:        o.formats.String() + "/" + strconv.Itoa(render.Version),
		DefaultMaxAge: time.Duration(o.maxAge),
		OpTimeout:     time.Duration(o.opTimeout),
		ReadTimeout:   time.Duration(o.readTimeout),
		Offline:       o.offline,
		Log:           log,
		Now:           o.now,
	})
	if errors.Is(err, cache.ErrInUse) {
		return nil, withCode(codeBusy, fmt.Errorf("%w: workfs status shows the mount; another mount needs another --cache-dir and --state-dir", err))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	return c, nil
}

func userAgent() string {
	return "NONISV|workfs|workfs/" + buildVersion().Version
}

func (s *session) close() error {
	var errs []error
	s.closing.Store(true)
	s.end()
	if s.server != nil {
		// Usually gone when serve has ended; this is for a failure before it and for an end without unmounting.
		if m, ok := mounts.At(s.mountpoint); ok && m == s.mount {
			errs = append(errs, detach(s.mountpoint))
		}
	}
	// The services delete their subscriptions meanwhile.
	s.beside.Wait()
	if s.receiver != nil {
		errs = append(errs, s.receiver.Close())
	}
	if s.cache != nil {
		errs = append(errs, s.cache.Close())
	}
	if s.activity != nil {
		errs = append(errs, s.activity.Close())
	}
	// Last, for umount waits until nobody answers before it calls the cache free.
	if s.control != nil {
		errs = append(errs, s.control.Close())
	}
	return errors.Join(errs...)
}

func detach(mountpoint string) error { return mounts.Unmount(mountpoint, true) }
