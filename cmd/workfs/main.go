// Command workfs mounts the workplace of a person or an organisation as a directory tree: Outlook mailboxes, Teams
// channels and chats, and Box folders.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/workfs/workfs/auth"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	settle()
	switch {
	case err == nil:
	case interrupted && exitCode(err) == codeInterrupted:
		fmt.Fprintln(os.Stderr, "workfs: interrupted")
	default:
		for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
			fmt.Fprintln(os.Stderr, "workfs: "+printable(line))
		}
	}
	os.Exit(exitCode(err))
}

// settlePatience is how long the end of the program waits for the sign-in services.
const settlePatience = 5 * time.Second

// settle lets renewals of sign-ins end; another Ctrl-C ends the program at once.
func settle() {
	ctx, cancel := context.WithTimeout(context.Background(), settlePatience)
	defer cancel()
	auth.Settle(ctx)
}

// global holds the settings of all commands.
type global struct {
	configFile string
	cacheDir   string
	stateDir   string
	logLevel   string
	logFormat  string
	logFile    string
	verbose    int
	quiet      bool
}

func newRoot() *cobra.Command {
	g := &global{}
	root := &cobra.Command{
		Use:   "workfs",
		Short: "Read Outlook, Teams and Box as files",
		Long: "workfs mounts Outlook mailboxes, Teams channels and chats, and Box folders as a read-only directory tree.\n\n" +
			"Every setting is a flag, an environment variable (--cache-max-size is WORKFS_CACHE_MAX_SIZE) and a key of the\n" +
			"configuration file (cache_max_size); the first of these that is given wins.\n\n" + exitCodeHelp,
		Version:       buildVersion().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate(buildVersion().line())
	f := root.PersistentFlags()
	f.StringVar(&g.configFile, "config", config.DefaultFile(), "configuration file")
	f.StringVar(&g.cacheDir, "cache-dir", config.DefaultCacheDir(), "directory of what can be fetched again")
	f.StringVar(&g.stateDir, "state-dir", config.DefaultStateDir(), "directory of what must outlive a cache wipe")
	f.StringVar(&g.logLevel, "log-level", "warn", "debug, info, warn or error")
	f.StringVar(&g.logFormat, "log-format", "text", "text or json")
	f.StringVar(&g.logFile, "log-file", "", "append the log to this file instead of standard error")
	f.CountVarP(&g.verbose, "verbose", "v", "log more (-v info, -vv debug)")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "log errors only")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withCode(codeUsage, err) })
	root.AddCommand(
		loginCommand(g), logoutCommand(g), connectionsCommand(g),
		mountCommand(g), umountCommand(g), statusCommand(g), infoCommand(g), activityCommand(g), syncCommand(g), subscriptionsCommand(g),
		apiCommand(g), doctorCommand(g), tokenCommand(g), keygenCommand(), cacheCommand(g), profileCommand(g), demoCommand(g), versionCommand(), manCommand(root), renewCredentialsCommand(),
	)
	return root
}

// load reads the configuration and fills the flags of cmd. optional commands do without a file unless one is named; the file
// is nil then.
func (g *global) load(cmd *cobra.Command, optional bool) (*config.File, error) {
	return g.loadFile(cmd, func(named bool) bool { return optional && !named })
}

// loadOrNew is load for commands that write the file: it is nil where there is none yet.
func (g *global) loadOrNew(cmd *cobra.Command) (*config.File, error) {
	return g.loadFile(cmd, func(bool) bool { return true })
}

// loadFile asks without whether the command does without a file, which somebody may have named.
func (g *global) loadFile(cmd *cobra.Command, without func(named bool) bool) (*config.File, error) {
	flags := cmd.Flags()
	if err := config.Apply(only(flags, "config"), nil); err != nil {
		return nil, withCode(codeUsage, err)
	}
	file, err := config.Load(g.configFile, g.known(cmd))
	if err != nil {
		var missing *config.MissingError
		named := flags.Changed("config") || os.Getenv(config.EnvName("config")) != ""
		if !errors.As(err, &missing) || !without(named) {
			return nil, withCode(codeUsage, err)
		}
	}
	if err := config.Apply(flags, file); err != nil {
		return nil, withCode(codeUsage, err)
	}
	if file != nil {
		withRenewHelper(file.Connections)
	}
	return file, g.absolute()
}

// known are the settings that a configuration file may hold: those of mount, whatever command reads it.
func (g *global) known(cmd *cobra.Command) *pflag.FlagSet {
	known := pflag.NewFlagSet("known", pflag.ContinueOnError)
	known.AddFlagSet(cmd.Root().PersistentFlags())
	if mount, _, err := cmd.Root().Find([]string{"mount"}); err == nil {
		known.AddFlagSet(mount.LocalNonPersistentFlags())
	}
	return known
}

// absolute makes the paths independent of the working directory: a daemon leaves it, and commands compare them.
func (g *global) absolute() error {
	for _, p := range []*string{&g.cacheDir, &g.stateDir, &g.logFile} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	return nil
}

// only gives the named flag alone.
func only(flags *pflag.FlagSet, name string) *pflag.FlagSet {
	one := pflag.NewFlagSet(name, pflag.ContinueOnError)
	one.AddFlag(flags.Lookup(name))
	return one
}

// logger makes the log that the settings ask for; close it when done.
func (g *global) logger() (log *slog.Logger, closeLog func(), err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.logLevel)); err != nil {
		return nil, nil, withCode(codeUsage, fmt.Errorf("log level %q: choose debug, info, warn or error", g.logLevel))
	}
	switch {
	case g.quiet:
		level = slog.LevelError
	case g.verbose == 1:
		level = slog.LevelInfo
	case g.verbose > 1:
		level = slog.LevelDebug
	}
	out, closeLog := os.Stderr, func() {}
	if g.logFile != "" {
		file, err := os.OpenFile(g.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("opening the log: %w", err)
		}
		out, closeLog = file, func() { _ = file.Close() } // the last line was written by write(2) already
	}
	options := &slog.HandlerOptions{Level: level}
	switch g.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(out, options)), closeLog, nil
	case "text":
		return slog.New(slog.NewTextHandler(out, options)), closeLog, nil
	}
	return nil, nil, withCode(codeUsage, fmt.Errorf("log format %q: choose text or json", g.logFormat))
}
