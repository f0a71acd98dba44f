package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workfs/workfs/activity"
	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/backends/all"
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
	mountpoint  string
	cacheDir    string
	offline     bool
	started     time.Time
	connections []backends.Connection
	failed      map[string]error  // connections that could not be opened
	signIns     map[string]signIn // those that were checked, by connection
	signInsMu   sync.Mutex
	log         *slog.Logger

	activity *activity.Log
	ending   context.Context // done when the session ends: what runs beside the mount stops
	end      context.CancelFunc
	beside   sync.WaitGroup // what keeps subscriptions
	keep     []func(context.Context)
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
		mountpoint: mountpoint, cacheDir: g.cacheDir, offline: o.offline, started: time.Now(), connections: connections,
		failed: map[string]error{}, signIns: map[string]signIn{}, log: log, stop: make(chan struct{}),
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
		s.checkSignIns(ctx)
	}
	opened, err := s.openConnections(ctx, o)
	if err != nil {
		return s, err
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
		FSName:      "workfs#" + connectionNames(connections),
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
	for _, keep := range s.keep {
		s.beside.Go(func() { keep(s.ending) })
	}
	s.tree.Follow()
}

// signIn is the source of a connection's tokens and how the last question for one ended.
type signIn struct {
	tokens auth.Source
	err    error
}

// signInPatience bounds the wait for the sign-in services. What is slow only is found out by the first request.
const signInPatience = 5 * time.Second

// checkSignIns asks each connection for a token. What is remembered of an account lets a mount start without one, and then
// its owner should hear that only the cache is served.
func (s *session) checkSignIns(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, signInPatience)
	defer cancel()
	var wg sync.WaitGroup
	for _, c := range s.connections {
		wg.Go(func() {
			s.signInsMu.Lock()
			in := s.signIns[c.Name]
			s.signInsMu.Unlock()
			if in.tokens == nil {
				if in.tokens, in.err = all.SignIn(c); in.err != nil {
					return // opening the connection fails for the same reason
				}
			}
			_, in.err = in.tokens.Token(ctx)
			s.signInsMu.Lock()
			s.signIns[c.Name] = in
			s.signInsMu.Unlock()
		})
	}
	wg.Wait()
}

// signedOut gives the reason why a connection had no token when it was last asked for one, nil if it had.
func (s *session) signedOut(connection string) error {
	s.signInsMu.Lock()
	defer s.signInsMu.Unlock()
	return s.signIns[connection].err
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

// openConnections signs in. A connection that fails while another works is mounted as a directory that fails with the
// reason; when none works there is nothing to mount.
func (s *session) openConnections(ctx context.Context, o *mountOptions) ([]cache.Connection, error) {
	if o.offline {
		// What is remembered needs no request, and nothing else may make one.
		done, cancel := context.WithCancel(ctx)
		cancel()
		ctx = done
	}
	var list []cache.Connection
	var errs []error
	for _, c := range s.connections {
		opened, err := s.openConnection(ctx, c, o)
		if err != nil && o.offline {
			err = withCode(codeNotFound, errors.New("nothing is cached: mount it once without --offline"))
		}
		if err != nil {
			err = fmt.Errorf("connection %s: %w", c.Name, err)
			errs = append(errs, err)
			s.failed[c.Name] = err
			opened.Mounted = []backends.Mounted{{Backend: failedBackend{c.Name, err}}}
		}
		if opened.Run != nil {
			s.keep = append(s.keep, opened.Run)
		}
		list = append(list, cache.Connection{Name: c.Name, Mounted: opened.Mounted, Gaps: opened.Gaps})
	}
	if len(errs) == len(s.connections) {
		return nil, errors.Join(errs...)
	}
	return list, nil
}

func (s *session) openConnection(ctx context.Context, c backends.Connection, o *mountOptions) (all.Opened, error) {
	options := backends.Options{
		Formats:      o.formats,
		TeamsRefresh: time.Duration(o.teamsRefresh),
		MaxAge:       time.Duration(o.maxAge),
		PollInterval: time.Duration(o.pollInterval),
		ResourceData: o.webhook.data,
		Now:          o.now,
		Tick:         o.tick,
		Log:          s.log.With("connection", c.Name),
		UserAgent:    userAgent(),
	}
	if s.receiver != nil {
		options.Receiver = s.receiver
		keys, err := signatureKeys(c)
		if err != nil {
			return all.Opened{}, err
		}
		options.WebhookKeys = keys
	}
	return all.Open(ctx, c, options, s.cache.Memory(c.Name))
}

// warnings tell which connections could not be opened.
func (s *session) warnings() []string {
	var list []string
	for _, c := range s.connections {
		if err := s.failed[c.Name]; err != nil {
			list = append(list, err.Error())
		} else if err := s.signedOut(c.Name); err != nil {
			list = append(list, fmt.Sprintf("connection %s: %v; what the cache has is served", c.Name, err))
		}
	}
	return list
}

func userAgent() string {
	return "NONISV|workfs|workfs/" + buildVersion().Version
}

func connectionNames(connections []backends.Connection) string {
	names := make([]string, len(connections))
	for i, c := range connections {
		names[i] = c.Name
	}
	return strings.Join(names, "+")
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

// failedBackend stands for a connection that could not be opened: looking into it gives the reason's errno.
type failedBackend struct {
	name string
	err  error
}

// Scope implements backends.Backend.
func (b failedBackend) Scope() string { return "failed/" + b.name }

// List implements backends.Backend.
func (b failedBackend) List(context.Context, backends.DirKey, backends.Sink) error { return b.kind() }

// Fetch implements backends.Backend.
func (b failedBackend) Fetch(context.Context, backends.File, int64, int64) (backends.Content, error) {
	return backends.Content{}, b.kind()
}

// Coverage implements backends.Backend.
func (b failedBackend) Coverage() []backends.Gap { return []backends.Gap{{Reason: b.err.Error()}} }

// kind gives the error one of the kinds of package backends: what is not temporary is a sign-in that does not work.
func (b failedBackend) kind() error {
	if backends.Temporary(b.err) || errors.Is(b.err, backends.ErrForbidden) {
		return b.err
	}
	return fmt.Errorf("%w: %w", backends.ErrForbidden, b.err)
}
