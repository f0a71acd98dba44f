package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/workfs/workfs/backends"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
	"github.com/workfs/workfs/fs"
)

// mountOptions are the settings of a mount.
type mountOptions struct {
	formats       config.Formats
	preset        string
	connections   []string
	cacheMaxSize  config.Size
	cacheMinFree  config.Size
	memory        config.Size
	opTimeout     config.Duration
	readTimeout   config.Duration
	maxAge        config.Duration
	teamsRefresh  config.Duration
	pollInterval  config.Duration
	webhook       webhookOptions
	allowOther    bool
	allowNonEmpty bool
	uid, gid      int
	umask         config.Umask
	offline       bool
	xattrs        bool
	debugFUSE     bool
	daemon        bool
	daemonTimeout config.Duration
	onAuthFailure string
	// reread reads the configuration again, nil where it does not change.
	reread func() (*config.File, error)
	// The clock of services and caches, and the longest wait by the real one; for tests, which move the clock.
	now  func() time.Time
	tick time.Duration
}

func defaultMountOptions() *mountOptions {
	return &mountOptions{
		formats:       config.Formats{"md"},
		cacheMaxSize:  10 << 30,
		cacheMinFree:  1 << 30,
		memory:        256 << 20,
		opTimeout:     config.Duration(60 * time.Second),
		readTimeout:   config.Duration(120 * time.Second),
		maxAge:        config.Duration(5 * time.Minute),
		teamsRefresh:  config.Duration(24 * time.Hour),
		pollInterval:  config.Duration(5 * time.Minute),
		uid:           os.Getuid(),
		gid:           os.Getgid(),
		umask:         fs.DefaultUmask,
		daemonTimeout: config.Duration(2 * time.Minute),
	}
}

// addFlags adds the settings that shape the tree and its cache, with what they are as defaults.
func (o *mountOptions) addFlags(f *pflag.FlagSet) {
	f.Var(&o.formats, "formats", "forms in which each message is listed: md, json, eml")
	f.StringVar(&o.preset, "preset", "", "a set of settings: "+strings.Join(config.PresetNames(), ", "))
	f.Var(&o.cacheMaxSize, "cache-max-size", "bytes that fetched contents may take on disk")
	f.Var(&o.cacheMinFree, "cache-min-free", "bytes to leave free on the cache's disk")
	f.Var(&o.opTimeout, "op-timeout", "deadline of stat and listing")
	f.Var(&o.readTimeout, "read-timeout", "deadline of a read")
	f.Var(&o.maxAge, "max-age", "age at which a listing is asked for again")
	f.Var(&o.teamsRefresh, "teams-refresh", "the same for Teams messages, whose terms forbid polling")
	f.Var(&o.pollInterval, "poll-interval", "how often to ask for changes, at first, where no notification tells of them; 0: when somebody looks")
	f.BoolVar(&o.allowOther, "allow-other", false, "let other users in as far as the modes do")
	f.BoolVar(&o.allowNonEmpty, "allow-non-empty", false, "mount over a directory that is not empty")
	f.IntVar(&o.uid, "uid", o.uid, "owner of everything")
	f.IntVar(&o.gid, "gid", o.gid, "group of everything")
	f.Var(&o.umask, "umask", "permissions to take away, octal (of 0444 for files, 0555 for directories)")
	f.BoolVar(&o.xattrs, "xattrs", false, "show facts as user.workfs.* attributes (costs ls -l two requests a file)")
	f.BoolVar(&o.debugFUSE, "debug-fuse", false, "log every FUSE request (with -vv)")
}

func mountCommand(g *global) *cobra.Command {
	o := defaultMountOptions()
	cmd := &cobra.Command{
		Use:   "mount DIR",
		Short: "Mount the configured connections on a directory",
		Long: "Mount the configured connections on a directory, read-only, and serve them until SIGINT or SIGTERM, or until\n" +
			"the directory is unmounted. With --daemon the command returns when the mount is ready.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := g.load(cmd, false)
			if err != nil {
				return err
			}
			connections, err := choose(file, o.connections)
			if err != nil {
				return err
			}
			o.reread = g.reader(cmd, file.Path)
			if o.daemon && !isDaemon() {
				return startDaemon(cmd.Context(), g, args[0], time.Duration(o.daemonTimeout))
			}
			return reportToParent(func() error { return runMount(cmd.Context(), g, o, connections, args[0]) })
		},
	}
	f := cmd.Flags()
	o.addFlags(f)
	o.webhook.addFlags(f)
	f.StringSliceVarP(&o.connections, "connection", "c", nil, "mount only these connections of the configuration")
	f.Var(&o.memory, "memory", "bytes of memory to keep to where that is possible, without what belongs to files; GOMEMLIMIT counts before it")
	f.BoolVar(&o.offline, "offline", false, "serve what the cache has and ask nobody")
	f.BoolVarP(&o.daemon, "daemon", "d", false, "return when the mount is ready and serve it in the background")
	f.StringVar(&o.onAuthFailure, "on-auth-failure", "", "shell command to run when a sign-in has died; it finds WORKFS_CONNECTION, WORKFS_REASON and WORKFS_ACTION in its environment")
	f.Var(&o.daemonTimeout, "daemon-timeout", "how long --daemon waits for the mount")
	return cmd
}

// reader gives what reads a configuration again, wherever the working directory is by then.
func (g *global) reader(cmd *cobra.Command, path string) func() (*config.File, error) {
	known := pflag.NewFlagSet("known", pflag.ContinueOnError)
	known.AddFlag(&pflag.Flag{Name: "state-dir", Value: fixed(g.stateDir), Changed: true})
	g.known(cmd).VisitAll(func(f *pflag.Flag) {
		if known.Lookup(f.Name) == nil {
			known.AddFlag(f)
		}
	})
	return func() (*config.File, error) { return config.Load(path, known) }
}

// fixed is the value of a flag that does not change.
type fixed string

// String implements pflag.Value.
func (f fixed) String() string { return string(f) }

// Set implements pflag.Value.
func (f fixed) Set(string) error { return errors.New("it does not change any more") }

// Type implements pflag.Value.
func (f fixed) Type() string { return "string" }

// choose gives the named connections, or all.
func choose(file *config.File, names []string) ([]backends.Connection, error) {
	if len(file.Connections) == 0 {
		return nil, withCode(codeUsage, fmt.Errorf("%s names no connection: add a [connections.NAME] (see README, Setting up)", file.Path))
	}
	if len(names) == 0 {
		return file.Connections, nil
	}
	var chosen []backends.Connection
	for _, name := range names {
		c, err := oneConnection(file.Connections, name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, c)
	}
	return chosen, nil
}

// runMount mounts and serves until the context ends or the mount does.
func runMount(ctx context.Context, g *global, o *mountOptions, connections []backends.Connection, dir string) (err error) {
	log, closeLog, err := g.logger()
	if err != nil {
		return err
	}
	defer closeLog()
	limitMemory(o.memory)
	s, err := startSession(ctx, g, o, connections, dir, log)
	if err != nil {
		return err
	}
	if err := mountReady(s.warnings()); err != nil {
		return errors.Join(err, s.close())
	}
	err = s.serve(ctx)
	return errors.Join(err, s.close())
}

// serve waits for the end. A signal unmounts; while the mount is in use it is detached, and what is open gets
// detachPatience to finish. A second signal ends that wait.
func (s *session) serve(ctx context.Context) error {
	gone := make(chan struct{})
	go func() {
		s.server.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-s.stop:
		return nil // close takes the mount away, in use or not
	case <-ctx.Done():
	}
	if err := s.server.Unmount(); err == nil {
		return nil
	}
	s.log.Warn("the mount is in use: detaching it", "mountpoint", s.mountpoint)
	if err := detach(s.mountpoint); err != nil {
		return err
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	select {
	case <-gone:
	case <-again:
	case <-s.stop:
	case <-time.After(detachPatience):
	}
	return nil
}

const detachPatience = 5 * time.Second
