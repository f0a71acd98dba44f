package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workfs/workfs/backends/sim"
	"github.com/workfs/workfs/cmd/workfs/internal/config"
)

type demoOptions struct {
	mount       *mountOptions
	once        bool
	scale       int
	latency     time.Duration
	importMail  string
	importFiles string
}

func demoCommand(g *global) *cobra.Command {
	d := demoOptions{mount: defaultMountOptions()}
	cmd := &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Mount a simulated small company",
		Long: "Mount a small company that a simulator of Microsoft 365 and Box makes up, on DIR or a new temporary directory, and\n" +
			"stay until Ctrl-C. Nothing leaves this machine, and nothing is left on it.",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			// The demo has a configuration of its own; of the user's only the environment and the flags count.
			if err := config.Apply(cmd.Flags(), nil); err != nil {
				return withCode(codeUsage, err)
			}
			dir := ""
			if len(args) == 1 {
				dir = args[0]
			}
			return runDemo(cmd, g, d, dir)
		},
	}
	f := cmd.Flags()
	d.mount.addFlags(f)
	f.BoolVar(&d.once, "once", false, "run the tour's commands, print what they print, unmount and exit")
	f.IntVar(&d.scale, "scale", 0, "messages in the Inbox, over ten years")
	f.DurationVar(&d.latency, "latency", 0, "delay of each answer of the simulator")
	f.StringVar(&d.importMail, "import-mail", "", "directory of .eml or Maildir files to show as the mail")
	f.StringVar(&d.importFiles, "import-files", "", "directory to show as the Box files")
	return cmd
}

// runDemo starts a simulator, mounts it, and shows it. Everything but the mountpoint lives in a temporary directory.
func runDemo(cmd *cobra.Command, g *global, d demoOptions, dir string) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	log, closeLog, err := g.logger()
	if err != nil {
		return err
	}
	defer closeLog()
	tmp, err := os.MkdirTemp("", "workfs-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if dir == "" {
		dir = filepath.Join(tmp, "mnt")
	}
	switch made := os.Mkdir(dir, 0o700); {
	case made == nil:
		defer func() { err = errors.Join(err, os.Remove(dir)) }()
	case !errors.Is(made, os.ErrExist):
		return made
	}
	s, err := sim.New(sim.Options{Scale: d.scale, Latency: d.latency, ImportMail: d.importMail, ImportFiles: d.importFiles})
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	if err := s.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	etc := filepath.Join(tmp, "etc")
	if err := s.WriteConfig(etc); err != nil {
		return err
	}

	own := *g
	own.configFile = filepath.Join(etc, "config.toml")
	own.cacheDir, own.stateDir = filepath.Join(tmp, "cache"), filepath.Join(tmp, "state")
	file, err := config.Load(own.configFile, cmd.Flags())
	if err != nil {
		return err
	}
	session, err := startSession(ctx, &own, d.mount, file.Connections, dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.close()) }()
	tour := tourOf(session.mountpoint, d.mount.formats[0])
	if d.once {
		err := tour.run(ctx, out)
		return errors.Join(err, session.server.Unmount())
	}
	tour.print(out)
	return session.serve(ctx)
}

// tour is a walk through the demo in commands for a shell.
type tour struct {
	mountpoint string
	stops      []stop
}

type stop struct{ title, command string }

// tourOf gives commands that work on any state of the demo: they find what they show, in one of the formats listed.
func tourOf(mountpoint, format string) tour {
	return tour{mountpoint, []stop{
		{"Two connections, each a directory", "ls"},
		{"A mailbox: its folders, then its months", "ls contoso/outlook/alice@contoso.com/mail && ls contoso/outlook/alice@contoso.com/mail/Inbox | tail -n 3"},
		{"This month's mail, with the times and sizes that backup tools need", "ls -l contoso/outlook/alice@contoso.com/mail/Inbox/$(ls contoso/outlook/alice@contoso.com/mail/Inbox | tail -n 1) | head -n 6"},
		{"A message", "cat \"$(find contoso/outlook/alice@contoso.com/mail/Inbox -name '*." + format + "' | sort | tail -n 1)\" | head -n 24"},
		{"Searching mail is searching files", "grep -rlis budget contoso/outlook/alice@contoso.com/mail --include='*." + format + "' | head -n 3"},
		{"The calendar", "find contoso/outlook/alice@contoso.com/calendar -name '*.ics' | sort | tail -n 3"},
		{"Teams", "ls contoso/teams/channels && ls contoso/teams/channels/Engineering"},
		{"A channel's newest posts", "find contoso/teams/channels/Engineering/General/20* -name '*." + format + "' | sort | tail -n 3"},
		{"The directory", "head -n 4 contoso/directory/users.csv"},
		{"Box, byte for byte", "find box/files -maxdepth 2 | sort | head -n 8"},
		{"Tools that know nothing of all this", "tar cf - -C contoso/outlook/alice@contoso.com/mail Inbox 2>/dev/null | wc -c"},
		{"What the sign-in cannot see", "head -n 12 .workfs/coverage.md"},
	}}
}

func (t tour) print(out io.Writer) {
	fmt.Fprintf(out, "A simulated company is mounted on %s. A tour:\n\n  cd %s\n", t.mountpoint, t.mountpoint)
	for _, s := range t.stops {
		fmt.Fprintf(out, "\n  # %s\n  %s\n", s.title, s.command)
	}
	fmt.Fprintf(out, "\nCtrl-C unmounts and removes everything.\n")
}

// run runs the stops in the mountpoint. A stop that fails or prints nothing fails the tour.
func (t tour) run(ctx context.Context, out io.Writer) error {
	for _, s := range t.stops {
		fmt.Fprintf(out, "\n# %s\n$ %s\n", s.title, s.command)
		var printed strings.Builder
		cmd := exec.CommandContext(ctx, "sh", "-c", s.command)
		cmd.Dir = t.mountpoint
		cmd.Stdout, cmd.Stderr = io.MultiWriter(out, &printed), out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("the tour's %q: %w", s.command, err)
		}
		if strings.TrimSpace(printed.String()) == "" {
			return fmt.Errorf("the tour's %q printed nothing", s.command)
		}
	}
	return nil
}
